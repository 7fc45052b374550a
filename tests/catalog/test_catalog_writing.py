"""Catalogues written here: valid for hats and LSDB, whole or not there at all, from any executor."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import healpy
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hats.io.validation import is_valid_catalog
from survey_runs import Tables, build, stored_rows, table_of
from written_rows import CrashError, content, everything, sky_rows

from lkmrs_dask.catalog import hats_write
from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import from_dataframe, open_catalog
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import healpix29, parent


@pytest.fixture
def catalog() -> Catalog:
    return from_dataframe(sky_rows(), max_rows=100)


# -- the format ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_rows", [20, 100, 10_000])
def test_a_written_catalogue_is_valid_hats_and_has_the_same_rows(tmp_path: Path, max_rows: int) -> None:
    given = from_dataframe(sky_rows(), max_rows=max_rows)
    written = given.write(tmp_path / "mine")
    assert is_valid_catalog(tmp_path / "mine", strict=True, verbose=False)
    assert written.path == tmp_path / "mine"
    assert written.name == "mine"
    assert len(written) == 600
    assert written.pixels == given.pixels
    assert written.columns[0] == HEALPIX_COLUMN
    assert content(written).select(given.columns).equals(content(given))
    again = written.write(tmp_path / "again")
    assert content(again).equals(content(written))
    assert again.schema.equals(written.schema, check_metadata=True)


def test_files_hold_what_the_format_promises(tmp_path: Path, catalog: Catalog) -> None:
    """Hats' own check looks at neither rows nor counts."""
    root = tmp_path / "c"
    catalog.write(root)
    total = 0
    for order, pixel in catalog.pixels:
        path = root / f"dataset/Norder={order}/Dir={pixel // 10000 * 10000}/Npix={pixel}.parquet"
        with pq.ParquetFile(path) as file:
            table, group = file.read(), file.metadata.row_group(0)
        index = table.column(HEALPIX_COLUMN).to_numpy()
        assert np.all(np.diff(index) >= 0)
        assert np.array_equal(index, healpix29(table.column("ra").to_numpy(), table.column("dec").to_numpy()))
        assert set(parent(index, order).tolist()) == {pixel}
        (sorting,) = group.sorting_columns
        assert group.column(sorting.column_index).path_in_schema == HEALPIX_COLUMN
        total += len(table)
    assert total == 600
    assert len(list(root.glob("dataset/**/*.parquet"))) == len(catalog.pixels)
    assert not list(root.rglob(".*")), "no temporary file is left"

    footer = pq.read_metadata(root / "dataset/_metadata")
    assert footer.num_rows == 600
    paths = [footer.row_group(k).column(0).file_path for k in range(footer.num_row_groups)]
    assert [root / "dataset" / p for p in dict.fromkeys(paths)] == [
        root / f"dataset/Norder={order}/Dir={pixel // 10000 * 10000}/Npix={pixel}.parquet"
        for order, pixel in catalog.pixels
    ]
    listing = pd.read_csv(root / "partition_info.csv")
    assert list(zip(listing["Norder"], listing["Npix"], strict=True)) == catalog.pixels
    counts = healpy.read_map(root / "point_map.fits", nest=True, dtype=np.int64)
    index = catalog.to_arrow().column(HEALPIX_COLUMN).to_numpy()
    order = healpy.nside2order(healpy.get_nside(counts))
    assert np.array_equal(counts, np.bincount(parent(index, order), minlength=len(counts)))
    assert (root / "properties").read_text() == (root / "hats.properties").read_text()
    properties = dict(line.split("=") for line in (root / "hats.properties").read_text().splitlines()[1:])
    assert properties["hats_nrows"] == "600"
    assert properties["hats_skymap_order"] == str(order)
    assert properties["hats_order"] == str(max(catalog.pixels)[0])
    thumbnail = pq.read_table(root / "data_thumbnail.parquet", partitioning=None)
    assert thumbnail.num_rows == len(catalog.pixels)
    statistics = pq.read_table(root / "per_partition_statistics.parquet", partitioning=None)
    assert sum(statistics.column("id::row_count").to_pylist()) == 600
    assert min(statistics.column("id::min_value").to_pylist()) == 2**60


def test_row_groups_are_bounded_by_rows_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = from_dataframe(sky_rows())
    monkeypatch.setattr(hats_write, "ROW_GROUP_ROWS", 50)
    catalog.write(tmp_path / "rows")
    monkeypatch.setattr(hats_write, "ROW_GROUP_ROWS", 100_000)
    monkeypatch.setattr(hats_write, "_ROW_GROUP_BYTES", 4000)
    catalog.write(tmp_path / "bytes")
    monkeypatch.setattr(hats_write, "_ROW_GROUP_BYTES", 1)
    catalog.write(tmp_path / "single")
    sizes = {}
    for name in ("rows", "bytes", "single"):
        footer = pq.read_metadata(tmp_path / name / "dataset/_metadata")
        sizes[name] = [footer.row_group(k).num_rows for k in range(footer.num_row_groups)]
        assert sum(sizes[name]) == 600
        assert content(open_catalog(tmp_path / name)).select(catalog.columns).equals(content(catalog))
    assert max(sizes["rows"]) == 50
    assert 10 < max(sizes["bytes"]) < 100
    assert max(sizes["single"]) == 1


