"""Random processes with a memory, as functions of time alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.counters import Draws, Purpose

__all__ = ["ornstein_uhlenbeck"]

_NODES_PER_TIME = 6  # nodes in a correlation time
_MEMORY = 36  # nodes: six correlation times, after which exp(-6) is left
_ORIGIN = 1 << 31  # keeps the numbers of nodes positive


def ornstein_uhlenbeck(
    time: NDArray[np.float64], scale: float, draws: Draws, purpose: Purpose, star: int
) -> NDArray[np.float64]:
    """Process with variance 1 and the autocorrelation exp(-|lag| / scale), whose power is a Lorentzian.

    Its values at nodes on an absolute time axis are sums of addressed random numbers, so that all pieces of
    one star's light curve, in whatever order they are made, belong together.  Between nodes it is linear.

    Parameters
    ----------
    time : ndarray of float64, shape (n,)
        Days, rising, NaN-free.
    scale : float
        Correlation time, days.
    draws, purpose, star
        Address of its random numbers; their item is the node.

    Returns
    -------
    ndarray of float64, shape (n,)

    References
    ----------
    Uhlenbeck & Ornstein 1930, Physical Review 36, 823.
    """
    step = scale / _NODES_PER_TIME
    first, last = int(np.floor(time[0] / step)), int(np.floor(time[-1] / step)) + 1
    node = np.arange(first - _MEMORY, last + 1)
    kicks = draws.normal(purpose, star, (node + _ORIGIN) % (1 << 32))
    fading = np.exp(-np.arange(_MEMORY + 1) / _NODES_PER_TIME)
    values = np.convolve(kicks, fading / np.sqrt((fading**2).sum()), mode="valid")
    return np.interp(time, step * node[_MEMORY:], values)
