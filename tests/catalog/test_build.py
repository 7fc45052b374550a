"""From runs to a catalogue, against a plain reading of what it must hold, however the rows are split."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import astropy.units as u
import numpy as np
import pyarrow as pa
import pytest
from astropy.coordinates import SkyCoord
from hats.io.validation import is_valid_catalog
from hats.pixel_math.spatial_index import compute_spatial_index
from hypothesis import given, settings
from hypothesis import strategies as st
from survey_runs import (
    MEASUREMENTS,
    SPECTRA,
    Row,
    Tables,
    build,
    expected_rows,
    place,
    read_files,
    stored_rows,
    table_of,
    taken_out,
)

from lkmrs_dask.catalog import build as build_module
from lkmrs_dask.catalog import runs as runs_module
from lkmrs_dask.catalog.build import build_catalog
from lkmrs_dask.catalog.layout import StarPlaces, place_stars
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.catalog.repeats import KEPT, ROW_OF_PARTITION
from lkmrs_dask.catalog.verify import verify_catalog
from lkmrs_dask.errors import CatalogError, InputError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import healpix29, parent

# Centres of stars: pixel corners, RA 0, the poles, and plain places; all far apart.
CENTRES = [
    (45.0, 0.0),
    (0.0, -10.0),
    (359.99999, 30.0),
    (123.0, 90.0),
    (10.0, -90.0),
    (290.0, 44.0),
    (0.0, 0.0),
    (22.5, 41.8103148957786),
    (290.0, 44.1),
]


def around(star: int, number: int) -> tuple[float, float]:
    """One of four positions of a star, 0.5 arcsec from its centre."""
    ra, dec = CENTRES[star]
    moved = SkyCoord(ra * u.deg, dec * u.deg).directional_offset_by(
        (45 + 90 * number) * u.deg, 0.5 * u.arcsec
    )
    return float(moved.ra.deg), float(moved.dec.deg)


POSITIONS = {(star, n): around(star, n) for star in range(len(CENTRES)) for n in range(4)}

OPTIONAL = ["uid", "flux", "snr", "band", "lmjd", "obsid"]
raw_rows = st.lists(
    st.fixed_dictionaries(
        {
            "star": st.integers(0, len(CENTRES) - 1),
            "at": st.integers(0, 3),
            "named": st.booleans(),
            "obsid": st.none() | st.integers(1, 2),
            "coadd": st.booleans(),
            "lmjm": st.none() | st.integers(1, 2),
            "band": st.none() | st.sampled_from("BR"),
            "lmjd": st.none() | st.integers(58000, 58001),
            "snr": st.none() | st.floats(0, 100, width=16),
            "flux": st.none() | st.lists(st.floats(-2, 2, width=16), max_size=2),
            "file": st.integers(0, 3),
        }
    ),
    min_size=1,
    max_size=30,
)


def spelled_out(drawn: Sequence[Row], without: dict[int, set[str]]) -> tuple[list[Row], list[int], list[int]]:
    """Raw rows, and the true star and the file of each."""
    rows = []
    for number, row in enumerate(drawn):
        ra, dec = POSITIONS[row["star"], row["at"]]
        full = {name: value for name, value in row.items() if name not in ("star", "at", "named", "file")}
        full |= {"uid": f"G{row['star']}" if row["named"] else None, "ra_input": ra, "dec_input": dec}
        full["mobsid"] = f"m{number:03d}"
        rows.append(
            {name: value for name, value in full.items() if name not in without.get(row["file"], set())}
        )
    return rows, [row["star"] for row in drawn], [row["file"] for row in drawn]


def check_built(root: Path, rows: list[Row], star: list[int], groups: pa.Table) -> None:
    """Compare a catalogue on disk, and its repeated rows, with the rows that it was built of."""
    repeats = taken_out(groups)
    stored = stored_rows(root)
    of = {row["mobsid"]: number for row, number in zip(rows, star, strict=True)}
    places = defaultdict(set)
    for row in stored:
        places[of[row["mobsid"]]].add((row[HEALPIX_COLUMN], row["star_id"], row["ra"], row["dec"]))
    assert set(places) == set(star), "no star is lost"
    assert all(len(found) == 1 for found in places.values()), "a star has one id and one position"
    where = {number: next(iter(found)) for number, found in places.items()}
    assert len({found[1] for found in where.values()}) == len(where), "no two stars share an id"
    for number, (index, star_id, ra, dec) in where.items():
        mine = [row for row, s in zip(rows, star, strict=True) if s == number]
        assert (ra, dec) in {(row["ra_input"], row["dec_input"]) for row in mine}
        assert index == compute_spatial_index(np.array([ra]), np.array([dec]))[0]
        uids = {row.get("uid") for row in mine} - {None}
        assert uids <= {star_id}
        assert uids or star_id.startswith("LKMRS J")

    kept, copies = expected_rows(rows, [where[number][:2] for number in star], SPECTRA)
    names = [name for name in SPECTRA.names if name in {n for row in rows for n in row}]
    found = [{name: row[name] for name in names} for row in stored]
    assert found == [{name: row[name] for name in names} for row in kept]
    assert [row["star_id"] for row in stored] == [where[of[row["mobsid"]]][1] for row in kept]
    assert repeats.to_pylist() == [{n: row[n] for n in repeats.column_names} for row in copies]
    assert len(kept) + len(copies) == len(rows)
    check_groups(groups, root, rows)

    catalog = open_catalog(root)
    assert catalog.columns == [
        n for n in SPECTRA.names if n in {*names, HEALPIX_COLUMN, "star_id", "ra", "dec"}
    ]
    assert len(catalog) == len(kept)
    assert verify_catalog(root) == []


def check_groups(groups: pa.Table, root: Path, rows: list[Row]) -> None:
    """Each group is one row that was kept, as it came, and its copies; it knows its row in its partition."""
    by_name = {row["mobsid"]: row for row in rows}
    partitions = iter([open_catalog(root).source.read(*pixel) for pixel in open_catalog(root).pixels])
    partition, last = None, -1
    for row in groups.to_pylist():
        kept, at = row.pop(KEPT), row.pop(ROW_OF_PARTITION)
        assert row == {name: by_name[row["mobsid"]].get(name) for name in row}, "nothing was filled in"
        if not kept:
            assert at == last, "copies stand behind the row that was kept"
            continue
        # Partitions come in sky order, and within one the groups' rows rise.
        while partition is None or at <= last or partition.column("mobsid")[at].as_py() != row["mobsid"]:
            partition, last = next(partitions), -1
            if at >= len(partition):
                partition = None
        last = at


@given(
    drawn=raw_rows,
    without=st.dictionaries(st.integers(0, 3), st.sets(st.sampled_from(OPTIONAL))),
    pieces=st.integers(1, 7),
    run_rows=st.integers(1, 12),
    max_rows=st.integers(1, 40),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_a_build_holds_what_its_rows_say_however_they_are_split(
    drawn: list[Row],
    without: dict[int, set[str]],
    pieces: int,
    run_rows: int,
    max_rows: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rows, star, file = spelled_out(drawn, without)
    tables = {}
    for number in sorted(set(file)):
        table = table_of([row for row, f in zip(rows, file, strict=True) if f == number])
        tables[f"file{number}.csv"] = [table.slice(at, pieces) for at in range(0, len(table), pieces)]
    folder = tmp_path_factory.mktemp("build")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs_module, "RUN_ROWS", run_rows)
        built, _ = build(Tables(tables), folder, max_rows=max_rows)
    check_built(folder / "spectra", rows, star, built.repeats)
    counts = np.bincount(
        built.tiling.locate(np.array([healpix29(*POSITIONS[s, 0]) for s in set(star)])).clip(0)
    )
    assert counts.sum() == len(set(star))


def survey(n: int = 300, seed: int = 0) -> tuple[list[Row], list[int]]:
    rng = np.random.default_rng(seed)
    drawn: list[Row] = [
        {
            "star": int(rng.integers(len(CENTRES))),
            "at": int(rng.integers(4)),
            "named": bool(rng.random() < 0.5),
            "obsid": None if rng.random() < 0.1 else int(rng.integers(40)),
            "coadd": bool(rng.random() < 0.3),
            "lmjm": int(rng.integers(2)),
            "band": "BR"[k % 2],
            "lmjd": 58000,
            "snr": float(rng.integers(100)),
            "flux": [float(k), None][: int(rng.integers(3))] if k % 3 else None,
            "file": k % 4,
        }
        for k in range(n)
    ]
    rows, star, _ = spelled_out(drawn, {})
    return rows, star


def content(root: Path) -> tuple[list[Row], list[tuple[int, int]]]:
    return stored_rows(root), open_catalog(root).pixels


@pytest.mark.parametrize("max_rows", [1, 60, 1000])
def test_a_built_catalogue_is_valid_hats(tmp_path: Path, max_rows: int) -> None:
    rows, star = survey()
    built, places = build(Tables({"a.csv": [table_of(rows)]}), tmp_path, max_rows=max_rows)
    root = tmp_path / "spectra"
    check_built(root, rows, star, built.repeats)
    assert taken_out(built.repeats).num_rows > 10
    assert is_valid_catalog(root, strict=True, verbose=False)
    catalog = open_catalog(root)
    assert built.rows == len(catalog) == len(rows) - taken_out(built.repeats).num_rows
    assert list(built.tiling) == catalog.pixels
    assert catalog.info.kind == "source"
    assert catalog.info.properties["hats_cols_sort"] == "_healpix_29 star_id"
    # Its list of stars tells where each is.
    for one in places.stars.to_pylist():
        part = catalog.id_search([one["star_id"]])
        assert len(part.pixels) == 1
        assert set(part.to_arrow().column("star_id").to_pylist()) == {one["star_id"]}
    assert len(catalog.id_search(["G5"], "uid").pixels) == 1
    units = catalog.schema.field("ra").metadata
    assert units[b"unit"] == b"deg"


@pytest.mark.parametrize("star", range(5))
def test_a_star_whose_positions_straddle_a_border_is_in_one_partition(tmp_path: Path, star: int) -> None:
    """Or RA 0, where right ascensions differ by a turn."""
    positions = [POSITIONS[star, n] for n in range(4)]
    raw = parent(healpix29(*np.transpose(positions)), 8)
    assert len(set(raw.tolist())) > 1 or np.ptp(positions, axis=0)[0] > 359, "the case is a real one"
    rows = [
        {
            "uid": None,
            "ra_input": ra,
            "dec_input": dec,
            "mobsid": f"m{k}{n}",
            "obsid": 10 * k + n,
            "coadd": False,
        }
        for k in range(3)
        for n, (ra, dec) in enumerate([*positions, POSITIONS[5, 0], POSITIONS[8, 0]])
    ]
    source = Tables({f"{k}.csv": [table_of(rows[k::5])] for k in range(5)})
    build(source, tmp_path, max_rows=1)
    catalog = open_catalog(tmp_path / "spectra")
    assert len(catalog.pixels) == 3
    seen = defaultdict(set)
    for pixel in catalog.pixels:
        table = catalog.source.read(*pixel)
        seen[tuple(set(table.column("star_id").to_pylist()))].add(pixel)
        assert len(table) == (12 if table.column("mobsid")[0].as_py()[2] in "0123" else 3)
    assert len(seen) == 3
    assert all(len(pixels) == 1 for pixels in seen.values())


def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    """With the file's name as the last word on order; rows of one file keep theirs."""
    rows, _ = survey(200)
    files: dict[str, list] = {}
    for k in range(4):
        mine = [{**row, "source_file": f"{k}.csv", "mobsid": None} for row in rows[k::4]]
        files[f"{k}.csv"] = [table_of(mine[:30]), table_of(mine[30:])]
    results = []
    for number, order in enumerate(([0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0])):
        built, _ = build(Tables(files), tmp_path / str(number), max_rows=40, order=order)
        results.append((content(tmp_path / str(number) / "spectra"), built.repeats.to_pylist()))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_order_of_rows_without_keys_is_that_of_what_they_hold(tmp_path: Path, order: list[int]) -> None:
    """However the files came, and though the star's positions, by which a run finds its rows, alternate."""
    rows: list[Row] = [
        {
            "uid": "G5",
            "ra_input": POSITIONS[5, k % 4][0],
            "dec_input": POSITIONS[5, k % 4][1],
            "snr": float(k),
        }
        for k in range(40)
    ]
    build(Tables({"a.csv": [table_of(rows[:25])], "b.csv": [table_of(rows[25:])]}), tmp_path, order=order)
    stored = [(row["dec_input"], row["ra_input"], row["snr"]) for row in stored_rows(tmp_path / "spectra")]
    assert stored == sorted(stored)
    assert sorted(snr for _, _, snr in stored) == list(range(40))


