"""The writer of FITS tables, read back by astropy."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits

from lkmrs_dask.synthetic.fits_files import Card, arrow_columns, primary_hdu, table_hdu, write_gzipped


def test_all_kinds_come_back() -> None:
    columns = {
        "single": np.array([1.5, -2.25, np.nan], np.float32),
        "double": np.array([1e-300, np.pi, -0.0]),
        "whole": np.array([1, -9999, 2**53 + 1]),
        "short": np.array([1, -2, 3], np.int16),
        "text": np.array([b"abc", b"", b"defgh"]),
        "vector": np.arange(12, dtype=np.float32).reshape(3, 4),
    }
    cards = [
        Card("NUMBER", 42, "a comment"), Card("TINY", 1.25e-7), Card("LARGE", -1e20),
        Card("FLAG", True, "yes"),
        Card("OFF", False), Card("QUOTE", "it's", "quoted"), Card("EMPTY", ""),
        Card("LONG", "x" * 60, "y" * 60),
    ]  # fmt: skip
    content = primary_hdu([Card("EXTNAME", "Information", "first")]) + table_hdu("DATA", columns, cards)
    assert len(content) % 2880 == 0
    with fits.open(io.BytesIO(content)) as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["Information", "DATA"]
        header, data = hdus[1].header, hdus[1].data
        for name, values in columns.items():
            read = np.char.encode(data[name]) if name == "text" else data[name]
            assert np.array_equal(read, values, equal_nan=values.dtype.kind == "f"), name
        for card in cards:
            assert header[card.key] == card.value
            assert type(header[card.key]) is type(card.value)
        assert header.comments["NUMBER"] == "a comment"
        assert header["TFORM6"] == "4E"


def test_one_row_of_vectors_and_no_row() -> None:
    for rows in (np.ones((1, 4136), np.float32), np.ones((0, 3), np.float32)):
        with fits.open(io.BytesIO(primary_hdu() + table_hdu("X", {"FLUX": rows}))) as hdus:
            hdus.verify("exception")
            assert len(hdus[1].data) == len(rows)
            assert hdus[1].columns["FLUX"].format == f"{rows.shape[1]}E"


def test_text_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="LONG"):
        primary_hdu([Card("LONG", "x" * 69)])


def test_arrow_columns(tmp_path: Path) -> None:
    table = pa.table(
        {
            "uid": pa.array(["G1", None, "L22"]),
            "obsid": pa.array([1, None, 3], pa.int64()),
            "ra": pa.array([290.123456, 1.0, None]),
            "teff_lasp": pa.array([5000.25, None, 1.0]),
            "alpha_m_lasp": pa.array([0.125, None, 1.0]),
            "tfrom": pa.nulls(3, pa.string()),
        }
    )
    columns = arrow_columns(table, {"alpha_m_lasp": np.nan})
    write_gzipped(tmp_path / "a.fits.gz", [primary_hdu(), table_hdu("T", columns)])
    first = (tmp_path / "a.fits.gz").read_bytes()
    write_gzipped(tmp_path / "a.fits.gz", [primary_hdu(), table_hdu("T", columns)])
    assert (tmp_path / "a.fits.gz").read_bytes() == first
    with fits.open(tmp_path / "a.fits.gz") as hdus:
        data = hdus[1].data
        assert data["uid"].tolist() == ["G1", "", "L22"]
        assert data["obsid"].tolist() == [1, -9999, 3]
        assert data["ra"].tolist() == [290.123456, 1.0, -9999.0]
        assert data["teff_lasp"].tolist() == [5000.25, -9999.0, 1.0]
        assert np.isnan(data["alpha_m_lasp"][1])
        assert data["tfrom"].tolist() == ["", "", ""]
        assert hdus[1].columns["ra"].format == "D"
        assert hdus[1].columns["teff_lasp"].format == "E"
