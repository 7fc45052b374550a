"""A run with catalogues of other surveys: identifiers, matches, error law, comparisons; against the truth."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from no_figures import leave_out_figures

import lkmrs_dask as lk
from lkmrs_dask.errors import LkmrsError, UsageError
from lkmrs_dask.pipeline.add import add_files, repair
from lkmrs_dask.pipeline.check import verify_survey
from lkmrs_dask.pipeline.job import Job, read_job
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.run import run_job
from lkmrs_dask.pipeline.survey import Survey
from lkmrs_dask.schema import PARAMETERS
from lkmrs_dask.synthetic.survey import make_survey

JOB = Path(__file__).parents[2] / "jobs/full_release.toml"
SURVEYS = {
    "apogee": ("APOGEE_ID", "apogee_id"),
    "galah": ("sobject_id", "galah_sobject_id"),
    "gaia": ("source_id", "gaia_source_id"),
    "simbad": ("main_id", "simbad_main_id"),
    "vsx": ("Name", "vsx_name"),
}
"""Column with the identifier, and its name in the truth."""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("external") / "raw"
    make_survey(folder, 0.006, seed=7, dirt=0.02, light_curves=False)
    return folder


@pytest.fixture(scope="module")
def made(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("made") / "survey"
    return out, run(raw, out)


def run(raw: Path, out: Path, place: Place | None = None, job: Job | None = None) -> dict[str, Any]:
    return run_job(job or read_job(JOB, raw), out, place, Reporter(quiet=True))


def copy_of(raw: Path, tmp_path: Path) -> Path:
    """The raw files, of which some are about to be changed."""
    return Path(shutil.copytree(raw, tmp_path / "raw"))


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the first run."""
    leave_out_figures(monkeypatch)


def truth(raw: Path) -> dict[str, Mapping[str, Any]]:
    rows = pq.read_table(raw / "truth/counterparts.parquet").to_pylist()
    return {row["uid"]: row for row in rows}


def done(summary: dict[str, Any], stage: str) -> int:
    """Pieces of a stage that were done now."""
    return sum(value["done"] for value in summary["stages"][stage].values() if isinstance(value, dict))


def rows_of(path: Path) -> list[dict[str, Any]]:
    return lk.open_catalog(path).to_arrow().to_pylist()


def test_every_star_has_its_own_identifiers(raw: Path, made: tuple[Path, dict[str, Any]]) -> None:
    out, summary = made
    known, stars = truth(raw), rows_of(out / "stars")
    assert {star["uid"]: star["kic_epic"] for star in stars} == {
        star["uid"]: known[star["uid"]]["kic_epic"] for star in stars
    }
    assert {star["uid"]: star["tic"] for star in stars} == {
        star["uid"]: known[star["uid"]]["tic"] for star in stars
    }
    named = [star for star in stars if star["kic_epic"] is not None]
    assert summary["n_with_kic_epic"] == len(named) > 80
    # KIC numbers are below 201,000,000 and EPIC numbers above, by field.
    assert {(star["kic_epic"] > 201_000_000, star["field"]) for star in named} == {
        (False, "Kepler"), (True, "K2"),
    }  # fmt: skip
    assert all(0 <= star["kic_epic_separation"] <= 3.7 for star in named)
    assert all(star["kic_epic_separation"] is None for star in stars if star["kic_epic"] is None)
    # One in a hundred counterparts was put 2 to 3.6 arcsec away.
    for star in named:
        assert (star["kic_epic_separation"] > 1.5) == known[star["uid"]]["kic_epic_displaced"]


@pytest.mark.parametrize("survey", SURVEYS)
def test_matches_are_the_counterparts(survey: str, raw: Path, made: tuple[Path, dict[str, Any]]) -> None:
    out, summary = made
    column, name = SURVEYS[survey]
    found = {row["uid"]: row[column] for row in rows_of(out / "matches" / survey)}
    with_parameters = {star["uid"] for star in rows_of(out / "stars")}
    wanted = {uid: row[name] for uid, row in truth(raw).items() if row[name] and uid in with_parameters}
    assert {uid: found.get(uid) for uid in wanted} == wanted
    # A star that the survey does not have may lie near another source.
    assert len(found) <= len(wanted) + 2
    assert summary["catalogs"][f"matches/{survey}"] == len(found)
    assert len(lk.open_catalog(out / "external" / survey)) == summary["external"][survey]["rows"] > 0


