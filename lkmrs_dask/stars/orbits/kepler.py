"""Kepler's equation, the velocity of an orbit, and its derivatives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lkmrs_dask.errors import UsageError

__all__ = ["Basis", "eccentric_anomaly", "mass_function", "orbit_basis", "orbit_velocity"]

Floats = NDArray[np.float64]

_GM_SUN = 1.3271244e20  # m^3 / s^2, nominal (IAU 2015, resolution B3)
_DAY = 86400.0
_LEAST_E = 1e-6  # below it a derivative's quotient is taken at this eccentricity


def eccentric_anomaly(mean_anomaly: ArrayLike, e: ArrayLike) -> Floats:
    """Solve Kepler's equation E - e sin E = M, without iterations.

    Parameters
    ----------
    mean_anomaly : array_like of float
        Radians, any number of turns; NaN gives NaN.
    e : array_like of float
        Eccentricities from 0 to below 1, broadcast against the other.

    Returns
    -------
    ndarray of float64
        Within -pi to pi; the equation holds to 1e-14 for eccentricities to 0.99.

    Raises
    ------
    UsageError
        For an eccentricity out of range.

    References
    ----------
    Markley 1995, Celestial Mechanics and Dynamical Astronomy 63, 101.
    """
    e = np.asarray(e, np.float64)
    if not np.all((e >= 0) & (e < 1)):
        raise UsageError("eccentricities must be from 0 to below 1")
    turned = np.asarray(mean_anomaly, np.float64)
    turned = turned - 2.0 * np.pi * np.round(turned / (2.0 * np.pi))
    m = np.abs(turned)
    alpha = (3.0 * np.pi**2 + 1.6 * np.pi * (np.pi - m) / (1.0 + e)) / (np.pi**2 - 6.0)
    d = 3.0 * (1.0 - e) + alpha * e
    r = 3.0 * alpha * d * (d - 1.0 + e) * m + m**3
    q = 2.0 * alpha * d * (1.0 - e) - m**2
    w = np.cbrt(r + np.sqrt(q**3 + r**2)) ** 2
    start = (2.0 * r * w / (w**2 + w * q + q**2) + m) / d
    sine, cosine = e * np.sin(start), e * np.cos(start)
    f0, f1 = start - sine - m, 1.0 - cosine
    d3 = -f0 / (f1 - 0.5 * f0 * sine / f1)
    d4 = -f0 / (f1 + 0.5 * d3 * sine + d3**2 * cosine / 6.0)
    d5 = -f0 / (f1 + 0.5 * d4 * sine + d4**2 * cosine / 6.0 - d4**3 * sine / 24.0)
    return np.copysign(start + d5, turned)


class Basis(NamedTuple):
    r"""What an orbit's velocity is linear in, and derivatives.

    .. math:: v = \gamma + a u_1 + b u_2, \quad u_1 = \cos(\nu - M_0) + h, \quad u_2 = k - \sin(\nu - M_0)

    with h = e cos M0, k = e sin M0, the true anomaly nu, a = K cos(omega + M0) and b = K sin(omega + M0).
    Nothing is singular at e = 0.  `d_psi` holds the derivatives of nu - M0 to frequency, h and k.
    """

    u1: Floats
    u2: Floats
    d_psi: tuple[Floats, Floats, Floats]


def orbit_basis(time: Floats, frequency: Floats, h: Floats, k: Floats) -> Basis:
    """Basis functions of orbits at times.

    Parameters
    ----------
    time : ndarray of float64, shape (n,)
        Days since the time at which the mean anomaly is M0.
    frequency, h, k : ndarray of float64, shape (orbits,)
        1/d, e cos M0 and e sin M0.

    Returns
    -------
    Basis
        Arrays of shape (orbits, n).
    """
    e = np.hypot(h, k)[:, None]
    m0 = np.arctan2(k, h)[:, None]
    angle = 2.0 * np.pi * time
    anomaly = eccentric_anomaly(angle * frequency[:, None] + m0, e)
    cos_e, root = np.cos(anomaly), np.sqrt(1.0 - e**2)
    distance = 1.0 - e * cos_e
    cos_nu, sin_nu = (cos_e - e) / distance, root * np.sin(anomaly) / distance
    cos_0, sin_0 = np.cos(m0), np.sin(m0)
    cos_psi, sin_psi = cos_nu * cos_0 + sin_nu * sin_0, sin_nu * cos_0 - cos_nu * sin_0
    by_m = root / distance**2
    by_e = sin_nu * (2.0 + e * cos_nu) / root**2
    # (dnu/dM - 1) / e, which is 2 cos(nu) at e = 0.
    turning = np.where(e < _LEAST_E, 2.0 * cos_nu, (by_m - 1.0) / np.maximum(e, _LEAST_E))
    d_psi = (by_m * angle, by_e * cos_0 - turning * sin_0, by_e * sin_0 + turning * cos_0)
    return Basis(cos_psi + h[:, None], k[:, None] - sin_psi, d_psi)


def orbit_velocity(
    time: ArrayLike, period: float, k: float, e: float = 0.0, omega: float = 0.0, t0: float = 0.0,
    gamma: float = 0.0,
) -> Floats:  # fmt: skip
    r"""Radial velocity of one orbit.

    .. math:: v = \gamma + K [\cos(\nu + \omega) + e \cos\omega]

    Parameters
    ----------
    time : array_like of float
        Days.
    period : float
        Days, above 0.
    k : float
        Semi-amplitude, km/s.
    e, omega : float
        Eccentricity and argument of periastron, radians.
    t0 : float
        A periastron passage, days; for e = 0 the time at which the true anomaly is 0, that of the greatest
        velocity with omega = 0.
    gamma : float
        Systemic velocity, km/s.

    Returns
    -------
    ndarray of float64
        km/s, of the shape of `time`.

    Examples
    --------
    >>> orbit_velocity([0.0, 5.0], period=10.0, k=30.0, gamma=1.0).tolist()
    [31.0, -29.0]
    """
    if not period > 0:
        raise UsageError(f"period must be above 0, not {period}")
    anomaly = eccentric_anomaly(2.0 * np.pi * (np.asarray(time, np.float64) - t0) / period, e)
    half = np.sqrt(1.0 + e) * np.sin(anomaly / 2.0), np.sqrt(1.0 - e) * np.cos(anomaly / 2.0)
    nu = 2.0 * np.arctan2(*half)
    return gamma + k * (np.cos(nu + omega) + e * np.cos(omega))


def mass_function(period: ArrayLike, k: ArrayLike, e: ArrayLike) -> Floats:
    r"""Mass function of a single-lined binary.

    .. math:: f = \frac{P K^3 (1 - e^2)^{3/2}}{2 \pi G} = \frac{(m_2 \sin i)^3}{(m_1 + m_2)^2}

    Parameters
    ----------
    period, k, e : array_like of float
        Days, km/s, and eccentricity.

    Returns
    -------
    ndarray of float64
        Solar masses.
    """
    cubed = (np.asarray(k, np.float64) * 1e3) ** 3 * (1.0 - np.square(e)) ** 1.5
    return np.asarray(period, np.float64) * _DAY * cubed / (2.0 * np.pi * _GM_SUN)
