"""From the class of a variable to its light."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.light_curves.eclipses import eclipsing
from lkmrs_dask.synthetic.light_curves.pulsators import delta_scuti, gamma_doradus, hybrid
from lkmrs_dask.synthetic.light_curves.red_giants import red_giant
from lkmrs_dask.synthetic.light_curves.rr_lyrae import rr_lyrae
from lkmrs_dask.synthetic.light_curves.signal import Detection, Numbers, Signal, Source
from lkmrs_dask.synthetic.light_curves.spots import hidden, rotation, rs_canum_venaticorum, uncertain

__all__ = ["MAKERS", "make_signal"]

MAKERS: Mapping[str, Callable[[Source, Numbers, Detection], Signal]] = {
    "": hidden,
    "EB": eclipsing,
    "DSCT": delta_scuti,
    "GDOR": gamma_doradus,
    "hybrid": hybrid,
    "RG": red_giant,
    "RRL": rr_lyrae,
    "RSCVn": rs_canum_venaticorum,
    "rotation": rotation,
    "uncertain": uncertain,
}
"""What makes the signal of each class; the empty name is that of stars without detectable variation."""


def make_signal(source: Source, numbers: Numbers, detection: Detection) -> Signal:
    """Signal of a star.

    Parameters
    ----------
    source : Source
        The star.
    numbers : Numbers
        Its random numbers.
    detection : Detection
        What its data can show: amplitudes are raised until the signal is seen in all light curves.

    Raises
    ------
    UsageError
        For an unknown class.
    """
    maker = MAKERS.get(source.variable_class)
    if maker is None:
        known = ", ".join(name for name in MAKERS if name)
        raise UsageError(
            f"star {source.uid} is of the unknown class {source.variable_class!r}; known are {known}"
        )
    return maker(source, numbers, detection)
