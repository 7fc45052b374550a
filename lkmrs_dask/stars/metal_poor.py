"""Metal-poor and very metal-poor stars, by the limits of section 4.1."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from lkmrs_dask.checked import check_values, is_number
from lkmrs_dask.errors import UsageError

__all__ = ["MetalPoor", "MetalPoorSettings", "metal_classes", "metal_poor"]

Floats = NDArray[np.float64]

_ON_THE_LINE = 6  # decimals: a mean of values that are all -2.5 may come out as -2.5000000000000004


@dataclass(frozen=True)
class MetalPoorSettings:
    """Which stars are metal-poor; the defaults are the limits of section 4.1, and no star is left out.

    The paper has [Fe/H] = -2.0 in both classes; Table 4's note has it in VMP or MP and leaves out -1.0.  Here
    a star at -2.0 is MP and one at -1.0 too, so that no star has two classes.

    Parameters
    ----------
    mp : (float, float)
        Metal-poor: both ends belong to it (dex).
    vmp : (float, float)
        Very metal-poor: the lower end belongs to it, the upper one does not, and must be where MP begins.
        The lower end is where the templates end.
    least_snr : float
        Stars with a lower S/N (in a run that of their best spectrum) get no class; 0 for no limit.
    least_spectra : int
        So do stars with fewer measurements of [Fe/H].

    Raises
    ------
    UsageError
        When a value has the wrong type or makes no sense.

    References
    ----------
    LK-MRS-I, section 4.1.
    """

    mp: tuple[float, float] = (-2.0, -1.0)
    vmp: tuple[float, float] = (-2.5, -2.0)
    least_snr: float = 0.0
    least_spectra: int = 1

    def __post_init__(self) -> None:
        """Check every value; ranges may be given as lists, as they are in jobs."""
        for name in ("mp", "vmp"):
            value = getattr(self, name)
            if not (isinstance(value, tuple | list) and len(value) == 2 and all(map(is_number, value))):
                raise UsageError(f"{name} must be two numbers, not {value!r}")
            object.__setattr__(self, name, tuple(float(limit) for limit in value))
        for one in fields(self)[2:]:
            value = getattr(self, one.name)
            if not (is_number(value) if one.type == "float" else type(value) is int):
                raise UsageError(f"{one.name} must be of type {one.type}, not {value!r}")
        checks = {
            "mp": (self.mp[0] < self.mp[1], "lower and upper limit"),
            "vmp": (self.vmp[0] < self.vmp[1] == self.mp[0], f"from below to where mp begins, {self.mp[0]}"),
            "least_snr": (0.0 <= self.least_snr < 1e4, "from 0 to 10000"),
            "least_spectra": (self.least_spectra >= 1, "1 or more"),
        }
        check_values(self, checks)


class MetalPoor(NamedTuple):
    """Classes of stars, and how sure they are.

    Attributes
    ----------
    metal_class : pyarrow.StringArray, shape (n,)
        ``MP``, ``VMP`` or null.
    probability : ndarray of float64, shape (n,)
        That the true [Fe/H] is in the star's class; NaN without a class or an error.
    p_mp, p_vmp : ndarray of float64, shape (n,)
        That it is in either; of every star with [Fe/H] and an error, else NaN.
    reason : pyarrow.StringArray, shape (n,)
        Why a star has no class: ``no [Fe/H]``, ``beyond the templates``, ``S/N too low or unknown``, ``too
        few spectra``; null for stars with a class, and those that are not metal-poor.
    """

    metal_class: pa.Array
    probability: Floats
    p_mp: Floats
    p_vmp: Floats
    reason: pa.Array

    def counts(self) -> dict[str, int]:
        """Stars by class, and those left out by reason: ``n_mp``, ``n_vmp``, ``n_no_feh`` and so on."""
        classes, reasons = self.metal_class.to_pylist(), self.reason.to_pylist()
        return {
            "n_mp": classes.count("MP"),
            "n_vmp": classes.count("VMP"),
            "n_no_feh": reasons.count(_NO_FEH),
            "n_beyond_templates": reasons.count(_BEYOND),
            "n_low_snr": reasons.count(_LOW_SNR),
            "n_few_spectra": reasons.count(_FEW),
        }


_NO_FEH, _BEYOND = "no [Fe/H]", "beyond the templates"
_LOW_SNR, _FEW = "S/N too low or unknown", "too few spectra"


def metal_classes(feh: ArrayLike, settings: MetalPoorSettings | None = None) -> pa.Array:
    """Class of each star by [Fe/H] alone.

    Parameters
    ----------
    feh : array_like of float, shape (n,)
        [Fe/H] in dex; NaN where there is none.  Values within 5e-7 dex of a limit are on it.
    settings : MetalPoorSettings, optional

    Returns
    -------
    pyarrow.StringArray, shape (n,)
        ``MP``, ``VMP``, or null for all others, those below the templates' end too.

    Examples
    --------
    >>> metal_classes([-2.6, -2.5, -2.0, -1.0, -0.99, float("nan")]).to_pylist()
    [None, 'VMP', 'MP', 'MP', None, None]
    """
    settings = settings or MetalPoorSettings()
    value = np.round(np.asarray(feh, np.float64), _ON_THE_LINE)
    names = np.full(value.shape, None, object)
    names[(value >= settings.mp[0]) & (value <= settings.mp[1])] = "MP"
    names[(value >= settings.vmp[0]) & (value < settings.vmp[1])] = "VMP"
    return pa.array(names, pa.string())


def metal_poor(
    feh: ArrayLike,
    feh_err: ArrayLike | None = None,
    *,
    snr: ArrayLike | None = None,
    n_feh: ArrayLike | None = None,
    settings: MetalPoorSettings | None = None,
) -> MetalPoor:
    r"""Class of each star, with what was left out and why, and the probability of the class.

    The probability is that of a normal distribution about the measured value,

    .. math:: P(MP) = \Phi\left(\frac{b - x}{\sigma}\right) - \Phi\left(\frac{a - x}{\sigma}\right);

    that of VMP counts all below its upper limit, since a star beyond the templates is very metal-poor too.
    It knows nothing of how rare metal-poor stars are.

    Parameters
    ----------
    feh : array_like of float, shape (n,)
        [Fe/H] in dex, NaN where there is none.
    feh_err : array_like of float, shape (n,), optional
        Its error in dex.  One that is not finite and positive gives no probability: the scatter of a single
        spectrum is unknown, and two equal values do not have an error of nothing.
    snr, n_feh : array_like of float, shape (n,), optional
        S/N of the star, and its spectra with [Fe/H]; needed where the settings have a limit.
    settings : MetalPoorSettings, optional

    Returns
    -------
    MetalPoor

    Raises
    ------
    UsageError
        When arrays differ in shape, or one that a limit needs is missing.

    References
    ----------
    LK-MRS-I, section 4.1.
    """
    settings = settings or MetalPoorSettings()
    x = np.asarray(feh, np.float64)
    x = np.where(np.isfinite(x), x, np.nan)
    names = np.array(metal_classes(x, settings).to_pylist(), object).reshape(x.shape)
    reason = np.full(x.shape, None, object)
    reason[np.isnan(x)] = _NO_FEH
    reason[np.round(x, _ON_THE_LINE) < settings.vmp[0]] = _BEYOND
    limits = (
        ("snr", snr, settings.least_snr, settings.least_snr > 0, _LOW_SNR),
        ("n_feh", n_feh, settings.least_spectra, settings.least_spectra > 1, _FEW),
    )
    for name, given, least, asked, why in limits:
        if asked:
            low = ~(_like(x, given, name) >= least) & names.astype(bool)
            names[low], reason[low] = None, why
    p_mp, p_vmp = _probabilities(x, feh_err, settings)
    own = np.where(names == "MP", p_mp, np.where(names == "VMP", p_vmp, np.nan))
    return MetalPoor(pa.array(names, pa.string()), own, p_mp, p_vmp, pa.array(reason, pa.string()))


def _like(x: Floats, values: ArrayLike | None, name: str) -> Floats:
    """Values as floats of the shape of x."""
    if values is None:
        raise UsageError(f"the settings have a limit that needs {name}")
    array = np.asarray(values, np.float64)
    if array.shape != x.shape:
        raise UsageError(f"{name} and feh differ in shape: {array.shape}, {x.shape}")
    return array


def _probabilities(x: Floats, error: ArrayLike | None, settings: MetalPoorSettings) -> tuple[Floats, Floats]:
    """P(MP) and P(VMP), NaN without an error."""
    if error is None:
        return np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    sigma = _like(x, error, "feh_err")
    sigma = np.where(np.isfinite(sigma) & (sigma > 0), sigma, np.nan)
    below = ndtr((settings.mp[0] - x) / sigma)
    return np.clip(ndtr((settings.mp[1] - x) / sigma) - below, 0.0, 1.0), below
