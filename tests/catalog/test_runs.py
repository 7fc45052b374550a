"""Reading raw files into runs: nothing lost, bounded pieces, sightings as a plain count has them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import healpy
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from survey_runs import Tables, read_files, table_of

from lkmrs_dask.catalog import runs as runs_module
from lkmrs_dask.catalog.runs import ReadFiles, write_run
from lkmrs_dask.errors import InputError
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA, Chunk, set_aside_table


def some_rows(n: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    star = rng.integers(0, 12, n)
    rows = [
        {
            "uid": f"G{s}" if s % 3 else None,
            "ra_input": float(10 * s + 1e-4 * (k % 3)),
            "dec_input": float(7 * s - 30),
            "mobsid": f"m{k}",
            "flux": [float(k), None],
        }
        for k, s in enumerate(star.tolist())
    ]
    return table_of(rows)


def counted(table: pa.Table) -> Counter:
    columns = [table.column(name).to_pylist() for name in ("uid", "ra_input", "dec_input")]
    return Counter(zip(*columns, strict=True))


def in_sky_order(table: pa.Table) -> pa.Table:
    """Rows sorted by order-29 pixel; those of one keep their order."""
    ra, dec = (table.column(name).to_numpy() for name in ("ra_input", "dec_input"))
    pixel = healpy.ang2pix(2**29, ra, dec, nest=True, lonlat=True)
    return table.take(np.argsort(pixel, kind="stable"))


def test_a_run_gives_back_its_rows_and_counts_its_sightings(tmp_path: Path) -> None:
    table = some_rows(200)
    run = write_run(table, tmp_path / "a" / "run")
    assert run.table().equals(in_sky_order(table))
    assert (run.rows, run.columns()) == (200, table.column_names)
    assert run.table().schema.equals(table.schema)
    sightings = run.sightings().to_pylist()
    found: Counter = Counter()
    for one in sightings:
        found[one["uid"], one["ra"], one["dec"]] += one["count"]
    assert found == counted(table)
    names = run.table().select(["uid", "ra_input", "dec_input"]).to_pylist()
    assert names == [
        {"uid": one["uid"], "ra_input": one["ra"], "dec_input": one["dec"]}
        for one in sightings
        for _ in range(one["count"])
    ]


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from([None, "", "G1", "L2"]),
            st.sampled_from([0.0, 360.0, 359.9999999, 45.0, 45 + 1e-12]),
            st.sampled_from([-90.0, 0.0, 1e-12, 90.0]),
        ),
        min_size=1,
        max_size=30,
    ),
    named=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_sightings_at_the_odd_places(
    rows: list[tuple], named: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = table_of([{"uid": u, "ra_input": ra, "dec_input": dec} for u, ra, dec in rows])
    expected = Counter(rows)
    if not named:
        table = table.drop_columns(["uid"])
        expected = Counter((None, ra, dec) for _, ra, dec in rows)
    found: Counter = Counter()
    for one in write_run(table, tmp_path_factory.mktemp("run") / "r").sightings().to_pylist():
        found[one["uid"], one["ra"], one["dec"]] += one["count"]
    assert found == expected


def test_names_of_runs_may_have_dots(tmp_path: Path) -> None:
    """Of "dr11_v2.0_MRS-0000" and "dr11_v2.1_MRS-0000" neither may overwrite the other."""
    stems = [tmp_path / f"dr11_v2.{digit}_MRS-{number:04d}" for digit in (0, 1) for number in (0, 1)]
    tables = [some_rows(5, seed) for seed in range(4)]
    runs = [write_run(table, stem) for table, stem in zip(tables, stems, strict=True)]
    assert [run.table() for run in runs] == [in_sky_order(table) for table in tables]
    assert len(list(tmp_path.iterdir())) == 8
    assert runs[0].file(".arrow").name == "dr11_v2.0_MRS-0000.arrow"


@pytest.mark.parametrize("limit", ["rows", "bytes"])
def test_runs_are_bounded_and_hold_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    table = some_rows(1000)
    pieces = [table.slice(at, 40) for at in range(0, 1000, 40)]
    if limit == "rows":
        monkeypatch.setattr(runs_module, "RUN_ROWS", 100)
    else:
        monkeypatch.setattr(runs_module, "RUN_BYTES", 100 * table.nbytes // 1000)
    (found,) = read_files(Tables({"a.csv": pieces}), tmp_path)
    assert found.failures == ()
    assert found.set_aside.schema.equals(SET_ASIDE_SCHEMA)
    assert found.set_aside.num_rows == 0
    assert max(run.rows for run in found.runs) <= 160, "a chunk more than the limit at most"
    assert len(found.runs) >= 8
    at = 0
    for run in found.runs:
        assert run.table().equals(in_sky_order(table.slice(at, run.rows)))
        at += run.rows
    assert at == len(table)


def test_reading_holds_no_more_than_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of 50 MB comes through in runs of 2 MB; what Arrow holds meanwhile stays small."""
    monkeypatch.setattr(runs_module, "RUN_BYTES", 2 << 20)
    rng = np.random.default_rng(0)
    most = 0
    start = pa.total_allocated_bytes()

    class Large(Tables):
        def read(self, file: Path):  # type: ignore[no-untyped-def]
            nonlocal most
            for _ in range(50):
                flux = pa.ListArray.from_arrays(np.arange(0, 262_145, 512, dtype=np.int32),
                                                rng.random(262_144).astype(np.float32))  # fmt: skip
                table = pa.table(
                    {"ra_input": rng.uniform(0, 360, 512), "dec_input": np.zeros(512), "flux": flux}
                )
                most = max(most, pa.total_allocated_bytes() - start)
                yield Chunk(table, SET_ASIDE_SCHEMA.empty_table())

    found = runs_module.read_files(ReadFiles(Large({}), (Path("big.fits"),), tmp_path / "big"))
    assert sum(run.file(".arrow").stat().st_size for run in found.runs) > 50e6
    assert len(found.runs) >= 25
    assert most < 8e6


