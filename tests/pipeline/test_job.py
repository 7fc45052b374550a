"""Job files: what they say, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.job import Settings, expand, read_job

GOOD = """
[job]
name = "small"
raw = "RAW"
[settings]
star_radius_arcsec = 2
max_rows = 1000
[[input]]
catalog = "measurements"
files = ["*.csv"]
columns = { snr = "snrg", rv = { from = "z", scale = 299792.458 } }
constants = { coadd = true }
[[input]]
kind = "mrs_spectra"
files = "spectra/**/*.fits*"
optional = true
"""


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "raw").mkdir(exist_ok=True)
    path = tmp_path / "job.toml"
    path.write_text(text.replace("RAW", str(tmp_path / "raw")))
    return path


def test_job_holds_what_the_file_says(tmp_path: Path) -> None:
    job = read_job(write(tmp_path, GOOD))
    assert (job.name, job.raw) == ("small", tmp_path / "raw")
    assert job.settings == Settings(star_radius_arcsec=2.0, max_rows=1000)
    assert [(spec.catalog, spec.kind, spec.optional) for spec in job.inputs] == [
        ("measurements", "table", False),
        ("spectra", "mrs_spectra", True),
    ]
    assert job.inputs[1].files == ("spectra/**/*.fits*",)


def test_optional_input_without_files_is_left_out(tmp_path: Path) -> None:
    job = read_job(write(tmp_path, GOOD))
    (tmp_path / "raw" / "a.csv").write_text("obsid,ra,dec,snrg,z\n1,2,3,4,5\n")
    assert [catalog for catalog, _, _ in job.sources()] == ["measurements"]


def test_raw_overrides(tmp_path: Path) -> None:
    assert read_job(write(tmp_path, GOOD), raw="elsewhere").raw == Path("elsewhere")


def test_variables_and_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LKMRS_TEST_PLACE", raising=False)
    assert expand("${LKMRS_TEST_PLACE:-../x}/data") == "../x/data"
    monkeypatch.setenv("LKMRS_TEST_PLACE", "there")
    assert expand("${LKMRS_TEST_PLACE:-../x}/data") == "there/data"
    monkeypatch.delenv("LKMRS_TEST_PLACE")
    with pytest.raises(UsageError, match="LKMRS_TEST_PLACE is not set"):
        expand("${LKMRS_TEST_PLACE}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[job", "job.toml"),
        (GOOD.replace("[settings]", "[setings]"), "knows no setings"),
        (GOOD.replace("max_rows = 1000", "max_row = 1000"), r"\[settings\] knows no max_row"),
        (GOOD.replace("max_rows = 1000", "max_rows = 0"), "max_rows must be a positive number"),
        (GOOD.replace("max_rows = 1000", "max_rows = 10.5"), "max_rows must be a whole number"),
        (GOOD.replace("max_rows = 1000", 'max_rows = "many"'), "max_rows must be a positive number"),
        (GOOD.replace('"mrs_spectra"', '"photo"'), "number 2: kind 'photo'"),
        (GOOD.replace('"measurements"', '"stars"'), "number 1: catalog 'stars'"),
        (GOOD.replace('["*.csv"]', "[1]"), "number 1: files must be"),
        (GOOD.replace("optional = true", "colums = 1"), "number 2 knows no colums"),
        (GOOD.replace('raw = "RAW"', ""), "raw is missing"),
    ],
)
def test_wrong_jobs_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_job(write(tmp_path, text))


def test_missing_job_and_missing_raw(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no job file"):
        read_job(tmp_path / "none.toml")
    job = read_job(write(tmp_path, GOOD), raw=tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"raw folder .*nowhere is not there"):
        job.sources()


def test_input_without_any_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\*\.csv"):
        read_job(write(tmp_path, GOOD)).sources()


def test_map_to_an_unknown_column_is_refused(tmp_path: Path) -> None:
    job = read_job(write(tmp_path, GOOD.replace('snr = "snrg"', 'signal = "snrg"')))
    (tmp_path / "raw" / "a.csv").write_text("obsid,ra,dec,snrg,z\n1,2,3,4,5\n")
    with pytest.raises(UsageError, match="signal"):
        job.sources()
