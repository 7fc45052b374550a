"""Known or new: by identifier and by position, list by list."""

from __future__ import annotations

import csv
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import SkyCoord
from external_survey import write_files
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.readers.external.source import read_external
from lkmrs_dask.stars.known import KNOWN_SCHEMA, find_known, ids_of_names, pairs_by_id, pairs_by_position
from lkmrs_dask.stars.known_lists import GAIA_VARIABLES, JINABASE, SIMBAD, VSX, KnownList
from lkmrs_dask.stars.metal_poor import metal_classes
from lkmrs_dask.synthetic.ledger import make_ledger


def nearest(
    ra: np.ndarray, dec: np.ndarray, rows: pa.Table, place: tuple[str, str], radius: float
) -> pa.Table:
    """Nearest row of each star, with astropy."""
    rows = rows.filter(pc.is_valid(rows.column(place[0])))
    theirs = SkyCoord(*(rows.column(name).to_numpy() for name in place), unit="deg")
    at, apart, _ = SkyCoord(ra, dec, unit="deg").match_to_catalog_sky(theirs)
    far = apart.arcsec > radius
    taken = rows.take(pa.array(at, mask=far))
    return taken.append_column("separation_arcsec", pa.array(apart.arcsec, mask=far))


def test_epic_220387907_is_known_in_jinabase(shared: Path) -> None:
    text = (shared / "data/k2_input_lkmrs/K2_08_plate.csv").read_text()
    (row,) = [one for one in csv.reader(text.splitlines()) if one[0] == "220387907"]
    ra, dec = (np.array([float(one)]) for one in row[1:3])
    jinabase = read_external("jinabase", shared / "data/metal_poor/jinabase_all_info.txt")
    pairs = pairs_by_position(nearest(ra, dec, jinabase, ("RA", "DEC"), 3.7))
    (found,) = find_known(metal_classes([-2.25]), [(JINABASE, pairs)]).to_pylist()
    assert (found["discovery"], found["known_list"], found["known_value"]) == ("Known", "JINAbase", -2.75)
    assert (found["known_name"], found["known_reference"]) == ("LAMOSTJ0102+0428", "LI15a")
    assert (found["known_by"], found["known_separation"] < 0.01) == ("position", True)


def test_the_synthetic_survey(tmp_path: Path) -> None:
    """Known are those stars of each class that the truth has in SIMBAD, no other.

    Of the variables 8 % have the type of another class there: RG* tells of none but red giants.
    """
    folder = write_files(tmp_path, 0.05)
    truth = pq.read_table(tmp_path / "truth/counterparts.parquet")
    stars = make_ledger(0.05, 1).stars
    simbad = read_external("simbad", folder / "simbad.csv")
    pairs = pairs_by_position(nearest(stars.ra, stars.dec, simbad, ("ra", "dec"), 3.7))
    in_simbad = pc.is_valid(truth.column("simbad_main_id")).to_pylist()
    otype = dict(zip(simbad.column("main_id").to_pylist(), simbad.column("otype").to_pylist(), strict=True))
    giant = [otype.get(name) == "RG*" for name in truth.column("simbad_main_id").to_pylist()]
    kinds = {
        "metal": metal_classes(stars.feh).to_pylist(),
        "variable": [name or None for name in stars.variable_class.tolist()],
    }
    for kind, classes in kinds.items():
        for one in (SIMBAD, replace(SIMBAD, types={})):
            found = find_known(classes, [(one, pairs)])
            strict = kind == "variable" and one is SIMBAD
            wanted = [
                None if name is None else "Known" if there and not (strict and rg and name != "RG") else "New"
                for name, there, rg in zip(classes, in_simbad, giant, strict=True)
            ]
            assert found.column("discovery").to_pylist() == wanted, kind
            assert found.column("known_name").drop_null().to_pylist() == [
                name
                for name, answer in zip(truth.column("simbad_main_id").to_pylist(), wanted, strict=True)
                if answer == "Known"
            ]
            assert {"Known", "New"} <= set(wanted)


ids = st.lists(st.integers(1, 5) | st.none(), max_size=8)


