"""What is added to a survey, in what order, and what becomes of it when the job is run again."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_raw
from no_figures import leave_out_figures
from small_raw import lkmrs

import lkmrs_dask as lk
from lkmrs_dask.catalog.receipts import Receipt
from lkmrs_dask.errors import CatalogError, LkmrsError, UsageError
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.survey import Survey


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_figures(monkeypatch)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    small_raw.write(tmp_path / "raw" / "a.csv", small_raw.rows(n_stars=4, n_nights=2))
    return small_raw.write_job(tmp_path / "job.toml", tmp_path / "raw")


@pytest.fixture
def night(tmp_path: Path) -> Path:
    return small_raw.write(
        tmp_path / "night" / "n.csv", small_raw.rows(n_stars=4, n_nights=1, first_night=58450)
    )


@pytest.fixture
def grown(tmp_path: Path, job: Path, night: Path) -> Survey:
    """A survey of the job, to which a night was added."""
    assert lkmrs("run", job, "--out", tmp_path / "s").exit_code == 0
    assert lkmrs("ingest", night, "--out", tmp_path / "s").exit_code == 0
    return Survey(tmp_path / "s")


def rows_of(root: Path) -> list[dict[str, Any]]:
    return lk.open_catalog(root / "spectra").to_arrow().to_pylist()


def test_a_run_keeps_what_was_ingested_unless_it_is_told_not_to(
    grown: Survey, job: Path, night: Path
) -> None:
    before = rows_of(grown.root)
    night.unlink()
    again = lkmrs("run", job, "--out", grown.root)
    assert again.exit_code == 0, again.output
    assert "1 files of earlier ingests stay in the survey" in again.output
    assert "nothing to do" in again.output
    assert rows_of(grown.root) == before
    dropped = lkmrs("run", job, "--out", grown.root, "--drop-ingested")
    assert dropped.exit_code == 0, dropped.output
    assert {row["source_file"] for row in rows_of(grown.root)} == {"a.csv"}
    assert lkmrs("verify", grown.root).exit_code == 0


def test_a_lost_receipt_of_a_reading_is_missed(grown: Survey, tmp_path: Path, job: Path) -> None:
    before = rows_of(grown.root)
    lost = [p for p in (grown.receipts / "read").glob("*.json") if "a.csv" in p.read_text()]
    lost[0].unlink()
    checked = lkmrs("verify", grown.root)
    assert checked.exit_code == 1
    assert f"the receipt of reading {lost[0].stem} is missing" in checked.output
    more = small_raw.write(tmp_path / "m.csv", small_raw.rows(n_stars=4, n_nights=1, first_night=58500))
    refused = lkmrs("ingest", more, "--out", grown.root)
    assert refused.exit_code == 1
    assert "receipts of readings are missing" in refused.output
    assert rows_of(grown.root) == before
    assert lkmrs("verify", grown.root, "--repair").exit_code == 0
    assert rows_of(grown.root) == before


def test_wrong_places_lose_no_row(grown: Survey, tmp_path: Path) -> None:
    """Where the survey's own partitions would be looked for in the wrong place."""
    before = rows_of(grown.root)
    for path in (grown.receipts / "places").glob("*.npy"):
        places = np.load(path)
        places[:] = places.max()
        np.save(path, places)
    assert "receipts/places" in lkmrs("verify", grown.root).output
    more = small_raw.write(tmp_path / "m.csv", small_raw.rows(n_stars=4, n_nights=1, first_night=58500))
    done = lkmrs("ingest", more, "--out", grown.root)
    if done.exit_code == 0:  # all rows were in that partition
        assert len(rows_of(grown.root)) == len(before) + 24
    else:
        assert "rows were found of the" in done.output
        assert rows_of(grown.root) == before
    assert lkmrs("verify", grown.root, "--repair").exit_code == 0


