"""Deviations of a survey in little: histograms by S/N that merge, and hold what the fit of Eq. 4 needs.

The summary of a partition is counts and sums in whole numbers, so that any order and grouping of merging
gives the same bits, and one of a hundred million spectra is hardly larger than one of ten thousand: 30 to
50 kB as JSON.  All rows of a star must be in one partition.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lkmrs_dask.errors import CatalogError
from lkmrs_dask.schema import PARAMETERS
from lkmrs_dask.stars.columns import floats
from lkmrs_dask.stars.deviations import Deviations, star_deviations
from lkmrs_dask.stars.error_settings import ErrorLawSettings
from lkmrs_dask.stars.means import StarWeights, squared_weight
from lkmrs_dask.stars.rv_variable import velocity_scatter
from lkmrs_dask.stars.table2 import stars_together

__all__ = [
    "DEVIATION_COLUMNS", "FIXED", "FIXED_PAIRS", "LEFT_OUT", "SCALES", "SNR_EDGES", "DeviationSummary",
    "ParameterSummary", "coarse_bin", "deviation_edges", "merge", "summarise_deviations",
]  # fmt: skip

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DEVIATION_COLUMNS = ("star_id", "snr", *PARAMETERS, "rv_err")
"""Columns of measurements that `summarise_deviations` reads."""

SCALES: Mapping[str, float] = {
    "teff": 1.0, "logg": 0.002, "feh": 0.002, "alpha_m": 0.002, "rv": 0.02, "vsini": 0.1
}  # fmt: skip
"""Deviation (K, dex, km/s) up to which bins are equally wide; beyond they are 5 % of it."""

SNR_EDGES = 10.0 ** (np.arange(61) / 20.0)
"""Edges of the bins of S/N, 1 to 1000, twenty a decade; below and above there is one more."""

FIXED = 1 << 20
"""Sums of fractions are kept as whole numbers of this part of one."""

FIXED_PAIRS = 1 << 12
"""The same for sums over pairs of spectra, of which there are many, and some must fit in a receipt."""

LEFT_OUT = ("no_snr", "single", "low_snr", "outweighs", "rv_variable")
"""Why a measured parameter has no part: no positive S/N; the only one of its star; below `min_snr`; so much
of its star's weight that it is the mean; an RV variable's velocity."""

_N_SNR = len(SNR_EDGES) + 1
_N_COARSE = _N_SNR // 2 + 1
_STEP, _HALF = 0.05, 256  # of asinh(deviation / scale), and bins to each side
_N_DEVIATION = 2 * _HALF + 2
_SHAPES = {
    "counts": (_N_SNR, _N_DEVIATION), "log_snr": (_N_SNR,), "log_snr_2": (_N_SNR,), "freedom": (_N_SNR,),
    "mixing": (_N_SNR, _N_SNR), "common": (_N_COARSE, _N_COARSE),
}  # fmt: skip


def deviation_edges(name: str) -> Floats:
    """Edges of the bins of deviations of a parameter; the outermost bins are open."""
    return np.sinh(_STEP * np.arange(-_HALF, _HALF + 1)) * SCALES[name]


def coarse_bin(fine: Ints) -> Ints:
    """Coarse bins of S/N, ten a decade, of the fine ones."""
    return (fine + 1) // 2


@dataclass(frozen=True, eq=False)
class ParameterSummary:
    r"""Deviations of one parameter.

    Parameters
    ----------
    counts : ndarray of int64, shape (62, 514)
        Deviations by bin of S/N and of deviation; the first and last of each are open.
    log_snr, log_snr_2 : ndarray of int64, shape (62,)
        Sums of ln(S/N) and of its square, in parts of `FIXED`.
    freedom : ndarray of int64, shape (62,)
        Sum of 1 - h, the degrees of freedom, where h is a spectrum's share of the weight of its star.
    mixing : ndarray of int64, shape (62, 62)
        How errors get into deviations.  For bins K and J it is the sum over the deviations k of K of
        :math:`f_k^2 A_{kj}^2` over all spectra j of J that are in the mean, in parts of `FIXED_PAIRS`:
        :math:`\Delta P_k = f_k \sum_j A_{kj} P_j`, so the sum of squares of the deviations of K is
        expected to be :math:`\sum_J M_{KJ} \sigma^2_J`.
    common : ndarray of int64, shape (32, 32)
        Sum of squares of the correlations of deviations of one star, pairs of different spectra, by coarse
        bins (`coarse_bin`), in parts of `FIXED_PAIRS`.
    n_stars : int
        Stars with a deviation.
    left_out : mapping
        Measured parameters without a part, by reason (`LEFT_OUT`).
    """

    counts: Ints
    log_snr: Ints
    log_snr_2: Ints
    freedom: Ints
    mixing: Ints
    common: Ints
    n_stars: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_spectra(self) -> int:
        """Deviations."""
        return int(self.counts.sum())

    @classmethod
    def empty(cls) -> ParameterSummary:
        """Of no spectra."""
        return cls(
            **{name: np.zeros(shape, np.int64) for name, shape in _SHAPES.items()}, n_stars=0, left_out={}
        )

    def plus(self, other: ParameterSummary) -> ParameterSummary:
        """Of the spectra of both, which share no star."""
        return ParameterSummary(
            **{name: getattr(self, name) + getattr(other, name) for name in _SHAPES},
            n_stars=self.n_stars + other.n_stars,
            left_out={
                why: n for why in LEFT_OUT if (n := self.left_out.get(why, 0) + other.left_out.get(why, 0))
            },
        )


@dataclass(frozen=True, eq=False)
class DeviationSummary:
    """Deviations of all parameters of a survey or of a part of it.

    Parameters
    ----------
    parameters : mapping
        `ParameterSummary` by name; all six.
    settings : mapping
        `ErrorLawSettings.of_rows` with which it was made.
    """

    parameters: Mapping[str, ParameterSummary]
    settings: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Spell it out in what JSON knows, arrays packed as text; `from_json` reads it."""
        return {
            "settings": dict(self.settings),
            "parameters": {
                name: {"n_stars": one.n_stars, "left_out": dict(one.left_out)}
                | {array: _pack(getattr(one, array)) for array in _SHAPES}
                for name, one in self.parameters.items()
            },
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DeviationSummary:
        """Make one of what `as_json` gave.

        Raises
        ------
        CatalogError
            When it was made by something else.
        """
        try:
            parameters = {
                name: ParameterSummary(
                    **{array: _unpack(one[array], shape) for array, shape in _SHAPES.items()},
                    n_stars=one["n_stars"],
                    left_out=one["left_out"],
                )
                for name, one in values["parameters"].items()
            }
            return cls(parameters, values["settings"])
        except (KeyError, TypeError, ValueError, zlib.error) as fault:
            raise CatalogError(f"not a summary of deviations: {fault!r}; make it anew") from fault


def merge(parts: Iterable[DeviationSummary]) -> DeviationSummary:
    """Merge the summaries of parts that share no star, in any order and grouping.

    Raises
    ------
    CatalogError
        When they were made with different settings.
    """
    total: dict[str, ParameterSummary] = dict.fromkeys(PARAMETERS, ParameterSummary.empty())
    settings: Mapping[str, Any] | None = None
    for part in parts:
        if settings is not None and dict(part.settings) != dict(settings):
            raise CatalogError(
                f"summaries differ in settings: {part.settings} and {settings}; make them anew"
            )
        settings = part.settings
        total = {name: total[name].plus(one) for name, one in part.parameters.items()}
    return DeviationSummary(total, ErrorLawSettings().of_rows() if settings is None else settings)


def summarise_deviations(
    measurements: pa.Table, settings: ErrorLawSettings | None = None
) -> DeviationSummary:
    """Deviations of every spectrum of stars with two or more (Eq. 3), summed up.

    Parameters
    ----------
    measurements : pyarrow.Table
        All rows of some stars, in any order: ``star_id``, ``snr``, any of the six parameters, and ``rv_err``,
        without which no star is known to vary.  A missing column is one of nulls.
    settings : ErrorLawSettings, optional
        Of which `ErrorLawSettings.of_rows` count.

    Returns
    -------
    DeviationSummary

    Raises
    ------
    CatalogError
        When a row has no star.
    """
    settings = settings or ErrorLawSettings()
    present = [name for name in DEVIATION_COLUMNS if name in measurements.column_names]
    table, first = stars_together(measurements.select(present))
    snr = floats(table, "snr")
    spectra = StarWeights(squared_weight(snr), first)
    scatter = velocity_scatter(
        floats(table, "rv"), floats(table, "rv_err"), first,
        n_sigma=settings.rv_n_sigma, ddof=settings.rv_ddof, least_n=settings.rv_least_n,
    )  # fmt: skip
    varies = np.repeat(scatter.variable, spectra.lengths)
    star = np.repeat(np.arange(len(first)), spectra.lengths)
    parameters = {}
    for name in PARAMETERS:
        values = floats(table, name)
        found = star_deviations(values, spectra, settings.factor)  # type: ignore[arg-type]
        masks = {
            "no_snr": ~(spectra.weight > 0),
            "single": found.n < 2,
            "low_snr": snr < settings.min_snr,
            "outweighs": np.isnan(found.value),
            "rv_variable": varies & (name == "rv"),
        }
        left, left_out = np.isfinite(values), {}
        for why, mask in masks.items():
            if n := int(np.count_nonzero(left & mask)):
                left_out[why] = n
            left &= ~mask
        parameters[name] = _summarise(name, found, snr, star, left, left_out, settings.factor)
    return DeviationSummary(parameters, settings.of_rows())


def _summarise(
    name: str,
    found: Deviations,
    snr: Floats,
    star: Ints,
    used: NDArray[np.bool_],
    left_out: dict[str, int],
    factor: str,
) -> ParameterSummary:
    """Sum up the deviations of the rows `used`; others with a value are in the means."""
    row = np.flatnonzero(used)
    bin_snr = np.searchsorted(SNR_EDGES, snr[row], side="right")
    bin_deviation = np.searchsorted(deviation_edges(name), found.value[row], side="right")
    flat = np.bincount(bin_snr * _N_DEVIATION + bin_deviation, minlength=_N_SNR * _N_DEVIATION)
    log_snr = np.log(snr[row])
    # A star with no deviation has no part in the errors of others either.
    has_any = np.zeros(int(star[-1]) + 1 if len(star) else 0, bool)
    has_any[star[row]] = True
    in_mean = np.flatnonzero((found.leverage > 0) & has_any[star])
    mixing, common = _mixing(found, snr, star, in_mean, used[in_mean], factor)
    return ParameterSummary(
        flat.reshape(_N_SNR, _N_DEVIATION).astype(np.int64),
        _sums(log_snr, bin_snr),
        _sums(log_snr**2, bin_snr),
        _sums(1.0 - found.leverage[row], bin_snr),
        mixing,
        common,
        int(np.count_nonzero(has_any)),
        left_out,
    )


def _mixing(
    found: Deviations, snr: Floats, star: Ints, row: Ints, counted: NDArray[np.bool_], factor: str
) -> tuple[Ints, Ints]:
    """Matrices `mixing` and `common` of rows sorted by star, of which some count as deviations."""
    h, n = found.leverage[row], found.n[row]
    f2, g = np.zeros(len(row)), np.zeros(len(row))
    f2[counted] = 1.0 / (1.0 - h[counted]) if factor == "leverage" else n[counted] / (n[counted] - 1.0)
    g[counted] = h[counted] / (1.0 - h[counted])
    bins = np.searchsorted(SNR_EDGES, snr[row], side="right")

    group, at, a, b = _pairs(star[row], bins, _N_SNR)
    f, q, own = (np.bincount(at, x).astype(np.float64) for x in (f2, h**2, f2 * (1.0 - 2.0 * h)))
    mixing = np.maximum(f[a] * q[b] + np.where(a == b, own[a], 0.0), 0.0)
    of_pairs = _sums(mixing, group[a] * _N_SNR + group[b], _N_SNR**2, FIXED_PAIRS)

    # The square of a correlation; for weights that go as the inverse of the variance it is g_k g_j.
    group, at, a, b = _pairs(star[row], coarse_bin(bins), _N_COARSE)
    g1, g2 = (np.bincount(at, x).astype(np.float64) for x in (g, g**2))
    common = np.maximum(g1[a] * g1[b] - np.where(a == b, g2[a], 0.0), 0.0)
    of_coarse = _sums(common, group[a] * _N_COARSE + group[b], _N_COARSE**2, FIXED_PAIRS)
    return of_pairs.reshape(_N_SNR, _N_SNR), of_coarse.reshape(_N_COARSE, _N_COARSE)


def _pairs(star: Ints, bins: Ints, n_bins: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Entries, one a star and bin, of rows sorted by star, and all ordered pairs of entries of one star.

    Returns the bin of each entry, the entry of each row, and the first and the second entry of each pair.
    """
    keys, at = np.unique(star * n_bins + bins, return_inverse=True)
    of_star = keys // n_bins
    first = np.flatnonzero(np.diff(of_star, prepend=-1))
    size = np.diff(np.append(first, len(keys)))
    mine = np.repeat(size, size)
    a = np.repeat(np.arange(len(keys)), mine)
    begin = np.cumsum(mine) - mine
    b = np.arange(len(a)) - np.repeat(begin, mine) + np.repeat(np.repeat(first, size), mine)
    return keys % n_bins, at, a, b


def _sums(values: Floats, at: Ints, n: int = _N_SNR, fixed: int = FIXED) -> Ints:
    """Sums by bin, each value rounded to a part of `fixed` first: exact whatever the order."""
    sums = np.zeros(n, np.int64)
    np.add.at(sums, at, np.rint(values * fixed).astype(np.int64))
    return sums


def _pack(array: Ints) -> str:
    """Bytes of the same weight side by side, which are zeros mostly, compressed."""
    planes = array.astype("<i8").reshape(-1).view(np.uint8).reshape(-1, 8).T
    return base64.b85encode(zlib.compress(planes.tobytes(), 9)).decode("ascii")


def _unpack(text: str, shape: tuple[int, ...]) -> Ints:
    planes = np.frombuffer(zlib.decompress(base64.b85decode(text)), np.uint8).reshape(8, -1)
    return np.ascontiguousarray(planes.T).view("<i8").reshape(shape).astype(np.int64)