def test_summary_has_laws_and_comparisons(made: tuple[Path, dict[str, Any]]) -> None:
    out, summary = made
    assert list(summary["error_law"]) == list(PARAMETERS)
    teff = summary["error_law"]["teff"]
    # Table 3: 120 K at S/N 10.  A hundredth of the survey gives it to some ten per cent.
    assert teff["sigma_10"] == pytest.approx(120.0, abs=5 * teff["sigma_10_err"])
    assert teff["share_kept"] > 0.92
    lines = {(one["survey"], one["parameter"], one["class"]): one for one in summary["comparison"]}
    assert lines["apogee", "teff", "all"]["n"] > 30
    assert lines["apogee", "teff", "all"]["slope_corrected"] == pytest.approx(0.92, abs=0.05)
    assert lines["gaia", "rv", "all"]["n"] > 50
    for name in ("table3.ecsv", "fig3_errors.png", "fig4_apogee.png", "fig5_galah.png", "fig6_velocities.pdf",
                 "comparison.csv", "offsets.csv", "offsets.png"):  # fmt: skip
        assert (out / "products" / name).stat().st_size > 100
    assert json.loads((out / "summary.json").read_text()) == summary


def test_a_second_run_does_nothing(raw: Path, made: tuple[Path, dict[str, Any]]) -> None:
    out, summary = made
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert run(raw, out) == summary
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert {path for path in before if before[path] != after.get(path)} <= {out / ".lock"}


