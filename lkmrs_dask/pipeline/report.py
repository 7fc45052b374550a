"""A run's summary in a few lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["summary_lines"]


def summary_lines(summary: Mapping[str, Any], out: Path) -> Iterator[str]:
    """Lines that say what a survey holds, what was set aside and why, and where to look."""
    counts = {name: f"{value:,}" for name, value in summary.items() if name.startswith("n_")}
    yield ""
    yield f"{counts['n_spectra']} spectra: {counts['n_single']} single, {counts['n_coadd']} coadded"
    kepler, k2 = counts["n_stars_kepler"], counts["n_stars_k2"]
    yield f"{counts['n_stars']} stars: {kepler} in Kepler, {k2} in K2 fields"
    yield (
        f"{counts['n_stars_with_parameters']} stars with parameters, "
        f"{counts['n_stars_with_3_coadds']} of them from at least three spectra"
    )
    parameters = ("teff", "logg", "feh", "alpha_m", "rv", "vsini")
    yield "measurements: " + ", ".join(f"{counts['n_' + name]} {name}" for name in parameters)
    for reason, number in summary["rows_set_aside"].items():
        yield f"set aside: {number:,} x {reason}"
    for failure in summary["failed_files"]:
        yield f"not read to its end: {failure}"
    yield ""
    yield f"catalogues, products and summary.json: {out}"
    if summary["rows_set_aside"]:
        yield f"rows set aside, with reasons: {out / 'set_aside'}"
