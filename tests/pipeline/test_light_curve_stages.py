"""Light curves in a run: classes of the truth, on any executor, after faults, with files more and less."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from no_figures import leave_out_figures

import lkmrs_dask as lk
from lkmrs_dask.catalog.hats import partition_path
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.pipeline.add import add_files, repair
from lkmrs_dask.pipeline.check import verify_survey
from lkmrs_dask.pipeline.job import SECTIONS, Job, read_job
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.run import run_job
from lkmrs_dask.pipeline.survey import Survey
from lkmrs_dask.synthetic.survey import make_survey
from lkmrs_dask.variability.classifier import ClassifierSettings
from lkmrs_dask.variability.training_choice import TrainingChoice

JOB = Path(__file__).parents[2] / "jobs/full_release.toml"
LIGHT = ("light_curves", "frequencies", "variables")

pytestmark = pytest.mark.timeout(900)  # the first of them makes a survey and trains a classifier


class Stages(Reporter):
    """Keeps what stages did."""

    def of(self, name: str) -> tuple[int, int, int]:
        """Done, kept and failed of a stage."""
        one = next(record for record in self.stages if record.name == name)
        return one.done, one.kept, one.failed


def run(job: Job, out: Path, place: Place | None = None) -> tuple[dict[str, Any], Stages]:
    report = Stages(quiet=True)
    return run_job(job, out, place, report), report


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("light") / "raw"
    make_survey(folder, 0.012, seed=8)
    return folder


@pytest.fixture(scope="module")
def job(raw: Path) -> Job:
    # A small forest of few stars: how good the classifier can be is tested elsewhere.
    return replace(
        read_job(JOB, raw),
        training=TrainingChoice(per_class=10),
        classifier=ClassifierSettings(trees=25, folds=3),
    )


@pytest.fixture(scope="module")
def made(job: Job, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("made") / "survey"
    return out, run(job, out)[0]


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the first run."""
    leave_out_figures(monkeypatch)


@pytest.fixture(scope="module")
def trained(job: Job, made: tuple[Path, dict[str, Any]]) -> Job:
    """The job with the training table that the first run made."""
    return replace(job, training=TrainingChoice(table=str(made[0] / "training/training.parquet")))


def rows_of(path: Path) -> list[dict[str, Any]]:
    return lk.open_catalog(path).to_arrow().to_pylist()


def prints(survey: Path, names: tuple[str, ...] = LIGHT) -> dict[str, str]:
    """Digests of the partitions of catalogues."""
    return {
        str(path.relative_to(survey)): hashlib.sha256(path.read_bytes()).hexdigest()
        for name in names
        for path in sorted((survey / name / "dataset").rglob("Npix=*.parquet"))
    }


def truth(raw: Path) -> dict[str, str]:
    """Class by uid of the stars with light curves."""
    rows = pq.read_table(raw / "truth/light_curves.parquet").to_pylist()
    return {row["uid"]: row["class"] for row in rows}


def test_classes_are_those_of_the_truth(raw: Path, made: tuple[Path, dict[str, Any]]) -> None:
    out, summary = made
    known = truth(raw)
    periodic = {uid: name for uid, name in known.items() if name}
    stars = {row["uid"]: row["label"] for row in rows_of(out / "stars")}
    assert len(periodic) >= 3
    for uid, name in known.items():
        label = (stars[uid] or "").split(",")
        assert (name in label) if name else not set(label) & set(summary["classes"])
    assert summary["n_periodic"] == len(periodic)
    assert {name: n for name, n in summary["classes"].items() if n} == Counter(periodic.values())


def test_every_file_is_a_row_of_its_star(raw: Path, made: tuple[Path, dict[str, Any]]) -> None:
    out, summary = made
    files = [path.name for path in (raw / "light_curves").rglob("*.fits*")]
    rows = rows_of(out / "light_curves")
    assert sorted(row["source_file"] for row in rows) == sorted(files)
    assert summary["light_curves"]["n_files"] == len(files)
    assert summary["light_curves"]["set_aside"] == {}
    of_file = {
        Path(row["file"]).name: row for row in pq.read_table(raw / "truth/light_curves.parquet").to_pylist()
    }
    stars = {row["star_id"]: row for row in rows_of(out / "stars")}
    for row in rows:
        star = stars[row["star_id"]]
        assert star["uid"] == of_file[row["source_file"]]["uid"]
        # Their place is that of the survey's star, whatever their header says.
        assert (row["ra"], row["dec"], row["_healpix_29"]) == (star["ra"], star["dec"], star["_healpix_29"])
    missions = Counter((row["star_id"], row["mission"]) for row in rows)
    searched = {(row["star_id"], row["mission"]) for row in rows_of(out / "frequencies")}
    assert searched == set(missions)
    assert sum(summary["light_curves"]["searched"].values()) == len(searched)


