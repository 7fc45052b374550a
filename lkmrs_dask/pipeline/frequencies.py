"""``lkmrs frequencies``: the frequencies of light curves on disk, no survey needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.errors import InputError, LkmrsError, UsageError
from lkmrs_dask.pipeline.frequency_lines import RELATIVE
from lkmrs_dask.readers.light_curves.clocks import ZEROS
from lkmrs_dask.readers.light_curves.curve import LightCurve
from lkmrs_dask.readers.light_curves.plain_tables import UnknownUnitError
from lkmrs_dask.readers.light_curves.reading import light_curve_files, read_light_curve
from lkmrs_dask.readers.light_curves.stitching import LeftOut, stitch
from lkmrs_dask.readers.light_curves.table_format import TableFormat
from lkmrs_dask.readers.streams import check_file, peek
from lkmrs_dask.variability import Frequencies, FrequencySettings, find_frequencies
from lkmrs_dask.variability.bands import clean_bands
from lkmrs_dask.variability.grid import check_limits
from lkmrs_dask.variability.sparse import best_period

__all__ = ["frequencies_of"]

Floats = NDArray[np.float64]

_MISSIONS = ("kepler", "k2", "tess")
_SEGMENTS = {"Kepler": "quarter", "K2": "campaign", "TESS": "sector"}
_ZEROS = {"Kepler": ZEROS["bkjd"], "K2": ZEROS["bkjd"], "TESS": ZEROS["btjd"]}
_KNOWN_FLUXES = ("corrected", "raw")
_AS_IS = "as in the file"
_GRID = ("f_min", "f_max", "oversampling")
_PLAIN_ONLY = ("snr_min", "max_frequencies", "noise")  # settings that a best period does not know
_ENOUGH_ERRORS = 0.5  # of the points: with fewer all weigh the same (ours)


class _Input(NamedTuple):
    """Files of one light curve, the star that joins them, and why they cannot be used."""

    files: tuple[Path, ...]
    star: str = ""
    fault: LkmrsError | None = None


class _Curve(NamedTuple):
    """A light curve to be analysed, the first of its files, and what could not be used."""

    time: Floats
    flux: Floats
    unit: str
    first: LightCurve
    left_out: list[LeftOut]
    flux_err: Floats


def frequencies_of(
    files: Iterable[str | Path],
    *,
    flux: str = "corrected",
    table: TableFormat | None = None,
    join: bool = False,
    harmonics: int | None = None,
    figures: str | Path | None = None,
    **options: Any,
) -> Iterator[dict[str, Any]]:
    """Find the frequencies of light curves, a file at a time, or a star at a time.

    Parameters
    ----------
    files : iterable of path
        See `read_light_curve`; of folders their FITS files are taken.
    flux : str
        See there; of a text table the column's name, or its number from 0, too.
    table : TableFormat, optional
        What is what in text tables; in FITS files as well if it names the column of time or flux.  If it
        names that of the band, only the best period of all bands together is looked for: that needs
        `harmonics`, and neither `join`, `figures` nor settings of plain frequencies.
    join : bool
        Join the files of a star, as far as files tell the star, and analyse them together.
    harmonics : int, optional
        Find the best period by a fit of so many harmonics too, for a few points on many nights.  Magnitudes
        of one file are fitted as they are, not as relative flux.
    figures : path, optional
        Folder that gets a figure of each light curve, ``NAME_frequencies.png`` and ``.pdf``: NAME is that of
        the file without its ending, or of the star, and is made longer where it would be another's too.
    **options
        Of `find_frequencies`.

    Yields
    ------
    dict
        ``file``, ``star``, ``unit`` of amplitudes, ``time_scale`` (see `LightCurve`) and what
        `Frequencies.as_dict` gives; or ``file`` and ``error`` of a file that cannot be used.  The unit is
        relative flux; of a table that does not say what it holds, its own.  With `join` there are ``files``
        besides, of which ``file`` is the first, and ``left_out`` where some could not be used: their names
        and reasons.  With `harmonics` there is ``best_period``, see
        `lkmrs_dask.variability.sparse.BestPeriod`, its ``weights`` (``errors``, or ``equal`` where fewer than
        half of the points have one) and ``n_without_error``, points that are left out with the former.  With
        bands there are ``bands`` (names and points that are used), ``bands_left_out`` (those of which none
        is, with the points of the file), ``n_points`` and ``baseline_d``, and no ``frequencies``.  With
        `figures` there is ``figure``, the PNG.

    Raises
    ------
    UsageError
        For settings that make no sense, whatever the file.
    """
    known = FrequencySettings.__dataclass_fields__
    FrequencySettings(**{name: value for name, value in options.items() if name in known})
    check_limits(options.get("f_min"), options.get("f_max"), options.get("oversampling", 10.0))
    if figures is not None and Path(figures).exists() and not Path(figures).is_dir():
        raise UsageError(f"{figures} is a file: name a folder for the figures")
    in_bands = table is not None and table.band is not None
    if in_bands:
        _check_bands(harmonics, join, figures is not None, options)
    inputs = _by_star(_inputs(files), flux, table) if join else _inputs(files)
    names = _figure_names(inputs)
    for one, name in zip(inputs, names, strict=True):
        told: dict[str, Any] = {"file": str(one.files[0])}
        if join:
            told["files"] = [str(file) for file in one.files]
        try:
            if one.fault is not None:
                raise one.fault
            if in_bands and harmonics is not None:
                yield told | _in_bands(one.files[0], flux, table, harmonics, options)
                continue
            curve = _read(one.files, flux, table)
            found = _find(curve, options)
            best = None
            if harmonics is not None:
                best = _best_period(_as_measured(curve, len(one.files)), harmonics, options)
        except LkmrsError as fault:
            yield told | {"error": str(fault)}
            continue
        told |= {"star": curve.first.name or None, "unit": curve.unit, "time_scale": curve.first.time_scale}
        if curve.left_out:
            told["left_out"] = [{"file": left.source_file, "reason": left.reason} for left in curve.left_out]
        if best is not None:
            told["best_period"] = best
        if figures is not None:
            told["figure"] = str(_draw(curve, found, Path(figures) / name, len(one.files), options))
        yield told | found.as_dict()


def _check_bands(harmonics: int | None, join: bool, drawn: bool, options: dict[str, Any]) -> None:
    one_band = "or choose one band by where=, for instance band=g"
    if harmonics is None:
        raise UsageError(f"light in several bands has a best period only: give harmonics= too, {one_band}")
    idle = ["join="] * join + ["figures="] * drawn + [f"{name}=" for name in _PLAIN_ONLY if name in options]
    if idle:
        raise UsageError(
            f"light in several bands has a best period only: leave out {', '.join(idle)} or band=; {one_band}"
        )


# Which files


def _inputs(files: Iterable[str | Path]) -> list[_Input]:
    """A light curve a file, in the order given; those of a folder by their names."""
    found: list[_Input] = []
    for place in map(Path, files):
        try:
            inside = light_curve_files(place) if place.is_dir() else [place]
        except UsageError as fault:
            found.append(_Input((place,), fault=fault))
            continue
        found += [_Input((file,)) for file in inside]
    return found


def _by_star(inputs: Sequence[_Input], flux: str, table: TableFormat | None) -> list[_Input]:
    """A light curve a star, in the order in which stars appear; files that do not tell theirs stay alone.

    Only names are kept: points are read again when it is their star's turn, so that memory stays small.
    """
    stars: dict[object, _Input] = {}
    for one in inputs:
        key: object = one.files[0].absolute()
        star = ""
        try:
            if one.fault is None:
                curve, _ = _read_file(one.files[0], flux, table)
                if curve.target_id is not None:
                    key = star = curve.star
        except LkmrsError as fault:
            one = one._replace(fault=fault)
        before = stars.get(key)
        stars[key] = one._replace(star=star) if before is None else _add(before, one.files[0])
    return list(stars.values())


def _add(star: _Input, file: Path) -> _Input:
    """A file that is given twice counts once."""
    return star if file in star.files else star._replace(files=(*star.files, file))


def _figure_names(inputs: Sequence[_Input]) -> list[str]:
    """Name of each figure: the shortest that is no other's, without regard to capitals."""
    short = [one.star.replace(" ", "_") or _stem(one.files[0]) for one in inputs]
    alike: dict[str, list[int]] = {}
    for at, name in enumerate(short):
        alike.setdefault(name.casefold(), []).append(at)
    names = list(short)
    for rows in alike.values():
        if len(rows) > 1:
            for at, name in zip(rows, _apart([inputs[at].files[0] for at in rows]), strict=True):
                names[at] = name
    taken: set[str] = set()
    for at, name in enumerate(names):
        number = 1
        while names[at].casefold() in taken:
            number += 1
            names[at] = f"{name}_{number}"
        taken.add(names[at].casefold())
    return [f"{name}_frequencies" for name in names]


