"""Opening raw tables: blocks of lines, delimiters, headers, FITS and Parquet."""

from __future__ import annotations

import gzip
import threading
import tracemalloc
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.raw import RawTable, Score
from lkmrs_dask.readers.streams import StreamError, read_blocks
from lkmrs_dask.readers.tables import open_table


def named(*wanted: str) -> Score:
    """Score a header by how many of these names it has; below zero where one is missing."""
    return lambda names: len(wanted) if set(wanted) <= set(names) else len(set(wanted) & set(names)) - 99


def columns_of(table: RawTable, types: dict[str, pa.DataType]) -> dict[str, list]:
    """Read a whole raw table, values as Python has them."""
    found: dict[str, list] = {name: [] for name in types}
    with closing(table):
        for block in table.blocks(types):
            for name, array in block.columns.items():
                assert len(array) == block.n_rows
                found[name] += [v.decode() if isinstance(v, bytes) else v for v in array.to_pylist()]
    return found


def read_text(path: Path, data: bytes, *, block_bytes: int = 1 << 20, delimiter: str | None = None) -> dict:
    """Write and read a text table with the columns a (integer) and b (text)."""
    path.write_bytes(data)
    table = open_table(path, named("a", "b"), delimiter=delimiter, block_bytes=block_bytes)
    return columns_of(table, {"a": pa.int64(), "b": pa.string()})


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 1000, 1 << 20])
@pytest.mark.parametrize("zipped", [False, True])
def test_blocks_are_whole_lines_and_join_to_the_file(tmp_path: Path, block_bytes: int, zipped: bool) -> None:
    lines = [b"x" * (i * 7 % 50) for i in range(300)]
    data = b"\n".join(lines)
    path = tmp_path / "t.csv"
    # Two members, cut in the middle of a line, as `cat a.gz b.gz` makes them.
    path.write_bytes(gzip.compress(data[:1111]) + gzip.compress(data[1111:]) if zipped else data)
    blocks = [bytes(block.view) for block in read_blocks(path, block_bytes)]
    assert b"".join(blocks) == data
    assert all(block.endswith(b"\n") for block in blocks[:-1])
    assert max(map(len, blocks)) <= max(2 * block_bytes, 128)


def test_padding_after_gzip_is_no_fault_but_garbage_is(tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(b"a\nb\n") + bytes(512))
    assert [bytes(block.view) for block in read_blocks(path, 100)] == [b"a\nb\n"]
    path.write_bytes(gzip.compress(b"a\nb\n") + b"garbage")
    blocks = read_blocks(path, 100)
    assert bytes(next(blocks).view) == b"a\nb\n"
    with pytest.raises(StreamError, match="damaged"):
        next(blocks)


@pytest.mark.parametrize("lost", [1, 8, 9, 500])
def test_truncated_gzip_gives_all_whole_lines_first(tmp_path: Path, lost: int) -> None:
    rng = np.random.default_rng(1)
    data = b"".join(b"%d\n" % number for number in rng.integers(0, 10**9, 5000))
    whole = gzip.compress(data)
    path = tmp_path / "t.gz"
    path.write_bytes(whole[:-lost])
    got = b""
    blocks = read_blocks(path, 4096)
    with pytest.raises(StreamError, match="truncated"):  # noqa: PT012
        while True:
            got += bytes(next(blocks).view)
    assert data.startswith(got)
    assert got.endswith(b"\n")
    # A gzip trailer is 8 bytes: losing no more loses no data.  Deflate needs at most 3 bits a byte of digits.
    assert len(data) - len(got) <= (0 if lost <= 8 else 3 * lost + 20)


def test_memory_stays_at_a_few_blocks(tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(b"0123456789,abcdefghij\n" * 400_000, 1))  # 8.8 MB of text
    tracemalloc.start()
    total = sum(len(block) for block in read_blocks(path, 1 << 18))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 8_800_000
    assert peak < 6 * (1 << 18)  # one in use, two ahead, one being made, and the rest of a line


