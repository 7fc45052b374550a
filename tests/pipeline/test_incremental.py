"""A survey that grows step by step is the survey that one run over all its files makes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import small_raw
from hypothesis import given, settings
from hypothesis import strategies as st
from no_figures import leave_out_figures

from lkmrs_dask.pipeline.add import add_files
from lkmrs_dask.pipeline.job import InputSpec, Job, Settings
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.run import run_job
from lkmrs_dask.pipeline.survey import CATALOGS, Survey

Row = dict[str, Any]

# Far apart: in a Kepler field, near it, on a corner of HEALPix pixels, and at RA 0.
CENTRES = [(290.26, 42.69), (291.0, 42.9), (45.0, 0.0), (0.0, -10.0)]
STEP_DEG = 2.0 / 3600  # two such steps are no star (3 arcsec), unless a third position links them
ORIGIN = {"targets": "spectra"} | dict.fromkeys(("means", "rv_variability", "stars"), "measurements")
COLUMNS = ("mobsid", "obsid", "uid", "lmjd", "planid", "lmjm", "band", "snr", "ra", "dec", "coadd")


@pytest.fixture(autouse=True, scope="module")
def no_figures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        leave_out_figures(patch)
        yield


def job_of(raw: Path, **values: Any) -> Job:
    """All files of a folder, by their names' endings."""
    inputs = tuple(
        InputSpec(name, "table", (f"*_{name}.csv",), optional=True) for name in ("spectra", "measurements")
    )
    return Job("small", "", raw, inputs, Settings(**values))


def run(job: Job, out: Path, place: Place | None = None) -> dict[str, Any]:
    return run_job(job, out, place or Place(threads=1), Reporter(quiet=True))


def add(file: Path, out: Path) -> dict[str, Any]:
    catalog = file.stem.split("_")[1]
    return add_files([file], out, catalog=catalog, place=Place(threads=1), report=Reporter(quiet=True))