def test_partitions_without_rows_are_left_out(tmp_path: Path, catalog: Catalog) -> None:
    part = catalog.id_search([2**60 + 5, 2**60 + 6, 2**60 + 7], "id")
    assert len(part.pixels) == len(catalog.pixels)
    written = part.write(tmp_path / "few")
    assert 1 <= len(written.pixels) <= 3
    assert len(written) == 3
    assert is_valid_catalog(tmp_path / "few", strict=True, verbose=False)


def test_some_columns(tmp_path: Path, catalog: Catalog) -> None:
    written = catalog[["name", "dec", "ra"]].write(tmp_path / "c")
    assert written.columns == [HEALPIX_COLUMN, "name", "dec", "ra"]
    with pytest.raises(CatalogError, match="select dec, ra too"):
        catalog[["name"]].write(tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_other_names_for_coordinates_and_field_metadata_survive(tmp_path: Path) -> None:
    table = sky_rows().rename_columns({"ra": "lon", "dec": "lat"})
    field = pa.field("id", pa.int64(), metadata={"description": "a number", "unit": ""})
    table = table.cast(table.schema.set(table.schema.get_field_index("id"), field))
    written = from_dataframe(table, ra="lon", dec="lat").write(tmp_path / "c")
    assert (written.info.ra_column, written.info.dec_column) == ("lon", "lat")
    assert open_catalog(tmp_path / "c").schema.field("id").metadata[b"description"] == b"a number"
    assert len(written.cone_search(0, 90, 3600).compute()) >= 1


def test_catalogues_of_others_can_be_rewritten(tmp_path: Path, shared: Path) -> None:
    """Nested columns too, and an order-13 catalogue whose rows are not sorted by the index that it gets."""
    for name, key in (
        ("small_sky_nested", "id"),
        ("small_sky_healpix13", "id"),
        ("small_sky_source", "source_id"),
    ):
        given = open_catalog(shared / "data/hats/hats" / name)
        written = given.write(tmp_path / name)
        assert is_valid_catalog(tmp_path / name, strict=True, verbose=False)
        assert written.info.kind == given.info.kind
        assert written.to_arrow().select(given.columns).sort_by(key).equals(given.to_arrow().sort_by(key))


def test_a_margin_is_not_written(tmp_path: Path, shared: Path) -> None:
    margin = open_catalog(shared / "data/hats/hats/small_sky_o1_collection/small_sky_order1_margin")
    with pytest.raises(UsageError, match="is a margin"):
        margin.write(tmp_path / "m")


def test_the_order_of_rows_stays_declared(tmp_path: Path, catalog: Catalog) -> None:
    source = catalog.write(tmp_path / "c")
    with (tmp_path / "c" / "hats.properties").open("a") as stream:
        stream.write("hats_cols_sort=_healpix_29 id\n")
    source = open_catalog(tmp_path / "c")
    part = source.cone_search(0, 0, 60 * 3600)
    assert part.write(tmp_path / "d").info.properties["hats_cols_sort"] == "_healpix_29 id"
    assert "hats_cols_sort" not in source[["ra", "dec"]].write(tmp_path / "f").info.properties
    mapped = source.map_partitions(lambda t: t, source.schema)
    assert "hats_cols_sort" not in mapped.write(tmp_path / "e").info.properties


# -- LSDB ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # deprecations in it and its dependencies, and that there is no margin
def test_lsdb_opens_and_crossmatches(tmp_path: Path) -> None:
    """Both directions: it reads ours, we read what it writes."""
    import lsdb

    rng = np.random.default_rng(1)
    table = sky_rows().slice(4)  # away from the poles, where an offset in RA is none
    table = table.filter(pa.array(np.abs(table.column("dec").to_numpy()) < 80))
    from_dataframe(table, max_rows=50).write(tmp_path / "left")
    moved = table.set_column(2, "ra", pa.array(table.column("ra").to_numpy() + 0.3 / 3600))
    moved = moved.take(pa.array(rng.permutation(len(moved))[:200]))
    from_dataframe(moved, max_rows=90).write(tmp_path / "right")

    left = lsdb.open_catalog(tmp_path / "left")
    assert len(left) == len(table)
    assert [(p.order, p.pixel) for p in left.get_healpix_pixels()] == open_catalog(tmp_path / "left").pixels
    frame = left.compute(progress_bar=False).sort_values("id")
    assert frame["id"].tolist() == sorted(table.column("id").to_pylist())
    assert frame["name"].isna().sum() == table.column("name").null_count
    near = left.cone_search(ra=100, dec=10, radius_arcsec=20 * 3600).compute(progress_bar=False)
    assert sorted(near["id"]) == sorted(
        open_catalog(tmp_path / "left").cone_search(100, 10, 20 * 3600).to_arrow().column("id").to_pylist()
    )
    matches = left.crossmatch(
        lsdb.open_catalog(tmp_path / "right"), n_neighbors=1, radius_arcsec=1.0, suffixes=("_l", "_r")
    ).compute(progress_bar=False)
    left.write_catalog(tmp_path / "theirs", catalog_name="theirs", progress_bar=False)
    # Without a margin catalogue LSDB misses pairs that straddle a border: few of 200.
    assert 195 <= len(matches) <= 200
    assert (matches["id_l"] == matches["id_r"]).all()
    assert matches["_dist_arcsec"].max() < 0.31
    theirs = open_catalog(tmp_path / "theirs")
    assert (
        content(theirs)
        .select(["id", "ra", "dec"])
        .equals(content(open_catalog(tmp_path / "left")).select(["id", "ra", "dec"]))
    )


# -- where it runs -------------------------------------------------------------------------------------------


def test_any_executor_and_progress(tmp_path: Path, catalog: Catalog) -> None:
    seen: list[tuple[int, int]] = []
    catalog.write(tmp_path / "here", progress=lambda done, every: seen.append((done, every)))
    n = len(catalog.pixels)
    assert seen == [(k, n) for k in range(1, n + 1)]
    for threads in (1, 4):
        with ThreadPoolExecutor(threads) as pool:
            catalog.write(tmp_path / str(threads), executor=pool)
            assert pool.submit(int).result() == 0, "the caller's executor is left open"
        ours, first = everything(tmp_path / str(threads)), everything(tmp_path / "here")
        for files in (ours, first):  # these hold the name and the time
            del files["hats.properties"], files["properties"], files["point_map.fits"], files["skymap.fits"]
        assert ours == first


def plain_answers(catalog: Catalog) -> tuple[pa.Table, pd.DataFrame]:
    return catalog.to_arrow(), catalog.ddf.compute()


class FailsOnce:
    """Fails on its first call in any process, told by a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __call__(self, table: pa.Table) -> pa.Table:
        try:
            self.mark.touch(exist_ok=False)
        except FileExistsError:
            return table
        raise CrashError("once")


@pytest.mark.slow
def test_a_dask_cluster_of_processes(tmp_path: Path, catalog: Catalog) -> None:
    distributed = pytest.importorskip("distributed")
    table, frame = plain_answers(catalog)
    stored = catalog.write(tmp_path / "plain")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pool: Executor = client.get_executor()
        for source in (catalog, stored, stored):  # the same calls again must write again, not be remembered
            written = source.write(tmp_path / "c", overwrite=True, executor=pool)
            assert stored_rows(tmp_path / "c") == stored_rows(tmp_path / "plain")
        once = stored.map_partitions(FailsOnce(tmp_path / "mark"), stored.schema)
        with pytest.raises(CrashError, match="once") as failure:
            once.write(tmp_path / "c", overwrite=True, executor=pool)
        # The failure is still held, and with it the failed task: a new attempt is a new one nevertheless.
        written = once.write(tmp_path / "c", overwrite=True, executor=pool)
        assert content(written).equals(content(stored))
        assert failure.value is not None
        # A build runs there too.
        rows = [
            {"uid": f"G{k % 40}", "ra_input": 9.0 * (k % 40), "dec_input": k % 40 - 20.0, "obsid": k}
            | {"coadd": False, "mobsid": f"m{k}", "flux": [float(k)]}
            for k in range(160)
        ]
        raw = Tables({f"{k}.csv": [table_of(rows[k::3])] for k in range(3)})
        for name, executor in (("here", None), ("there", pool)):
            (tmp_path / name).mkdir()
            build(raw, tmp_path / name, max_rows=60, executor=executor)
        assert stored_rows(tmp_path / "there" / "spectra") == stored_rows(tmp_path / "here" / "spectra")
        # With a client active, lazy work goes to the cluster.
        assert catalog.to_arrow().equals(table)
        assert stored.to_arrow().select(table.column_names).equals(table)
        assert catalog.ddf.compute().equals(frame)
        assert stored.ddf[["id"]].compute().equals(frame[["id"]])
        assert (
            stored.cone_search(0, 0, 200_000).compute().equals(catalog.cone_search(0, 0, 200_000).compute())
        )