def test_frequencies_are_the_injected_ones(raw: Path, made: tuple[Path, dict[str, Any]]) -> None:
    """The strongest injected frequency of each pulsator is found, within a resolution element."""
    rows = {(row["star_id"], row["mission"]): row for row in rows_of(made[0] / "frequencies")}
    compared = 0
    for one in pq.read_table(raw / "truth/light_curves.parquet").to_pylist():
        if one["class"] not in ("DSCT", "GDOR", "hybrid"):
            continue
        mission = {"kepler": "Kepler", "k2": "K2", "tess": "TESS"}[one["mission"]]
        row = rows[one["uid"], mission]
        strongest = one["frequencies"][int(np.argmax(one["amplitudes"]))]
        away = np.abs(np.array(row["frequency"]) - strongest)
        assert away.min() < 1.0 / row["baseline_d"]
        compared += 1
    assert compared


def test_products_tell_of_variables(made: tuple[Path, dict[str, Any]]) -> None:
    out, summary = made
    for name in ("fig9_hr_diagram", "fig9_hr_classes", "classifier_confusion", "classifier_reliability"):
        assert (out / f"products/{name}.png").stat().st_size > 10_000
    table = Table.read(out / "products/periodic_variables.fits")
    assert len(table) == summary["n_periodic"]
    assert Counter(table["Class"].tolist()) == {n: k for n, k in summary["classes"].items() if k}
    assert set(table["Discovery"].tolist()) <= {"Known", "New"}
    assert summary["known"]["n_periodic_known"] == sum(table["Discovery"] == "Known")
    of_star = dict(zip(table["uid"].tolist(), table["Class"].tolist(), strict=True))
    epochs = Table.read(out / "products/table6.fits")
    for uid, label in zip(epochs["uid"].tolist(), epochs["Label"].filled("").tolist(), strict=True):
        assert label == of_star.get(uid, "")


