"""Star means over catalogues: the same to the last bit however the catalogue is partitioned and stored."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from survey_runs import MEASUREMENTS, Tables, build, table_of, weighted_by_hand

import lkmrs_dask as lk
from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.pipeline.maps import star_means
from lkmrs_dask.schema import HEALPIX_COLUMN, PARAMETERS
from lkmrs_dask.stars.table2 import STAR_COLUMNS


def measurements(n: int = 800, stars: int = 60, seed: int = 0) -> pd.DataFrame:
    """Rows of stars, one position a star, in random order."""
    rng = np.random.default_rng(seed)
    star = rng.integers(0, stars, n)
    ra, dec = rng.uniform(0, 360, stars), np.degrees(np.arcsin(rng.uniform(-1, 1, stars)))
    ra[:10], dec[:10] = 290 + rng.normal(0, 1e-3, 10), 44 + rng.normal(0, 1e-3, 10)
    frame = pd.DataFrame({"star_id": [f"G{s:04d}" for s in star], "uid": [f"G{s:04d}" for s in star],
                          "ra": ra[star], "dec": dec[star], "snr": rng.uniform(-5, 200, n)})  # fmt: skip
    for k, name in enumerate(PARAMETERS):
        frame[name] = np.where(rng.random(n) < 0.2, np.nan, rng.normal(10.0 ** min(k, 3), 1, n))
    frame["obsid"] = np.arange(n)
    return frame


def table(catalog: Catalog) -> pa.Table:
    return star_means(catalog).to_arrow().sort_by("star_id")


def test_equal_to_the_formulae() -> None:
    frame = measurements()
    means = star_means(lk.from_dataframe(frame, max_rows=50))
    assert isinstance(means, Catalog)
    assert means.name == "stars"
    assert len(means.pixels) > 10
    rows = {row["star_id"]: row for row in means.to_arrow().to_pylist()}
    assert len(rows) == frame["star_id"].nunique()
    for star, mine in frame.groupby("star_id"):
        for name in PARAMETERS:
            values = [None if np.isnan(v) else v for v in mine[name]]
            mean, error, n = weighted_by_hand(values, mine["snr"].tolist())
            row = rows[star]
            assert row[f"n_{name}"] == n
            # Sums of some 13 rows: 1e-14 of the mean, and so 1e-9 of deviations of 1 from values up to 1e5.
            assert row[name] == (None if mean is None else pytest.approx(mean, rel=1e-13))
            assert row[f"{name}_err"] == (None if error is None else pytest.approx(error, rel=1e-9))


def test_the_result_is_a_catalogue(tmp_path: Path) -> None:
    frame = measurements()
    means = star_means(lk.from_dataframe(frame, max_rows=50))
    ddf = means.ddf
    assert ddf.known_divisions
    computed = ddf.compute()
    assert computed.index.is_monotonic_increasing
    assert computed.reset_index().equals(means.compute().reset_index())
    written = means.write(tmp_path / "stars")
    assert written.to_arrow().equals(means.to_arrow().select(written.columns))
    assert written.schema.field("teff").metadata[b"unit"] == b"K"
    star = frame.iloc[0]
    near = means.cone_search(star["ra"], star["dec"], 0.1).to_arrow()
    assert near.column("star_id").to_pylist() == [star["star_id"]]
    assert near.to_pylist() == [r for r in means.to_arrow().to_pylist() if r["star_id"] == star["star_id"]]


@given(seed=st.integers(0, 10**6), max_rows=st.lists(st.integers(1, 300), min_size=2, max_size=3))
@settings(max_examples=10, deadline=None)
def test_partitions_of_a_data_frame_do_not_change_a_bit(seed: int, max_rows: list[int]) -> None:
    frame = measurements(200, 20, seed)
    whole = table(lk.from_dataframe(frame))
    for limit in max_rows:
        assert table(lk.from_dataframe(frame, max_rows=limit)).equals(whole)


@given(seed=st.integers(0, 10**6), files=st.integers(1, 4), max_rows=st.integers(1, 150))
@settings(max_examples=6, deadline=None)
def test_partitions_of_a_build_do_not_change_a_bit(
    seed: int, files: int, max_rows: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However files and partitions are cut; and the data frame of its rows has the same means."""
    frame = measurements(150, 15, seed).rename(columns={"ra": "ra_input", "dec": "dec_input"})
    rows = [
        {str(k): None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()}
        | {"coadd": True}
        for row in frame.drop(columns="star_id").to_dict("records")
    ]
    results = []
    for number, (parts, limit) in enumerate([(1, 10**6), (files, max_rows)]):
        folder = tmp_path_factory.mktemp(f"b{number}")
        pieces = {f"{k}.csv": [table_of(rows[k::parts], MEASUREMENTS)] for k in range(parts)}
        build(Tables(pieces, MEASUREMENTS), folder, max_rows=limit)
        results.append(lk.open_catalog(folder / "measurements"))
    expected = table(results[0])
    assert table(results[1]).equals(expected)
    assert table(lk.from_dataframe(results[1].compute(), max_rows=max_rows)).equals(expected)
    assert expected.column("star_id").to_pylist() == sorted(frame["star_id"].unique())


