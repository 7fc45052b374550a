"""Receipts: fingerprints that hold, and files that are told from others."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.catalog import receipts as module
from lkmrs_dask.catalog.receipts import (
    Receipt,
    WrittenFile,
    code_fingerprint,
    fingerprint,
    write_array,
    write_text,
)
from lkmrs_dask.errors import CatalogError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.binary(max_size=4),
    lambda inner: st.lists(inner.filter(lambda v: not isinstance(v, bytes)), max_size=3),
    max_leaves=4,
)


def test_a_fingerprint_is_the_checksum_of_lengths_and_values() -> None:
    array = np.array([1, 2], np.int64)
    plain = b'3:"a"' + b"2:bc" + b"16:" + array.tobytes() + b'13:{"x": [1, 2]}'
    assert fingerprint("a", b"bc", array, {"x": [1, 2]}) == hashlib.sha256(plain).hexdigest()


@given(parts=st.lists(VALUES, max_size=4), others=st.lists(VALUES, max_size=4))
@settings(max_examples=100, deadline=None)
def test_fingerprints_tell_lists_of_values_apart(parts: list, others: list) -> None:
    assert fingerprint(*parts) == fingerprint(*parts)

    def written(values: list) -> list[bytes]:
        return [v if isinstance(v, bytes) else json.dumps(v).encode() for v in values]

    assert (fingerprint(*parts) == fingerprint(*others)) == (written(parts) == written(others))


def test_order_and_borders_count_and_the_order_of_names_does_not() -> None:
    assert fingerprint("a", "b") != fingerprint("b", "a")
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint({"x": 1, "y": 2}) == fingerprint({"y": 2, "x": 1})
    assert fingerprint(np.arange(3)) != fingerprint(np.arange(3)[::-1].copy())
    assert fingerprint(0.1) != fingerprint(0.1 + 1e-17 + 1e-16)


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    code = (
        "from lkmrs_dask.catalog.receipts import code_fingerprint, fingerprint\n"
        "print(code_fingerprint(), fingerprint('x', {'b': 1, 'a': [2]}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )  # fmt: skip
    assert done.stdout.split() == [code_fingerprint(), fingerprint("x", {"b": 1, "a": [2]})]


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("sky/index.py", True),
        ("sky/plates.csv", True),
        ("new.py", True),
        ("cli.py", False),
        ("synthetic/rows.py", False),
        ("notes.txt", False),
    ],
)
def test_changed_code_is_another_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, counts: bool
) -> None:
    for one in ("sky/index.py", "sky/plates.csv", "cli.py", "synthetic/rows.py"):
        (tmp_path / one).parent.mkdir(exist_ok=True)
        (tmp_path / one).write_text("1")
    monkeypatch.setattr(module, "files", lambda _: tmp_path)
    before = code_fingerprint.__wrapped__()
    assert code_fingerprint.__wrapped__() == before
    (tmp_path / name).write_text("2")
    assert (code_fingerprint.__wrapped__() != before) == counts


@pytest.fixture
def receipt(tmp_path: Path) -> Receipt:
    """A receipt of two files under tmp_path."""
    for name in ("a/one", "a/two"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode() * 1000)
    written = tuple(WrittenFile.of(tmp_path, tmp_path / "a" / name) for name in ("one", "two"))
    return Receipt("spectra", "3-7", "abc", 5, written, {"order": 3, "list": [1, "x"]}, 12.5)


def test_a_receipt_comes_back_as_it_was_written(tmp_path: Path, receipt: Receipt) -> None:
    receipt.write(tmp_path / "receipts")
    other = Receipt("spectra", "10-1", "def")
    other.write(tmp_path / "receipts")
    assert Receipt.read(tmp_path / "receipts", "spectra", "3-7") == receipt
    assert Receipt.read_all(tmp_path / "receipts", "spectra") == {"10-1": other, "3-7": receipt}
    assert Receipt.read(tmp_path / "receipts", "spectra", "4-7") is None
    assert Receipt.read_all(tmp_path / "receipts", "stars") == {}
    first = receipt.files[0]
    assert (first.path, first.size) == ("a/one", 5000)
    assert first.sha256 == hashlib.sha256(b"a/one" * 1000).hexdigest()
    assert {p.name for p in (tmp_path / "receipts/spectra").iterdir()} == {"3-7.json", "10-1.json"}


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "null", '{"stage": "spectra"}', '{"files": [{"path": 1}]}']
)
def test_a_damaged_receipt_is_named_with_the_remedy(tmp_path: Path, receipt: Receipt, damage: str) -> None:
    receipt.write(tmp_path)
    receipt.path(tmp_path).write_text(damage)
    for read in (
        lambda: Receipt.read(tmp_path, "spectra", "3-7"),
        lambda: Receipt.read_all(tmp_path, "spectra"),
    ):
        with pytest.raises(CatalogError, match=r"3-7.json: the receipt cannot be read .* --repair"):
            read()


def test_a_receipt_with_entries_of_another_version_is_damaged_too(tmp_path: Path, receipt: Receipt) -> None:
    receipt.write(tmp_path)
    values = json.loads(receipt.path(tmp_path).read_text())
    receipt.path(tmp_path).write_text(json.dumps({**values, "colour": "red"}))
    with pytest.raises(CatalogError, match="cannot be read"):
        Receipt.read(tmp_path, "spectra", "3-7")


@pytest.mark.parametrize(
    "change", [('"rows":5', '"rows":6'), ('"order":3', '"order":4'), ('{"order":3,"list":[1,"x"]}', "{}")]
)
def test_a_receipt_that_was_changed_is_damaged(
    tmp_path: Path, receipt: Receipt, change: tuple[str, str]
) -> None:
    receipt.write(tmp_path)
    path = receipt.path(tmp_path)
    assert change[0] in path.read_text()
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(CatalogError, match="not as it was written"):
        Receipt.read(tmp_path, "spectra", "3-7")


def test_a_file_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss of power must not leave a receipt of a file that is not whole."""
    steps: list[str] = []

    def noting(step: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object) -> Any:
            steps.append(step)
            return plain(*arguments)

        return call

    monkeypatch.setattr(os, "fsync", noting("sync", os.fsync))
    monkeypatch.setattr(os, "replace", noting("name", os.replace))
    write_text(tmp_path / "a.json", "text")
    write_array(tmp_path / "b.npy", np.arange(3))
    assert steps == ["sync", "name", "sync", "name"]
    write_array(tmp_path / "c.npy", np.arange(3), lasting=False)
    assert steps[4:] == ["name"]


def test_files_are_told_from_changed_ones(tmp_path: Path, receipt: Receipt) -> None:
    path, one = tmp_path / "a" / "one", receipt.files[0]
    stat, content = path.stat(), path.read_bytes()
    assert receipt.unchanged(tmp_path)
    assert one.problem(tmp_path) is None
    # A flipped bit that leaves size and time of change is found by reading only.
    path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert receipt.unchanged(tmp_path)
    assert one.problem(tmp_path) == "a/one: its content is not what was written (SHA-256 differs)"
    path.write_bytes(content[:-1])
    assert not receipt.unchanged(tmp_path)
    assert one.problem(tmp_path) == "a/one: 4999 bytes are there, 5000 were written"
    path.write_bytes(content)
    assert receipt.unchanged(tmp_path), "a copy of a survey has other times"
    assert one.problem(tmp_path) is None
    path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    assert not receipt.unchanged(tmp_path), "other times and other content"
    path.write_bytes(content)
    path.unlink()
    assert not receipt.unchanged(tmp_path)
    assert one.problem(tmp_path) == "a/one: No such file or directory"
    assert receipt.files[1].unchanged(tmp_path)


def test_a_text_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    write_text(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