@pytest.mark.parametrize("order", ["abc", "cab", "bca"])
def test_the_order_of_increments_does_not_matter(tmp_path: Path, order: str) -> None:
    """Not even where files of one name give the same spectra other values."""
    for number, folder in enumerate("abc"):
        lines = small_raw.rows(n_stars=3, n_nights=1)
        values = [line.split("|") for line in lines]
        for fields in values:
            fields[10] = f"{20 + number + float(fields[10]) / 100:.2f}"
        small_raw.write(tmp_path / folder / "night.csv", ["|".join(fields) for fields in values])
    for folder in order:
        done = lkmrs("ingest", tmp_path / folder / "night.csv", "--out", tmp_path / "s")
        assert done.exit_code == 0, done.output
    found = [row["snr"] for row in rows_of(tmp_path / "s")]
    assert all(20 <= snr < 21 for snr in found), "the same of the three is the first, whatever came first"
    assert json.loads((tmp_path / "s" / "summary.json").read_text())["rows_set_aside"] == {"repeated key": 36}


def test_a_survey_inside_of_the_folder_that_is_added_is_no_raw_file(tmp_path: Path, night: Path) -> None:
    for _ in range(2):
        assert lkmrs("ingest", night.parent, "--out", night.parent / "s").exit_code == 0
    assert len(rows_of(night.parent / "s")) == 24


def test_a_copied_survey_without_its_times_is_as_good(grown: Survey, tmp_path: Path, job: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(grown.root, copy, copy_function=shutil.copyfile)
    done = lkmrs("run", job, "--out", copy)
    assert done.exit_code == 0
    assert "nothing to do" in done.output


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"replace": null, "remove": [], "success": true}',
        '{"replace": [1], "remove": [], "success": true}',
        '{"replace": ["../x"], "remove": [], "success": true}',
        "{",
    ],
)
def test_a_journal_that_cannot_be_right_is_refused(tmp_path: Path, text: str) -> None:
    survey = Survey(tmp_path)
    survey.work.mkdir()
    (survey.work / "commit.json").write_text(text)
    with pytest.raises(LkmrsError, match=r"commit\.json cannot be read"):
        Draft(survey).begin()


def test_a_receipt_of_wrong_types_is_damaged(tmp_path: Path) -> None:
    Receipt("read", "x", "f").write(tmp_path)
    path = tmp_path / "read" / "x.json"
    path.write_text(path.read_text().replace('"rows":0', '"rows":"many"'))
    with pytest.raises(CatalogError, match="cannot be read"):
        Receipt.read(tmp_path, "read", "x")


def test_memory_below_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="must not be negative"):
        Place(workers=1, memory="-1GB")


def test_a_mistake_leaves_no_scratch_space_behind(grown: Survey, job: Path) -> None:
    assert lkmrs("run", job, "--out", grown.root, "--scheduler", "127.0.0.1:1").exit_code == 1
    assert not grown.work.exists()
    assert "interrupted" not in lkmrs("status", grown.root).output
    assert len(rows_of(grown.root)) == 72, "Dask computes here again, not where no scheduler was found"


# -- files that are found again, and files that go -----------------------------------------------------------


def by_file(root: Path) -> Counter:
    return Counter(row["source_file"] for row in rows_of(root))


def test_an_ingested_file_keeps_its_place_when_settings_change(grown: Survey, job: Path, night: Path) -> None:
    job.write_text(job.read_text().replace("[settings]", "[settings]\nlow_snr = 20"))
    done = lkmrs("run", job, "--out", grown.root)
    assert done.exit_code == 0, done.output
    rows = rows_of(grown.root)
    assert len(rows) == 72
    for row in rows:
        assert row["low_snr"] == (row["snr"] < 20), row["source_file"]


