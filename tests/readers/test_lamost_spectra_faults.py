"""Bad input: a clear error or a line in set-aside, and the good spectra kept."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from astropy.io import fits
from fake_spectra import LMJM, Arm, arm_hdu, primary_hdu, standard_arms, to_bytes, write_spectra

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA
from lkmrs_dask.readers.lamost_spectra import read_spectra

ARMS = standard_arms(2, n_pixels=12)


def with_card(content: bytes, card: str, hdu: str | None = None) -> bytes:
    """Replace a card of the primary header, or of an HDU, by text that astropy would not write."""
    start = 0 if hdu is None else content.index(f"'{hdu}".encode())
    at = content.index(card[:8].encode(), start)
    return content[:at] + card.encode().ljust(80) + content[at + 80 :]


def changed(arm: Arm, drop: tuple[str, ...] = (), **cards: Any) -> Arm:
    kept = {key: value for key, value in arm.cards.items() if key not in drop}
    return Arm(arm.name, kept | cards, arm.loglam, arm.flux, arm.ivar, arm.mask)


def read_with(tmp_path: Path, third: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read the file of `ARMS` with another third HDU (the first exposure, B)."""
    hdus = [primary_hdu(), *(third if i == 2 else arm_hdu(arm) for i, arm in enumerate(ARMS))]
    table, set_aside = read_spectra(write_spectra(tmp_path / "file.fits", hdus))
    assert set_aside.schema == SET_ASIDE_SCHEMA
    return table.to_pylist(), set_aside.to_pylist()


# --- the file as a whole -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"\x1f", "not a FITS file"),
        (b"obsid,ra,dec\n1,2,3\n" * 500, "not a FITS file"),
        (gzip.compress(b"", mtime=0), "empty file"),
        (gzip.compress(b"text", mtime=0), "not a FITS file"),
        (b"\x1f\x8b" + b"junk" * 99, "gzip"),
        (b"SIMPLE  =                    T".ljust(2880), "HDU 0.*no END"),
    ],
)
def test_no_fits(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "a.fits.gz"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_spectra(file)
    assert error.value.file == str(file)


def test_truncated_fits_names_the_hdu(tmp_path: Path) -> None:
    file = write_spectra(tmp_path / "a.fits")
    content = file.read_bytes()
    at = content.index(b"'R-") + 3000
    file.write_bytes(content[:at])
    with pytest.raises(InputError, match=r"a\.fits: truncated FITS: HDU 6 \(R-\d+\) has \d+ of \d+ bytes"):
        read_spectra(file)


def test_truncated_gzip(tmp_path: Path) -> None:
    file = write_spectra(tmp_path / "a.fits.gz", gz=True)
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(InputError, match=r"a\.fits\.gz: truncated gzip"):
        read_spectra(file)


def test_damaged_gzip(tmp_path: Path) -> None:
    file = write_spectra(tmp_path / "a.fits.gz", gz=True)
    content = bytearray(file.read_bytes())
    content[-6] ^= 0xFF  # its checksum
    file.write_bytes(content)
    with pytest.raises(InputError, match="damaged gzip"):
        read_spectra(file)


def test_folder_and_nothing_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="directory where a file should be"):
        read_spectra(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_spectra(tmp_path / "absent.fits")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_spectra(tmp_path / "a.fits")
    file.chmod(0)
    if os.geteuid() == 0:  # root may read everything

        def refuse(*_: object, **__: object) -> NoReturn:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="no permission"):
        read_spectra(file)


@pytest.mark.parametrize("key", ["RA", "DEC", "PLANID"])
def test_primary_header_without_what_it_must_have(tmp_path: Path, key: str) -> None:
    without: dict[str, Any] = {key: None}
    file = write_spectra(tmp_path / "a.fits", **without)
    with pytest.raises(InputError, match=rf"HDU 0\) has no {key}"):
        read_spectra(file)


@pytest.mark.parametrize("names", [[], ["COADD", "B", "COADD_G", "Information", "XB-83906016"]])
def test_no_arm(tmp_path: Path, names: list[str]) -> None:
    arm = ARMS[0]
    hdus = [arm_hdu(Arm(name, {}, arm.loglam, arm.flux, arm.ivar, arm.mask)) for name in names]
    file = write_spectra(tmp_path / "a.fits", [primary_hdu(), *hdus])
    with pytest.raises(InputError, match="FITS without an expected HDU"):
        read_spectra(file)


