"""Medium-resolution spectra as FITS files in the layout since DR9 v1: a row of vector cells in each HDU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.fits_files import Card, primary_hdu, table_hdu, write_gzipped
from lkmrs_dask.synthetic.flux import Pixels, make_template, noisy
from lkmrs_dask.synthetic.observe import BANDS, Observation
from lkmrs_dask.synthetic.plan import EXPTIME

__all__ = ["spectrum_path", "write_spectra"]

_MJD_ZERO = np.datetime64("1858-11-17T00:00:00")
_NO_MAGNITUDE = 99.0


def spectrum_path(seen: Observation, target: int) -> str:
    """Path of the file of a target on a visit, below the folder of spectra.

    ``{obsdate}/{planid}/med-{lmjd}-{planid}_sp{spid}-{fiberid}.fits.gz``.
    """
    visit, spid, fiberid = seen.visit, seen.targets.spid[target], seen.targets.fiberid[target]
    name = f"med-{visit.night + 1:05d}-{visit.plan.planid}_sp{spid:02d}-{fiberid:03d}.fits.gz"
    return f"{visit.date}/{visit.plan.planid}/{name}"


def write_spectra(folder: Path, seen: Observation, target: int, draws: Draws) -> Path:
    """Write the coadds and exposures of a target.

    Parameters
    ----------
    folder : Path
        Folder of spectra; folders of the date and the plan are made in it.
    seen : Observation
        The visit.
    target : int
        Index of the target.
    draws : Draws
        Random numbers.

    Returns
    -------
    Path
        The file.
    """
    path = folder / spectrum_path(seen, target)
    path.parent.mkdir(parents=True, exist_ok=True)
    star = seen.targets.star[target]
    teff, feh, vsini = (float(getattr(seen.stars, name)[star]) for name in ("teff", "feh", "vsini"))
    templates = {band: make_template(band, teff, feh, vsini) for band in BANDS}
    hdus = [primary_hdu(_primary(path.name.removesuffix(".gz"), seen, target))]
    for exposure in (seen.n_exposures, *range(seen.n_exposures)):
        for arm, band in enumerate(BANDS):
            coadd = exposure == seen.n_exposures
            which = slice(0, seen.n_exposures) if coadd else slice(exposure, exposure + 1)
            pixels = noisy(
                templates[band],
                band,
                coadd,
                seen.rv[target, which],
                seen.snr[target, which, arm] ** 2,
                float(seen.snr[target, exposure, arm]),
                draws,
                (int(seen.number[target]), int(seen.item[exposure, arm])),
            )
            hdus.append(_arm(band, exposure, pixels, seen, float(seen.snr[target, exposure, arm])))
    # As in the releases: coadds, then all of the blue arm, then all of the red one.
    order = [0, 1, 2, *range(3, len(hdus), 2), *range(4, len(hdus), 2)]
    write_gzipped(path, [hdus[at] for at in order])
    return path


def _arm(band: str, exposure: int, pixels: Pixels, seen: Observation, snr: float) -> bytes:
    coadd = exposure == seen.n_exposures
    cards = []
    if coadd:
        for key, value in _minute_lists(seen.visit.lmjm).items():
            cards.append(Card(key, value, "Local Modified Julian Minute list"))
    else:
        middle = float(seen.visit.mid_times[exposure])
        begin = round((middle + 8.0 / 24.0) * 86400.0 - EXPTIME / 2)
        cards += [
            Card("LMJM", str(seen.visit.lmjm[exposure]), "Local Modified Julian Minute"),
            Card("EXPTIME", EXPTIME, "[s] Exposure duration time"),
            Card("DATE-BEG", _local_time(begin), "The observation start local time"),
            Card("DATE-END", _local_time(begin + EXPTIME), "The observation end local time"),
        ]
    cards.append(Card("SNR", snr, "Signal to noise ratio"))
    cards.append(Card("LAMPLIST", "lampsc_med.dat", "Arc lamp emission line list"))
    columns = {"FLUX": pixels.flux, "IVAR": pixels.ivar, "WAVELENGTH": pixels.wavelength}
    good = np.zeros(len(pixels.flux), np.float32)
    columns |= dict.fromkeys(("ANDMASK", "ORMASK") if coadd else ("PIXMASK",), good)
    name = f"COADD_{band}" if coadd else f"{band}-{seen.visit.lmjm[exposure]}"
    return table_hdu(name, {key: values[None] for key, values in columns.items()}, cards)


def _minute_lists(lmjm: tuple[int, ...]) -> dict[str, str]:
    """Cards of a coadd that name its exposures, three a card."""
    groups = ["-".join(map(str, lmjm[at : at + 3])) for at in range(0, len(lmjm), 3)]
    if len(groups) == 1:
        return {"LMJMLIST": groups[0]}
    return {f"LMJMLIS{number}": group for number, group in enumerate(groups)}


def _local_time(seconds: int) -> str:
    return f"{_MJD_ZERO + np.timedelta64(seconds, 's')}.0"


def _minutes_utc(mjd: float) -> str:
    return f"{_MJD_ZERO + np.timedelta64(round(mjd * 1440.0) * 60, 's')}"


def _primary(name: str, seen: Observation, target: int) -> list[Card]:
    visit, targets, stars = seen.visit, seen.targets, seen.stars
    star = targets.star[target]
    in_gaia, g, colour = bool(stars.has_gaia[star]), float(stars.g[star]), float(stars.bp_rp[star])
    magnitudes = (g, g + 0.42 * colour, g - 0.58 * colour) if in_gaia else (_NO_MAGNITUDE,) * 3
    ra, dec = float(targets.ra[target]), float(targets.dec[target])
    spid, fiberid = int(targets.spid[target]), int(targets.fiberid[target])
    return [
        Card("FILENAME", name, ""),
        Card("OBSID", visit.serial * 100_000 + spid * 1000 + fiberid, "Unique number ID of this spectrum"),
        Card("AUTHOR", "lkmrs_dask.synthetic", "Who compiled the information"),
        Card("DATA_V", "synthetic", "Data release version: no real data"),
        Card("EXTNAME", "Information", "The extension name"),
        Card("ORIGIN", "lkmrs_dask", "Organization responsible for creating this file"),
        Card("TELESCOP", "LAMOST", "GuoShouJing Telescope"),
        Card("LONGITUD", 117.58, "[deg] Longitude of site"),
        Card("LATITUDE", 40.39, "[deg] Latitude of site"),
        Card("DATE-OBS", _minutes_utc(float(visit.mid_times[0])), "The observation median UTC"),
        Card("LMJD", visit.night + 1, "Local Modified Julian Day"),
        Card("MJD", visit.night, "Modified Julian Day"),
        Card("PLANID", visit.plan.planid, "Plan ID in use"),
        Card("RA", ra, "[deg] Right ascension of object"),
        Card("DEC", dec, "[deg] Declination of object"),
        Card("RA_OBS", ra, "[deg] Right ascension during observing"),
        Card("DEC_OBS", dec, "[deg] Declination during observing"),
        Card("OFFSET", False, "Whether there's a offset during observing"),
        Card("OFFSET_V", 0.0, "Offset value in arcsecond"),
        Card("DESIG", f"LAMOST {targets.designation[target].as_py()}", "Designation of LAMOST target"),
        Card("FIBERID", fiberid, "Fiber ID of Object"),
        Card("OBJNAME", str(stars.gaia_source_id[star]) if in_gaia else "", "Name of object"),
        Card("OBJTYPE", "STAR", "Object type from input catalog"),
        Card("TSOURCE", "MRS_TD_K" if visit.plan.field else "MRS_TD_T", "Name of input catalog"),
        Card("TCOMMENT", "", "Target information"),
        Card("TFROM", "", "Target catalog"),
        Card("FIBERTYP", "Obj", "Fiber type of object"),
        Card("FIBERMAS", 0, "Bitmask of warning values, 0 means all is well"),
        Card("MAGTYPE", "gbprp", "Magnitude type of object"),
        *(Card(f"MAG{place}", round(value, 3), "[mag]") for place, value in enumerate(magnitudes, 1)),
        Card("OBS_TYPE", "OBJ", "The type of target (OBJ, FLAT, ARC or BIAS)"),
        Card("RADECSYS", "FK5", "Equatorial coordinate system"),
        Card("EQUINOX", 2000.0, "Equinox in years"),
        Card("NEXP_B", seen.n_exposures, "Number of valid blue exposures"),
        Card("NEXP_R", seen.n_exposures, "Number of valid red exposures"),
        Card("SPID", spid, "Spectrograph ID"),
        Card("SEEING", 3.0, "[arcsec] Seeing during exposure"),
        Card("HELIO", True, "Heliocentric correction"),
        Card("VACUUM", True, "Wavelengths are in vacuum"),
    ]
