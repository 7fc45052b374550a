"""The job file of the demo."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from lkmrs_dask.pipeline.job import read_job
from lkmrs_dask.synthetic.job import job_text, write_job
from lkmrs_dask.synthetic.plan import OTHER_PLAN, PLANS
from lkmrs_dask.synthetic.survey import make_survey


def test_job_finds_every_raw_file(tmp_path: Path) -> None:
    make_survey(tmp_path / "raw", 4e-4, flux_stars=1, external=False, light_curves=False)
    path = write_job(tmp_path)
    assert path == tmp_path / "demo.toml"
    job = read_job(path)
    assert job.raw == tmp_path / "raw"
    found = [file for _, _, files in job.sources() for file in files]
    assert len(found) == len(set(found))
    assert set(found) == set((tmp_path / "raw").rglob("*.gz"))
    assert [(spec.catalog, spec.kind) for spec in job.inputs] == [
        ("spectra", "table"), ("spectra", "mrs_spectra"), ("measurements", "table"),
    ]  # fmt: skip


def test_plan_filter_keeps_our_plans_only() -> None:
    for entry in tomllib.loads(job_text(Path("raw")))["input"]:
        for plan in PLANS:
            assert any(fnmatchcase(plan.planid, pattern) for pattern in entry["plans"])
        assert not any(fnmatchcase(OTHER_PLAN.planid, pattern) for pattern in entry["plans"])


@pytest.mark.parametrize("name", ["plain", 'a "quoted" name', "back\\slash", "Umläute ☉", "tab\there"])
def test_any_folder_name_survives(tmp_path: Path, name: str) -> None:
    path = write_job(tmp_path / "job", tmp_path / name)
    assert tomllib.loads(path.read_text("utf-8"))["job"]["raw"] == str(tmp_path / name)
