"""A run's summary in a few lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lkmrs_dask.pipeline.draft import latest_draft
from lkmrs_dask.pipeline.survey import Survey

__all__ = ["state_lines", "summary_lines"]


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
    yield (
        f"{counts['n_mp']} metal-poor, {counts['n_vmp']} very metal-poor; high velocity: "
        f"{counts['n_bound_hivels']} bound, {counts['n_unbound_hivels']} unbound; "
        f"{counts['n_rvv']} RV variables of {counts['n_rv_stars']} stars with a radial velocity"
    )
    if summary.get("light_curves"):
        yield _light_line(summary)
    yield "measurements: " + ", ".join(f"{counts['n_' + name]} {name}" for name in parameters)
    for reason, number in summary["rows_set_aside"].items():
        yield f"set aside: {number:,} x {reason}"
    for reason, number in summary.get("light_curves", {}).get("set_aside", {}).items():
        yield f"light curves set aside: {number:,} x {reason}"
    for reason, number in summary.get("light_curves", {}).get("failed", {}).items():
        yield f"light curve not used: {number:,} x {reason}"
    for failure in summary["failed_files"]:
        yield f"not read to its end: {failure}"
    for failure in summary["failed_pieces"]:
        yield f"failed: {failure}"
    if summary["failed_pieces"]:
        yield "run the same command again to go on with what failed; all else is done"
    yield ""
    yield f"catalogues, products and summary.json: {out}"
    if summary["rows_set_aside"] or summary.get("light_curves", {}).get("set_aside"):
        yield f"what was set aside, with reasons: {out / 'set_aside'}"


def _light_line(summary: Mapping[str, Any]) -> str:
    found = summary["light_curves"]
    searched = ", ".join(f"{n:,} {name}" for name, n in found.get("searched", {}).items()) or "none"
    classes = ", ".join(f"{n:,} {name}" for name, n in summary["classes"].items() if n)
    failed = sum(found.get("failed", {}).values())
    return (
        f"light curves: {found['n_curves']:,} of {found['n_files']:,} files; stars searched: {searched}; "
        f"{summary['n_periodic']:,} periodic variables{': ' + classes if classes else ''}"
        f"{f'; {failed:,} failed, see the catalogue variables' if failed else ''}"
    )


def state_lines(survey: Survey) -> Iterator[str]:
    """Lines that say how far a run in a survey folder is; none when the last one has ended well."""
    if survey.busy():
        yield f"a run is at work in {survey.root}"
    elif survey.work.is_dir():
        yield f"the last run in {survey.root} was interrupted; run the same command again to go on"
    elif survey.root.is_dir() and survey.catalogs() and not survey.success.is_file():
        yield f"the last run in {survey.root} has not ended well; run the same command again"
    else:
        return
    draft = latest_draft(survey)
    folders = {path.parent for path in draft.receipts.glob("*/**/*.json")} if draft is not None else set()
    for stage in sorted(folders):
        name = stage.relative_to(draft.receipts).as_posix() if draft is not None else ""
        yield f"{name:<18} {sum(1 for _ in stage.glob('*.json')):,} pieces done"
