"""Small medium-resolution spectra in LAMOST's two layouts, written with astropy; and what is in them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

__all__ = ["LMJM", "Arm", "arm_hdu", "primary_hdu", "standard_arms", "to_bytes", "write_spectra"]

LMJM = 84420148
"""Local minute of the first exposure of `standard_arms`: 2019-05-22 02:28 in Beijing."""

PRIMARY = {
    "OBSID": 744812076, "LMJD": 58625, "MJD": 58624, "PLANID": "TD192102N424113K01", "RA": 292.058716,
    "DEC": 43.925304, "RA_OBS": 292.0588, "DEC_OBS": 43.9254, "OFFSET": False, "OFFSET_V": 0.0,
    "DESIG": "LAMOST J192814.09+435531.0", "SPID": 12, "FIBERID": 76, "TSOURCE": "MRS_TD_K", "TFROM": "",
    "TCOMMENT": "", "FIBERTYP": "Obj", "FIBERMAS": 64, "MAGTYPE": "gbprp", "MAG1": 12.74, "MAG2": 13.01,
    "MAG3": 99.0, "HELIO": True,
}  # fmt: skip


@dataclass(frozen=True)
class Arm:
    """One spectrum: the name of its HDU, its cards and its arrays (float32, and int16 masks)."""

    name: str
    cards: Mapping[str, Any]
    loglam: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray
    mask: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int16))


def standard_arms(n_exposures: int = 3, n_pixels: int = 40, exptime: int = 1200) -> list[Arm]:
    """Two coadds and `n_exposures` exposures an arm, every 24 minutes; red exposures run downwards."""
    rng = np.random.default_rng(7)
    minutes = [LMJM + 24 * number for number in range(n_exposures)]
    listed = "-".join(str(minute) for minute in minutes)
    arms = []
    for kind in ("COADD", "single"):
        for band, first in (("B", 3.690), ("R", 3.799)):
            for minute in minutes if kind == "single" else [0]:
                cards: dict[str, Any] = {"SNR": round(float(rng.uniform(5, 50)), 2), "LMJMLIST": listed}
                if kind == "single":
                    cards = {"LMJM": str(minute), "EXPTIME": exptime, "SNR": cards["SNR"]}
                loglam = (first + 1e-5 * np.arange(n_pixels)).astype(np.float32)
                arms.append(
                    Arm(
                        f"COADD_{band}" if kind == "COADD" else f"{band}-{minute}",
                        cards,
                        loglam[::-1] if kind == "single" and band == "R" else loglam,
                        rng.normal(1000, 30, n_pixels).astype(np.float32),
                        rng.uniform(0.0, 0.01, n_pixels).astype(np.float32),
                        rng.integers(0, 8, n_pixels).astype(np.int16),
                    )
                )
    return arms


def arm_hdu(
    arm: Arm, layout: str = "old", *, drop: Sequence[str] = (), short: Sequence[str] = ()
) -> fits.BinTableHDU:
    """Make the HDU of one spectrum.

    Parameters
    ----------
    arm : Arm
        The spectrum.
    layout : {"old", "new"}
        A row per pixel with LOGLAM, or one row of vectors with WAVELENGTH.
    drop, short : sequence of str
        Columns to leave out; vector columns to cut by one pixel.
    """
    mask = arm.mask if len(arm.mask) else np.zeros(len(arm.flux), np.int16)
    masks = {"ANDMASK": 0 * mask, "ORMASK": mask} if arm.name.startswith("COADD") else {"PIXMASK": mask}
    data: dict[str, tuple[str, np.ndarray]] = {"FLUX": ("E", arm.flux), "IVAR": ("E", arm.ivar)}
    if layout == "old":
        data["LOGLAM"] = ("E", arm.loglam)
        data |= {name: ("I", values) for name, values in masks.items()}
    else:
        # The same float64 wavelengths that the old layout stands for, so that both can be compared.
        data["WAVELENGTH"] = ("D", 10.0 ** arm.loglam.astype(np.float64))
        data |= {name: ("E", values.astype(np.float32)) for name, values in masks.items()}
    columns = []
    for name, (code, values) in data.items():
        if name in drop:
            continue
        if layout == "new":
            values = values[None, : -1 if name in short else None]
            code = f"{values.shape[1]}{code}"
        columns.append(fits.Column(name, code, array=values))
    hdu = fits.BinTableHDU.from_columns(columns, name=arm.name)
    for key, value in arm.cards.items():
        hdu.header[key] = value
    return hdu


def primary_hdu(**cards: Any) -> fits.PrimaryHDU:
    """Make the primary HDU with some cards replaced; a card given as None is left out."""
    hdu = fits.PrimaryHDU()
    for key, value in (PRIMARY | cards).items():
        if value is not None:
            hdu.header[key] = value
    return hdu


def to_bytes(hdus: Sequence[Any]) -> bytes:
    """Bytes of a FITS file."""
    stream = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(stream)
    return stream.getvalue()


def write_spectra(
    path: Path, hdus: Sequence[Any] | None = None, *, layout: str = "old", gz: bool = False, **cards: Any
) -> Path:
    """Write a file; without `hdus` that of `standard_arms`, with `cards` for the primary header."""
    if hdus is None:
        hdus = [primary_hdu(**cards), *(arm_hdu(arm, layout) for arm in standard_arms())]
    content = to_bytes(hdus)
    path.write_bytes(gzip.compress(content, 1) if gz else content)
    return path