def write_rows(path: Path, rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["|".join(columns)]
    lines += ["|".join("" if row[n] is None else str(row[n]) for n in columns) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def partitions(root: Path) -> dict[tuple[str, tuple[int, int]], Path]:
    """Files of all partitions of a survey, by catalogue and pixel."""
    found = {}
    for name, folder in Survey(root).catalogs().items():
        for path in folder.glob("dataset/Norder=*/Dir=*/Npix=*.parquet"):
            pixel = int(path.stem.split("=")[1])
            found[name, (int(path.parts[-3].split("=")[1]), pixel)] = path
    return found


def inodes(root: Path) -> dict[tuple[str, tuple[int, int]], tuple[int, int]]:
    """Which files hold the partitions: a written one is another file."""
    return {key: (p.stat().st_ino, p.stat().st_mtime_ns) for key, p in partitions(root).items()}


def counts_of(root: Path) -> dict[str, Any]:
    """All of the summary but how long it took."""
    summary = json.loads((root / "summary.json").read_text())
    del summary["stages"]
    return summary


def set_aside(root: Path) -> dict[str, Any]:
    """Rows that were not used, in any order, and repeated ones."""
    found: dict[str, Any] = {}
    for path in sorted((root / "set_aside").rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.suffix == ".csv":
            with path.open(newline="") as stream:
                found[name] = sorted(map(str, csv.DictReader(stream)))
        elif path.is_file():
            found[name] = pq.read_table(path, partitioning=None).to_pylist()
    return found


def assert_equal(one: Path, other: Path) -> None:
    """Two surveys hold the same, partition by partition and byte by byte."""
    first, second = partitions(one), partitions(other)
    assert set(first) == set(second)
    for key, path in first.items():
        assert pq.read_table(path, partitioning=None).equals(pq.read_table(second[key], partitioning=None)), (
            key
        )
        assert path.read_bytes() == second[key].read_bytes(), key
    assert set_aside(one) == set_aside(other)
    assert counts_of(one) == counts_of(other)
    for name in ("table1.csv", "plates.csv"):
        assert [p.read_text() for p in (one / "products").glob(name)] == [
            p.read_text() for p in (other / "products").glob(name)
        ]
    assert sound(one)


def sound(root: Path) -> bool:
    """Whether the survey has ended well and its catalogues have the rows that they state."""
    survey = Survey(root)
    return survey.success.is_file() and not survey.work.exists() and not survey.busy()


drawn_rows = st.lists(
    st.fixed_dictionaries(
        {
            "centre": st.integers(0, len(CENTRES) - 1),
            "at": st.integers(-1, 1),
            "uid": st.sampled_from([None, None, "a", "b"]),
            "obsid": st.none() | st.integers(1, 2),
            "lmjm": st.none() | st.integers(84_100_000, 84_100_001),
            "band": st.sampled_from("BR"),
            "coadd": st.booleans(),
            "snr": st.none() | st.integers(1, 90) | st.just("bad"),
            "twin": st.booleans(),
            "step": st.integers(0, 3),
            "catalog": st.sampled_from(["spectra", "spectra", "measurements"]),
        }
    ),
    min_size=1,
    max_size=30,
)


def spelled_out(drawn: Sequence[Row]) -> dict[tuple[int, str], list[Row]]:
    """Raw rows by step and catalogue; the first is a good one of the first step."""
    files: dict[tuple[int, str], list[Row]] = {}
    for number, row in enumerate(drawn):
        ra, dec = CENTRES[row["centre"]]
        full = {name: row.get(name) for name in COLUMNS}
        full |= {
            "uid": f"G{row['centre']}{row['uid']}" if row["uid"] else None,
            "ra": f"{ra:.7f}",
            "dec": f"{dec + row['at'] * STEP_DEG:.7f}",
            "mobsid": "twin" if row["twin"] else f"M{number:03d}",
            "coadd": int(row["coadd"]),
            "lmjd": 58402 + number % 2,
            "planid": small_raw.PLAN,
            "teff": 5000 + number,
        }
        if number == 0 and full["snr"] == "bad":
            full["snr"] = 5
        files.setdefault((row["step"] if number else 0, row["catalog"]), []).append(full)
    return files


@given(drawn=drawn_rows, max_rows=st.sampled_from([2, 6, 1000]), without=st.none() | st.integers(0, 3))
@settings(max_examples=8, deadline=None)
def test_a_survey_that_grows_in_steps_is_that_of_one_run(
    drawn: list[Row], max_rows: int, without: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Repeated spectra, rows without uid, stars that later files link, columns that some files lack."""
    folder = tmp_path_factory.mktemp("grow")
    raw, grown = folder / "raw", folder / "grown"
    job = job_of(raw, max_rows=max_rows)
    files = spelled_out(drawn)
    begun = False
    for (step, catalog), rows in sorted(files.items()):
        columns = [name for name in COLUMNS if step != without or name != "band"]
        columns += ["teff"] if catalog == "measurements" else []
        file = write_rows(raw / f"{step}_{catalog}.csv", rows, columns)
        if step == 0:
            continue
        if not begun:
            run(job_of_first(job, raw), grown)
            begun = True
        before, content = inodes(grown), {key: path.read_bytes() for key, path in partitions(grown).items()}
        add(file, grown)
        after = inodes(grown)
        for key in before.keys() & after.keys():
            origin = (ORIGIN.get(key[0], key[0]), key[1])
            if key == origin:
                untouched = not has_rows_of(grown, key, file.name)
                untouched &= partitions(grown)[key].read_bytes() == content[key]
            else:
                untouched = before.get(origin) == after.get(origin)
            assert not untouched or after[key] == before[key], f"{key} was written for {file.name}"
    if not begun:
        run(job, grown)
    run(job, folder / "whole")
    assert_equal(grown, folder / "whole")


def job_of_first(job: Job, raw: Path) -> Job:
    """The job when only files of the first step were there; they are read as they will be in the end."""
    inputs = tuple(
        InputSpec(spec.catalog, spec.kind, (f"0_{spec.catalog}.csv",), optional=True) for spec in job.inputs
    )
    return Job(job.name, job.title, raw, inputs, job.settings)


def has_rows_of(root: Path, key: tuple[str, tuple[int, int]], file: str) -> bool:
    """Whether a partition or its repeated rows have rows of a file."""
    name, (order, pixel) = key
    repeated = Survey(root).repeated(name) / f"Norder={order}.Npix={pixel}.parquet"
    paths = [partitions(root)[key], *([repeated] if repeated.is_file() else [])]
    tables = [pq.read_table(path, columns=["source_file"], partitioning=None) for path in paths]
    names = pa.concat_tables(tables).column("source_file").to_pylist()
    return file in {Path(one).name for one in names}


def test_worker_processes_make_the_same_survey_as_threads(tmp_path: Path) -> None:
    rows = [line.split("|") for line in small_raw.rows(n_stars=4, n_nights=1)]
    names = small_raw.COLUMNS.split("|")
    table = [dict(zip(names, row, strict=True)) | {"teff": 5000 + k} for k, row in enumerate(rows)]
    for name in ("spectra", "measurements"):
        write_rows(tmp_path / "raw" / f"0_{name}.csv", table[:12], [*names, "teff"])
        write_rows(tmp_path / "raw" / f"1_{name}.csv", table[8:], [*names, "teff"])
    job = job_of(tmp_path / "raw", max_rows=8)
    run(job, tmp_path / "threads", Place(threads=3))
    run(job, tmp_path / "workers", Place(workers=2))
    without_gaia = set(CATALOGS) - {
        "kinematics", "orbits", "magnitudes", "light_curves", "frequencies", "variables",
    }  # fmt: skip
    assert set(Survey(tmp_path / "threads").catalogs()) == without_gaia
    assert len(partitions(tmp_path / "threads")) >= 8
    assert_equal(tmp_path / "threads", tmp_path / "workers")
