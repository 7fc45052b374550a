"""The main job on a synthetic survey: every count of the summary is the truth's, and so are the stars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

import lkmrs_dask as lk
from lkmrs_dask.catalog.verify import verify_catalog
from lkmrs_dask.pipeline.job import read_job
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.run import run_job
from lkmrs_dask.synthetic.job import write_job
from lkmrs_dask.synthetic.survey import make_survey
from lkmrs_dask.synthetic.truth import Truth


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("synthetic")
    truth = make_survey(
        folder / "raw", 0.003, seed=5, flux_stars=2, dirt=0.03, external=False, light_curves=False
    )
    job = read_job(write_job(folder), raw=folder / "raw")
    return folder, truth, run_job(job, folder / "survey", report=Reporter(quiet=True))


def test_counts_are_exact(made: tuple[Path, Truth, dict[str, Any]]) -> None:
    folder, truth, summary = made
    # Variables are found in light curves, which this survey is made without.
    counts = {name: value for name, value in truth.counts.items() if name in summary and name != "n_periodic"}
    assert len(counts) >= 14
    assert {name: summary[name] for name in counts} == counts
    assert summary["rows_set_aside"] == truth.rows_set_aside
    assert summary == json.loads((folder / "survey" / "summary.json").read_text())


def test_every_star_is_found_once(made: tuple[Path, Truth, dict[str, Any]]) -> None:
    folder, truth, _ = made
    targets = lk.open_catalog(folder / "survey" / "targets").to_arrow()
    assert sorted(targets.column("uid").to_pylist()) == sorted(truth.stars.column("uid").to_pylist())
    assert pc.count_distinct(targets.column("star_id")).as_py() == targets.num_rows
    for name in ("spectra", "measurements", "stars", "targets"):
        assert verify_catalog(folder / "survey" / name) == []


def test_means_are_unbiased(made: tuple[Path, Truth, dict[str, Any]]) -> None:
    """Mean and error against the truth: errors of N spectra shrink as 1/sqrt(N) of Eq. 2's deviation."""
    folder, truth, _ = made
    stars = lk.open_catalog(folder / "survey" / "stars").to_arrow().to_pandas().set_index("uid")
    known = truth.stars.to_pandas().set_index("uid")
    for name in ("teff", "logg", "feh"):
        several = stars[stars[f"n_{name}"] >= 5]
        pull = (several[name] - known.loc[several.index, name]) / (
            several[f"{name}_err"] / np.sqrt(several[f"n_{name}"])
        )
        assert len(pull) > 30
        # The weights are estimated, so pulls are Student-like: the mean of n of them scatters by 1.3/sqrt(n).
        assert abs(pull.mean()) < 4 * 1.3 / np.sqrt(len(pull)), name
        assert 0.5 < np.median(np.abs(pull)) / 0.6745 < 2.0, name


def test_workers_and_small_partitions_give_the_same_rows(made: tuple[Path, Truth, dict[str, Any]]) -> None:
    folder, _, _ = made
    job_file = folder / "small.toml"
    text = write_job(folder).read_text().replace("[settings]", "[settings]\nmax_rows = 3000")
    job_file.write_text(text if "[settings]" in text else text + "\n[settings]\nmax_rows = 3000\n")
    job = read_job(job_file, raw=folder / "raw")
    assert job.settings.max_rows == 3000
    run_job(job, folder / "small", Place(workers=2), Reporter(quiet=True))
    for name in ("spectra", "measurements", "stars", "targets"):
        one = lk.open_catalog(folder / "survey" / name)
        other = lk.open_catalog(folder / "small" / name)
        if name == "spectra":
            assert len(other.pixels) > len(one.pixels)
        assert one.to_arrow().equals(other.to_arrow()), name