def _stem(file: Path) -> str:
    return Path(file.name.removesuffix(".gz")).stem


def _apart(files: Sequence[Path]) -> list[str]:
    """Names by folders or by endings, whichever differ; else the names as they are."""
    for longer in _LONGER:
        names = [longer(file) for file in files]
        if len({name.casefold() for name in names}) == len(files):
            return names
    return [_stem(file) for file in files]


_LONGER: tuple[Callable[[Path], str], ...] = (
    lambda file: f"{file.absolute().parent.name}_{_stem(file)}",
    lambda file: file.name.replace(".", "_"),
)


# What is in them


def _read(files: Sequence[Path], flux: str, table: TableFormat | None) -> _Curve:
    curves, units = zip(*(_read_file(file, flux, table) for file in files), strict=True)
    first = curves[0]
    if len(files) == 1 and units[0] == _AS_IS:
        use = first.good() & np.isfinite(first.time) & np.isfinite(first.flux)
        return _Curve(first.time[use], first.flux[use], _AS_IS, first, [], first.flux_err[use])
    if _AS_IS in units:
        raise InputError("to join it to others its unit of flux is needed; say it with unit=",
                         file=files[units.index(_AS_IS)])  # fmt: skip
    left_out: list[LeftOut] = []
    whole = stitch(curves, left_out=left_out if len(files) > 1 else None)
    if left_out and not len(whole.time):
        raise InputError("; ".join(f"{one.source_file}: {one.reason}" for one in left_out))
    return _Curve(whole.time, whole.flux, RELATIVE, first, left_out, whole.flux_err)