def test_a_run_is_mapped_not_loaded(tmp_path: Path) -> None:
    n = 500_000
    table = pa.table(
        {"ra_input": np.linspace(0, 359, n), "dec_input": np.zeros(n), "snr": np.arange(n, dtype=float)}
    )
    run = write_run(table, tmp_path / "r")
    before = pa.total_allocated_bytes()
    back = run.table()
    assert back.nbytes == 24 * n
    assert pa.total_allocated_bytes() - before < 24 * n / 10
    assert pc.sum(back.column("snr")).as_py() == n * (n - 1) / 2


def test_a_fault_in_the_middle_keeps_the_rows_before_it(tmp_path: Path) -> None:
    table = some_rows(90)
    fault = InputError("the file is truncated", file="bad.csv.gz", row=92)
    bad = set_aside_table("bad.csv.gz", "not a number", rows=[17], column="snr", values=["x"])
    source = Tables({
        "bad.csv.gz": [Chunk(table.slice(0, 50), bad), table.slice(50), fault],
        "good.csv": [table.slice(0, 10)],
        "none.csv": [InputError("no such column", file="none.csv", column="ra")],
    })  # fmt: skip
    first, good, none = read_files(source, tmp_path)
    assert pa.concat_tables([run.table() for run in first.runs]).equals(in_sky_order(table))
    assert first.failures == (fault,)
    assert first.set_aside.to_pylist()[0]["reason"] == "not a number"
    assert first.set_aside.to_pylist()[1] == {
        "file": "bad.csv.gz",
        "row": None,
        "column": None,
        "reason": "file cannot be read",
        "value": str(fault),
        "text": None,
    }
    assert good.failures == ()
    assert sum(run.rows for run in good.runs) == 10
    assert none.runs == ()
    assert [one.column for one in none.failures] == ["ra"]
    assert none.set_aside.to_pylist()[0]["column"] == "ra"


def test_a_file_without_rows_makes_no_run(tmp_path: Path) -> None:
    for pieces in ([], [some_rows(3).slice(0, 0)]):
        (found,) = read_files(Tables({"empty.csv": pieces}), tmp_path)
        assert found.runs == ()
        assert found.failures == ()
        assert found.set_aside.num_rows == 0


def test_pieces_of_a_file_may_differ_in_columns(tmp_path: Path) -> None:
    a, b = some_rows(4), some_rows(4, seed=1).drop_columns(["flux", "uid"])
    (found,) = read_files(Tables({"a.csv": [a, b]}), tmp_path)
    (run,) = found.runs
    assert run.table().equals(in_sky_order(pa.concat_tables([a, b], promote_options="default")))