@pytest.mark.parametrize(
    ("card", "reason", "value"),
    [
        ("RA      =                400.0", "out of range", "400.0"),
        ("DEC     =                -95.0", "out of range", "-95.0"),
        ("RA      =                  NaN", "missing coordinate", "nan"),
        ("DEC     =                     ", "missing coordinate", None),
        ("DEC     =              -9999.0", "missing coordinate", "-9999.0"),
        ("RA      = '12:30:00'", "not a number", "12:30:00"),
        ("SPID    = 'twelve  '", "not a number", "twelve"),
        ("FIBERID =                 76.5", "not a whole number", "76.5"),
        ("FIBERID =                99999", "out of range", "99999"),
        ("HELIO   = 'perhaps '", "not true or false", "perhaps"),
        ("LMJD    =                    7", "out of range", "7"),
    ],
)
def test_bad_value_of_the_primary_header_sets_all_rows_aside(
    tmp_path: Path, card: str, reason: str, value: str | None
) -> None:
    file = tmp_path / "a.fits"
    content = with_card(to_bytes([primary_hdu(), *(arm_hdu(arm) for arm in ARMS)]), card)
    file.write_bytes(content)
    table, set_aside = read_spectra(file)
    assert table.num_rows == 0
    lines = set_aside.to_pylist()
    assert [line["row"] for line in lines] == list(range(1, len(ARMS) + 1))
    assert {(line["reason"], line["column"], line["value"]) for line in lines} == {
        (reason, card[:8].strip(), value)
    }
    assert lines[0]["text"] == "HDU 1 (COADD_B)"


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (360.0, 90.0), (0.0, -90.0)])
def test_edges_of_the_sky_are_good(tmp_path: Path, ra: float, dec: float) -> None:
    table, set_aside = read_spectra(write_spectra(tmp_path / "a.fits", RA=ra, DEC=dec))
    assert (table.num_rows, set_aside.num_rows) == (8, 0)
    assert table["bjd_tdb"].null_count == 0


def test_unwanted_plan_is_told_of_before_anything_else(tmp_path: Path) -> None:
    file = write_spectra(tmp_path / "a.fits", RA=400.0, PLANID="TD230151N343645T01")
    file.write_bytes(file.read_bytes()[: 3 * 2880])
    table, set_aside = read_spectra(file, plans=("*K[0-9][0-9]", "HIP*"))
    assert table.num_rows == 0
    assert set_aside.to_pylist() == [
        {"file": str(file), "row": None, "column": "PLANID", "reason": "plan not wanted",
         "value": "TD230151N343645T01", "text": None}
    ]  # fmt: skip


def test_keywords_that_are_not_there_are_null(tmp_path: Path) -> None:
    absent: dict[str, Any] = dict.fromkeys(
        ("OBSID", "LMJD", "DESIG", "MAGTYPE", "FIBERMAS", "HELIO", "OFFSET", "TSOURCE")
    )
    row = read_spectra(write_spectra(tmp_path / "a.fits", **absent)).table.to_pylist()[0]
    names = ("obsid", "lmjd", "obsdate", "designation", "gaia_g_mean_mag", "fibermask", "helio", "offsets")
    assert [row[name] for name in names] == [None] * len(names)
    assert row["planid"] == "TD192102N424113K01"


# --- one spectrum ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("third", "reason", "column"),
    [
        (arm_hdu(ARMS[2], drop=("FLUX",)), "missing column", "FLUX"),
        (arm_hdu(ARMS[2], drop=("IVAR",)), "missing column", "IVAR"),
        (arm_hdu(ARMS[2], drop=("LOGLAM",)), "missing column", "WAVELENGTH or LOGLAM"),
        (arm_hdu(ARMS[2], "new", drop=("WAVELENGTH",)), "missing column", "WAVELENGTH or LOGLAM"),
        (arm_hdu(ARMS[2], "new", short=("IVAR",)), "lengths unequal", "FLUX"),
        (arm_hdu(changed(ARMS[2], drop=("LMJM",))), "missing value", "LMJM"),
        (arm_hdu(changed(ARMS[2], LMJM="8442x148")), "not a number", "LMJM"),
        (arm_hdu(changed(ARMS[2], LMJM="12")), "out of range", "LMJM"),
        (arm_hdu(changed(ARMS[2], EXPTIME="long")), "not a number", "EXPTIME"),
        (arm_hdu(changed(ARMS[2], EXPTIME=-5)), "out of range", "EXPTIME"),
        (arm_hdu(changed(ARMS[2], SNR="good")), "not a number", "SNR"),
    ],
)
@pytest.mark.parametrize("flux", [True, False])
def test_broken_spectrum_is_set_aside_alone(
    tmp_path: Path, third: fits.BinTableHDU, reason: str, column: str, flux: bool
) -> None:
    hdus = [primary_hdu(), *(third if i == 2 else arm_hdu(arm) for i, arm in enumerate(ARMS))]
    table, set_aside = read_spectra(write_spectra(tmp_path / "file.fits", hdus), flux=flux)
    assert table.num_rows == len(ARMS) - 1
    (line,) = set_aside.to_pylist()
    assert (line["row"], line["reason"], line["column"]) == (3, reason, column)
    assert line["text"] == f"HDU 3 (B-{LMJM})"
    # The coadd keeps the time of its exposures while the header of the broken one can be read.
    assert table["n_exposures"].to_pylist()[0] == 2