def _read_file(file: Path, flux: str, table: TableFormat | None) -> tuple[LightCurve, str]:
    """Read a light curve; of a table that does not say its unit or its zero of times, as it is.

    Frequencies are the same in any unit, and for any zero.
    """
    check_file(file)
    form = table or TableFormat()
    if peek(file).startswith(b"SIMPLE") and form.time is None and form.flux is None:
        return read_light_curve(file, flux=flux), RELATIVE
    if flux not in _KNOWN_FLUXES:
        form = replace(form, flux=int(flux) if flux.isdigit() else flux)
    try:
        return _read_table(file, form), RELATIVE
    except UnknownUnitError:
        return _read_table(file, replace(form, unit="excess")), _AS_IS


def _read_table(file: Path, form: TableFormat) -> LightCurve:
    try:
        return read_light_curve(file, table=form)
    except UnknownUnitError:
        raise
    except InputError as fault:
        if form.zero is not None:
            raise
        try:
            return read_light_curve(file, table=replace(form, zero="relative"))
        except InputError:
            raise fault from None  # it was not the zero


def _find(curve: _Curve, options: dict[str, Any]) -> Frequencies:
    mission = curve.first.mission.lower()
    known = {"mission": mission} if mission in _MISSIONS else {}
    return find_frequencies(curve.time, curve.flux, **{**known, **options})


def _as_measured(curve: _Curve, n_files: int) -> _Curve:
    """Magnitudes of a file as they are: those of one band are fitted as those of several."""
    first = curve.first
    if n_files > 1 or first.unit != "mag":
        return curve
    use = first.good()
    return curve._replace(time=first.time[use], flux=first.flux[use], flux_err=first.flux_err[use])


def _best_period(
    curve: _Curve, harmonics: int, options: dict[str, Any], band: NDArray[np.str_] | None = None
) -> dict[str, Any]:
    limits = {name: options[name] for name in ("f_min", "f_max") if name in options}
    errors = curve.flux_err
    has = np.isfinite(errors) & (errors > 0)
    weighted = bool(np.count_nonzero(has) >= _ENOUGH_ERRORS * len(has))
    found = best_period(
        curve.time, curve.flux, errors if weighted else None, band=band, harmonics=harmonics, **limits
    )
    told = {name: value if value == value else None for name, value in found._asdict().items()}
    return told | {
        "weights": "errors" if weighted else "equal",
        "n_without_error": int(np.count_nonzero(~has)),
    }


def _in_bands(
    file: Path, flux: str, table: TableFormat | None, harmonics: int, options: dict[str, Any]
) -> dict[str, Any]:
    """What is told of light in several bands, each with its own mean and amplitude: no unit is needed."""
    curve, _ = _read_file(file, flux, table)
    if curve.band is None:
        raise InputError("bands are known of text tables only", file=file)
    use = curve.good()
    part = _Curve(curve.time[use], curve.flux[use], _AS_IS, curve, [], curve.flux_err[use])
    band = curve.band[use]
    best = _best_period(part, harmonics, options, band)
    names, in_file = np.unique(curve.band, return_counts=True)
    errors = part.flux_err if best["weights"] == "errors" else None
    points = clean_bands(part.time, part.flux, errors, band)
    used = dict(zip(points.labels, np.bincount(points.band).tolist(), strict=True))
    left_out = {name: n for name, n in zip(names.tolist(), in_file.tolist(), strict=True) if name not in used}
    return {
        "star": curve.name or None,
        "time_scale": curve.time_scale,
        "n_points": best["n_points"],
        "baseline_d": best["baseline_d"],
        "bands": {name: used[name] for name in sorted(used)},
        "bands_left_out": left_out,
        "best_period": best,
    }


def _draw(curve: _Curve, found: Frequencies, path: Path, n_files: int, options: dict[str, Any]) -> Path:
    """Draw a figure; its PNG."""
    from lkmrs_dask.products.figures.frequencies import figure_frequencies

    first = curve.first
    zero, label = 0.0, "Time (d)"
    if first.time_scale != "relative":
        zero = _ZEROS.get(first.mission, ZEROS["rjd"])
        scale = r"BJD$_{\rm TDB}$" if first.time_scale == "BJD_TDB" else "BJD"
        label = rf"{scale} $-$ {zero:.0f} (d)"
    part = f", {_SEGMENTS.get(first.mission, 'segment')} {first.segment}" if first.segment is not None else ""
    name = (first.star or first.source_file) + (f", {n_files} files" if n_files > 1 else part)
    unit = "other" if curve.unit == _AS_IS else "mag" if first.unit == "mag" else "relative"
    grid = {key: options[key] for key in _GRID if key in options}
    drawn = figure_frequencies(
        curve.time, curve.flux, found, path, name=name, unit=unit, time_zero=zero, time_label=label, **grid
    )
    return drawn[0]
