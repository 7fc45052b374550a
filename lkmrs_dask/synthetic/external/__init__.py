"""Catalogues of other surveys around the synthetic stars, in the formats of their real releases."""
