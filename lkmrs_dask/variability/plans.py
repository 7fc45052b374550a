"""FINUFFT plans that light curves of like length share."""

from __future__ import annotations

from bisect import bisect_left
from functools import cache
from threading import local
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["plan_size", "prepared_plan"]

Floats = NDArray[np.float64]

_APART = 1.03  # ratio of the sizes of transforms: a few per cent more work, for a plan that is there already
_LARGEST = 4e9
_MOST_KEPT = 2_000_000  # points of fine grids that the plans of a thread may hold, 16 bytes each


@cache
def _sizes() -> list[int]:
    """Even numbers without a prime factor above 5, which are quick to transform, `_APART` or more apart."""
    smooth = sorted(
        2 ** (i + 1) * 3**j * 5**k
        for i in range(32) for j in range(21) for k in range(15) if 2 ** (i + 1) * 3**j * 5**k < _LARGEST
    )  # fmt: skip
    sizes = smooth[:1]
    for size in smooth:
        if size >= _APART * sizes[-1]:
            sizes.append(size)
    return sizes


def plan_size(n: int, upsampling: float) -> int:
    """Least number of modes, n or more, for which there are shared plans."""
    sizes = _sizes()
    # FINUFFT pads to the next such number: all of it is used.
    return max(n, int(sizes[bisect_left(sizes, n * upsampling)] / upsampling))


class _Key(NamedTuple):
    kind: int
    n: int
    precision: float
    upsampling: float


class _Kept(local):
    """Plans of a thread, latest used last, each with the points that it has."""

    def __init__(self) -> None:
        self.plans: dict[_Key, tuple[Any, Floats]] = {}


_KEPT = _Kept()


def prepared_plan(kind: int, n: int, precision: float, upsampling: float, points: Floats) -> Any:
    r"""FINUFFT plan of this thread with its points set; to be executed at once.

    To make a plan takes as long as to execute it, and it depends on the number of modes only.  A thread keeps
    some; they are set to other points when another light curve asks for them.

    Parameters
    ----------
    kind : {1, 2}
        From points to modes or back; the sign of i is + in either.
    n : int
        Modes, of `plan_size`.
    precision, upsampling : float
        Of FINUFFT.
    points : ndarray of float64, shape (k,)
        Not to be changed afterwards.
    """
    from finufft import Plan

    key = _Key(kind, n, precision, upsampling)
    plan, at = _KEPT.plans.pop(key, (None, None))
    if plan is None:
        plan = Plan(kind, (n,), isign=1, eps=precision, nthreads=1, upsampfac=upsampling)
    if at is not points:
        plan.setpts(points)
    _KEPT.plans[key] = (plan, points)
    _drop_oldest()
    return plan


def _drop_oldest() -> None:
    plans = _KEPT.plans
    held = sum(key.n * key.upsampling for key in plans)
    while held > _MOST_KEPT and len(plans) > 1:
        oldest = next(iter(plans))
        held -= oldest.n * oldest.upsampling
        del plans[oldest]
