"""healpy, loaded when first used: it brings matplotlib and astropy along, which takes most of a second."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["largest_radius", "pixel_centres", "pixels_around"]

_X = 0x1555555555555555  # bits of x in a nested pixel number, up to order 29; those of y are twice as high

_STEPS = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""To the pixels around one, in x (towards north-east) and y (towards north-west)."""

_BEYOND = {
    (-1, -1): ((2, 0, ""), None, (2, 2, "xy")),
    (0, -1): ((1, 1, ""), (2, 0, ""), (2, 1, "ys")),
    (1, -1): (None, (1, 1, ""), None),
    (-1, 0): ((1, 0, ""), (2, 3, ""), (2, 3, "xs")),
    (1, 0): ((0, 1, "xs"), (0, 0, ""), (1, 1, "")),
    (-1, 1): (None, (1, 3, ""), None),
    (0, 1): ((0, 3, "ys"), (0, 3, ""), (1, 0, "")),
    (1, 1): ((0, 2, "xy"), None, (0, 0, "")),
}
"""Where one comes to beyond an edge or corner of a northern, equatorial or southern base pixel: ring of four
base pixels, steps to the east, and how x and y change (turned round, then swapped: s), or nowhere."""


def __getattr__(name: str) -> Any:
    import healpy

    return getattr(healpy, name)


def pixels_around(order: int, pixel: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels around each pixel, nested scheme.

    The same as healpy's ``get_all_neighbours``, without loading it: within a base pixel these are sums and
    differences of the interleaved bits of x and y.

    Parameters
    ----------
    order : int
        HEALPix order.
    pixel : ndarray of int64, shape (n,)
        Pixel numbers.

    Returns
    -------
    ndarray of int64, shape (8, n)
        -1 for the eighth of those pixels that have but seven.

    References
    ----------
    Gorski et al. 2005, ApJ 622, 759, section 4 and Fig. 4 (the twelve base pixels, the nested scheme).
    """
    last = (1 << (2 * order)) - 1
    x, y = pixel & (_X & last), pixel & ((_X << 1) & last)
    face = pixel & ~last
    # Ones in the other coordinate's bits carry an addition over them, zeros a subtraction.
    right, left = ((x | (_X << 1)) + 1) & _X, (x - 1) & _X
    up, down = ((y | _X) + 1) & (_X << 1), (y - 1) & (_X << 1)
    around = np.stack(
        [left | y, left | up, x | up, right | up, right | y, right | down, x | down, left | down]
    )
    around |= face
    highest = _X & last
    border = np.flatnonzero((x == 0) | (x == highest) | (y == 0) | (y == (highest << 1)))
    if len(border):
        around[:, border] = _across(order, pixel[border])
    return around


def pixel_centres(order: int, pixel: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres of pixels, nested scheme; the same as healpy's ``pix2ang``, without loading it.

    Parameters
    ----------
    order : int
        HEALPix order.
    pixel : ndarray of int64, shape (n,)
        Pixel numbers.

    Returns
    -------
    lon, lat : ndarray of float64, shape (n,)
        Degrees, `lon` in [0, 360).

    References
    ----------
    Gorski et al. 2005, ApJ 622, 759, Eqs. 4 to 9.
    """
    size = 1 << order
    face, inside = pixel >> (2 * order), pixel & (size * size - 1)
    x, y = _squeeze(inside), _squeeze(inside >> 1)
    row = face // 4
    ring = (row + 2) * size - x - y - 1  # from the north pole, beginning with 1
    north, south = ring < size, ring > 3 * size
    # Pixels of a quarter of the ring: fewer of them near the poles.
    quarter = np.where(north, ring, np.where(south, 4 * size - ring, size))
    from_pole = quarter.astype(np.float64) ** 2 / (3.0 * float(size) ** 2)  # 1 - |z|, near the poles
    z = np.where(
        north, 1.0 - from_pole, np.where(south, from_pole - 1.0, (2 * size - ring) * 2.0 / (3.0 * size))
    )
    across = np.where(north | south, np.sqrt(from_pole * (2.0 - from_pole)), np.sqrt((1.0 - z) * (1.0 + z)))
    eighth = ((2 * (face % 4) + (row != 1)) * quarter + x - y) % (8 * quarter)
    return eighth / quarter * 45.0, np.degrees(np.arctan2(z, across))


def largest_radius(order: int) -> float:
    """Largest distance (deg) of a corner from a pixel's centre; the same as healpy's ``max_pixrad``."""
    size = 1 << order
    # Of the pixel whose corner lies on the equatorial region's border: its centre, and that corner.
    turn = np.pi / (4 * size)
    centre = np.array([np.sqrt(5.0) / 3.0 * np.cos(turn), np.sqrt(5.0) / 3.0 * np.sin(turn), 2.0 / 3.0])
    from_pole = (1.0 - 1.0 / size) ** 2 / 3.0
    corner = np.array([np.sqrt(from_pole * (2.0 - from_pole)), 0.0, 1.0 - from_pole])
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(centre, corner)), centre @ corner)))


def _across(order: int, pixel: NDArray[np.int64]) -> NDArray[np.int64]:
    """`pixels_around` for pixels at the edges of base pixels."""
    size = 1 << order
    face = pixel >> (2 * order)
    inside = pixel & (size * size - 1)
    steps = np.array(_STEPS)[:, :, None]
    x, y = _squeeze(inside) + steps[:, 0], _squeeze(inside >> 1) + steps[:, 1]
    beyond = [(one >= size).astype(np.int64) - (one < 0) for one in (x, y)]
    ring, east, turn_x, turn_y, swap = np.moveaxis(_WAYS[beyond[0], beyond[1], face // 4], -1, 0)
    x, y = x % size, y % size
    x, y = np.where(turn_x, size - 1 - x, x), np.where(turn_y, size - 1 - y, y)
    x, y = np.where(swap, y, x), np.where(swap, x, y)
    number = (4 * ring + (face + east) % 4) << (2 * order) | _spread(x) | (_spread(y) << 1)
    return np.where(ring < 0, -1, number)


def _ways() -> NDArray[np.int64]:
    """Make a table of `_BEYOND`: by x and y beyond (-1, 0, 1: the last row is that of -1) and ring."""
    table = np.zeros((3, 3, 3, 5), dtype=np.int64)
    table[0, 0, :, 0] = range(3)  # beyond nothing
    for (x, y), rings in _BEYOND.items():
        for ring, to in enumerate(rings):
            table[x, y, ring, 0] = -1
            if to is not None:
                table[x, y, ring] = (*to[:2], *(letter in to[2] for letter in "xys"))
    return table


_WAYS = _ways()

_MASKS = (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x00FF00FF00FF00FF,
          0x0000FFFF0000FFFF, 0x00000000FFFFFFFF)  # fmt: skip


def _squeeze(bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bring every second bit together."""
    bits = bits & _MASKS[0]
    for step, mask in enumerate(_MASKS[1:]):
        bits = (bits | (bits >> (1 << step))) & mask
    return bits


def _spread(number: NDArray[np.int64]) -> NDArray[np.int64]:
    """Put a zero between any two bits."""
    for step, mask in reversed(list(enumerate(_MASKS[:-1]))):
        number = (number | (number << (1 << step))) & mask
    return number
