"""Column names of the real releases, from ``headers.txt``."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from lkmrs_dask.errors import UsageError

__all__ = ["columns_of"]


@cache
def columns_of(catalogue: str) -> tuple[str, ...]:
    """All columns of a text catalogue, in the order of its release.

    Parameters
    ----------
    catalogue : str
        ``kic``, ``epic``, ``tic``, ``gaia``, ``simbad``, ``vsx`` or ``gaia_variables``.

    Raises
    ------
    UsageError
        For another one.
    """
    text = (files("lkmrs_dask.synthetic.external") / "headers.txt").read_text("utf-8")
    lines = (line.split("|") for line in text.splitlines() if not line.startswith("#"))
    known = {name: tuple(columns) for name, *columns in lines}
    if catalogue not in known:
        raise UsageError(f"no columns are known for {catalogue}, only for {', '.join(known)}")
    return known[catalogue]
