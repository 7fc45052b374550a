"""The catalogue of light curves: rows, whole stars, the same from any order, valid by hats' own rules."""

from __future__ import annotations

import csv
import errno
import gzip
import hashlib
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hats.io.validation import is_valid_catalog
from hats.pixel_math.spatial_index import compute_spatial_index

from lkmrs_dask.catalog import light_curve_build, light_curve_groups
from lkmrs_dask.catalog.light_curve_build import BuiltLightCurves, build_light_curves
from lkmrs_dask.catalog.light_curve_groups import CurveFile, CurveReader, read_group
from lkmrs_dask.catalog.light_curve_parts import PartLimits, arrange, lay_out_curves, write_part
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.errors import CatalogError, InputError, UsageError
from lkmrs_dask.readers.light_curves.curve import LightCurve
from lkmrs_dask.readers.light_curves.reading import read_light_curve
from lkmrs_dask.readers.light_curves.rows import curves_of
from lkmrs_dask.readers.light_curves.stitching import stitch
from lkmrs_dask.readers.light_curves.table_format import TableFormat

REAL = ("lc_kepler_eb", "lc_kepler_rot", "lc_kepler_planet", "lc_k2", "lc_tess", "lc_tess_dsct")


def kepler(folder: Path, kic: int, quarter: int, n: int = 30, **keys: Any) -> Path:
    """A small file of Kepler; RA_OBJ and DEC_OBJ follow from the star's number unless given."""
    flux = 1e4 + np.arange(n) + kic
    columns = [
        fits.Column("TIME", "D", unit="BJD - 2454833", array=100.0 * quarter + 0.02 * np.arange(n) + 200.0),
        fits.Column("SAP_FLUX", "E", unit="e-/s", array=flux),
        fits.Column("PDCSAP_FLUX", "E", unit="e-/s", array=flux + 1),
        fits.Column("PDCSAP_FLUX_ERR", "E", unit="e-/s", array=np.full(n, 3.0)),
        fits.Column("SAP_QUALITY", "J", array=np.arange(n) % 3 * 32),
    ]
    first = fits.PrimaryHDU()
    first.header.update({"TELESCOP": "Kepler", "MISSION": "Kepler", "KEPLERID": kic, "QUARTER": quarter})
    place = {"RA_OBJ": 280.0 + 0.37 * (kic % 61), "DEC_OBJ": 37.0 + 0.21 * (kic % 59)} | keys
    first.header.update({key: value for key, value in place.items() if value is not None})
    hdu = fits.BinTableHDU.from_columns(columns, name="LIGHTCURVE")
    hdu.header.update({"BJDREFI": 2454833, "TIMESYS": "TDB", "TIMEDEL": 0.0204336})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"kplr{kic:09d}-q{quarter:02d}_llc.fits"
    fits.HDUList([first, hdu]).writeto(path)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Forty stars with one to four quarters each."""
    folder = tmp_path_factory.mktemp("curves")
    return [kepler(folder, 1000 + star, quarter) for star in range(40) for quarter in range(1, 2 + star % 4)]


def prints(catalog: Path) -> dict[str, str]:
    """Digests of the partitions."""
    return {
        str(path.relative_to(catalog)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((catalog / "dataset").rglob("*.parquet"))
    }


def set_aside(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_file_is_a_row_with_its_points(files: list[Path], tmp_path: Path) -> None:
    built = build_light_curves(files, tmp_path / "curves", max_stars=8)
    assert built == BuiltLightCurves(
        len(files), 40, 30 * len(files), built.partitions, {}, str(tmp_path / "curves")
    )
    assert built.partitions > 5
    table = open_catalog(tmp_path / "curves").to_arrow()
    by_file = {curve.source_file: curve for curve in curves_of(table)}
    assert len(by_file) == table.num_rows == len(files)
    for file in files:
        one, stored = read_light_curve(file), by_file[file.name]
        np.testing.assert_array_equal(one.time, stored.time)
        np.testing.assert_array_equal(one.flux, stored.flux)
        np.testing.assert_array_equal(one.flux_err, stored.flux_err)
        np.testing.assert_array_equal(one.quality, stored.quality)
        for name in ("mission", "target_id", "segment", "exptime", "unit", "ra", "dec", "author", "product"):
            assert getattr(one, name) == getattr(stored, name), name
    ra, dec = table.column("ra").to_numpy(), table.column("dec").to_numpy()
    np.testing.assert_array_equal(table.column("_healpix_29").to_numpy(), compute_spatial_index(ra, dec))
    assert not (tmp_path / "curves.set_aside.csv").exists()


def test_partitions_hold_whole_stars_and_not_too_many(files: list[Path], tmp_path: Path) -> None:
    build_light_curves(files, tmp_path / "curves", max_stars=8)
    seen: set[str] = set()
    for path in sorted((tmp_path / "curves/dataset").glob("Norder=*/Dir=*/*.parquet")):
        rows = pq.read_table(path)
        stars = rows.column("star_id").to_pylist()
        assert len(set(stars)) <= 8
        assert not seen & set(stars)
        seen |= set(stars)
        index = rows.column("_healpix_29").to_numpy()
        order = sorted(range(len(rows)), key=lambda at: (index[at], stars[at], rows["segment"][at].as_py()))
        assert order == list(range(len(rows)))
    assert len(seen) == 40


def test_partitions_are_bounded_by_bytes(files: list[Path], tmp_path: Path) -> None:
    # 30 points of 20 bytes and 400 bytes a row: a star has 1 to 4 kB.
    built = build_light_curves(files, tmp_path / "curves", max_mb=6e-3, max_stars=1000)
    for path in (tmp_path / "curves/dataset").glob("Norder=*/Dir=*/*.parquet"):
        assert 1000 * pq.read_metadata(path).num_rows <= 6e-3 * 2**20
    assert built.partitions >= 20
    whole = build_light_curves(files, tmp_path / "curves", max_stars=1000)
    assert whole.partitions == 1


def test_the_same_from_any_order_and_executor(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_light_curves(files, tmp_path / "one", max_stars=8)
    expected = prints(tmp_path / "one")
    monkeypatch.setattr(light_curve_build, "_GROUP", 7)
    pools: list[Executor] = [
        ThreadPoolExecutor(3),
        ProcessPoolExecutor(2, mp_context=get_context("spawn")),
    ]
    for number, pool in enumerate(pools):
        with pool:
            build_light_curves(files[::-1], tmp_path / f"{number}", max_stars=8, executor=pool)
        assert prints(tmp_path / f"{number}") == expected
    # A folder, and files that are named twice.
    build_light_curves([files[0].parent, *files[:9]], tmp_path / "folder", max_stars=8)
    assert prints(tmp_path / "folder") == expected


def test_valid_and_read_by_hats_and_nested_pandas(files: list[Path], tmp_path: Path) -> None:
    build_light_curves(files, tmp_path / "curves", max_stars=8)
    assert is_valid_catalog(tmp_path / "curves", strict=True, verbose=False)
    nested = pytest.importorskip("nested_pandas")
    path = next(iter(sorted((tmp_path / "curves/dataset").glob("Norder=*/Dir=*/*.parquet"))))
    frame = nested.read_parquet(path)
    packed = frame.nest_lists(columns=["time", "flux", "flux_err", "quality"], name="curve")
    rows = pq.read_table(path)
    np.testing.assert_array_equal(
        packed["curve.time"].to_numpy(), rows.column("time").combine_chunks().flatten()
    )
    assert packed.query("curve.quality == 0")["curve.flux"].size == 10 * len(rows)


def test_read_by_lsdb(files: list[Path], tmp_path: Path) -> None:
    lsdb = pytest.importorskip("lsdb")
    build_light_curves(files, tmp_path / "curves", max_stars=8)
    frame = lsdb.open_catalog(tmp_path / "curves", columns=["star_id", "n_points", "time"]).compute()
    assert len(frame) == len(files)
    assert [len(times) for times in frame["time"]] == frame["n_points"].tolist()


def test_a_star_has_one_position_whatever_its_headers_say(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    kepler(folder, 5, 1, RA_OBJ=None, DEC_OBJ=None)
    kepler(folder, 5, 2, RA_OBJ=290.0, DEC_OBJ=44.0)
    kepler(folder, 5, 3, RA_OBJ=290.1, DEC_OBJ=44.1)
    build_light_curves(folder, tmp_path / "curves")
    table = open_catalog(tmp_path / "curves").to_arrow()
    assert table.column("segment").to_pylist() == [1, 2, 3]
    assert set(table.column("ra").to_pylist()) == {290.0}
    assert set(table.column("dec").to_pylist()) == {44.0}


def test_targets_give_positions_and_names(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    kepler(folder, 5, 1, RA_OBJ=None, DEC_OBJ=None)
    kepler(folder, 6, 1, RA_OBJ=None, DEC_OBJ=None)
    kepler(folder, 7, 1)
    targets = pa.table(
        {
            "mission": ["KEPLER", "Kepler", "TESS"], "target_id": [5, 7, 6], "star_id": ["G5", None, "G6"],
            "ra": [10.0, 11.0, 12.0], "dec": [-5.0, -6.0, -7.0],
        }
    )  # fmt: skip
    built = build_light_curves(folder, tmp_path / "curves", targets=targets)
    assert (built.rows, built.set_aside) == (2, {"missing coordinate": 1})
    rows = {row["target_id"]: row for row in open_catalog(tmp_path / "curves").to_arrow().to_pylist()}
    assert (rows[5]["star_id"], rows[5]["ra"], rows[5]["dec"]) == ("G5", 10.0, -5.0)
    assert (rows[7]["star_id"], rows[7]["ra"]) == ("KIC 7", 280.0 + 0.37 * 7)  # that of its header
    lines = set_aside(tmp_path / "curves.set_aside.csv")
    assert [(line["reason"], line["value"]) for line in lines] == [("missing coordinate", "KIC 6")]
    with pytest.raises(UsageError, match="no column mission"):
        build_light_curves(folder, tmp_path / "x", targets=targets.drop_columns(["mission"]))
    wrong = targets.set_column(0, "mission", pa.array(["Gaia"] * 3))
    with pytest.raises(UsageError, match="unknown mission"):
        build_light_curves(folder, tmp_path / "x", targets=wrong)


def test_missions_that_share_a_star_share_its_partition(files: list[Path], tmp_path: Path) -> None:
    tess = kepler(tmp_path / "raw", 77, 1, TELESCOP="TESS", TICID=77, KEPLERID=None, SECTOR=14, RA_OBJ=281.0)
    targets = pa.table(
        {"mission": ["Kepler", "TESS"], "target_id": [1000, 77], "ra": [280.5, 280.5], "dec": [40.0, 40.0],
         "star_id": ["G1", "G1"]}
    )  # fmt: skip
    with fits.open(tess, mode="update") as hdus:
        del hdus[0].header["MISSION"]
        del hdus[0].header["KEPLERID"]
    build_light_curves([*files, tess], tmp_path / "curves", targets=targets, max_stars=1)
    catalog = open_catalog(tmp_path / "curves")
    star = catalog.cone_search(280.5, 40.0, 1.0).to_arrow()
    assert star.column("mission").to_pylist() == ["Kepler", "TESS"]
    assert set(star.column("star_id").to_pylist()) == {"G1"}
    assert len(stitch(star).time) == 2 * 10


def test_bad_files_are_set_aside_with_a_reason(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    good = kepler(folder, 5, 1)
    (folder / "cut.fits").write_bytes(good.read_bytes()[:-2880])
    (folder / "empty.fits").write_bytes(b"")
    copy = folder / "copy.fits.gz"
    copy.write_bytes(gzip.compress(good.read_bytes()))
    built = build_light_curves(folder, tmp_path / "curves")
    assert built.rows == 1
    assert built.set_aside == {"repeated light curve": 1, "unreadable light curve": 2}
    lines = set_aside(tmp_path / "curves.set_aside.csv")
    assert [Path(line["file"]).name for line in lines] == ["cut.fits", "empty.fits", good.name]
    assert "truncated FITS" in lines[0]["value"]
    copy.unlink()
    good.unlink()
    with pytest.raises(CatalogError, match=r"no light curve can be used: \{'unreadable light curve': 2\}"):
        build_light_curves(folder, tmp_path / "curves")
    assert len(open_catalog(tmp_path / "curves")) == 1  # the last good one


def test_a_fault_that_may_pass_is_none_of_the_file(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlucky(file: Path, **options: Any) -> LightCurve:
        raise InputError("cannot be read", file=file) from OSError(errno.ESTALE, "stale")

    monkeypatch.setattr(light_curve_groups, "read_light_curve", unlucky)
    with pytest.raises(InputError, match="cannot be read"):
        build_light_curves(files, tmp_path / "curves")
    assert not list(tmp_path.glob("*curves*"))


def test_wrong_settings(files: list[Path], tmp_path: Path) -> None:
    for settings in ({"max_mb": 0.0}, {"max_stars": 0}):
        with pytest.raises(UsageError, match="room for a star"):
            build_light_curves(files, tmp_path / "curves", **settings)
    with pytest.raises(UsageError, match="no files"):
        build_light_curves([], tmp_path / "curves")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="no HATS catalogue"):
        build_light_curves(files, tmp_path / "other")


def test_plain_tables_with_targets(tmp_path: Path) -> None:
    paths = []
    for star in (201367065, 201317002):
        paths.append(tmp_path / f"EPIC{star}.csv")
        paths[-1].write_text("".join(f"{2000 + 0.02 * k:.3f},{1 + 0.001 * k:.3f}\n" for k in range(20)))
    targets = pa.table(
        {
            "mission": ["K2", "K2"],
            "target_id": [201367065, 201317002],
            "ra": [172.3, 173.0],
            "dec": [-1.4, 0.9],
        }
    )
    form = TableFormat(unit="relative")
    built = build_light_curves(paths, tmp_path / "curves", table=form, targets=targets)
    assert (built.rows, built.stars, built.points) == (2, 2, 40)
    table = open_catalog(tmp_path / "curves").to_arrow()
    assert set(table.column("time_scale").to_pylist()) == {"assumed"}
    assert table.column("segment").to_pylist() == [None, None]


def test_real_files_of_all_missions(shared: Path, tmp_path: Path) -> None:
    paths = [file for place in REAL for file in sorted((shared / "data" / place).glob("*.fits"))]
    built = build_light_curves(paths, tmp_path / "curves")
    assert (built.rows, built.set_aside) == (len(paths), {})
    table = open_catalog(tmp_path / "curves").to_arrow()
    assert built.points == sum(len(read_light_curve(path)) for path in paths)
    eclipsing = table.filter(pa.compute.equal(table.column("star_id"), "KIC 5023948"))
    assert eclipsing.column("segment").to_pylist() == [7, 8, 9, 11, 12, 13, 15, 16, 17]
    joined = stitch(eclipsing)
    apart = stitch([read_light_curve(path) for path in paths if "005023948" in path.name])
    np.testing.assert_array_equal(joined.time, apart.time)
    # The catalogue's flux is float32, as the files' is: the same numbers.
    np.testing.assert_array_equal(joined.flux, apart.flux)
    pleiad = table.filter(pa.compute.equal(table.column("star_id"), "EPIC 211121743"))
    assert sorted(pleiad.column("author").to_pylist()) == ["K2", "K2VARCAT"]
    assert len(pleiad.column("ra").unique()) == 1


def test_curves_without_a_number_in_the_list_are_of_the_nearest_target(tmp_path: Path) -> None:
    """By place, across RA 0 and at the pole, within the radius; a number goes before a place."""
    folder = tmp_path / "raw"
    arcsec = 1.0 / 3600.0
    places = {
        1: (359.9999, 10.0), 2: (10.0, 10.0), 3: (20.0, 10.0), 4: (77.0, 90.0), 5: (30.0, 10.0),
        6: (40.0, 10.0),
    }  # fmt: skip
    files = [kepler(folder, kic, 1, RA_OBJ=ra, DEC_OBJ=dec) for kic, (ra, dec) in places.items()]
    targets = pa.table(
        {
            "mission": ["TESS", None, "Kepler", "TESS", "TESS", "Kepler"],
            "target_id": [1, None, 3, 4, 5, None],
            "ra": [0.0, 10.0 + 2.0 * arcsec, 50.0, 200.0, 30.0 + 9 * arcsec, 40.0],
            "dec": [10.0, 10.0, -20.0, 90.0 - arcsec, 10.0, 10.0],
            "star_id": ["border", "near", "named", "pole", "far", None],
        }
    )
    build_light_curves(files, tmp_path / "curves", targets=targets, radius_arcsec=3.7)
    found = open_catalog(tmp_path / "curves").to_arrow().to_pylist()
    names = {row["target_id"]: row["star_id"] for row in found}
    assert names == {1: "border", 2: "near", 3: "named", 4: "pole", 5: "KIC 5", 6: "KIC 6"}
    by_name = {row["star_id"]: (row["ra"], row["dec"]) for row in found}
    assert by_name["near"] == (10.0 + 2.0 * arcsec, 10.0)
    assert by_name["named"] == (50.0, -20.0)
    assert by_name["KIC 5"] == (30.0, 10.0)
    with pytest.raises(UsageError, match="radius_arcsec must be above 0"):
        build_light_curves(files, tmp_path / "curves", targets=targets, radius_arcsec=-1.0)


def test_points_of_files_that_are_gone_come_from_the_catalogue_before(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    files = [kepler(raw, 1000 + star, quarter) for star in range(6) for quarter in (1, 2)]
    build_light_curves(files, tmp_path / "before", max_stars=2)
    group = read_group((CurveReader(),), tmp_path, "all", [CurveFile(file) for file in files])
    (tmp_path / "all.arrow").unlink()
    rows, _ = arrange([group.rows])
    kept = files[3]
    for file in files:
        if file != kept:
            file.unlink()
    for part in lay_out_curves(rows, PartLimits(max_stars=4)):
        write_part((CurveReader(),), tmp_path, tmp_path / "after", part, tmp_path / "before")
    before = open_catalog(tmp_path / "before").to_arrow()
    after = pa.concat_tables(
        [pq.read_table(path, partitioning=None) for path in sorted((tmp_path / "after").rglob("*.parquet"))]
    )
    key = [("source_file", "ascending")]
    assert after.sort_by(key).equals(before.sort_by(key))
    with pytest.raises(InputError, match="there is no such file"):
        write_part((CurveReader(),), tmp_path, tmp_path / "other", lay_out_curves(rows, PartLimits())[0])


def test_a_header_with_an_impossible_number_costs_its_file_alone(tmp_path: Path) -> None:
    files = [kepler(tmp_path, 1000 + star, 1) for star in range(3)]
    with fits.open(files[1], mode="update") as hdus:
        hdus[0].header["QUARTER"] = 10**12
    built = build_light_curves(files, tmp_path / "curves")
    assert (built.rows, built.set_aside) == (2, {"unreadable light curve": 1})
    (line,) = set_aside(tmp_path / "curves.set_aside.csv")
    assert line["file"].endswith(files[1].name)
    assert "segment 1000000000000" in line["value"]


def test_of_targets_with_one_number_the_nearest_is_taken(tmp_path: Path) -> None:
    file = kepler(tmp_path, 7, 1, RA_OBJ=10.0, DEC_OBJ=20.0)
    targets = pa.table(
        {"mission": ["Kepler", "Kepler"], "target_id": [7, 7], "ra": [10.0, 10.0], "dec": [21.0, 20.0001],
         "star_id": ["far", "near"]}
    )  # fmt: skip
    build_light_curves([file], tmp_path / "curves", targets=targets)
    assert open_catalog(tmp_path / "curves").to_arrow().column("star_id").to_pylist() == ["near"]
