"""What a dry run says is what a run would do, and it does nothing."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import small_raw
from no_figures import leave_out_figures
from small_raw import lkmrs

from lkmrs_dask.catalog.hats_write import COUNT_ORDER
from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.job import read_job
from lkmrs_dask.pipeline.plan import plan_run, scaled_tiling
from lkmrs_dask.pipeline.readings import readings_of
from lkmrs_dask.pipeline.stages import Unit
from lkmrs_dask.pipeline.survey import Survey


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    leave_out_figures(monkeypatch)
    for number in range(3):
        lines = small_raw.rows(n_stars=4, n_nights=1, first_night=58400 + number)
        small_raw.write(tmp_path / "raw" / f"{number}.csv", lines)
    return small_raw.write_job(tmp_path / "job.toml", tmp_path / "raw")


def test_a_plan_of_what_is_there_counts_what_is_left(tmp_path: Path, job: Path) -> None:
    def stages() -> dict[str, tuple[int, int]]:
        return {one.name: (one.pieces, one.tasks) for one in plan_run(read_job(job), tmp_path / "s").stages}

    assert stages() == {"read": (3, 3)}
    assert not (tmp_path / "s").exists(), "nothing is done"
    assert lkmrs("run", job, "--out", tmp_path / "s").exit_code == 0
    assert stages() == {"read": (3, 0)}
    small_raw.write(tmp_path / "raw" / "1.csv", small_raw.rows(n_stars=1, n_nights=1))
    assert stages() == {"read": (3, 1)}


def test_a_plan_of_more_rows_is_that_of_a_denser_survey(tmp_path: Path, job: Path) -> None:
    survey = Survey(tmp_path / "s")
    assert lkmrs("run", job, "--out", survey.root).exit_code == 0
    n_rows, n_parts = 72, len(list((survey.receipts / "spectra").glob("*.json")))
    plan = plan_run(read_job(job), survey.root, rows=n_rows)
    found = {one.name: one for one in plan.stages}
    assert found["read"].pieces == 3
    # The same rows, known by cells of 0.2 degrees and not by star.
    assert found["spectra"].pieces == pytest.approx(n_parts, abs=2)
    dense = {one.name: one for one in plan_run(read_job(job), survey.root, rows=1000 * n_rows).stages}
    assert dense["read"].pieces == 3000
    assert dense["spectra"].pieces >= 1000 * n_rows / 20
    assert dense["targets"].pieces == dense["overview"].pieces == dense["spectra"].pieces
    # Tasks are measured as they travel, each with all that its reader needs.
    readings = readings_of(read_job(job).sources())
    sizes = [len(pickle.dumps(Unit(one.name, one.fingerprint, one))) for one in readings]
    assert found["read"].task_bytes == pytest.approx(np.mean(sizes))


@pytest.mark.parametrize("rows", [0, -1, float("nan"), 1e13, 1e8])
def test_numbers_of_rows_that_cannot_be_planned_are_refused(tmp_path: Path, job: Path, rows: float) -> None:
    assert lkmrs("run", job, "--out", tmp_path / "s").exit_code == 0
    with pytest.raises(UsageError, match="--rows"):
        plan_run(read_job(job), tmp_path / "s", rows=rows)


def test_no_survey_to_scale_and_no_folder(tmp_path: Path, job: Path) -> None:
    with pytest.raises(UsageError, match="holds no catalogue"):
        plan_run(read_job(job), tmp_path / "s", rows=100)
    (tmp_path / "f").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        plan_run(read_job(job), tmp_path / "f")


@pytest.mark.parametrize("factor", [1, 3, 1000])
def test_tiles_of_a_denser_survey_hold_all_rows_and_not_too_many(factor: int) -> None:
    rng = np.random.default_rng(factor)
    cells = np.unique(rng.integers(0, 12 << (2 * COUNT_ORDER), 300))
    rows = factor * rng.integers(1, 50, len(cells)).astype(np.float64)
    tiling = scaled_tiling(cells, rows, 100.0, 60, 1)
    # Each cell lies in one tile, or is divided into tiles of its own.
    held = np.zeros(len(cells))
    for order, pixel in tiling:
        if order <= COUNT_ORDER:
            inside = cells >> (2 * (COUNT_ORDER - order)) == pixel
            assert rows[inside].sum() <= 60
            held[inside] += 1
        else:
            at = np.searchsorted(cells, pixel >> (2 * (order - COUNT_ORDER)))
            assert rows[at] / 4 ** (order - COUNT_ORDER) <= 60
            held[at] += 4.0 ** (COUNT_ORDER - order)
    assert held.tolist() == [1.0] * len(cells)
