"""``lkmrs frequencies``: the frequencies of light curves on disk, no survey needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lkmrs_dask.errors import LkmrsError
from lkmrs_dask.readers.light_curves.curve import LightCurve
from lkmrs_dask.readers.light_curves.plain_tables import UnknownUnitError
from lkmrs_dask.readers.light_curves.reading import read_light_curve
from lkmrs_dask.readers.light_curves.stitching import stitch
from lkmrs_dask.readers.light_curves.table_format import TableFormat
from lkmrs_dask.variability import find_frequencies

__all__ = ["frequencies_of", "frequency_lines"]

_MISSIONS = ("kepler", "k2", "tess")


def frequencies_of(
    files: Iterable[str | Path], *, flux: str = "corrected", table: TableFormat | None = None, **options: Any
) -> Iterator[dict[str, Any]]:
    """Find the frequencies of light curves, a file at a time.

    Parameters
    ----------
    files : iterable of path
        See `read_light_curve`.
    flux, table
        See there.
    **options
        Of `find_frequencies`.

    Yields
    ------
    dict
        ``file``, ``star``, ``unit`` of amplitudes and what `Frequencies.as_dict` gives; or ``file`` and
        ``error`` of a file that cannot be used.  The unit is relative flux; of a table that does not say
        what it holds, its own.
    """
    for file in files:
        try:
            curve, unit = _read(file, flux, table)
            yield {"file": str(file), "star": curve.name or None, "unit": unit, **_found(curve, options)}
        except LkmrsError as fault:
            yield {"file": str(file), "error": str(fault)}


def _read(file: str | Path, flux: str, table: TableFormat | None) -> tuple[LightCurve, str]:
    try:
        return read_light_curve(file, flux=flux, table=table), "relative flux"
    except UnknownUnitError:
        # Frequencies are the same in any unit; the mean is taken away in any case.
        return read_light_curve(file, table=TableFormat(unit="excess")), "as in the file"


def _found(curve: LightCurve, options: dict[str, Any]) -> dict[str, Any]:
    whole = stitch([curve])
    mission = curve.mission.lower()
    known = {"mission": mission} if mission in _MISSIONS else {}
    return find_frequencies(whole.time, whole.flux, **{**known, **options}).as_dict()


def frequency_lines(found: dict[str, Any]) -> Iterator[str]:
    """Lines for a person."""
    if "error" in found:
        yield f"{found['file']}: {found['error']}"
        return
    rows = found["frequencies"]
    yield (
        f"{found['file']}: {found['n_points']:,} points over {found['baseline_d']:.2f} d, "
        f"{len(rows)} frequencies; noise: {found['noise_definition']}"
    )
    if rows:
        unit = "ppt" if found["unit"] == "relative flux" else "1e-3"
        yield f"{'':>4}{'1/d':>12}{'+-':>10}{unit:>11}{'+-':>9}{'S/N':>9}"
    for number, row in enumerate(rows):
        error, amplitude = row["frequency_err"] or 0.0, row["amplitude"] * 1e3
        yield (
            f"{number:>4}{row['frequency']:>12.6f}{error:>10.6f}{amplitude:>11.4f}"
            f"{(row['amplitude_err'] or 0.0) * 1e3:>9.4f}{row['snr']:>9.1f}  {_about(row)}"
        ).rstrip()


def _about(row: dict[str, Any]) -> str:
    """Say what a frequency may be."""
    words = list(row["flags"])
    if row["harmonic_of"]:
        words.insert(0, f"{row['harmonic_of']['multiple']} x {row['harmonic_of']['row']}")
    if row["combination_of"]:
        words.insert(0, " + ".join(f"{one['factor']} x {one['row']}" for one in row["combination_of"]))
    return ", ".join(words)