def test_bad_list_of_a_coadd(tmp_path: Path) -> None:
    hdus = [primary_hdu(), arm_hdu(changed(ARMS[0], LMJMLIST="84420148-soon")), arm_hdu(ARMS[1])]
    table, set_aside = read_spectra(write_spectra(tmp_path / "a.fits", hdus))
    assert table["band"].to_pylist() == ["R"]
    (line,) = set_aside.to_pylist()
    assert (line["reason"], line["column"], line["value"]) == ("not a number", "LMJMLIST", "soon")


def test_table_whose_header_lies(tmp_path: Path) -> None:
    content = to_bytes([primary_hdu(), *(arm_hdu(arm) for arm in ARMS)])
    file = tmp_path / "a.fits"
    for card in ("TFORM1  = '7E      '", "TFORM1  = '1A      '", "TFORM1  = 'nonsense'"):
        file.write_bytes(with_card(content, card))
        table, set_aside = read_spectra(file)
        assert set_aside["reason"].to_pylist() == ["broken table"]
        assert set_aside["row"].to_pylist() == [1]
        assert table.num_rows == len(ARMS) - 1


def test_table_without_pixels(tmp_path: Path) -> None:
    arm = ARMS[2]
    none = Arm(arm.name, arm.cards, arm.loglam[:0], arm.flux[:0], arm.ivar[:0])
    rows, set_aside = read_with(tmp_path, arm_hdu(none))
    assert len(rows) == len(ARMS) - 1
    assert [line["reason"] for line in set_aside] == ["no pixels"]


def test_flux_and_ivar_that_are_not_finite(tmp_path: Path) -> None:
    arm = ARMS[2]
    flux, ivar = arm.flux.copy(), np.ones_like(arm.ivar)
    flux[:3], ivar[3:6] = [np.nan, np.inf, -np.inf], [np.nan, np.inf, -1]
    rows, set_aside = read_with(tmp_path, arm_hdu(Arm(arm.name, arm.cards, arm.loglam, flux, ivar, arm.mask)))
    assert set_aside == []
    assert np.isnan(rows[2]["flux"]).tolist() == [True] * 3 + [False] * 9
    assert None not in rows[2]["flux"]
    assert rows[2]["ivar"] == [0.0] * 6 + [1.0] * 6


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_wavelength_that_is_not_finite(tmp_path: Path, value: float) -> None:
    arm = ARMS[2]
    loglam = arm.loglam.copy()
    loglam[5] = value
    _, set_aside = read_with(tmp_path, arm_hdu(Arm(arm.name, arm.cards, loglam, arm.flux, arm.ivar)))
    assert [(line["row"], line["reason"], line["column"]) for line in set_aside] == [
        (3, "not a number", "LOGLAM")
    ]


def test_wavelengths_in_disorder_are_sorted_with_their_pixels(tmp_path: Path) -> None:
    arm = ARMS[2]
    mixed = np.random.default_rng(2).permutation(len(arm.flux))
    parts = [array[mixed] for array in (arm.loglam, arm.flux, arm.ivar, arm.mask)]
    rows, _ = read_with(tmp_path, arm_hdu(Arm(arm.name, arm.cards, *parts)))
    plain = read_spectra(write_spectra(tmp_path / "b.fits", [primary_hdu(), arm_hdu(arm)])).table.to_pylist()[
        0
    ]
    assert all(rows[2][name] == plain[name] for name in ("wavelength", "flux", "ivar", "mask"))


def test_without_a_mask_the_mask_is_null(tmp_path: Path) -> None:
    rows, set_aside = read_with(tmp_path, arm_hdu(ARMS[2], drop=("PIXMASK",)))
    assert set_aside == []
    assert [row["mask"] is None for row in rows] == [False, False, True, False, False, False]


def test_mask_of_odd_numbers(tmp_path: Path) -> None:
    arm = ARMS[2]
    hdu = arm_hdu(arm, "new")
    hdu.data["PIXMASK"][0, :4] = [np.nan, 1e20, -1e20, 5]
    rows, _ = read_with(tmp_path, hdu)
    assert rows[2]["mask"][:4] == [0, 2**31 - 1, -(2**31), 5]


def test_unknown_hdus_are_passed_over(tmp_path: Path) -> None:
    extra = [fits.ImageHDU(np.zeros((3, 4)), name="IMAGE"), arm_hdu(Arm("NOTES", {}, *[ARMS[0].flux] * 3))]
    hdus = [primary_hdu(), extra[0], arm_hdu(ARMS[0]), extra[1], arm_hdu(ARMS[2])]
    table, set_aside = read_spectra(write_spectra(tmp_path / "a.fits", hdus))
    assert table["coadd"].to_pylist() == [True, False]
    assert set_aside.num_rows == 0