def test_rows_of_a_star_may_be_scattered_within_a_partition() -> None:
    """As in a catalogue with a position for each spectrum, where neighbours' rows come between a star's."""
    rng = np.random.default_rng(3)
    frame = measurements(600, 30)
    frame["ra"] = 290 + rng.normal(0, 1e-4, 600)  # all stars mixed within an arcsecond
    frame["dec"] = 44 + rng.normal(0, 1e-4, 600)
    catalog = lk.from_dataframe(frame)
    index_star = catalog[["star_id"]].to_arrow().column(0).to_pylist()
    assert sum(a != b for a, b in pairwise(index_star)) > 500, "they are mixed"
    rows = {row["star_id"]: row for row in star_means(catalog).to_arrow().to_pylist()}
    assert len(rows) == 30
    for star, mine in frame.groupby("star_id"):
        mean, error, n = weighted_by_hand(
            [None if np.isnan(v) else v for v in mine["teff"]], mine["snr"].tolist()
        )
        assert rows[star]["n_teff"] == n
        assert rows[star]["teff"] == pytest.approx(mean, rel=1e-13)
        assert rows[star]["teff_err"] == pytest.approx(error, rel=1e-10)
    result = star_means(catalog).compute()
    assert result.index.is_monotonic_increasing
    # The star lies where its first row does.
    assert set(zip(result["ra"], result["dec"], strict=True)) <= set(
        zip(frame["ra"], frame["dec"], strict=True)
    )


def test_a_star_in_two_partitions_of_a_data_frame_is_named() -> None:
    frame = measurements(300, 20)
    frame.loc[frame["star_id"] == "G0003", "ra"] = np.linspace(0, 350, (frame["star_id"] == "G0003").sum())
    with pytest.raises(CatalogError, match=r"star G0003 has rows in \d+ partitions \(and 0 more do\)"):
        star_means(lk.from_dataframe(frame, max_rows=40))
    assert table(lk.from_dataframe(frame.assign(dec=10.0, ra=20.0), max_rows=40)).num_rows == 20


def test_a_catalogue_of_others_on_disk_with_scattered_rows(tmp_path: Path) -> None:
    frame = measurements(400, 20)
    rng = np.random.default_rng(4)
    frame["ra"], frame["dec"] = 10 + rng.normal(0, 1e-4, 400), 20 + rng.normal(0, 1e-4, 400)
    given = lk.from_dataframe(frame)
    stored = given.write(tmp_path / "theirs")
    assert "hats_cols_sort" not in stored.info.properties
    assert table(stored).equals(table(given))


def test_only_the_columns_that_it_needs_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    stored = lk.from_dataframe(measurements().assign(flux=1.0, note="x")).write(tmp_path / "m")
    seen: set[tuple[str, ...]] = set()
    plain = pq.ParquetFile.read

    def spy(self: pq.ParquetFile, columns: list[str], **kwargs: object) -> pa.Table:
        seen.add(tuple(columns))
        return plain(self, columns, **kwargs)

    monkeypatch.setattr(pq.ParquetFile, "read", spy)
    star_means(stored).to_arrow()
    assert seen == {(HEALPIX_COLUMN, "star_id", "ra", "dec", "uid", "snr", *PARAMETERS)}


@pytest.mark.parametrize("column", ["star_id", "snr", "ra"])
def test_columns_that_it_cannot_do_without(column: str) -> None:
    catalog = lk.from_dataframe(measurements(50), name="mine")
    with pytest.raises(UsageError, match=f"mine lacks {column}, which star means need"):
        star_means(catalog[[name for name in catalog.columns if name != column]])


def test_nothing_to_average() -> None:
    empty = star_means(lk.from_dataframe(measurements(50).head(0)))
    assert empty.to_arrow().num_rows == 0
    none = star_means(lk.from_dataframe(measurements(50).assign(**dict.fromkeys(PARAMETERS, np.nan))))
    assert none.to_arrow().num_rows == 0
    assert none.schema.names == list(STAR_COLUMNS)
    assert none.ddf.compute().empty
