"""Which stars a plan observes, with which fibre, and at what position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.errors import UsageError
from lkmrs_dask.sky.index import separation_arcsec
from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.plan import Plan
from lkmrs_dask.synthetic.population import FIELD_RADIUS, Stars, offset_position

__all__ = [
    "FIBRES", "MOST_SCATTER_ARCSEC", "SCATTER_ARCSEC", "Targets", "choose_targets", "designations",
    "moved_targets",
]  # fmt: skip

FIBRES = 4000
"""Fibres of the telescope: 16 spectrographs with 250 each."""

SCATTER_ARCSEC = 0.4
"""Root mean square of the distance of positions from the truth; each coordinate has 0.4 / sqrt(2)."""

MOST_SCATTER_ARCSEC = 1.45
"""No position is further away: those of one star on two plans are within 3 arcsec, the radius of identity."""

_PER_SPECTROGRAPH = 250
_SHARED = 0.7  # of the stars that lie on another plan's plate too, the share that is on its target list
_FIBRE_STEP = 1237  # has no factor in common with 4000: neighbours in number sit on different spectrographs


@dataclass(frozen=True, eq=False)
class Targets:
    """The target list of a plan, or some of it; arrays have one entry per target.

    Parameters
    ----------
    plan : Plan
        The plan.
    star : ndarray of int64
        Index of the star, rising.
    spid, fiberid : ndarray of int64
        Spectrograph (1 to 16) and fibre (1 to 250).
    ra, dec : ndarray of float64
        Position on this plan, degrees with six decimals.
    designation : pyarrow.StringArray
        ``JHHMMSS.ss+DDMMSS.s`` of that position.
    """

    plan: Plan
    star: NDArray[np.int64]
    spid: NDArray[np.int64]
    fiberid: NDArray[np.int64]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    designation: pa.StringArray

    def __len__(self) -> int:
        return len(self.star)

    def take(self, slot: NDArray[np.int64]) -> Targets:
        """Take some of the targets, by index."""
        return Targets(
            self.plan,
            self.star[slot],
            self.spid[slot],
            self.fiberid[slot],
            self.ra[slot],
            self.dec[slot],
            self.designation.take(pa.array(slot)),
        )


def moved_targets(targets: Targets, east: float) -> Targets:
    """Targets elsewhere: with right ascensions so many degrees larger."""
    ra = np.round(targets.ra + east, 6) % 360.0
    return replace(targets, ra=ra, designation=designations(ra, targets.dec))


def choose_targets(stars: Stars, plans: Sequence[Plan], number: int, draws: Draws) -> Targets:
    """Targets of a plan: the stars of its own field, and a share of the others that lie on its plate.

    Parameters
    ----------
    stars : Stars
        All stars.  A star's fibre depends on those before it only.
    plans : sequence of Plan
        What ``stars.home`` refers to.
    number : int
        Which of them.
    draws : Draws
        Random numbers, addressed by star and plan.

    Raises
    ------
    UsageError
        For more targets than fibres.
    """
    plan = plans[number]
    near = separation_arcsec(stars.ra, stars.dec, *plan.centre) < 3600.0 * FIELD_RADIUS
    listed = draws.uniform(Purpose.ON_PLAN, stars.number, plan.code) < _SHARED
    star = np.flatnonzero((stars.home == number) | (near & listed))
    if len(star) > FIBRES:
        raise UsageError(
            f"plan {plan.planid} would have {len(star)} stars for {FIBRES} fibres; ask for fewer"
        )
    slot = np.arange(len(star)) * _FIBRE_STEP % FIBRES
    address = stars.number[star]
    away = _away(draws.uniform(Purpose.SCATTER_RADIUS, address, plan.code)) / 3600.0
    angle = 360.0 * draws.uniform(Purpose.SCATTER_ANGLE, address, plan.code)
    ra, dec = offset_position(stars.ra[star], stars.dec[star], away, angle)
    ra, dec = np.round(ra, 6) % 360.0, np.round(dec, 6)
    spid, fiberid = slot // _PER_SPECTROGRAPH + 1, slot % _PER_SPECTROGRAPH + 1
    return Targets(plan, star, spid, fiberid, ra, dec, designations(ra, dec))


def _away(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances (arcsec) of a Gaussian in two coordinates, cut off, of uniform numbers."""
    inside = -np.expm1(-((MOST_SCATTER_ARCSEC / SCATTER_ARCSEC) ** 2))
    return SCATTER_ARCSEC * np.sqrt(-np.log1p(-inside * share))


def designations(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> pa.StringArray:
    """Names ``JHHMMSS.ss+DDMMSS.s`` of positions (deg), digits cut off as the IAU asks."""
    # A little more than the position, lest 59.999999... stand for 60 exactly.
    hours = np.floor(ra / 15.0 * 360_000.0 + 1e-6).astype(np.int64)
    degrees = np.floor(np.abs(dec) * 36_000.0 + 1e-6).astype(np.int64)
    sign = pa.array(np.where(dec < 0, "-", "+"), pa.string())
    parts = [
        pa.scalar("J"), _padded(hours // 360_000), _padded(hours // 6000 % 60), _padded(hours // 100 % 60),
        pa.scalar("."), _padded(hours % 100), sign, _padded(degrees // 36_000), _padded(degrees // 600 % 60),
        _padded(degrees // 10 % 60), pa.scalar("."), pa.array(degrees % 10).cast(pa.string()),
    ]  # fmt: skip
    return pc.binary_join_element_wise(*parts, "")


def _padded(values: NDArray[np.int64]) -> pa.StringArray:
    return pc.utf8_lpad(pa.array(values).cast(pa.string()), 2, "0")
