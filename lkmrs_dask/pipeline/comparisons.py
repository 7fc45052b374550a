"""Comparison of the stars' parameters with those of other surveys (section 3.3), from the matches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.external_stage import External
from lkmrs_dask.pipeline.map_stage import draft_catalog
from lkmrs_dask.pipeline.matches import name_in_match
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.survey import MATCHES
from lkmrs_dask.stars.comparison import Comparison, ComparisonSettings, compare_classes
from lkmrs_dask.stars.comparison_settings import OffsetSettings
from lkmrs_dask.stars.offsets import Offsets, offsets

__all__ = ["COMPARED", "Compared", "Comparisons", "compare_surveys"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Compared:
    """A parameter as another survey publishes it.

    Parameters
    ----------
    value, error : str
        Its columns.
    flags : mapping
        Columns of bits, and those of them that must not be set.
    """

    value: str
    error: str
    flags: Mapping[str, int] = field(default_factory=dict)


_ANY = -1  # all bits
_STAR_BAD = {"ASPCAPFLAG": 1 << 23}
_GALAH = {"flag_sp": _ANY}

COMPARED: Mapping[str, Mapping[str, Compared]] = {
    "apogee": {
        "teff": Compared("TEFF", "TEFF_ERR", _STAR_BAD),
        "logg": Compared("LOGG", "LOGG_ERR", _STAR_BAD),
        "feh": Compared("FE_H", "FE_H_ERR", _STAR_BAD),
        "alpha_m": Compared("ALPHA_M", "ALPHA_M_ERR", _STAR_BAD),
        "rv": Compared("VHELIO_AVG", "VERR"),
    },
    "galah": {
        "teff": Compared("teff", "e_teff", _GALAH),
        "logg": Compared("logg", "e_logg", _GALAH),
        "feh": Compared("fe_h", "e_fe_h", {**_GALAH, "flag_fe_h": _ANY}),
        "alpha_m": Compared("alpha_fe", "e_alpha_fe", {**_GALAH, "flag_alpha_fe": _ANY}),
        "rv": Compared("rv_galah", "e_rv_galah"),
    },
    "gaia": {"rv": Compared("radial_velocity", "radial_velocity_error")},
}
"""Kinds of surveys, and their columns for the parameters of Table 2; flags as their publications advise:
APOGEE's STAR_BAD (bit 23 of ASPCAPFLAG), GALAH's flags zero (Buder et al. 2021)."""


@dataclass(frozen=True)
class Comparisons:
    """All comparisons.

    Parameters
    ----------
    lines : dict
        `Comparison` by survey, parameter and class of stars.
    offsets : dict
        `Offsets` by survey, parameter and the quantity that they go along.
    kinds : dict
        Kind of each survey, by its name.
    """

    lines: dict[tuple[str, str, str], Comparison]
    offsets: dict[tuple[str, str, str], Offsets]
    kinds: dict[str, str]


def compare_surveys(
    externals: Iterable[External],
    draft: Draft,
    settings: ComparisonSettings,
    windows: OffsetSettings,
    report: Reporter,
) -> Comparisons:
    """Compare with every survey that has parameters, as far as they are in its files."""
    result = Comparisons({}, {}, {})
    surveys = [
        (one, draft_catalog(draft, f"{MATCHES}/{one.name}")) for one in externals if one.kind in COMPARED
    ]
    there = [(one, matched) for one, matched in surveys if matched is not None]
    if not there:
        return result
    with report.stage("comparison", "surveys") as record:
        record.begin(len(there))
        for one, matched in there:
            result.kinds[one.name] = one.kind
            for parameter, theirs in COMPARED[one.kind].items():
                _compare(result, one, parameter, theirs, matched, settings, windows)
            record.finish_unit(len(matched))
    return result


def _compare(
    result: Comparisons,
    survey: External,
    parameter: str,
    compared: Compared,
    matched: Catalog,
    settings: ComparisonSettings,
    windows: OffsetSettings,
) -> None:
    """Compare a parameter, if the survey has it."""
    name_of = partial(name_in_match, survey=survey.name, present=matched.columns)
    theirs = name_of(compared.value)
    if theirs is None or theirs == parameter:
        return
    named = {"theirs": theirs, "error": name_of(compared.error)}
    named |= {flag: name_of(flag) for flag in compared.flags}
    own = (parameter, f"{parameter}_err", f"n_{parameter}", "teff", "logg", "feh")
    wanted = dict.fromkeys([*own, *(name for name in named.values() if name is not None)])
    table = matched[list(wanted)].to_arrow()
    good = np.ones(len(table), dtype=bool)
    for flag, bits in compared.flags.items():
        if named[flag] is not None:
            good &= (_integers(table, str(named[flag])) & bits) == 0
    values = np.where(good, _floats(table, theirs), np.nan)
    error = _floats(table, named["error"]) if named["error"] is not None else None
    ours, n = _floats(table, parameter), _floats(table, f"n_{parameter}")
    # That of the mean: Eq. 2 is the spread of single spectra.
    ours_err = _floats(table, f"{parameter}_err") / np.sqrt(np.maximum(n, 1.0))
    classes = compare_classes(
        ours,
        values,
        _floats(table, "logg"),
        ours_err=ours_err,
        theirs_err=error,
        settings=settings,
        parameter=parameter,
    )
    for stars, line in classes.items():
        result.lines[survey.name, parameter, stars] = line
    along = offsets(ours, values, _floats(table, "teff"), _floats(table, "feh"), windows, parameter=parameter)
    for quantity, some in along.items():
        result.offsets[survey.name, parameter, quantity] = some


def _floats(table: pa.Table, name: str) -> Floats:
    return table.column(name).cast(pa.float64()).to_numpy()


def _integers(table: pa.Table, name: str) -> NDArray[np.int64]:
    """Return flags; a row without one has all of them set."""
    return table.column(name).cast(pa.int64()).fill_null(-1).to_numpy()