def test_executors_and_thresholds_change_no_row(tmp_path: Path) -> None:
    rows, _ = survey()
    source = Tables({f"{k}.csv": [table_of(rows[k::3])] for k in range(3)})
    everything = []
    for number, (max_rows, workers) in enumerate([(1, 4), (50, 1), (50, 3), (10**6, 2)]):
        with ThreadPoolExecutor(workers) as pool:
            build(source, tmp_path / str(number), max_rows=max_rows, executor=pool)
        everything.append(stored_rows(tmp_path / str(number) / "spectra"))
    assert all(one == everything[0] for one in everything)


def test_partitions_are_bounded_by_bytes_too(tmp_path: Path) -> None:
    rows = [
        {"uid": f"G{s}", "ra_input": CENTRES[s][0], "dec_input": CENTRES[s][1], "obsid": k, "coadd": False,
         "flux": [float(k)] * 1000, "mobsid": f"m{s}{k}"}
        for s in range(9) for k in range(3)
    ]  # fmt: skip
    source = Tables({"a.fits": [table_of(rows)]})
    whole = 27 * 4000
    for number, (max_bytes, at_least) in enumerate([(10 * whole, 1), (whole // 3, 6), (1, 9)]):
        built, _ = build(source, tmp_path / str(number), max_bytes=max_bytes)
        assert len(built.tiling) >= at_least
        # By the measure of the threshold: mean bytes a row, here all alike; a star is never split.
        sizes = [len(open_catalog(tmp_path / str(number) / "spectra").source.read(*p)) for p in built.tiling]
        assert max(sizes) * 4000 <= max(max_bytes, 3 * 4000)
        assert sum(sizes) == 27


def test_a_task_handles_only_the_rows_of_its_partition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, star = survey(400)
    sizes: list[int] = []
    plain = build_module.row_order

    def spy(column: object, present: object, star: np.ndarray, schema: object) -> object:
        sizes.append(len(star))
        return plain(column, present, star, schema)  # type: ignore[arg-type]

    monkeypatch.setattr(build_module, "row_order", spy)
    most = int(np.bincount(star).max())
    built, _ = build(Tables({f"{k}.csv": [table_of(rows[k::7])] for k in range(7)}), tmp_path, max_rows=most)
    assert len(sizes) == len(built.tiling) > 4
    assert max(sizes) <= most
    assert sum(sizes) == 400


def test_columns_that_some_files_lack(tmp_path: Path) -> None:
    """Also where no row of a partition has them."""
    a = {
        "uid": "G5",
        "ra_input": 290.0,
        "dec_input": 44.0,
        "obsid": 1,
        "coadd": False,
        "flux": [1.5, None],
        "snr": 9.0,
    }
    b = {
        "uid": "G0",
        "ra_input": 45.0,
        "dec_input": 0.0,
        "obsid": 2,
        "coadd": True,
        "teff": 5000.0,
        "low_snr": False,
    }
    table_b = table_of([b])
    assert "teff" not in table_b.column_names, "spectra have no such column, so readers do not give it"
    build(Tables({"a.fits": [table_of([a])], "b.csv": [table_b]}), tmp_path, max_rows=1)
    catalog = open_catalog(tmp_path / "spectra")
    assert len(catalog.pixels) == 2
    by_uid = {row["uid"]: row for row in catalog.to_arrow().to_pylist()}
    assert (by_uid["G5"]["flux"], by_uid["G5"]["snr"], by_uid["G5"]["low_snr"]) == ([1.5, None], 9.0, None)
    assert (by_uid["G0"]["flux"], by_uid["G0"]["snr"], by_uid["G0"]["low_snr"]) == (None, None, False)
    assert "teff" not in catalog.columns


def test_a_file_that_ends_early_keeps_its_rows(tmp_path: Path) -> None:
    rows, _ = survey(60)
    fault = InputError("truncated gzip", file="b.csv.gz")
    source = Tables({"a.csv": [table_of(rows[:20])], "b.csv.gz": [table_of(rows[20:50]), fault]})
    sets = read_files(source, tmp_path / "work")
    assert [one.failures for one in sets] == [(), (fault,)]
    built, _ = build(source, tmp_path)
    assert built.rows + taken_out(built.repeats).num_rows == 50
    kept = {row["mobsid"] for row in stored_rows(tmp_path / "spectra")} | set(
        taken_out(built.repeats).column("mobsid").to_pylist()
    )
    assert kept == {row["mobsid"] for row in rows[:50]}


def test_catalogues_of_a_survey_share_their_stars(tmp_path: Path) -> None:
    """A star has one id and one place in both, though each sees some of its positions."""
    rows, _ = survey(100)
    spectra = table_of([row for row in rows if row["uid"] != "G2"])
    values = [{**{k: v for k, v in row.items() if k != "flux"}, "teff": 5000.0} for row in rows[::5]]
    values.append({"uid": "G77", "ra_input": 200.0, "dec_input": 5.0, "obsid": 9, "coadd": True})
    runs = [run for one in read_files(Tables({"s.csv": [spectra]}), tmp_path / "w1") for run in one.runs]
    others = Tables({"m.csv": [table_of(values, MEASUREMENTS)]}, MEASUREMENTS)
    more = [run for one in read_files(others, tmp_path / "w2") for run in one.runs]
    places, stars = place([*runs, *more], tmp_path / "w1")
    for some, of, schema in ((runs, stars[:1], SPECTRA), (more, stars[1:], MEASUREMENTS)):
        build_catalog(some, of, places, schema, tmp_path / schema.name, max_rows=20)
        assert verify_catalog(tmp_path / schema.name) == []
    found = {}
    for name in ("spectra", "measurements"):
        table = open_catalog(tmp_path / name).to_arrow()
        assert set(table.column_names) >= ({"flux"} if name == "spectra" else {"teff"})
        columns = [table.column(n).to_pylist() for n in ("star_id", "ra", "dec", HEALPIX_COLUMN)]
        found[name] = set(zip(*columns, strict=True))
    everyone = {
        tuple(one[n] for n in ("star_id", "ra", "dec", HEALPIX_COLUMN)) for one in places.stars.to_pylist()
    }
    assert found["spectra"] | found["measurements"] == everyone
    assert len({one[0] for one in everyone}) == len(everyone)
    assert len(open_catalog(tmp_path / "spectra").id_search(["G77"]).to_arrow()) == 0
    assert len(open_catalog(tmp_path / "measurements").id_search(["G77"]).to_arrow()) == 1


# -- what goes wrong -----------------------------------------------------------------------------------------


def test_no_rows(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no row came out of the raw files"):
        build_catalog([], [], StarPlaces(pa.table({}), tmp_path), SPECTRA, tmp_path / "spectra")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda stars: stars.take(pa.array(range(len(stars)))[::-1]), "sorted by _healpix_29"),
        (
            lambda stars: stars.set_column(0, "star_id", pa.array(["same"] * len(stars))),
            "8 star ids are given twice",
        ),
    ],
)
def test_stars_that_would_be_in_two_partitions(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table], match: str
) -> None:
    rows, _ = survey()
    runs = [run for one in read_files(Tables({"a.csv": [table_of(rows)]}), tmp_path) for run in one.runs]
    stars = place(runs, tmp_path)[0].stars
    assert len(stars) == 9
    with pytest.raises(CatalogError, match=match):
        place_stars(change(stars), tmp_path)