def test_workers_and_small_partitions_give_the_same_rows(
    raw: Path, made: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    out, summary = made
    job_file = tmp_path / "job.toml"
    job_file.write_text(JOB.read_text().replace("[[input]]", "[settings]\nmax_rows = 100\n\n[[input]]", 1))
    other = run(raw, tmp_path / "survey", Place(workers=2), read_job(job_file, raw))
    for name in ("stars", *(f"matches/{survey}" for survey in SURVEYS)):
        one, two = (lk.open_catalog(folder / name) for folder in (out, tmp_path / "survey"))
        assert one.to_arrow().equals(two.to_arrow()), name
    assert len(lk.open_catalog(tmp_path / "survey/stars").pixels) > len(lk.open_catalog(out / "stars").pixels)
    for name in ("error_law", "comparison", "n_with_kic_epic"):
        assert other[name] == summary[name], name


def test_a_changed_catalogue_costs_what_hangs_on_it(raw: Path, tmp_path: Path) -> None:
    raw, out = copy_of(raw, tmp_path), tmp_path / "survey"
    run(raw, out)
    vsx = raw / "external/vsx.csv"
    vsx.write_text("\n".join(vsx.read_text().splitlines()[:-1]) + "\n")
    (raw / "external/simbad.csv").unlink()
    summary = run(raw, out)
    touched = {name for name in summary["stages"] if done(summary, name)} - {"comparison", "products"}
    assert touched == {"external", "matches/vsx"}
    assert done(summary, "external") == 1
    assert "simbad" not in summary["external"]
    assert not (out / "matches/simbad").exists()
    assert not (out / "external/simbad").exists()
    assert {one.name: one.problems for one in verify_survey(Survey(out)) if one.problems} == {}
    # Names of stars hang on KIC: they are given anew.
    kic = raw / "external/kic.txt.gz"
    lines = gzip.decompress(kic.read_bytes()).decode().splitlines()
    kic.write_bytes(gzip.compress("\n".join(lines[:1] + lines[2:]).encode()))
    summary = run(raw, out)
    assert done(summary, "means") > 0
    assert done(summary, "spectra") == done(summary, "targets") == 0


def test_a_broken_catalogue_costs_itself(raw: Path, tmp_path: Path) -> None:
    raw, out = copy_of(raw, tmp_path), tmp_path / "survey"
    path = raw / "external/tic.csv.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    summary = run(raw, out)
    assert [text for text in summary["failed_pieces"] if text.startswith("external tic: ")]
    assert len(summary["failed_pieces"]) == 1
    assert all(star["tic"] is None for star in rows_of(out / "stars"))
    assert any(star["kic_epic"] is not None for star in rows_of(out / "stars"))
    path.write_bytes(whole)
    summary = run(raw, out)
    assert summary["failed_pieces"] == []
    assert any(star["tic"] is not None for star in rows_of(out / "stars"))


def test_a_catalogue_that_is_one_already_is_used_where_it_is(
    raw: Path, made: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    out, _ = made
    text = JOB.read_text()
    files = 'files = ["external/gaia.csv.gz", "external/GaiaSource_*.csv.gz"]'
    assert files in text
    job_file = tmp_path / "job.toml"
    job_file.write_text(text.replace(files, f'path = "{out / "external/gaia"}"'))
    summary = run(raw, tmp_path / "survey", job=read_job(job_file, raw))
    assert not (tmp_path / "survey/external/gaia").exists()
    assert rows_of(tmp_path / "survey/matches/gaia") == rows_of(out / "matches/gaia")
    assert summary["external"]["gaia"]["rows"] == len(lk.open_catalog(out / "external/gaia"))


def test_files_that_are_added_leave_other_surveys_alone(raw: Path, tmp_path: Path) -> None:
    raw, out = copy_of(raw, tmp_path), tmp_path / "survey"
    last = sorted((raw / "mrs_stellar").glob("*.csv.gz"))[-1]
    aside = tmp_path / last.name
    last.rename(aside)
    before = run(raw, out)
    shutil.rmtree(raw / "external")  # no longer needed
    after = add_files([aside], out, catalog="measurements", report=Reporter(quiet=True))
    assert after["external"] == before["external"]
    assert after["n_with_kic_epic"] > before["n_with_kic_epic"]
    assert done(after, "external") == 0


def test_damage_is_found_and_mended(raw: Path, made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    out, _ = made
    survey = Survey(Path(shutil.copytree(out, tmp_path / "survey")))
    for folder in ("external/apogee", "matches/galah"):
        path = next((survey.root / folder / "dataset").rglob("Npix=*.parquet"))
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)
    checked = list(verify_survey(survey))
    assert {one.name for one in checked if one.problems} == {"external", "matches/galah"}
    repair(survey.root, checked, report=Reporter(quiet=True))
    assert {one.name: one.problems for one in verify_survey(survey) if one.problems} == {}
    for name in ("external/apogee", "matches/galah"):
        assert rows_of(survey.root / name) == rows_of(out / name)


EXTERNAL = '[job]\nraw = "RAW"\n[[input]]\ncatalog = "spectra"\nfiles = "*.csv"\n[[external]]\n'


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('kind = "gaja"\nfiles = "x"', "number 1: kind 'gaja' is none of kic"),
        ('files = "x"', "number 1: kind None"),
        ('kind = "kic"', "give files, or the path"),
        ('kind = "kic"\nfiles = "x"\npath = "y"', "give files, or the path"),
        ('kind = "kic"\nname = "../up"\nfiles = "x"', "a name has letters"),
        ('kind = "kic"\nfiles = [1]', "files must be a pattern"),
        ('kind = "kic"\nfiles = "x"\noptional = 1', "optional must be true or false"),
        ('kind = "kic"\nfile = "x"', "number 1 knows no file"),
        ('kind = "kic"\nfiles = "x"\n[[external]]\nkind = "kic"\nfiles = "y"', "two .* are named kic"),
        ('kind = "kic"\nfiles = "x"\n[error_law]\nclip = "some"', r"\[error_law\]: clip must be one of"),
        ('kind = "kic"\nfiles = "x"\n[comparison]\ngrip = 1', r"\[comparison\] knows no grip"),
        ('kind = "kic"\nfiles = "x"\n[settings]\nmatch_radius_arcsec = 7201', "at most 7200"),
    ],
)
def test_wrong_entries_are_named(entry: str, message: str, tmp_path: Path) -> None:
    job_file = tmp_path / "job.toml"
    job_file.write_text(EXTERNAL.replace("RAW", str(tmp_path)) + entry + "\n")
    with pytest.raises(UsageError, match=message):
        read_job(job_file)


def test_a_catalogue_that_is_not_there_stops_a_run_before_it_begins(raw: Path, tmp_path: Path) -> None:
    job_file = tmp_path / "job.toml"
    text = JOB.read_text().replace(
        'files = ["external/kic*.txt.gz"]\noptional = true', 'files = ["nothing*"]'
    )
    job_file.write_text(text)
    with pytest.raises(UsageError, match=r"external catalogue kic: no file matches nothing\*"):
        run(raw, tmp_path / "survey", job=read_job(job_file, raw))
    assert not (tmp_path / "survey").exists()
    job_file.write_text(text.replace('files = ["nothing*"]', f'path = "{tmp_path / "nowhere"}"'))
    with pytest.raises(LkmrsError, match="nowhere: no such folder"):
        run(raw, tmp_path / "survey", job=read_job(job_file, raw))
