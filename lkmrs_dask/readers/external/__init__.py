"""Catalogues of other surveys and missions, as they are published."""
