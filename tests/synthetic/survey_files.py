"""A survey's files, read with the csv module and astropy."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from lkmrs_dask.synthetic.truth import Truth

N_STARS = 197
FRACTION = 0.004
OURS = ("K01", "K02", "KP01")

# The general catalogue's columns as the release lists them.
CATALOGUE_TEXT = """
mobsid obsid uid gp_id designation obsdate lmjd mjd planid spid fiberid lmjm band ra_obs dec_obs snr
gaia_source_id gaia_g_mean_mag gaia_bp_mean_mag gaia_rp_mean_mag fibertype offsets offsets_v ra dec
rv_b0 rv_b0_err rv_b1 rv_b1_err rv_r0 rv_r0_err rv_r1 rv_r1_err rv_br0 rv_br0_err rv_br1 rv_br1_err
rv_b_flag rv_r_flag rv_br_flag rv_lasp0 rv_lasp0_err rv_lasp1 rv_lasp1_err
coadd fibermask bad_b bad_r moon_angle lunardate moon_flg subproject
"""
CATALOGUE_HEADER = CATALOGUE_TEXT.split()
STELLAR_TEXT = """
mobsid obsid uid gp_id designation obsdate lmjd mjd planid spid fiberid lmjm band ra_obs dec_obs snr
gaia_source_id gaia_g_mean_mag gaia_bp_mean_mag gaia_rp_mean_mag tsource fibertype tfrom tcomment offsets
offsets_v ra dec teff_lasp teff_lasp_err logg_lasp logg_lasp_err feh_lasp feh_lasp_err vsini_lasp
vsini_lasp_err rv_b0 rv_b0_err rv_b1 rv_b1_err rv_b_flag rv_r0 rv_r0_err rv_r1 rv_r1_err rv_r_flag
rv_br0 rv_br0_err rv_br1 rv_br1_err rv_br_flag rv_lasp0 rv_lasp0_err rv_lasp1 rv_lasp1_err coadd fibermask
alpha_m_cnn teff_cnn logg_cnn feh_cnn c_fe n_fe o_fe mg_fe al_fe si_fe s_fe ca_fe ti_fe cr_fe ni_fe cu_fe
alpha_m_lasp alpha_m_lasp_err moon_angle lunardate moon_flg
"""
STELLAR_HEADER = STELLAR_TEXT.split()

Row = dict[str, str]


@dataclass
class Files:
    """A survey's folder and truth, and what plain readers make of its files."""

    folder: Path
    truth: Truth
    good: list[Row]  # of the general catalogue, repeated rows still in it
    aside: Counter[str]
    stellar: list[dict[str, Any]]
    lines: dict[str, list[str]]


def number(text: str) -> float | None:
    """Read a float; None for what a release writes where there is none."""
    if text in ("", "nan"):
        return None
    value = float(text)
    return None if value in (-9999.0, -999.0) else value


def fault(header: list[str], fields: list[str], numbers: list[str]) -> str | None:
    """Why a row of a text table cannot be used."""
    if len(fields) != len(header):
        return "wrong number of fields"
    row = dict(zip(header, fields, strict=True))
    if not row["planid"].endswith(OURS):
        return "plan not wanted"
    try:
        values = {name: number(row[name]) for name in numbers}
    except ValueError:
        return "not a number"
    if values["ra"] is None or values["dec"] is None:
        return "missing coordinate"
    if not 0 <= values["ra"] <= 360 or not -90 <= values["dec"] <= 90:
        return "out of range"
    return None


def read_text(path: Path, delimiter: str) -> tuple[list[str], list[list[str]]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        header, *rows = list(csv.reader(stream, delimiter=delimiter))
    return header, rows


def read_binary(path: Path, good: list[Row], aside: Counter[str]) -> None:
    """Add the rows of the general catalogue's FITS table, as text."""
    with fits.open(path) as hdus:
        hdus.verify("exception")
        data = hdus[1].data
        assert list(data.names) == CATALOGUE_HEADER
        for record in data:
            row = {name: str(record[name]) for name in data.names}
            reason = fault(CATALOGUE_HEADER, list(row.values()), ["ra", "dec"])
            if reason:
                aside[reason] += 1
            else:
                row["gaia_source_id"] = row["gaia_source_id"] or "-9999"
                row["snr"] = str(round(float(row["snr"]), 2))  # single precision
                good.append(row)


def read_stellar(folder: Path, aside: Counter[str]) -> list[dict[str, Any]]:
    """Usable rows of both stellar tables, in the newer spelling."""
    found: list[dict[str, Any]] = []
    with fits.open(folder / "mrs_stellar/dr11_v2.0_MRS_stellar.fits.gz") as hdus:
        data = hdus[1].data
        assert list(data.names) == STELLAR_HEADER
        for record in data:
            row = {name: record[name] for name in data.names}
            if not row["planid"].endswith(OURS):
                aside["plan not wanted"] += 1
            elif row["ra"] == -9999:
                aside["missing coordinate"] += 1
            elif row["ra"] > 360 or row["dec"] < -90:
                aside["out of range"] += 1
            else:
                known = {
                    k: v for k, v in row.items() if isinstance(v, str) or not (np.isnan(v) or v == -9999)
                }
                found.append(known)
    header, rows = read_text(folder / "mrs_stellar/dr11_v2.0_MRS_stellar.csv.gz", ",")
    older = {"offsets": "offset", "offsets_v": "offset_v"}
    assert header == [older.get(name, name) for name in STELLAR_HEADER]
    numbers = [
        "ra",
        "dec",
        "snr",
        *(name for name in STELLAR_HEADER if name.startswith(("rv", "teff", "logg"))),
    ]
    for fields in rows:
        reason = fault(header, fields, numbers)
        if reason:
            aside[reason] += 1
            continue
        row = dict(zip(STELLAR_HEADER, fields, strict=True))
        texts = {
            k: v for k, v in row.items() if k in ("mobsid", "uid", "designation", "obsdate", "planid", "band")
        }
        values = {
            k: number(v) for k, v in row.items() if k not in texts and k not in ("tsource", "fibertype")
        }
        found.append(texts | {k: v for k, v in values.items() if v is not None})
    return found


def fits_spectra(folder: Path) -> list[Row]:
    """Make a row of every spectrum in the FITS files."""
    found = []
    for path in sorted((folder / "mrs_spectra").rglob("*.fits.gz")):
        with fits.open(path) as hdus:
            head = hdus[0].header
            for hdu in hdus[1:]:
                coadd = hdu.name.startswith("COADD")
                row = {"obsid": head["OBSID"], "planid": head["PLANID"], "lmjd": head["LMJD"]}
                row |= {"band": hdu.name[-1] if coadd else hdu.name[0], "coadd": "1" if coadd else "0"}
                row |= {
                    "lmjm": "" if coadd else hdu.header["LMJM"],
                    "snr": hdu.header["SNR"],
                    "file": path.name,
                }
                found.append({key: str(value) for key, value in row.items()})
    return found


def key(row: Row) -> tuple[str, ...]:
    return row["obsid"], row["coadd"], "" if row["coadd"] == "1" else row["lmjm"], row["band"]