def test_worker_processes_write_the_same(job: Job, made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    summary, _ = run(job, tmp_path / "survey", Place(workers=2))
    assert prints(tmp_path / "survey") == prints(made[0])
    assert summary["classes"] == made[1]["classes"]


def test_a_second_run_finds_all_done(job: Job, made: tuple[Path, dict[str, Any]]) -> None:
    _, report = run(job, made[0])
    for name in ("light_curve_files", *LIGHT, "training", "classifier"):
        done, kept, failed = report.of(name)
        assert (done, failed) == (0, 0)
        assert kept > 0


def test_files_more_and_less_change_their_stars_only(
    raw: Path, job: Job, made: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """A damaged file is set aside; one that is there twice is left out; both gone, all is as it was."""
    survey = tmp_path / "survey"
    shutil.copytree(made[0], survey)
    other = tmp_path / "raw"
    shutil.copytree(raw, other)
    changed = replace(job, raw=other)
    first, second = sorted((other / "light_curves").rglob("*.fits*"))[:2]
    damaged, repeated = first.with_name(f"damaged_{first.name}"), second.with_name(f"zz_{second.name}")
    damaged.write_bytes(first.read_bytes()[:3000])
    shutil.copy2(second, repeated)
    summary, report = run(changed, survey)
    assert summary["light_curves"]["set_aside"] == {"repeated light curve": 1, "unreadable light curve": 1}
    listed = (survey / "set_aside/light_curves.csv").read_text()
    assert damaged.name in listed
    assert prints(survey) == prints(made[0])
    assert summary["classes"] == made[1]["classes"]
    # Other paths of the same files: they are read again, and what comes out is the same.
    assert report.of("frequencies")[0] == 0
    damaged.unlink()
    repeated.unlink()
    second.unlink()
    summary, report = run(changed, survey)
    gone = next(
        row["star_id"] for row in rows_of(made[0] / "light_curves") if row["source_file"] == second.name
    )
    assert summary["light_curves"]["set_aside"] == {}
    assert not (survey / "set_aside/light_curves.csv").exists()
    left = [row for row in rows_of(made[0] / "frequencies") if row["star_id"] != gone]
    now = [row for row in rows_of(survey / "frequencies") if row["star_id"] != gone]
    assert now == left


def test_a_lost_partition_is_made_again_from_raw_files(
    made: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    survey = tmp_path / "survey"
    shutil.copytree(made[0], survey)
    before = prints(survey)
    for name in LIGHT:
        catalog = lk.open_catalog(survey / name)
        partition_path(survey / name, *catalog.pixels[0]).write_bytes(b"not Parquet")
    checked = list(verify_survey(Survey(survey)))
    assert {one.name for one in checked if one.problems} >= set(LIGHT)
    repair(survey, checked, report=Reporter(quiet=True))
    assert prints(survey) == before
    assert not [problem for one in verify_survey(Survey(survey)) for problem in one.problems]


def test_light_curves_stay_when_their_files_are_gone_and_others_come(
    raw: Path, trained: Job, tmp_path: Path
) -> None:
    survey = tmp_path / "survey"
    other = tmp_path / "raw"
    shutil.copytree(raw, other)
    summary, _ = run(replace(trained, raw=other), survey)
    before = prints(survey)
    one = sorted((other / "light_curves").rglob("*.fits*"))[0]
    one.unlink()
    table = sorted((other / "mrs_catalogue").glob("*.csv.gz"))[0]
    add_files([table], survey, report=Reporter(quiet=True))
    assert prints(survey) == before
    shutil.rmtree(other / "light_curves")
    report = Stages(quiet=True)
    # A table that is there already: nothing new, but a run that only adds.
    after = add_files([table], survey, report=report)
    assert prints(survey) == before
    assert after["classes"] == summary["classes"]
    assert all(report.of(name)[0] == 0 for name in LIGHT)


def test_curves_find_their_stars_by_place_without_numbers(
    trained: Job, made: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """Without the input catalogues of the missions no star has a number: positions of headers serve."""
    bare = replace(trained, external=tuple(one for one in trained.external if one.kind == "gaia"))
    run(bare, tmp_path / "survey")
    found = {row["source_file"]: row["star_id"] for row in rows_of(tmp_path / "survey/light_curves")}
    wanted = {row["source_file"]: row["star_id"] for row in rows_of(made[0] / "light_curves")}
    assert found == wanted


def test_a_job_says_what_is_wrong_with_its_light_curves(tmp_path: Path) -> None:
    def job_with(text: str) -> Job:
        path = tmp_path / "job.toml"
        path.write_text(f'[job]\nraw = "{tmp_path}"\n{text}', encoding="utf-8")
        return read_job(path)

    good = job_with('[[light_curves]]\nfiles = "*.csv"\ntable = { unit = "mag", where = { band = "g" } }\n')
    assert good.light_curves[0].reader().table is not None
    assert Job.from_json(good.as_json()).light_curves == good.light_curves
    with pytest.raises(UsageError, match=r"\[\[light_curves\]\] number 1: files must be"):
        job_with("[[light_curves]]\nfiles = 3\n")
    with pytest.raises(UsageError, match="table knows no units"):
        job_with('[[light_curves]]\nfiles = "a"\ntable = { units = "mag" }\n')
    with pytest.raises(UsageError, match="unit must be one of"):
        job_with('[[light_curves]]\nfiles = "a"\ntable = { unit = "bananas" }\n')
    with pytest.raises(UsageError, match="patterns below the raw folder"):
        job_with('[[light_curves]]\nfiles = "/data/*.fits"\n')
    with pytest.raises(UsageError, match=r"\[variability\]: sample must be one of rv_variables, all"):
        job_with('[variability]\nsample = "some"\n')
    with pytest.raises(UsageError, match=r"no file matches none\.fits"):
        job_with('[[light_curves]]\nfiles = "none.fits"\n').light_curves[0].found(tmp_path)


def test_a_training_table_of_other_code_is_refused(job: Job, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="lkmrs train"):
        run(replace(job, training=TrainingChoice(table=str(tmp_path / "none.parquet"))), tmp_path / "survey")


def test_settings_are_the_same_after_json(job: Job) -> None:
    """Fingerprints of stages are of their text: a job that a survey has recorded must not make all anew."""
    again = Job.from_json(json.loads(json.dumps(job.as_json())))
    for name in SECTIONS:
        assert repr(getattr(again, name)) == repr(getattr(job, name)), name


def test_spectra_without_measurements_run_with_the_jobs_own_settings(job: Job, tmp_path: Path) -> None:
    bare = replace(
        job, external=(), light_curves=(), inputs=tuple(one for one in job.inputs if one.catalog == "spectra")
    )
    summary, _ = run(bare, tmp_path / "survey")
    assert summary["n_spectra"] > 0
    assert summary["n_periodic"] == 0
    assert summary["light_curves"] == {}
