"""Fixtures of the tests that fetch light curves."""

from __future__ import annotations

from collections.abc import Iterator

import archive_site
import pytest
from archive_site import Archive


@pytest.fixture
def archive() -> Iterator[Archive]:
    """An archive that is there for a test."""
    with archive_site.serve(Archive()) as one:
        yield one
