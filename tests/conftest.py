"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def earth_rotation_without_network() -> None:
    """Astropy, the oracle of times, takes the tables that it comes with."""
    from astropy.utils import iers

    iers.conf.auto_download = False


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real survey files with known answers; tests that need it skip without it."""
    place = Path(os.environ.get("LKMRS_SHARED", Path(__file__).resolve().parents[1].parent / "shared"))
    if not (place / "data").is_dir():
        pytest.skip("needs the real data files: set LKMRS_SHARED to the folder that holds data/")
    return place
