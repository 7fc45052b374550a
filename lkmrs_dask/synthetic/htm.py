"""Numbers of the Hierarchical Triangular Mesh: what the digits of LAMOST's uid are.

The uid of a source is a letter and the level-20 trixel of its position: those of the paper's Tables 2, 4 and
6 are reproduced to the digit, or to the last bits where the printed position is rounded.  A trixel of level
20 is some 0.3 arcsec wide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.sky.index import unit_vectors

__all__ = ["UID_LEVEL", "htm_id"]

UID_LEVEL = 20

_CORNERS = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, -1]], dtype=np.float64)
# S0 to S3 (numbers 8 to 11), then N0 to N3.
_FACES = np.array([[1, 5, 2], [2, 5, 3], [3, 5, 4], [4, 5, 1], [1, 0, 4], [4, 0, 3], [3, 0, 2], [2, 0, 1]])
_FIRST = 8


def htm_id(ra: ArrayLike, dec: ArrayLike, level: int = UID_LEVEL) -> NDArray[np.int64]:
    """Trixel of each position.

    Parameters
    ----------
    ra, dec : array_like of float, shape (n,)
        Degrees.
    level : int
        Number of divisions of the octahedron's faces, 0 to 24.

    Returns
    -------
    ndarray of int64, shape (n,)
        ``8 * 4**level`` to ``16 * 4**level - 1``.

    References
    ----------
    Kunszt, Szalay & Thakar 2001, "The Hierarchical Triangular Mesh" (Mining the Sky, 631).
    """
    point = np.atleast_2d(unit_vectors(np.atleast_1d(ra), np.atleast_1d(dec)))
    north = point[:, 2] >= 0
    quarter = (np.floor(np.degrees(np.arctan2(point[:, 1], point[:, 0])) / 90.0).astype(np.int64)) % 4
    face = np.where(north, 7 - quarter, quarter)
    number = _FIRST + face
    a, b, c = (_CORNERS[_FACES[face, corner]] for corner in range(3))
    for _ in range(level):
        w0, w1, w2 = _middle(b, c), _middle(a, c), _middle(a, b)
        # Which side of the inner triangle's edges: at most one is crossed.
        child = np.where(
            _beyond(w2, w1, point),
            0,
            np.where(_beyond(w0, w2, point), 1, np.where(_beyond(w1, w0, point), 2, 3)),
        )
        number = number * 4 + child
        pick = child[:, None]
        a, b, c = (
            np.choose(pick, [a, b, c, w0]),
            np.choose(pick, [w2, w0, w1, w1]),
            np.choose(pick, [w1, w2, w0, w2]),
        )
    return number


def _middle(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    total = u + v
    return total / np.sqrt((total**2).sum(axis=1, keepdims=True))


def _beyond(u: NDArray[np.float64], v: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points lie on the left of the edges from u to v, seen from outside."""
    return np.einsum("ij,ij->i", np.cross(u, v), point) > 0
