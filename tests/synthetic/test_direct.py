"""Catalogues written without raw files, against those that the pipeline makes of the raw files."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import lkmrs_dask as lk
from lkmrs_dask.catalog.verify import verify_catalog
from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.job import read_job
from lkmrs_dask.pipeline.progress import Reporter
from lkmrs_dask.pipeline.run import run_job
from lkmrs_dask.synthetic.direct import write_hats
from lkmrs_dask.synthetic.job import write_job
from lkmrs_dask.synthetic.ledger import Ledger, make_ledger
from lkmrs_dask.synthetic.survey import make_survey

NAMES = ("spectra", "measurements")
FRACTION = 0.002


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("direct")
    write_hats(folder, FRACTION, 5)
    return folder


def rows(folder: Path, name: str) -> pa.Table:
    return lk.open_catalog(folder / name).to_arrow()


def test_rows_are_those_of_the_pipeline(direct: Path, tmp_path: Path) -> None:
    make_survey(tmp_path / "raw", FRACTION, 5, dirt=0.0, flux_stars=0, external=False, light_curves=False)
    job = read_job(write_job(tmp_path), raw=tmp_path / "raw")
    run_job(job, tmp_path / "survey", report=Reporter(quiet=True))
    for name in NAMES:
        ours, theirs = rows(direct, name), rows(tmp_path / "survey", name)
        assert ours.schema.equals(theirs.schema)
        for column in ours.column_names:
            assert ours.column(column).equals(theirs.column(column)), (name, column)


def test_catalogues_are_sound(direct: Path) -> None:
    for name in NAMES:
        assert verify_catalog(direct / name) == []
    assert {path.name for path in direct.iterdir()} == set(NAMES)


@pytest.mark.slow
def test_small_partitions_and_processes_give_the_same_rows(direct: Path, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        written = write_hats(tmp_path, FRACTION, 5, processes, max_rows=2000)
    for name in NAMES:
        one, other = lk.open_catalog(direct / name), lk.open_catalog(tmp_path / name)
        assert len(other.pixels) >= len(one.pixels)
        assert one.to_arrow().equals(other.to_arrow())
        assert written[name] == one.to_arrow().num_rows
    assert len(lk.open_catalog(tmp_path / "spectra").pixels) > 3


def test_copies_are_elsewhere_and_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Let a "whole" survey be a small one of 99 stars: two of them, and a half of 49.
    def small(fraction: float, seed: int) -> Ledger:
        return make_ledger(FRACTION * fraction, seed)

    monkeypatch.setattr("lkmrs_dask.synthetic.direct.make_ledger", small)
    written = write_hats(tmp_path, 2.5, 2, max_rows=20_000)
    table = rows(tmp_path, "spectra")
    assert written["spectra"] == table.num_rows
    stars = table.group_by("star_id").aggregate([("ra", "count_distinct"), ("uid", "count_distinct")])
    assert pc.max(stars.column("ra_count_distinct")).as_py() == 1
    assert stars.num_rows == 99 + 99 + 49
    assert pc.count_distinct(table.column("mobsid")).as_py() == table.num_rows
    keys = table.group_by(["obsid", "coadd", "lmjm", "band"]).aggregate([])
    assert keys.num_rows == table.num_rows
    assert set(table.column("star_id").to_pylist()) == set(table.column("uid").to_pylist())
    # Copies have random numbers of their own.
    assert len(np.unique(table.column("dec").to_numpy())) == stars.num_rows
    for name in NAMES:
        assert verify_catalog(tmp_path / name) == []


@pytest.mark.parametrize("fraction", [0.0, -1.0, float("inf"), float("nan")])
def test_wrong_fractions(tmp_path: Path, fraction: float) -> None:
    with pytest.raises(UsageError, match="fraction"):
        write_hats(tmp_path, fraction)
    assert not list(tmp_path.iterdir())
