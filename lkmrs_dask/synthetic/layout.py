"""Where the rows of a visit are: folders, names and forms of the raw files."""

from __future__ import annotations

from lkmrs_dask.synthetic.ledger import Ledger

__all__ = ["CATALOGUE", "SPECTRA", "STELLAR", "TRUTH", "catalogue_name", "forms", "stellar_name"]

CATALOGUE, STELLAR, SPECTRA = "mrs_catalogue", "mrs_stellar", "mrs_spectra"
"""Folders of LAMOST's raw files."""

TRUTH = "truth"
"""Folder of the truth."""

_RELEASE = "dr11_v2.0"


def catalogue_name(year: int, text: bool) -> str:
    """Name of the file of the general catalogue that has a year's rows."""
    return f"{_RELEASE}_MRS_catalogue_{year}.{'csv' if text else 'fits'}.gz"


def stellar_name(text: bool) -> str:
    """Name of one of the two files of the stellar catalogue."""
    return f"{_RELEASE}_MRS_stellar.{'csv' if text else 'fits'}.gz"


def forms(ledger: Ledger, visit: int, text_only: bool = False) -> tuple[bool, bool]:
    """Whether the rows of a visit are text, in the general and in the stellar catalogue.

    The last year of the one is FITS, if not told otherwise, and every second plan of the other is text.
    """
    text = text_only or ledger.visits[visit].year != ledger.visits[-1].year
    return text, bool(ledger.plan_of_visit[visit] % 2)
