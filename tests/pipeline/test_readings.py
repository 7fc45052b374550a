"""Readings: raw files read together, told apart by their state and not by their place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from survey_runs import Tables, table_of

from lkmrs_dask.catalog.receipts import Receipt
from lkmrs_dask.errors import DamagedError, InputError
from lkmrs_dask.pipeline.cluster import open_crew
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.job import InputSpec, Settings
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.progress import StageRecord
from lkmrs_dask.pipeline.readings import (
    FILES,
    READ,
    Read,
    Reading,
    known_readings,
    read_raw,
    readings_of,
    split_by_run,
)
from lkmrs_dask.pipeline.survey import Survey
from lkmrs_dask.readers.base import Chunk, set_aside_table
from lkmrs_dask.readers.lamost_tables import TableSource

HEADER = "obsid,ra,dec,snr\n"


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + "1,290.0,44.0,9\n")
        os.utime(path, ns=(10**18, 10**18))
    return folder


def found(
    folder: Path, catalog: str = "spectra", settings: Settings | None = None, **options: object
) -> list[Reading]:
    spec = InputSpec(catalog, "table", ("**/*.csv",), options)
    source = spec.source(folder, settings or Settings())
    return readings_of([(catalog, source, source.files())])


def test_a_reading_is_known_wherever_its_files_lie(tmp_path: Path) -> None:
    (one,) = found(fill(tmp_path / "a", "x.csv"))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (other,) = found(tmp_path / "b")
    assert (one.name, one.fingerprint) == (other.name, other.fingerprint)
    assert one.files != other.files
    assert one.name.startswith("spectra-")


def test_whatever_changes_its_rows_makes_it_another(tmp_path: Path) -> None:
    folder = fill(tmp_path, "x.csv")
    (first,) = found(folder)
    others = [
        *found(folder, settings=Settings(low_snr=3.0)),
        *found(folder, settings=Settings(exptime_coadd=1.0)),
        *found(folder, plans=["*K01"]),
        *found(folder, catalog="measurements"),
    ]
    same = found(folder, settings=Settings(max_rows=5, star_radius_arcsec=1.0, plate_radius_deg=1.0))
    assert [one.name for one in same] == [first.name]
    os.utime(folder / "x.csv", ns=(10**18, 10**18 + 1))
    others += found(folder)
    (folder / "x.csv").write_text(HEADER)
    os.utime(folder / "x.csv", ns=(10**18, 10**18))
    others += found(folder)
    os.replace(folder / "x.csv", folder / "y.csv")
    others += found(folder)
    assert len({one.fingerprint for one in [first, *others]}) == 8


def test_equal_files_of_two_folders_are_two_readings(tmp_path: Path) -> None:
    readings = found(fill(tmp_path, "a/x.csv", "b/x.csv", "c/x.csv"))
    # Each has a name that does not depend on the others, so that one may go.
    assert len({one.fingerprint for one in readings}) == len({one.name for one in readings}) == 3
    assert [one.files[0].parent.name for one in readings] == ["a", "b", "c"]


def test_small_files_of_a_folder_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TableSource, "files_together", 3)
    names = [f"{folder}/{k}.csv" for folder, n in (("a", 7), ("b", 2)) for k in range(n)]
    readings = found(fill(tmp_path, *names))
    groups = [[path.relative_to(tmp_path).as_posix() for path in one.files] for one in readings]
    assert groups == [names[0:3], names[3:6], names[6:7], names[7:9]]


def read(tmp_path: Path, source: Tables, names: tuple[str, ...]) -> tuple[Receipt, Read, Draft]:
    """Carry out one reading."""
    draft = Draft(Survey(tmp_path / "s"))
    draft.begin()
    reading = Reading("r1", "f", "spectra", source, tuple(Path(name) for name in names))
    with open_crew(Place(threads=1)) as crew:
        result = read_raw([reading], draft, crew, StageRecord(READ))
    assert result.failures == []
    receipt = result.receipts["r1"]
    return receipt, Read(reading, receipt, draft.next.root, False), draft


def rows(n: int, first: int = 0) -> pa.Table:
    return table_of(
        [
            {"uid": f"G{k % 3}", "ra_input": 10.0 * (k % 3), "dec_input": 5.0, "obsid": k}
            for k in range(first, first + n)
        ]
    )


def test_a_receipt_keeps_what_later_runs_need_without_the_files(tmp_path: Path) -> None:
    bad = set_aside_table("a.csv", "not a number", rows=[3, 4], column="snr", values=["x", "y"])
    late, torn = InputError("it ends early", file="b.csv", row=9), DamagedError("bytes differ", file="c.csv")
    source = Tables({
        "a.csv": [Chunk(rows(10), bad)], "b.csv": [rows(4, 10), late], "c.csv": [rows(5, 20), torn],
    })  # fmt: skip
    receipt, done, draft = read(tmp_path, source, ("a.csv", "b.csv", "c.csv"))
    assert receipt.rows == 14, "of a damaged file no row is used"
    assert receipt.extra["set_aside"] == {"not a number": 2, "file cannot be read": 1, "file is damaged": 1}
    assert {Path(file.path).parent.as_posix() for file in receipt.files} == {FILES}
    shutil.rmtree(draft.survey.work / "runs")
    assert done.runs(draft.survey.work / "runs") is None, "its rows are not at hand any more"
    assert [(type(one), str(one)) for one in done.failures] == [
        (InputError, str(late)),
        (DamagedError, str(torn)),
    ]
    assert done.columns == sorted(["uid", "ra_input", "dec_input", "obsid"])
    table = done.set_aside()
    assert table is not None
    assert table.column("reason").to_pylist() == ["not a number"] * 2 + [
        "file cannot be read",
        "file is damaged",
    ]
    counts: dict[str, int] = {}
    for one in done.sightings().to_pylist():
        counts[one["uid"]] = counts.get(one["uid"], 0) + one["count"]
    assert counts == {"G0": 5, "G1": 5, "G2": 4}
    (known,) = known_readings(draft.next.receipts)
    assert (known.name, known.fingerprint, known.catalog, known.source) == ("r1", "f", "spectra", None)
    assert known.files == (Path("a.csv"), Path("b.csv"), Path("c.csv"))


def test_sightings_are_those_of_its_runs_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lkmrs_dask.catalog.runs.RUN_ROWS", 4)
    receipt, done, draft = read(
        tmp_path, Tables({"a.csv": [rows(3, k) for k in range(0, 15, 3)]}), ("a.csv",)
    )
    runs = done.runs(draft.survey.work / "runs")
    assert runs is not None
    assert [run.stem.name for run in runs] == [f"r1-{k:04d}" for k in range(len(runs))]
    assert len(runs) > 1
    assert sum(len(run.table()) for run in runs) == receipt.rows == 15
    sightings = done.sightings()
    star = sightings.column("ra").to_numpy() / 10
    parts = split_by_run(runs, star)
    assert [len(part) for part in parts] == [run.sightings().num_rows for run in runs]
    for run, part in zip(runs, parts, strict=True):
        assert (run.sightings().column("ra").to_numpy() / 10 == part).all()


def test_a_reading_without_rows_is_done_too(tmp_path: Path) -> None:
    receipt, done, draft = read(tmp_path, Tables({"a.csv": []}), ("a.csv",))
    assert (receipt.rows, done.columns, done.failures) == (0, [], [])
    assert done.runs(draft.survey.work / "runs") == []
    assert done.sightings().num_rows == 0
    assert done.set_aside() is None
    assert split_by_run([], done.sightings().column("ra").to_numpy()) == []