@given(ours=ids, theirs=ids, text=st.booleans())
@settings(max_examples=150, deadline=None)
def test_pairs_by_id_against_loops(ours: list[int | None], theirs: list[int | None], text: bool) -> None:
    kind = pa.string() if text else pa.int64()
    stars, rows = pa.table({"a": pa.array(ours, pa.int64()).cast(kind)}), pa.table(
        {"b": pa.array(theirs, pa.int64()).cast(kind), "at": pa.array(range(len(theirs)), pa.int64())}
    )  # fmt: skip
    pairs = pairs_by_id(stars, rows, {"a": "b"})
    found = zip(pairs.column("star_row").to_pylist(), pairs.column("at").to_pylist(), strict=True)
    assert list(found) == [
        (i, j) for i, a in enumerate(ours) for j, b in enumerate(theirs) if a is not None and a == b
    ]
    assert pairs.column("separation_arcsec").null_count == len(pairs)


def test_two_identifiers_make_one_pair_and_separations_are_known() -> None:
    stars = pa.table({"gaia": [7, None], "tic": [1, 2], "ra": [0.0, 359.9999], "dec": [0.0, 89.0]})
    rows = pa.table({"g": [7, 8], "t": [1, 2], "x": [0.001, None], "y": [0.0, 0.0]})
    pairs = pairs_by_id(stars, rows, {"gaia": "g", "tic": "t"}, place=("x", "y"))
    assert pairs.column("star_row").to_pylist() == [0, 1]
    assert pairs.column("separation_arcsec").to_pylist() == [pytest.approx(3.6, abs=1e-6), None]


def test_identifiers_in_names() -> None:
    names = ["KIC 7881304", "EPIC_220387907", "Gaia DR3 2538128245175162496", "TIC 158844295", "HD 1", None,
             "KIC 12x", "Gaia DR2 5", "Gaia DR3 9999999999999999999"]  # fmt: skip
    found = ids_of_names(pa.array(names))
    assert found.column("kic_epic").to_pylist() == [7881304, 220387907, *[None] * 7]
    assert found.column("tic").to_pylist() == [None, None, None, 158844295, *[None] * 5]
    assert found.column("gaia_source_id").to_pylist() == [None, None, 2538128245175162496, *[None] * 6]


