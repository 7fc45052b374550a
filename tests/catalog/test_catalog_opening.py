"""Opening catalogues that other programs wrote, and catalogues made of data frames."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hats.pixel_math.spatial_index import compute_spatial_index

from lkmrs_dask.catalog.catalog import to_pandas
from lkmrs_dask.catalog.opening import from_dataframe, open_catalog
from lkmrs_dask.errors import CatalogError, InputError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN

# Folder under data/hats/hats, rows, HEALPix pixels, id column, coordinates.
SMALL_SKY = ("small_sky", 131, 1, "id", ("ra", "dec"))
CATALOGS = [
    SMALL_SKY,
    ("small_sky_npix_as_dir", 131, 1, "id", ("ra", "dec")),
    ("small_sky_healpix13", 131, 1, "id", ("ra", "dec")),
    ("small_sky_nested", 131, 13, "id", ("ra", "dec")),
    ("small_sky_source", 17161, 14, "source_id", ("source_ra", "source_dec")),
    ("small_sky_o1_collection", 131, 4, "id", ("ra", "dec")),
    ("small_sky_o1_collection/small_sky_order1", 131, 4, "id", ("ra", "dec")),
    ("small_sky_o1_collection/small_sky_order1_margin", 47, 7, "id", ("ra", "dec")),
    ("small_sky_o1_collection/small_sky_order1_margin_10arcs", 0, 0, "id", ("ra", "dec")),
]


def folder(shared: Path, name: str) -> Path:
    return shared / "data" / "hats" / "hats" / name


def copy_of(shared: Path, tmp_path: Path, name: str = "small_sky") -> Path:
    root = tmp_path / name
    shutil.copytree(folder(shared, name), root)
    for path in [root, *root.rglob("*")]:  # the real files may be read-only
        path.chmod(0o755)
    return root


def plain_read(root: Path) -> pa.Table:
    """All Parquet files under a catalogue, by pyarrow alone."""
    if (root / "collection.properties").is_file():
        root = root / "small_sky_order1"
    files = sorted(root.glob("dataset/**/*.parquet"))
    schema = pq.read_schema(root / "dataset" / "_common_metadata").remove_metadata()
    return pa.concat_tables([schema.empty_table(), *(pq.read_table(f, partitioning=None) for f in files)])


def by_id(table: pa.Table, name: str) -> list[dict]:
    names = sorted(set(table.column_names) - {HEALPIX_COLUMN})
    keys = [(name, "ascending"), ("ra" if "ra" in names else name, "ascending")]
    return table.sort_by(keys).select(names).to_pylist()


@pytest.mark.parametrize(("name", "rows", "pixels", "key", "position"), CATALOGS)
def test_catalogues_of_others_open_with_all_their_rows(
    shared: Path, name: str, rows: int, pixels: int, key: str, position: tuple[str, str]
) -> None:
    catalog = open_catalog(folder(shared, name))
    plain = plain_read(folder(shared, name))
    assert len(catalog) == rows == plain.num_rows
    assert len(catalog.pixels) == len(catalog.tiling) == pixels
    assert set(catalog.columns) == set(plain.column_names) | {HEALPIX_COLUMN}
    table = catalog.to_arrow()
    assert table.schema.equals(catalog.schema)
    assert by_id(table, key) == by_id(plain, key)
    if rows:
        ra, dec = (table.column(name).to_numpy() for name in position)
        assert np.array_equal(table.column(HEALPIX_COLUMN).to_numpy(), compute_spatial_index(ra, dec))
    assert catalog.compute().equals(to_pandas(table))
    assert len(catalog.head(3)) == min(3, rows)


@pytest.mark.parametrize(("name", "rows", "pixels", "key", "position"), CATALOGS)
def test_their_data_frames_have_the_same_rows(
    shared: Path, name: str, rows: int, pixels: int, key: str, position: tuple[str, str]
) -> None:
    catalog = open_catalog(folder(shared, name))
    ddf = catalog.ddf
    assert ddf.npartitions == max(pixels, 1)
    frame = ddf.compute()
    assert len(frame) == rows
    back = pa.Table.from_pandas(frame, preserve_index=False)
    assert by_id(back, key) == by_id(plain_read(folder(shared, name)), key)
    assert frame.dtypes.equals(ddf._meta.dtypes)
    assert frame.index.dtype == np.int64
    if "margin" not in name:
        assert ddf.known_divisions


def test_the_index_of_an_order_13_catalogue_is_made_and_rows_sorted_by_it(shared: Path) -> None:
    catalog = open_catalog(folder(shared, "small_sky_healpix13"))
    assert catalog.columns[0] == HEALPIX_COLUMN
    frame = catalog.ddf.compute()
    assert frame.index.is_monotonic_increasing
    assert np.array_equal(np.asarray(frame["healpix13"], dtype=np.int64), frame.index.to_numpy() >> 32)
    assert np.array_equal(np.sort(catalog[["id"]].compute()["id"].to_numpy()), np.arange(700, 831))


def test_nested_columns_are_whole(shared: Path) -> None:
    root = folder(shared, "small_sky_nested")
    catalog = open_catalog(root)
    plain = {row["id"]: row["lc"] for row in plain_read(root).select(["id", "lc"]).to_pylist()}
    frame = catalog.ddf[["id", "lc"]].compute()
    found = dict(zip(frame["id"].tolist(), frame["lc"].array._pa_array.to_pylist(), strict=True))
    assert found == plain
    assert sum(len(curve["mjd"]) for curve in found.values()) == 16135


def test_a_collection_opens_as_its_primary_table(shared: Path) -> None:
    catalog = open_catalog(folder(shared, "small_sky_o1_collection"))
    assert catalog.name == "small_sky_order1"
    assert catalog.pixels == [(1, 44), (1, 45), (1, 46), (1, 47)]


def test_pixels_are_found_without_the_list_of_them(shared: Path, tmp_path: Path) -> None:
    root = copy_of(shared, tmp_path, "small_sky_source")
    whole = open_catalog(root).pixels
    for file in ("partition_info.csv", "dataset/_metadata"):
        (root / file).unlink()
        again = open_catalog(root)
        assert again.pixels == whole
        assert again.to_arrow().num_rows == 17161


def test_the_schema_is_found_without_the_common_one(shared: Path, tmp_path: Path) -> None:
    root = copy_of(shared, tmp_path)
    schema = open_catalog(root).schema
    (root / "dataset" / "_common_metadata").unlink()
    assert open_catalog(root).schema.equals(schema)


Damage = Callable[[Path], object]


def drop(*names: str) -> Damage:
    def do(root: Path) -> None:
        for name in names:
            (root / name).unlink()

    return do


def put(name: str, text: str) -> Damage:
    return lambda root: (root / name).write_text(text)


PROPERTIES = "obs_collection=x\ndataproduct_type=object\nhats_col_ra=ra\nhats_col_dec=dec\n"


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (shutil.rmtree, r"small_sky: no such folder"),
        (drop("hats.properties", "properties"), "not a HATS catalogue"),
        (put("hats.properties", "obs_collection=x\nhats_col_ra=ra\n"), "hats.properties: lacks hats_col_dec"),
        (put("hats.properties", PROPERTIES + "hats_col_healpix_order=deep\n"), "is no number: deep"),
        (put("hats.properties", PROPERTIES.replace("object", "association")), None),
        (put("hats.properties", PROPERTIES.replace("object", "map")), "kind map has no rows on the sky"),
        (put("partition_info.csv", "Norder,Npix\n0,eleven\n"), "partition_info.csv: needs integer columns"),
        (put("partition_info.csv", "order,pixel\n0,11\n"), "partition_info.csv: needs integer columns"),
        (put("partition_info.csv", "Norder,Npix\n0,12\n"), "no HEALPix pixel of order 0 with number 12"),
        (put("partition_info.csv", "Norder,Npix\n0,11\n1,44\n"), "overlap"),
        (put("dataset/_common_metadata", "PAR1 nonsense"), "_common_metadata: cannot be read as Parquet"),
        (
            put("collection.properties", "hats_primary_table_url=elsewhere"),
            "names no folder beside it: elsewhere",
        ),
        (put("collection.properties", "obs_collection=x"), "names no folder beside it: None"),
    ],
)
def test_folders_that_are_no_catalogue(
    shared: Path, tmp_path: Path, damage: Damage, match: str | None
) -> None:
    root = copy_of(shared, tmp_path)
    damage(root)
    if match is None:
        assert len(open_catalog(root).to_arrow()) == 131
        return
    with pytest.raises(CatalogError, match=match):
        open_catalog(root)


def test_a_broken_list_of_footers(shared: Path, tmp_path: Path) -> None:
    root = copy_of(shared, tmp_path)
    (root / "partition_info.csv").unlink()
    (root / "dataset" / "_metadata").write_bytes(b"PAR1....PAR1")
    with pytest.raises(CatalogError, match="_metadata: cannot be read as Parquet"):
        open_catalog(root)


def test_an_index_catalogue_has_no_rows_on_the_sky(shared: Path) -> None:
    with pytest.raises(CatalogError, match="kind index has no rows on the sky"):
        open_catalog(folder(shared, "small_sky_o1_collection/small_sky_order1_id_index"))


def test_a_file_is_no_catalogue(shared: Path) -> None:
    with pytest.raises(CatalogError, match="no such folder"):
        open_catalog(folder(shared, "small_sky/hats.properties"))


def test_a_catalogue_without_index_and_coordinates(tmp_path: Path) -> None:
    leaf = tmp_path / "dataset" / "Norder=0" / "Dir=0"
    leaf.mkdir(parents=True)
    pq.write_table(pa.table({"id": [1]}), leaf / "Npix=3.parquet")
    (tmp_path / "hats.properties").write_text(PROPERTIES)
    with pytest.raises(CatalogError, match="neither _healpix_29 nor coordinates"):
        open_catalog(tmp_path)


def test_a_catalogue_without_anything(tmp_path: Path) -> None:
    (tmp_path / "hats.properties").write_text(PROPERTIES)
    with pytest.raises(CatalogError, match="no partitions and no _common_metadata"):
        open_catalog(tmp_path)


PARTITION = "dataset/Norder=0/Dir=0/Npix=11.parquet"


def test_a_missing_partition(shared: Path, tmp_path: Path) -> None:
    root = copy_of(shared, tmp_path)
    (root / PARTITION).unlink()
    catalog = open_catalog(root)  # nothing is read yet
    for read in (
        catalog.to_arrow,
        catalog.ddf.compute,
        catalog.head,
        lambda: catalog.write(tmp_path / "new"),
    ):
        with pytest.raises(CatalogError, match=r"Npix=11.parquet: the partition's file is missing"):
            read()


@pytest.mark.parametrize("content", [b"", b"not Parquet", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_broken_partition(shared: Path, tmp_path: Path, content: bytes) -> None:
    root = copy_of(shared, tmp_path)
    (root / PARTITION).write_bytes(content)
    with pytest.raises(CatalogError, match=r"Npix=11.parquet: cannot be read"):
        open_catalog(root).to_arrow()


def test_a_truncated_partition(shared: Path, tmp_path: Path) -> None:
    root = copy_of(shared, tmp_path)
    whole = (root / PARTITION).read_bytes()
    (root / PARTITION).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CatalogError, match=r"Npix=11.parquet: cannot be read"):
        open_catalog(root).to_arrow()


def test_a_partition_that_lacks_a_column(shared: Path, tmp_path: Path) -> None:
    root = copy_of(shared, tmp_path)
    table = pq.read_table(root / PARTITION, partitioning=None)
    pq.write_table(table.drop_columns(["ra_error"]), root / PARTITION)
    with pytest.raises(
        CatalogError, match=r"Npix=11.parquet: lacks columns that the catalogue has: ra_error"
    ):
        open_catalog(root).to_arrow()
    assert open_catalog(root)[["id"]].to_arrow().num_rows == 131


def test_a_partition_with_other_types(shared: Path, tmp_path: Path) -> None:
    """Those that convert without loss do; others are an error that names the file."""
    root = copy_of(shared, tmp_path)
    table = pq.read_table(root / PARTITION, partitioning=None)
    narrow = table.set_column(4, "ra_error", table.column("ra_error").cast(pa.int16()))
    pq.write_table(narrow, root / PARTITION)
    assert open_catalog(root).to_arrow().equals(table.replace_schema_metadata(None))
    text = table.set_column(4, "ra_error", pa.array(["much"] * 131))
    pq.write_table(text, root / PARTITION)
    with pytest.raises(
        CatalogError, match=r"Npix=11.parquet: cannot be read as Parquet with the catalogue's columns"
    ):
        open_catalog(root).to_arrow()


# -- data frames ---------------------------------------------------------------------------------------------


def frame(n: int = 500, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    return pd.DataFrame({"ra": ra, "dec": dec, "id": np.arange(n), "name": [f"s{k}" for k in range(n)]})


@pytest.mark.parametrize("max_rows", [1, 7, 100, 10_000])
def test_from_dataframe_keeps_the_rows(max_rows: int) -> None:
    given = frame()
    catalog = from_dataframe(given, max_rows=max_rows, name="mine")
    assert catalog.name == "mine"
    assert len(catalog) == 500
    table = catalog.to_arrow()
    index = table.column(HEALPIX_COLUMN).to_numpy()
    assert np.all(index[1:] >= index[:-1])
    assert np.array_equal(index, compute_spatial_index(*table.select(["ra", "dec"]).to_pandas().to_numpy().T))
    back = table.sort_by("id").drop_columns([HEALPIX_COLUMN]).to_pandas()
    assert back.equals(given)
    assert all(len(catalog.source.read(*pixel)) <= max_rows for pixel in catalog.pixels)


def test_from_dataframe_takes_arrow_other_names_and_its_own_output() -> None:
    given = frame(50).rename(columns={"ra": "lon", "dec": "lat"})
    catalog = from_dataframe(pa.Table.from_pandas(given), ra="lon", dec="lat")
    assert catalog.columns == [HEALPIX_COLUMN, "lon", "lat", "id", "name"]
    assert len(catalog.cone_search(given["lon"][3], given["lat"][3], 1).compute()) == 1
    again = from_dataframe(catalog.compute(), ra="lon", dec="lat")
    assert again.to_arrow().equals(catalog.to_arrow().cast(again.schema))
    assert from_dataframe(catalog.to_arrow(), ra="lon", dec="lat").to_arrow().equals(catalog.to_arrow())


def test_an_empty_data_frame() -> None:
    catalog = from_dataframe(frame(0))
    assert len(catalog) == 0
    assert catalog.pixels == []
    assert catalog.ddf.compute().empty
    assert list(catalog.ddf.columns) == ["ra", "dec", "id", "name"]
    assert catalog.compute().empty
    assert catalog.head().empty
    assert len(catalog.cone_search(0, 0, 1)) == 0


@pytest.mark.parametrize(
    ("column", "value", "match"),
    [
        ("ra", np.nan, "column ra, row 3: nan is no coordinate"),
        ("ra", np.inf, "column ra, row 3: inf"),
        ("dec", np.nan, "column dec, row 3: nan"),
        ("dec", 90.5, "column dec, row 3: 90.5"),
        ("dec", -95.0, "column dec, row 3: -95"),
        ("dec", None, "column dec, row 3: nan"),
    ],
)
def test_from_dataframe_names_the_row_that_has_no_position(column: str, value: float, match: str) -> None:
    bad = frame(5)
    bad.loc[2, column] = value
    with pytest.raises(InputError, match=match):
        from_dataframe(bad)


def test_from_dataframe_needs_numbers_for_coordinates() -> None:
    with pytest.raises(UsageError, match="no column dec; say which"):
        from_dataframe(frame(3).drop(columns="dec"))
    with pytest.raises(UsageError, match="column name holds no coordinates"):
        from_dataframe(frame(3), ra="name")
    with pytest.raises(UsageError, match="max_rows=0"):
        from_dataframe(frame(3), max_rows=0)