def test_a_long_line_needs_no_large_block(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    text = "y" * 100_000
    assert read_text(path, f"a,b\n1,{text}\n2,z\n".encode(), block_bytes=10) == {
        "a": [1, 2],
        "b": [text, "z"],
    }


def test_leaving_early_ends_the_background_thread(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,x\n" * 10_000)
    before = threading.active_count()
    with closing(open_table(path, named("a"), block_bytes=100)) as table:
        next(iter(table.blocks({"a": pa.int64()})))
    assert threading.active_count() == before


@pytest.mark.parametrize("delimiter", [",", "|", "\t", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("start", ["", "\ufeff", "#", "# ", "\ufeff#", "\n"])
def test_delimiters_line_ends_and_marks(
    tmp_path: Path, delimiter: str, end: str, last: bool, start: str
) -> None:
    rows = [["a", "other", "b"], ["1", "p q", "x"], ["-2", "", "y z"]]
    text = start + end.join(delimiter.join(row) for row in rows) + (end if last else "")
    for block_bytes in (1, 1 << 20):
        got = read_text(tmp_path / "t.csv", text.encode(), block_bytes=block_bytes)
        assert got == {"a": [1, -2], "b": ["x", "y z"]}


def test_delimiter_is_the_one_that_gives_the_names(tmp_path: Path) -> None:
    # More commas than bars, but the names come with bars.
    data = b"a|b|note, long, and, with, commas\n1|x|,,,\n"
    assert read_text(tmp_path / "t.csv", data) == {"a": [1], "b": ["x"]}
    with closing(open_table(tmp_path / "t.csv", named("a", "b"), delimiter=",")) as table:
        assert table.names[0] == "a|b|note"
        assert "','" in table.where


def test_quotes(tmp_path: Path) -> None:
    data = b'"a","b"\n"1","x,y"\n2,"say ""z"""\n3,5" pipe\n'
    assert read_text(tmp_path / "t.csv", data) == {"a": [1, 2, 3], "b": ["x,y", 'say "z"', '5" pipe']}


@pytest.mark.parametrize("block_bytes", [1, 20, 1 << 20])
def test_an_open_quote_swallows_no_line(tmp_path: Path, block_bytes: int) -> None:
    data = b'b,a\nw,1\n"x,2\ny,3\n\n"z",4\nu,5\n'
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    found: list[tuple[int, str]] = []
    refused: list[dict] = []
    with closing(open_table(path, named("a", "b"), block_bytes=block_bytes)) as table:
        for block in table.blocks({"a": pa.binary(), "b": pa.binary()}):
            rows = np.arange(block.n_rows)
            found += zip(block.numbers(rows).tolist(), block.texts(rows), strict=True)
            refused += block.refused.select(["row", "reason", "text"]).to_pylist()
    assert found == [(2, "w,1"), (4, "y,3"), (6, '"z",4'), (7, "u,5")]
    assert refused == [{"row": 3, "reason": "wrong number of fields", "text": '"x,2'}]


def test_stray_carriage_return_is_refused_and_hides_nothing(tmp_path: Path) -> None:
    # Two lines for Arrow, and a blank one less: the count of rows alone would not show it.
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,x\r2,y\n\n3,z\n")
    with closing(open_table(path, named("a", "b"))) as table:
        (block,) = table.blocks({"a": pa.int64(), "b": pa.string()})
    assert block.columns["a"].to_pylist() == [3]
    assert block.refused.to_pylist()[0]["row"] == 2
    assert block.refused.to_pylist()[0]["reason"] == "stray line break"


def test_a_column_becomes_text_only_when_a_cell_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,x\n2.0,y\n3,z\n")
    with closing(open_table(path, named("a", "b"), block_bytes=4)) as table:
        kinds = [block.columns["a"].type for block in table.blocks({"a": pa.int64(), "b": pa.string()})]
    assert kinds == [pa.int64(), pa.binary(), pa.binary()]


def test_hexadecimal_is_no_integer(tmp_path: Path) -> None:
    # Arrow's parser takes 0x1F for 31.
    assert read_text(tmp_path / "t.csv", b"a,b\n0x1F,x\n")["a"] == ["0x1F"]
    assert read_text(tmp_path / "t.csv", b"a,b\n\n0X1F,x\n")["a"] == ["0X1F"]


def fits_file(path: Path, *tables: list[fits.Column] | None) -> Path:
    """Write a FITS file with these binary tables; None for an image."""
    hdus: list = [fits.PrimaryHDU()]
    for columns in tables:
        hdus.append(
            fits.ImageHDU(np.zeros((2, 2))) if columns is None else fits.BinTableHDU.from_columns(columns)
        )
    fits.HDUList(hdus).writeto(path)
    return path


ALL_TYPES = [
    fits.Column("d", "D", array=[1.5, np.nan]),
    fits.Column("e", "E", array=[0.1, -9999]),
    fits.Column("i", "I", array=[-5, 7], null=7),
    fits.Column("j", "J", array=[2**31 - 1, -1]),
    fits.Column("k", "K", array=[2**63 - 1, -(2**63)]),
    fits.Column("byte", "B", array=np.array([0, 255], np.uint8)),
    fits.Column("unsigned", "I", bzero=2**15, array=np.array([0, 65535], np.uint16)),
    fits.Column("long", "K", bzero=2**63, array=np.array([0, 2**64 - 1], np.uint64)),
    fits.Column("scaled", "I", array=[2, 5]),
    fits.Column("flag", "L", array=[True, False]),
    fits.Column("text", "6A", array=["ab", " c "]),
]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_fits_types(tmp_path: Path, zipped: bool, block_bytes: int) -> None:
    path = fits_file(tmp_path / "t.fits", ALL_TYPES)
    number = 1 + [column.name for column in ALL_TYPES].index("scaled")
    fits.setval(path, f"TSCAL{number}", value=0.5, ext=1)
    fits.setval(path, f"TZERO{number}", value=10, ext=1)
    if zipped:
        (tmp_path / "t.fits.gz").write_bytes(gzip.compress(path.read_bytes()))
        path = tmp_path / "t.fits.gz"
    names = [column.name for column in ALL_TYPES]
    table = open_table(path, named(*names), block_bytes=block_bytes)
    got = columns_of(table, dict.fromkeys(names, pa.int64()))
    assert np.isnan(got["d"].pop())
    assert got == {
        "d": [1.5],
        "e": [float(np.float32(0.1)), -9999.0],
        "i": [-5, None],
        "j": [2**31 - 1, -1],
        "k": [2**63 - 1, -(2**63)],
        "byte": [0, 255],
        "unsigned": [0, 65535],
        "long": [0, 2**64 - 1],
        "scaled": [11.0, 12.5],
        "flag": [True, False],
        "text": ["ab", " c"],
    }


def test_fits_takes_the_first_table_with_rows_and_names(tmp_path: Path) -> None:
    path = fits_file(
        tmp_path / "t.fits",
        [fits.Column("other", "J", array=[1, 2])],
        [fits.Column("a", "J", array=np.empty(0, np.int32))],
        None,
        [fits.Column("a", "J", array=[5, 6])],
        [fits.Column("a", "J", array=[7])],
    )
    table = open_table(path, named("a"))
    assert table.where == "HDU 4"
    assert columns_of(table, {"a": pa.int64()}) == {"a": [5, 6]}


def test_fits_vectors_and_complex_numbers_are_refused(tmp_path: Path) -> None:
    path = fits_file(
        tmp_path / "t.fits",
        [fits.Column("a", "3E", array=np.zeros((2, 3))), fits.Column("c", "C", array=np.zeros(2, complex))],
    )
    for name, kind in (("a", "3E"), ("c", "C")):
        with pytest.raises(InputError, match=f"'{name}' holds {kind}") as caught:
            columns_of(open_table(path, named(name)), {name: pa.float64()})
        assert caught.value.column == name


def test_parquet_reads_only_what_is_wanted_in_batches(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    raw = pa.table({"a": [1, None, 3], "b": ["x", None, "nan"], "nested": [{"p": 1}] * 3})
    pq.write_table(raw, path)
    with closing(open_table(path, named("a", "b"), block_bytes=1)) as table:
        assert table.names == ["a", "b", "nested"]
        blocks = list(table.blocks({"b": pa.string(), "a": pa.int64()}))
    assert [block.numbers(np.arange(1)).tolist() for block in blocks] == [[1], [2], [3]]
    assert blocks[2].texts(np.array([0])) == ["b=nan, a=3"]
    assert pa.concat_arrays([block.columns["a"] for block in blocks]).to_pylist() == [1, None, 3]


def test_content_counts_not_the_name(tmp_path: Path) -> None:
    zipped = tmp_path / "no_suffix"
    zipped.write_bytes(gzip.compress(b"a,b\n1,x\n"))
    assert columns_of(open_table(zipped, named("a")), {"a": pa.int64()}) == {"a": [1]}
    fits_as_text = tmp_path / "t.csv"
    fits_file(tmp_path / "t.fits", [fits.Column("a", "J", array=[5])]).rename(fits_as_text)
    assert columns_of(open_table(fits_as_text, named("a")), {"a": pa.int64()}) == {"a": [5]}