def pairs_of(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist([{"found_by": "position", "separation_arcsec": 1.0} | row for row in rows])


def test_which_row_is_told() -> None:
    some = KnownList("some", object_column="name", value_column="z", prefer="key", radius_arcsec=2.0)
    rows = [
        {"star_row": 0, "name": "far", "z": 1.0, "key": 1, "separation_arcsec": 1.5},
        {"star_row": 0, "name": "second", "z": 2.0, "key": 2, "separation_arcsec": 1.0},
        {"star_row": 0, "name": "first", "z": 3.0, "key": 1, "separation_arcsec": 1.001},
        {"star_row": 1, "name": "near", "z": 4.0, "key": 1, "separation_arcsec": 0.1},
        {
            "star_row": 1,
            "name": "same id",
            "z": None,
            "key": None,
            "found_by": "id",
            "separation_arcsec": None,
        },
        {"star_row": 2, "name": "beyond", "z": 5.0, "key": 1, "separation_arcsec": 2.1},
    ]
    found = find_known(["MP", "VMP", "MP", None], [(some, pairs_of(rows))])
    assert found.schema.equals(KNOWN_SCHEMA)
    assert found.column("known_name").to_pylist() == ["first", "same id", None, None]
    assert found.column("known_value").to_pylist() == [3.0, None, None, None]
    assert found.column("known_by").to_pylist() == ["position", "id", None, None]
    assert found.column("known").to_pylist() == [True, True, False, None]
    assert found.column("listed").to_pylist() == [True, True, False, None]


def test_what_counts_for_which_class() -> None:
    otypes = ["*", "EB*", "EB?", "V*?", "RG*", "SB*", None]
    pairs = pairs_of([{"star_row": k, "main_id": str(k), "otype": name} for k, name in enumerate(otypes)])
    by_class = {
        "MP": [True] * 7, "bound_HiVels": [True] * 7,
        "EB": [False, True, True, True, False, False, False],
        "GDOR": [False, True, True, True, False, False, False],
        "rotation": [False, True, True, True, False, False, False],
        "RG": [False, True, True, True, True, False, False],
        "RVV": [False, True, True, True, False, True, False],
    }  # fmt: skip
    for name, wanted in by_class.items():
        found = find_known([name] * 7, [(SIMBAD, pairs)])
        assert found.column("known").to_pylist() == wanted, name
        assert found.column("listed").to_pylist() == [True] * 7
    sure = find_known(["EB"] * 7, [(replace(SIMBAD, candidates=False), pairs)])
    assert sure.column("known").to_pylist() == [False, True, *[False] * 5]
    vsx = pairs_of(
        [{"star_row": k, "Name": "n", "Type": "EA", "V": flag} for k, flag in enumerate([0, 2, None])]
    )
    assert find_known(["EB"] * 3, [(VSX, vsx)]).column("known").to_pylist() == [True, False, True]
    assert not any(find_known(["MP"] * 3, [(VSX, vsx)]).column("known").to_pylist())
    rich = [
        {"star_row": k, "Name": "n", "Reference": "r", "Z": z, "key": 1} for k, z in enumerate([-1.0, -0.9])
    ]
    assert find_known(["MP", "VMP"], [(JINABASE, pairs_of(rich))]).column("known").to_pylist() == [
        True,
        False,
    ]


def test_the_first_list_speaks_and_all_are_named() -> None:
    gaia = pairs_of([{"star_row": k, "best_class_name": "ECL", "found_by": "id"} for k in (1, 2)])
    simbad = pairs_of([{"star_row": k, "main_id": "x", "otype": "RS*"} for k in (0, 1)])
    found = find_known(["EB"] * 4, [(SIMBAD, simbad), (GAIA_VARIABLES, gaia)])
    assert found.column("known_lists").to_pylist() == ["SIMBAD", "SIMBAD, Gaia DR3", "Gaia DR3", None]
    assert found.column("known_type").to_pylist() == ["RS*", "RS*", "ECL", None]
    assert found.column("discovery").to_pylist() == ["Known", "Known", "Known", "New"]


def test_nothing_at_all() -> None:
    none = find_known([], [])
    assert (len(none), none.schema.equals(KNOWN_SCHEMA)) == (0, True)
    assert find_known(["MP", None], []).column("discovery").to_pylist() == ["New", None]
    empty = pairs_by_position(pa.table({"separation_arcsec": pa.array([], pa.float64())}))
    assert find_known(["MP"], [(KnownList("x"), empty)]).column("known").to_pylist() == [False]


def test_lists_travel() -> None:
    for one in (SIMBAD, JINABASE, VSX, GAIA_VARIABLES):
        assert pickle.loads(pickle.dumps(one)) == one


def test_wrong_tables() -> None:
    with pytest.raises(CatalogError, match="matched stars: no column separation_arcsec"):
        pairs_by_position(pa.table({"ra": [1.0]}))
    with pytest.raises(CatalogError, match="list: no column b; there are c"):
        pairs_by_id(pa.table({"a": [1]}), pa.table({"c": [1]}), {"a": "b"})
    with pytest.raises(CatalogError, match="both must be integers, or both text"):
        pairs_by_id(pa.table({"a": [1]}), pa.table({"b": ["1"]}), {"a": "b"})
    with pytest.raises(CatalogError, match="pairs of SIMBAD: no column main_id, otype"):
        find_known(["MP"], [(SIMBAD, pairs_of([{"star_row": 0}]))])
    with pytest.raises(CatalogError, match="runs to 3, but there are 1 stars"):
        find_known(["MP"], [(KnownList("x"), pairs_of([{"star_row": 3}]))])
    with pytest.raises(UsageError, match="two lists have the same name"):
        find_known(["MP"], [(KnownList("x"), pairs_of([{"star_row": 0}]))] * 2)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"classes": ("poor",)}, "'poor' is no class"),
        ({"types": {"MP": ("x",)}}, "types need a type_column"),
        ({"limits": {"MP": (0, 1)}}, "limits need a value_column"),
        ({"limits": {"MP": (1, 0)}, "value_column": "z"}, "limits of MP must rise"),
        ({"radius_arcsec": 0.0}, "radius_arcsec must be positive"),
    ],
)
def test_wrong_lists(wrong: dict, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        KnownList("x", **wrong)
