"""Values of the headers' keywords, and whole files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lkmrs_dask.synthetic.light_curves.curve import BJD_REFERENCE, Curve
from lkmrs_dask.synthetic.light_curves.fits_bytes import header, image_bytes, table_bytes
from lkmrs_dask.synthetic.light_curves.segments import CADENCE, EXPOSURE
from lkmrs_dask.synthetic.light_curves.signal import SUN_LOGG, Source

__all__ = ["file_bytes", "file_name"]

Values = dict[str, bool | int | float | str | None]

_ORIGIN = "lkmrs_dask"
_CREATOR = "lkmrs_dask.synthetic"
_MODULES = (*range(2, 5), *range(6, 21), *range(22, 25))  # of Kepler's detectors; the corners guide
_MJD_ZERO = np.datetime64("1858-11-17T00:00:00.000")
_FAINTEST = -3  # decimal places of magnitudes


def file_name(source: Source, curve: Curve) -> str:
    """Name of a light curve as the missions name it."""
    segment = curve.segment
    if segment.mission == "kepler":
        return f"kplr{source.kic:09d}-{segment.stamp}_llc.fits"
    if segment.mission == "k2":
        return f"ktwo{source.kic:09d}-c{segment.number:02d}_llc.fits"
    return f"tess{segment.stamp}-s{segment.number:04d}-{source.tic:016d}-{segment.serial}-s_lc.fits"


def file_bytes(source: Source, curve: Curve) -> bytes:
    """A whole FITS file: an empty primary HDU, the table LIGHTCURVE and the image APERTURE."""
    mission = curve.segment.mission
    image = _aperture(curve)
    camera, ccd = _camera(source)
    values = _common(source, curve) | (_tess(source, curve) if mission == "tess" else _kepler(source, curve))
    picture = (
        values | {"NAXIS1": image.shape[1], "NAXIS2": image.shape[0]} | _astrometry(source, curve, image)
    )
    return b"".join(
        [
            header(f"{mission}_primary", values),
            header(f"{mission}_lightcurve", values | _times(curve), {"CAMERACCD": f"{camera}{ccd}"}),
            table_bytes(curve.columns),
            header(f"{mission}_aperture", picture),
            image_bytes(image),
        ]
    )


def _common(source: Source, curve: Curve) -> Values:
    bjd = curve.bjd
    # The noise on a longer time scale than a cadence: white noise averages out, the rest is red.
    white, red, cadence = curve.photometry.white, curve.photometry.red, CADENCE[curve.segment.mission]
    cdpp = {
        hours: round(1e6 * float(np.hypot(white / np.sqrt(hours / 24.0 / cadence), red)), 6)
        for hours in (0.5, 1, 2, 3, 6, 12)
    }
    flux = curve.columns["PDCSAP_FLUX"]
    spread = float(np.nanstd(flux) / np.nanmedian(flux)) / curve.photometry.white
    return {
        "ORIGIN": _ORIGIN,
        "CREATOR": _CREATOR,
        "PROCVER": "synthetic",
        "DATA_REL": 0,
        "DATE": _date(bjd[-1])[:10],
        "RA_OBJ": round(source.ra, 6),
        "DEC_OBJ": round(source.dec, 6),
        "LOGG": round(source.logg, 3),
        "RADIUS": round(float(np.sqrt(10.0 ** (SUN_LOGG - source.logg))), 3),
        "NAXIS2": len(bjd),
        "CDPP0_5": cdpp[0.5],
        "CDPP1_0": cdpp[1],
        "CDPP2_0": cdpp[2],
        "CDPP3_0": cdpp[3],
        "CDPP6_0": cdpp[6],
        "CDPP12_0": cdpp[12],
        "CROWDSAP": round(curve.crowding, 4),
        "FLFRCSAP": round(curve.fraction, 4),
        "PDCVAR": round(spread, 6),
    }


def _kepler(source: Source, curve: Curve) -> Values:
    kepler = curve.segment.mission == "kepler"
    channel = source.number % (4 * len(_MODULES))
    motion = round(source.pmra / 1000, 4), round(source.pmdec / 1000, 4)
    return {
        "OBJECT": f"{'KIC' if kepler else 'EPIC'} {source.kic}",
        "KEPLERID": source.kic,
        "CHANNEL": channel + 1,
        "SKYGROUP": channel + 1,
        "MODULE": _MODULES[channel // 4],
        "OUTPUT": channel % 4 + 1,
        "QUARTER": curve.segment.number,
        "CAMPAIGN": curve.segment.number,
        "SEASON": (curve.segment.number + 2) % 4,
        "PMRA": motion[0],
        "PMDEC": motion[1],
        "PMTOTAL": round(float(np.hypot(*motion)), 4),
        "KEPMAG": round(curve.photometry.magnitude, -_FAINTEST),
        "TEFF": round(source.teff),
        "FEH": round(source.feh, 3),
        "PDCMETHD": "multiScaleMap" if kepler else "MAP",
    }


def _tess(source: Source, curve: Curve) -> Values:
    camera, ccd = _camera(source)
    return {
        "SIMDATA": True,
        "OBJECT": f"TIC {source.tic}",
        "TICID": source.tic,
        "SECTOR": curve.segment.number,
        "CAMERA": camera,
        "CCD": ccd,
        "PMRA": round(source.pmra, 4),
        "PMDEC": round(source.pmdec, 4),
        "PMTOTAL": round(float(np.hypot(source.pmra, source.pmdec)), 4),
        "TESSMAG": round(curve.photometry.magnitude, -_FAINTEST),
        "TEFF": round(source.teff, 1),
        "MH": round(source.feh, 3),
        "PDCMETHD": "msMAP",
        **_span(curve),
    }


def _camera(source: Source) -> tuple[int, int]:
    """Camera and detector of TESS: of the star's number, not of where it lies."""
    return source.number % 4 + 1, source.number // 4 % 4 + 1