def test_a_rebuild_replaces_a_catalogue_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, _ = survey(80)
    build(Tables({"a.csv": [table_of(rows[:40])]}), tmp_path, max_rows=1)
    before = content(tmp_path / "spectra")
    os.replace(tmp_path / "work", tmp_path / "gone")
    with monkeypatch.context() as patch:
        patch.setattr(
            build_module, "write_star_index", lambda *_: (_ for _ in ()).throw(OSError("disk full"))
        )
        with pytest.raises(OSError, match="disk full"):
            build(Tables({"a.csv": [table_of(rows)]}), tmp_path)
    assert content(tmp_path / "spectra") == before
    built, _ = build(Tables({"a.csv": [table_of(rows)]}), tmp_path)
    assert built.rows + taken_out(built.repeats).num_rows == 80
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gone", "spectra", "work"]
    assert verify_catalog(tmp_path / "spectra") == []

    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "spectra").mkdir()
    (tmp_path / "raw" / "spectra" / "night1.fits").write_bytes(b"SIMPLE")
    with pytest.raises(UsageError, match="is no HATS catalogue, so it is not replaced"):
        build(Tables({"a.csv": [table_of(rows)]}), tmp_path / "raw")
    assert (tmp_path / "raw" / "spectra" / "night1.fits").read_bytes() == b"SIMPLE"
