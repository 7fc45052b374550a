"""Faults put into text tables."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.dirt import (
    BINARY_KINDS,
    CLEAN,
    KINDS,
    REASONS,
    choose_dirt,
    damaged_lines,
    damaged_records,
)
from lkmrs_dask.synthetic.text_files import fill_missing, text_lines

HEADER = ("mobsid", "uid", "ra", "dec", "snr")


def lines(n: int) -> list[str]:
    return [f"{k}|G{k}|{k}.5|-{k}.25|{k}.75" for k in range(n)]


def test_each_kind_does_what_it_says() -> None:
    before = lines(7)
    text, found = damaged_lines(before, np.array([0, 1, 2, 3, 4, 5, CLEAN]), HEADER, "|", ["snr"])
    assert [one.kind for one in found] == [0, 1, 2, 3, 4, 5]
    assert [one.line for one in found] == [0, 1, 2, 3, 4, 5]
    # Good rows stay, each damaged copy stands behind its row.
    assert text[0:12:2] + text[12:] == before
    copies = text[1:12:2]
    with pytest.raises(ValueError, match="float"):
        float(copies[0].split("|")[4])
    assert copies[1] == "1|G1|400.0|-1.25|1.75"
    assert copies[2] == "2|G2|2.5|-95.0|2.75"
    assert copies[3].split("|")[2:4] in (["", ""], ["-9999.0", "-9999.0"], ["nan", "nan"])
    assert copies[4].count("|") == before[4].count("|") - 1
    assert copies[5] == before[5]
    assert len(KINDS) == len(REASONS) == 6


def test_records_get_copies_too() -> None:
    dtype = np.dtype([("name", "S1"), ("ra", ">f8"), ("dec", ">f8")])
    records = np.array([(b"a", 1, 2), (b"b", 3, 4), (b"c", 5, 6), (b"d", 7, 8)], dtype)
    names = ("ra 400", "dec -95", "null coordinates", "repeated row")
    assert tuple(KINDS[kind] for kind in BINARY_KINDS) == names
    found, done = damaged_records(records, np.array(BINARY_KINDS))
    assert found["name"].tolist() == [b"a", b"a", b"b", b"b", b"c", b"c", b"d", b"d"]
    assert np.array_equal(found[::2], records)
    assert found["ra"][1::2].tolist() == [400, 3, -9999, 7]
    assert found["dec"][1::2].tolist() == [2, -95, -9999, 8]
    assert [one.column for one in done] == ["ra", "dec", "ra", None]
    assert damaged_records(records, np.full(4, CLEAN))[1] == []


def test_words_are_no_numbers_and_hold_no_delimiter() -> None:
    for delimiter in ("|", ","):
        text = [delimiter.join(line.split("|")) for line in lines(40)]
        copies = damaged_lines(text, np.zeros(40, np.int64), HEADER, delimiter, ["snr", "ra"])[0][1::2]
        assert all(line.count(delimiter) == 4 for line in copies)
        for line in copies:
            fields = line.split(delimiter)
            numbers = 0
            for value in (fields[2], fields[4]):
                try:
                    float(value)
                    numbers += 1
                except ValueError:
                    assert value not in ("", "nan", "null", "NaN", "N/A")
            assert numbers == 1


def test_share_of_each_kind() -> None:
    n = 60_000
    address = np.arange(n), np.zeros(n, np.int64)
    kind = choose_dirt(0.06, Draws(1), 0, *address)
    counts = Counter(kind.tolist())
    for one in range(len(KINDS)):
        assert abs(counts[one] - n * 0.01) < 5 * np.sqrt(n * 0.01)
    other = choose_dirt(0.06, Draws(1), 1, *address)
    assert ((kind != CLEAN) & (other != CLEAN)).sum() < 400  # 216 by chance
    binary = choose_dirt(0.06, Draws(1), 0, *address, kinds=BINARY_KINDS)
    assert set(binary.tolist()) == {CLEAN, *BINARY_KINDS}
    assert np.array_equal(binary == CLEAN, kind == CLEAN)


def test_every_kind_occurs_where_it_must() -> None:
    address = np.arange(100), np.zeros(100, np.int64)
    kind = choose_dirt(1e-9, Draws(1), 0, *address, every=True)
    assert sorted(kind[kind != CLEAN].tolist()) == list(range(6))
    assert (choose_dirt(1e-9, Draws(1), 0, *address) == CLEAN).all()
    assert (choose_dirt(0.0, Draws(1), 0, *address, every=True) == CLEAN).all()
    few = np.arange(3), np.zeros(3, np.int64)
    assert (choose_dirt(1e-9, Draws(1), 0, *few, every=True) == CLEAN).all()


@pytest.mark.parametrize("share", [-0.1, 0.51, float("nan")])
def test_share_out_of_range(share: float) -> None:
    with pytest.raises(UsageError, match="dirty rows"):
        choose_dirt(share, Draws(1), 0, np.arange(2), np.arange(2))


def test_text_lines() -> None:
    table = pa.table(
        {
            "mobsid": ["a", "b", "c"],
            "uid": pa.array(["G1", None, "G3"]),
            "ra": [1.5, 2.0, 3.25],
            "dec": [-1.0, 0.1, 89.123456],
            "snr": pa.array([70.17, None, 0.0]),
        }
    )
    assert text_lines(fill_missing(table, {"snr": -9999}), "|").decode().split("\n") == [
        "a|G1|1.5|-1|70.17", "b||2|0.1|-9999", "c|G3|3.25|89.123456|0", "",
    ]  # fmt: skip
