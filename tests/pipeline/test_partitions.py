"""Runs that were stopped, changed or failed in part: all that is not as it would be is done, and no more."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import small_raw
from no_figures import leave_out_figures
from small_raw import lkmrs

import lkmrs_dask as lk
from lkmrs_dask.errors import LkmrsError
from lkmrs_dask.pipeline.add import add_files
from lkmrs_dask.pipeline.job import InputSpec, Job, Settings
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.run import run_job
from lkmrs_dask.pipeline.survey import Survey
from lkmrs_dask.readers.lamost_tables import TableSource

HERE = Place(threads=1)
STAGES = ("read", "spectra", "measurements", "overview", "targets", "means", "rv_variability", "stars")


class Killed(BaseException):
    """Stands for the end of the process."""


def with_teff(lines: list[str]) -> list[str]:
    return [f"{line}|{5000 + number % 7}" for number, line in enumerate(lines)]


def moved(lines: list[str], degrees: float) -> list[str]:
    """The same rows elsewhere on the sky, of other stars."""
    result = []
    for line in lines:
        fields = line.split("|")
        fields[2], fields[11] = f"{fields[2]}at{degrees:.0f}", f"{float(fields[11]) - degrees:.7f}"
        fields[1] = str(int(fields[1]) + int(degrees) * 10**9)
        result.append("|".join(fields))
    return result


def make_raw(raw: Path) -> None:
    """Two files of spectra at two places far apart, and one of measurements at both."""
    rows = small_raw.rows(n_stars=3, n_nights=1)
    small_raw.write(raw / "a_spectra.csv", rows)
    small_raw.write(raw / "b_spectra.csv", moved(rows, 90))
    raw.joinpath("c_measurements.csv").write_text(
        "\n".join([small_raw.COLUMNS + "|teff", *with_teff(rows + moved(rows, 90))]) + "\n"
    )


def job_of(raw: Path, **values: Any) -> Job:
    inputs = tuple(InputSpec(name, "table", (f"*_{name}.csv",)) for name in ("spectra", "measurements"))
    return Job("small", "", raw, inputs, Settings(**{"max_rows": 25, **values}))


def run(job: Job, out: Path) -> dict[str, Any]:
    return run_job(job, out, HERE, Reporter(quiet=True))


def add(file: Path, out: Path, catalog: str = "spectra") -> dict[str, Any]:
    return add_files([file], out, catalog=catalog, place=HERE, report=Reporter(quiet=True))


def rows_of(root: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows of all catalogues, by columns in one order."""
    return {
        name: lk.open_catalog(path).to_arrow().to_pylist() for name, path in Survey(root).catalogs().items()
    }


def counts_of(root: Path) -> dict[str, Any]:
    summary = json.loads((root / "summary.json").read_text())
    del summary["stages"]
    return summary


