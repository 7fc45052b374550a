"""Random damage: rows and lines in set-aside, or InputError, and never anything else."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import Path

import pytest
from astropy.io import fits
from fake_spectra import arm_hdu, primary_hdu, standard_arms, to_bytes
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA
from lkmrs_dask.readers.lamost_spectra import read_spectra
from lkmrs_dask.schema import SPECTRA

ARMS = standard_arms(2, n_pixels=12)


def ends_of_hdus(content: bytes) -> set[int]:
    with fits.open(io.BytesIO(content)) as hdus:
        return {info["datLoc"] + info["datSpan"] for info in (hdu.fileinfo() for hdu in hdus)}


CLEAN = {
    layout: to_bytes([primary_hdu(), *(arm_hdu(arm, layout) for arm in ARMS)]) for layout in ("old", "new")
}
ENDS = {layout: ends_of_hdus(content) for layout, content in CLEAN.items()}
DIRT = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_or_refuse(file: Path, content: bytes, flux: bool) -> int | None:
    """Rows and lines in all; None where the file is refused.  Any other exception fails the test."""
    file.write_bytes(content)
    try:
        table, set_aside = read_spectra(file, flux=flux)
    except InputError:
        with pytest.raises(InputError, match=r".") as error:
            read_spectra(file, flux=flux)
        assert error.value.file == str(file)
        return None
    assert table.schema.equals(SPECTRA.arrow(table.column_names))
    assert set_aside.schema == SET_ASIDE_SCHEMA
    table.validate(full=True)
    return table.num_rows + set_aside.num_rows


@DIRT
@given(data=st.data(), layout=st.sampled_from(["old", "new"]), gz=st.booleans(), flux=st.booleans())
def test_cut_off_anywhere(tmp_path: Path, data: st.DataObject, layout: str, gz: bool, flux: bool) -> None:
    content = gzip.compress(CLEAN[layout], 1) if gz else CLEAN[layout]
    at = data.draw(st.integers(0, len(content) - 1))
    found = read_or_refuse(tmp_path / "a", content[:at], flux)
    # A part of a file is refused, but where it is a whole FITS file too: cut right behind a spectrum.
    assert (found is None) == (gz or at not in ENDS[layout] - {min(ENDS[layout])})


@pytest.mark.parametrize("layout", ["old", "new"])
def test_cut_off_behind_each_hdu(tmp_path: Path, layout: str) -> None:
    found = [read_or_refuse(tmp_path / "a", CLEAN[layout][:end], True) for end in sorted(ENDS[layout])]
    assert found == [None, *range(1, len(ARMS) + 1)]


@DIRT
@given(
    data=st.data(),
    layout=st.sampled_from(["old", "new"]),
    flux=st.booleans(),
    bytes_=st.lists(st.integers(0, 255), min_size=1, max_size=6),
)
def test_bytes_changed_anywhere(
    tmp_path: Path, data: st.DataObject, layout: str, flux: bool, bytes_: list[int]
) -> None:
    content = bytearray(CLEAN[layout])
    for byte in bytes_:
        content[data.draw(st.integers(0, len(content) - 1))] = byte
    found = read_or_refuse(tmp_path / "a", bytes(content), flux)
    assert found is None or 0 < found <= len(ARMS)


CARDS = sorted(set(re.findall(rb"([A-Z][A-Z0-9_-]{1,7}) *= ", CLEAN["old"] + CLEAN["new"])))
VALUES = st.one_of(
    st.sampled_from(
        ["", "T", "F", "NaN", "-9999", "'", "''", "'text'", "1E999", "-1", "0", "9" * 60, "/", "1.5"]
    ),
    st.integers(-(10**12), 10**12).map(str),
    st.floats(width=32).map(str),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
)


@DIRT
@given(
    key=st.sampled_from(CARDS),
    value=VALUES,
    layout=st.sampled_from(["old", "new"]),
    nth=st.integers(0, 5),
    flux=st.booleans(),
)
@example(key=b"NAXIS2", value="999999999999", layout="old", nth=0, flux=True)
@example(key=b"NAXIS", value="1", layout="old", nth=1, flux=True)
@example(key=b"PCOUNT", value="-1", layout="new", nth=0, flux=True)
@example(key=b"GCOUNT", value="0", layout="new", nth=0, flux=True)
@example(key=b"TFIELDS", value="0", layout="new", nth=0, flux=False)
def test_card_changed(tmp_path: Path, key: bytes, value: str, layout: str, nth: int, flux: bool) -> None:
    content = CLEAN[layout]
    places = [match.start() for match in re.finditer(re.escape(key.ljust(8) + b"="), content)]
    if not places:
        return
    at = places[nth % len(places)]
    content = content[:at] + (key.ljust(8) + b"= " + value.encode()).ljust(80)[:80] + content[at + 80 :]
    found = read_or_refuse(tmp_path / "a", content, flux)
    assert found is None or 0 < found <= len(ARMS)


@settings(DIRT, max_examples=60)
@given(kept=st.lists(st.sampled_from(range(len(ARMS))), max_size=8), layout=st.sampled_from(["old", "new"]))
def test_any_choice_of_hdus(tmp_path: Path, kept: list[int], layout: str) -> None:
    hdus = [primary_hdu(), *(arm_hdu(ARMS[index], layout) for index in kept)]
    found = read_or_refuse(tmp_path / "a", to_bytes(hdus), True)
    assert found == (len(kept) or None)
