"""Faults put into text tables."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.dirt import CLEAN, KINDS, REASONS, REPEATED, Dirt, damage
from lkmrs_dask.synthetic.text_files import TextFile, fill_missing

HEADER = ("mobsid", "uid", "ra", "dec", "snr")


def lines(n: int) -> list[str]:
    return [f"{k}|G{k}|{k}.5|-{k}.25|{k}.75" for k in range(n)]


def test_each_kind_does_what_it_says() -> None:
    text = lines(7)
    before = list(text)
    found = damage(text, np.array([0, 1, 2, 3, 4, 5, CLEAN]), HEADER, "|", ["snr"])
    assert [one.kind for one in found] == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="float"):
        float(text[0].split("|")[4])
    assert text[1] == "1|G1|400.0|-1.25|1.75"
    assert text[2] == "2|G2|2.5|-95.0|2.75"
    assert text[3].split("|")[2:4] in (["", ""], ["-9999.0", "-9999.0"], ["nan", "nan"])
    assert text[4].count("|") == before[4].count("|") - 1
    assert text[5:7] == before[5:7]
    assert text[7] == before[5]  # the copy, at the end
    assert [one.line for one in found] == [0, 1, 2, 3, 4, 7]
    assert len(KINDS) == len(REASONS) == 6
    assert REPEATED == 5


def test_words_are_no_numbers_and_hold_no_delimiter() -> None:
    for delimiter in ("|", ","):
        text = [delimiter.join(line.split("|")) for line in lines(40)]
        damage(text, np.zeros(40, np.int64), HEADER, delimiter, ["snr", "ra"])
        assert all(line.count(delimiter) == 4 for line in text)
        for line in text:
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
    kind = Dirt(0.06, Draws(1), table=0).choose(np.arange(n), np.zeros(n, np.int64))
    counts = Counter(kind.tolist())
    for one in range(len(KINDS)):
        assert abs(counts[one] - n * 0.01) < 5 * np.sqrt(n * 0.01)
    other = Dirt(0.06, Draws(1), table=1).choose(np.arange(n), np.zeros(n, np.int64))
    assert ((kind != CLEAN) & (other != CLEAN)).sum() < 400  # 216 by chance


def test_every_kind_occurs_once_at_least() -> None:
    few = Dirt(1e-9, Draws(1), table=0)
    first = few.choose(np.arange(4), np.zeros(4, np.int64))
    second = few.choose(np.arange(4, 104), np.zeros(100, np.int64))
    third = few.choose(np.arange(104, 204), np.zeros(100, np.int64))
    assert sorted([*first[first != CLEAN].tolist(), *second[second != CLEAN].tolist()]) == list(range(6))
    assert (third == CLEAN).all()
    assert (Dirt(0.0, Draws(1), table=0).choose(np.arange(9), np.zeros(9, np.int64)) == CLEAN).all()
    assert len(few.choose(np.empty(0, np.int64), np.empty(0, np.int64))) == 0


@pytest.mark.parametrize("share", [-0.1, 0.51, float("nan")])
def test_share_out_of_range(share: float) -> None:
    with pytest.raises(UsageError, match="dirty rows"):
        Dirt(share, Draws(1), table=0)


def test_text_file(tmp_path: Path) -> None:
    table = pa.table(
        {
            "mobsid": ["a", "b", "c"],
            "uid": pa.array(["G1", None, "G3"]),
            "ra": [1.5, 2.0, 3.25],
            "dec": [-1.0, 0.1, 89.123456],
            "snr": pa.array([70.17, None, 0.0]),
        }
    )
    file = TextFile(tmp_path / "t.csv.gz", HEADER, "|")
    assert file.write(fill_missing(table, {"snr": -9999}), np.full(3, CLEAN), ["snr"]) == []
    faults = file.write(table.slice(0, 2), np.array([CLEAN, REPEATED]), ["snr"])
    assert [(fault.row, fault.kind) for fault in faults] == [(7, REPEATED)]
    faults = file.write(table.slice(0, 1), np.array([1]), ["snr"])
    assert [(fault.row, fault.kind, fault.column) for fault in faults] == [(8, 1, "ra")]
    file.close()
    assert file.rows == 8
    assert gzip.decompress((tmp_path / "t.csv.gz").read_bytes()).decode().split("\n") == [
        "mobsid|uid|ra|dec|snr", "a|G1|1.5|-1|70.17", "b||2|0.1|-9999", "c|G3|3.25|89.123456|0",
        "a|G1|1.5|-1|70.17", "b||2|0.1|", "b||2|0.1|", "a|G1|400.0|-1|70.17", "",
    ]  # fmt: skip