def files_of(root: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of change of all files of the survey itself."""
    work = Survey(root).work
    return {
        path.relative_to(root).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if path.is_file() and work not in path.parents and path.name != ".lock"
    }


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_figures(monkeypatch)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound survey with its raw files, for tests to copy."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        leave_out_figures(patch)
        make_raw(folder / "raw")
        run(job_of(folder / "raw"), folder / "survey")
    return folder


@pytest.fixture
def raw(tmp_path: Path, made: Path) -> Path:
    return Path(shutil.copytree(made / "raw", tmp_path / "raw"))


@pytest.fixture
def survey(tmp_path: Path, made: Path, raw: Path) -> Path:
    """A copy of the survey that believes to be made of `raw`."""
    out = Path(shutil.copytree(made / "survey", tmp_path / "survey"))
    run(job_of(raw), out)  # it notes where the raw files lie now
    return out


def begun(patch: pytest.MonkeyPatch, job: Job, out: Path) -> Counter[str]:
    """Pieces that a run does, by stage."""
    with patch.context() as inner:
        done = small_raw.watch_units(inner)
        run(job, out)
    assert len(set(done)) == len(done), "none is done twice"
    return Counter(stage for stage, _ in done)


# -- stopped runs --------------------------------------------------------------------------------------------


def test_a_run_that_is_killed_between_any_two_pieces_does_only_the_rest(
    tmp_path: Path, raw: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(raw)
    with monkeypatch.context() as patch:
        everything = small_raw.watch_units(patch)
        run(job, tmp_path / "whole")
    assert {stage for stage, _ in everything} == {*STAGES, "deviations"}
    assert Counter(stage for stage, _ in everything)["spectra"] >= 2
    expected = rows_of(tmp_path / "whole"), counts_of(tmp_path / "whole")
    for kill in range(len(everything)):
        out = tmp_path / f"killed{kill}"

        def stop(stage: str, unit: str, number: int, kill: int = kill) -> None:
            if number == kill:
                raise Killed

        with monkeypatch.context() as patch:
            first = small_raw.watch_units(patch, stop)
            with pytest.raises(Killed):
                run(job, out)
        assert len(first) == kill
        assert not (out / "summary.json").exists()
        assert Survey(out).catalogs() == {}, "nothing is there before all is"
        with monkeypatch.context() as patch:
            second = small_raw.watch_units(patch)
            run(job, out)
        assert Counter(first + second) == Counter(everything), f"killed before piece {kill}"
        assert (rows_of(out), counts_of(out)) == expected
        assert not Survey(out).work.exists()
        shutil.rmtree(out)


def test_an_ingest_that_is_killed_anywhere_leaves_the_survey_as_it_was_and_goes_on(
    survey: Path, tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = small_raw.write(
        tmp_path / "n_spectra.csv", small_raw.rows(n_stars=3, n_nights=1, first_night=58500)
    )
    shutil.copytree(survey, tmp_path / "copy")
    with monkeypatch.context() as patch:
        everything = small_raw.watch_units(patch)
        add(night, tmp_path / "copy")
    expected = rows_of(tmp_path / "copy")
    before = files_of(survey)
    done: list[tuple[str, str]] = []

    def stop(stage: str, unit: str, number: int) -> None:
        if number == 1:
            raise Killed

    # One kill after the other, each a piece further on.
    for _ in range(len(everything) - 1):
        with monkeypatch.context() as patch:
            some = small_raw.watch_units(patch, stop)
            with pytest.raises(Killed):
                add(night, survey)
        done += some
        assert files_of(survey) == before
    with monkeypatch.context() as patch:
        rest = small_raw.watch_units(patch)
        add(night, survey)
    done += rest
    assert Counter(done) == Counter(everything)
    assert rows_of(survey) == expected


def test_a_run_with_nothing_to_do_does_nothing(
    survey: Path, raw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, summary = files_of(survey), json.loads((survey / "summary.json").read_text())
    done = small_raw.watch_units(monkeypatch)
    assert run_job(job_of(raw), survey, HERE) == summary
    assert done == []
    assert files_of(survey) == before
    assert not Survey(survey).work.exists()
    assert "nothing to do: all pieces are there" in capsys.readouterr().out


# -- changes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "redone", "kept"),
    [
        ({"plate_radius_deg": 1.5}, {"targets", "means"}, {"read", "spectra", "measurements", "overview"}),
        ({"max_rows": 9}, {"spectra", "measurements"}, {"read"}),
        ({"low_snr": 30.0}, {"read", "spectra"}, set()),
        ({"uid_spread_arcsec": 0.01}, set(), set(STAGES)),
        ({"star_radius_arcsec": 2.0}, set(), set(STAGES)),  # all have a uid: no star is another
    ],
    ids=["plate radius", "max rows", "low snr", "uid spread", "star radius"],
)
def test_a_changed_setting_redoes_what_depends_on_it_and_no_more(
    survey: Path, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any], redone: set[str], kept: set[str],
) -> None:  # fmt: skip
    job, before = job_of(raw, **change), (rows_of(survey), set(files_of(survey)))
    done = begun(monkeypatch, job, survey)
    assert redone <= set(done)
    assert not kept & set(done)
    run(job, tmp_path / "whole")
    assert rows_of(survey) == rows_of(tmp_path / "whole")
    assert counts_of(survey) == counts_of(tmp_path / "whole")
    assert set(files_of(survey)) == set(files_of(tmp_path / "whole"))
    for path in (tmp_path / "whole" / "set_aside").glob("*.csv"):
        assert (survey / "set_aside" / path.name).read_text() == path.read_text()
    checked = lkmrs("verify", survey)
    assert checked.exit_code == 0, checked.output
    run(job_of(raw), survey)
    assert (rows_of(survey), set(files_of(survey))) == before, "and back"


def test_other_code_redoes_everything(survey: Path, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = rows_of(survey)
    for module in ("pipeline.readings", "pipeline.map_stage", "catalog.layout"):
        monkeypatch.setattr(f"lkmrs_dask.{module}.code_fingerprint", lambda: "tomorrow's")
    done = begun(monkeypatch, job_of(raw), survey)
    assert {stage: done[stage] for stage in STAGES} == {
        stage: json.loads((survey / "summary.json").read_text())["stages"][stage][
            "readings" if stage == "read" else "partitions"
        ]["total"]
        for stage in STAGES
    }
    assert rows_of(survey) == expected


@pytest.mark.parametrize("how", ["run", "ingest"])
def test_a_changed_raw_file_replaces_its_rows(survey: Path, raw: Path, tmp_path: Path, how: str) -> None:
    lines = small_raw.rows(n_stars=2, n_nights=1, seed=5)
    small_raw.write(raw / "a_spectra.csv", lines)
    if how == "run":
        run(job_of(raw), survey)
    else:
        add(raw / "a_spectra.csv", survey)
    run(job_of(raw), tmp_path / "whole")
    assert rows_of(survey) == rows_of(tmp_path / "whole")
    names = [Path(row["source_file"]).name for row in rows_of(survey)["spectra"]]
    assert Counter(names)["a_spectra.csv"] == len(lines)


def test_a_changed_raw_file_replaces_its_rows_though_it_was_read_with_others(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many small files of a folder are."""
    monkeypatch.setattr(TableSource, "files_together", 200)
    run(job_of(raw), tmp_path / "survey")
    lines = small_raw.rows(n_stars=2, n_nights=1, seed=5, first_night=58410)
    small_raw.write(raw / "a_spectra.csv", lines)
    add(raw / "a_spectra.csv", tmp_path / "survey")
    run(job_of(raw), tmp_path / "whole")
    assert rows_of(tmp_path / "survey") == rows_of(tmp_path / "whole")


def test_rows_of_a_raw_file_that_is_gone_go(survey: Path, raw: Path, tmp_path: Path) -> None:
    (raw / "b_spectra.csv").unlink()
    kept = {key: value for key, value in files_of(survey).items() if "measurements/dataset/N" in key}
    run(job_of(raw), survey)
    run(job_of(raw), tmp_path / "whole")
    assert rows_of(survey) == rows_of(tmp_path / "whole")
    assert {Path(row["source_file"]).name for row in rows_of(survey)["spectra"]} == {"a_spectra.csv"}
    assert kept.items() <= files_of(survey).items(), "the other catalogue stays as it is"


def test_an_ingested_file_is_passed_over_and_a_later_run_of_the_job_knows_it(
    survey: Path, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = small_raw.write(raw / "n_spectra.csv", small_raw.rows(n_stars=3, n_nights=1, first_night=58500))
    add(night, survey)
    before = files_of(survey)
    done = small_raw.watch_units(monkeypatch)
    add(night, survey)
    add(raw / "a_spectra.csv", survey)
    assert done == []
    run(job_of(raw), survey)
    assert done == [], "the file lies in the job's folder now: the same reading"
    assert {k: v for k, v in files_of(survey).items() if "dataset/N" in k} == {
        k: v for k, v in before.items() if "dataset/N" in k
    }


# -- pieces that fail ----------------------------------------------------------------------------------------


def failing(stage: str, patch: pytest.MonkeyPatch, fault: BaseException, which: int = 0) -> list[str]:
    """Let one piece of a stage fail whenever it is tried; gives back its name once it is known."""
    names: list[str] = []

    def fail(at: str, unit: str, number: int) -> None:
        if at == stage and unit not in names and len(names) <= which:
            names.append(unit)
        if at == stage and names[which:] == [unit]:
            raise fault

    small_raw.watch_units(patch, fail)
    return names


@pytest.mark.parametrize("stage", STAGES)
def test_a_first_run_with_a_failing_piece_publishes_the_rest_and_goes_on(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    run(job_of(raw), whole)
    with monkeypatch.context() as patch:
        failing(stage, patch, ValueError("poisoned"))
        summary = run(job_of(raw), out)
    (failure,) = summary["failed_pieces"]
    assert failure.startswith(f"{stage} ")
    assert "poisoned" in failure
    assert not Survey(out).success.exists()
    rest = rows_of(out)
    for name, rows in rows_of(whole).items():
        assert {str(row) for row in rest.get(name, [])} <= {str(row) for row in rows} or stage == "read"
    assert lkmrs("verify", out).exit_code == 1
    assert "has not ended well" in lkmrs("status", out).output or "interrupted" in lkmrs("status", out).output
    with monkeypatch.context() as patch:
        done = small_raw.watch_units(patch)
        assert run(job_of(raw), out)["failed_pieces"] == []
    again = Counter(at for at, _ in done)
    assert again[stage] == 1, "only what failed is done"
    assert not any(
        again[at]
        for at in STAGES[: STAGES.index(stage)]
        if at != "measurements" or stage in ("means", "rv_variability", "stars")
    )
    assert rows_of(out) == rows_of(whole)
    assert counts_of(out) == counts_of(whole)
    assert Survey(out).success.exists()
    assert lkmrs("verify", out).exit_code == 0


def test_the_command_says_what_failed_and_exits_with_1(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tmp_path / "job.toml"
    job.write_text(
        f'[job]\nraw = "{raw}"\n[settings]\nmax_rows = 25\n'
        '[[input]]\ncatalog = "spectra"\nfiles = ["*_spectra.csv"]\n'
    )
    failing("spectra", monkeypatch, ValueError("poisoned"))
    done = lkmrs("run", job, "--out", tmp_path / "out", "--threads", "1")
    assert done.exit_code == 1
    assert "ValueError: poisoned" in done.output
    assert "run the same command again to go on with what failed" in done.output


@pytest.mark.parametrize("stage", ["read", "spectra", "overview", "targets"])
def test_a_sound_survey_stays_as_it_was_when_pieces_of_an_ingest_fail(
    survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    night = small_raw.write(
        tmp_path / "n_spectra.csv", small_raw.rows(n_stars=3, n_nights=1, first_night=58500)
    )
    before = files_of(survey)
    with monkeypatch.context() as patch:
        failing(stage, patch, ValueError("poisoned"))
        with pytest.raises(LkmrsError, match=f"1 pieces failed: {stage} .*poisoned.*is as it was"):
            add(night, survey)
    assert files_of(survey) == before
    checked = lkmrs("verify", survey)
    assert checked.exit_code == 0, checked.output
    assert add(night, survey)["n_spectra"] == len(rows_of(survey)["spectra"])
    assert night.name in {Path(row["source_file"]).name for row in rows_of(survey)["spectra"]}


def test_a_partition_is_not_made_of_a_part_of_its_rows(
    survey: Path, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When raw files must be read once more and that fails, what needs them fails too, now and later."""
    expected = rows_of(survey)
    shutil.rmtree(survey / "spectra" / "dataset")
    plain = TableSource.read

    def broken(self: TableSource, file: Path) -> Any:
        if file.name == "a_spectra.csv":
            raise PermissionError(13, "not for you")
        return plain(self, file)

    with monkeypatch.context() as patch:
        patch.setattr(TableSource, "read", broken)
        with pytest.raises(LkmrsError, match=r"not for you.*is as it was"):
            run(job_of(raw), survey)
    run(job_of(raw), survey)
    assert rows_of(survey) == expected


def test_a_raw_file_that_is_read_otherwise_the_second_time_stops_the_run(
    survey: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its disk begins to fail: its time of change and size are as before."""
    shutil.rmtree(survey / "spectra" / "dataset")
    before = files_of(survey)
    path = raw / "a_spectra.csv"
    stat, text = path.stat(), path.read_text().splitlines(keepends=True)
    half = len(text) // 2
    path.write_text("".join(text[:half]) + "#" * sum(map(len, text[half:])))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size
    for _ in range(2):
        with pytest.raises(LkmrsError, match=r"a_spectra.csv gives other rows than when it was read first"):
            run(job_of(raw), survey)
    assert files_of(survey) == before
    path.write_text("".join(text))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert run(job_of(raw), survey)["n_spectra"] == 36


def test_what_a_stopped_ingest_had_kept_is_not_written_through(
    survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces that stay are links to the survey's files; another ingest writes new ones in their place."""
    copies = small_raw.rows(n_stars=3, n_nights=1)
    add(small_raw.write(tmp_path / "x_spectra.csv", copies), survey)
    kept = sorted((survey / "set_aside" / "spectra_repeated").glob("*.parquet"))
    before, content = files_of(survey), [path.read_bytes() for path in kept]
    assert kept
    # Stopped when its spectra are done: those of the other place stay, and so do these files, as links.
    far = small_raw.write(
        tmp_path / "f_spectra.csv", moved(small_raw.rows(n_stars=3, n_nights=1, seed=9), 90)
    )
    with monkeypatch.context() as patch:
        failing("targets", patch, ValueError("poisoned"))
        with pytest.raises(LkmrsError, match="poisoned"):
            add(far, survey)
    (draft,) = Survey(survey).work.glob("next-*")
    assert any(os.path.samefile(draft / p.relative_to(survey), p) for p in kept), "the case is a real one"
    # The other ingest has more copies for the same files, and is stopped too.
    near = small_raw.write(tmp_path / "y_spectra.csv", copies)
    with monkeypatch.context() as patch:
        failing("targets", patch, ValueError("poisoned"))
        with pytest.raises(LkmrsError, match="poisoned"):
            add(near, survey)
    assert [path.read_bytes() for path in kept] == content
    assert files_of(survey) == before
    add(near, survey)
    repeated = (survey / "set_aside" / "spectra_repeated").glob("*.parquet")
    tables = [pq.read_table(path, partitioning=None) for path in repeated]
    assert sum(table.num_rows for table in tables) == 3 * len(copies)