def test_a_file_has_one_name_however_its_path_is_spelled(grown: Survey, night: Path, tmp_path: Path) -> None:
    lines = night.read_text().splitlines()[1:]
    (tmp_path / "link").symlink_to(night.parent)
    for number, spelled in enumerate(
        (night.parent / ".." / "night" / night.name, tmp_path / "link" / night.name)
    ):
        small_raw.write(night, lines[: 12 - 6 * number])  # changed, so it takes the place of what it was
        done = lkmrs("ingest", spelled, "--out", grown.root)
        assert done.exit_code == 0, done.output
        assert by_file(grown.root)[night.name] == 12 - 6 * number


@pytest.mark.parametrize("way", ["file", "folder"])
def test_an_ingested_file_that_moves_into_the_job_counts_once(
    grown: Survey, job: Path, night: Path, tmp_path: Path, way: str
) -> None:
    before = sorted(row["mobsid"] for row in rows_of(grown.root))
    night.rename(tmp_path / "raw" / night.name)
    raw = tmp_path / "raw"
    if way == "folder":
        raw = raw.rename(tmp_path / "moved")
    done = lkmrs("run", job, "--out", grown.root, "--raw", raw)
    assert done.exit_code == 0, done.output
    assert sorted(row["mobsid"] for row in rows_of(grown.root)) == before
    assert lkmrs("verify", grown.root).exit_code == 0


def test_ingested_files_can_be_taken_out_again(grown: Survey, job: Path, night: Path, tmp_path: Path) -> None:
    more = small_raw.write(tmp_path / "m.csv", small_raw.rows(n_stars=4, n_nights=1, first_night=58500))
    note = tmp_path / "note.csv"
    note.write_text("no table\n")
    assert lkmrs("ingest", more, "--out", grown.root).exit_code == 0
    assert lkmrs("ingest", note, "--out", grown.root).exit_code == 1
    for wrong, text in (
        (tmp_path / "raw" / "a.csv", "is a file of the job"),
        (tmp_path / "x", "has no file"),
    ):
        refused = lkmrs("ingest", "--drop", wrong, "--out", grown.root)
        assert refused.exit_code == 2
        assert text in refused.output
    note.unlink()
    dropped = lkmrs("ingest", "--drop", note, night.parent, "--out", grown.root)
    assert dropped.exit_code == 0, dropped.output
    assert by_file(grown.root) == {"a.csv": 48, "m.csv": 24}
    assert lkmrs("verify", grown.root).exit_code == 0
    again = lkmrs("run", job, "--out", grown.root)
    assert "nothing to do" in again.output
    assert by_file(grown.root) == {"a.csv": 48, "m.csv": 24}


def test_a_first_ingest_without_a_row_is_no_obstacle(tmp_path: Path, night: Path) -> None:
    empty = small_raw.write(tmp_path / "empty.csv", [])
    assert lkmrs("ingest", empty, "--out", tmp_path / "s").exit_code == 1
    assert lkmrs("ingest", night, "--out", tmp_path / "s").exit_code == 0
    assert len(rows_of(tmp_path / "s")) == 24


def test_a_repair_finishes_an_interrupted_commit_first(grown: Survey, tmp_path: Path, job: Path) -> None:
    """What was found damaged before that is another file by then."""
    more = small_raw.write(tmp_path / "m.csv", small_raw.rows(n_stars=4, n_nights=1, first_night=58500))
    plain, renames = os.replace, Counter[str]()

    def killed(source: object, target: object) -> None:
        if Path(str(target)).is_relative_to(grown.root) and not Path(str(target)).is_relative_to(grown.work):
            renames["done"] += 1
            if renames["done"] == 4:
                raise KeyboardInterrupt
        plain(source, target)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", killed)
        assert lkmrs("ingest", more, "--out", grown.root).exit_code == 1
    more.unlink()
    shutil.rmtree(tmp_path / "raw")
    checked = lkmrs("verify", grown.root)
    assert checked.exit_code == 1
    assert "a run was killed while it replaced catalogues" in checked.output
    mended = lkmrs("verify", grown.root, "--repair")
    assert mended.exit_code == 0, mended.output
    assert by_file(grown.root) == {"a.csv": 48, "n.csv": 24, "m.csv": 24}