def _times(curve: Curve) -> Values:
    mission, mjd = curve.segment.mission, curve.segment.mjd
    elapsed = curve.bjd[-1] - curve.bjd[0] + CADENCE[mission]
    live = EXPOSURE[mission] / 86400.0 / CADENCE[mission]
    return {
        **_span(curve),
        "TELAPSE": round(elapsed, 8),
        "EXPOSURE": round(elapsed * live, 8),
        "LIVETIME": round(elapsed * live, 8),
        "LC_START": round(float(mjd[0]), 8),
        "LC_END": round(float(mjd[-1]), 8),
    }


def _span(curve: Curve) -> Values:
    half = CADENCE[curve.segment.mission] / 2
    zero = 2400000.5 - BJD_REFERENCE[curve.segment.mission]
    utc = "" if curve.segment.mission == "tess" else "Z"
    mjd = curve.segment.mjd
    return {
        "TSTART": round(float(curve.bjd[0] - half + zero), 8),
        "TSTOP": round(float(curve.bjd[-1] + half + zero), 8),
        "DATE-OBS": _date(float(mjd[0]) - half) + utc,
        "DATE-END": _date(float(mjd[-1]) + half) + utc,
    }


def _date(mjd: float) -> str:
    return str(_MJD_ZERO + np.timedelta64(round(mjd * 86_400_000), "ms"))


def _aperture(curve: Curve) -> NDArray[np.int32]:
    """Pixels that were read (bit 1), and among them the ones nearest to the star in the aperture (bit 2)."""
    side = int(np.ceil(np.sqrt(curve.photometry.pixels))) + 4
    offset = np.arange(side) - (side - 1) / 2
    order = np.argsort((offset[:, None] ** 2 + offset**2).ravel(), kind="stable")
    image = np.ones(side * side, dtype=np.int32)
    image[order[: curve.photometry.pixels]] |= 2
    return image.reshape(side, side)


def _astrometry(source: Source, curve: Curve, image: NDArray[np.int32]) -> Values:
    angle = 2 * np.pi * (source.number % 360) / 360.0
    cosine, sine = round(float(np.cos(angle)), 12), round(float(np.sin(angle)), 12)
    return {
        "CRPIX1": image.shape[1] / 2 + 0.5,
        "CRPIX2": image.shape[0] / 2 + 0.5,
        "CRVAL1": round(source.ra, 9),
        "CRVAL2": round(source.dec, 9),
        "PC1_1": cosine,
        "PC1_2": -sine,
        "PC2_1": sine,
        "PC2_2": cosine,
        "CRVAL1P": int(curve.column) - image.shape[1] // 2,
        "CRVAL2P": int(curve.row) - image.shape[0] // 2,
        "NPIXSAP": curve.photometry.pixels,
    }
