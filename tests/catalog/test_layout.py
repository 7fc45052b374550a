"""Which stars each partition holds, and fingerprints that change with their rows and stars only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lkmrs_dask.catalog.layout import Layout, Part, Seen, StarPlaces, lay_out
from lkmrs_dask.schema import HEALPIX_COLUMN, SPECTRA
from lkmrs_dask.sky.index import healpix29

COLUMNS = ("obsid", "snr")


def places_of(ra: np.ndarray, dec: np.ndarray, ids: list[str]) -> StarPlaces:
    """Stars in sky order."""
    index = healpix29(ra, dec)
    order = np.argsort(index, kind="stable")
    stars = pa.table({"star_id": [ids[k] for k in order], "uid": pa.nulls(len(ids), pa.string()),
                      "ra": ra[order], "dec": dec[order], HEALPIX_COLUMN: index[order]})  # fmt: skip
    return StarPlaces(stars, Path("stars.arrow"))


def sky(n: int = 40, seed: int = 0) -> StarPlaces:
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    return places_of(ra, dec, [f"G{k:03d}" for k in range(n)])


def seen(name: str, star: list[int], rows: list[int] | None = None) -> Seen:
    count = np.array(rows or [1] * len(star), np.int64)
    return Seen(name, np.array(star, np.int64), count, 100 * count)


def laid(
    places: StarPlaces, readings: list[Seen], max_rows: int = 8, columns: tuple[str, ...] = COLUMNS
) -> Layout:
    return lay_out(places, readings, SPECTRA, columns, max_rows, 1 << 30)


def prints(layout: Layout) -> dict[tuple[int, int], str]:
    return {
        (part.order, part.pixel): one for part, one in zip(layout.parts, layout.fingerprints, strict=True)
    }


def part_of(layout: Layout, star: int) -> Part:
    (part,) = (part for part in layout.parts if part.first <= star < part.last)
    return part


def changed(one: Layout, other: Layout) -> set[tuple[int, int]]:
    """Pixels whose fingerprint is another, all pixels being the same."""
    first, second = prints(one), prints(other)
    assert set(first) == set(second)
    return {pixel for pixel in first if first[pixel] != second[pixel]}


READINGS = [
    seen("aa", list(range(0, 40, 2)), [3] * 20),
    seen("bb", [1, 3, 5, 7, 7, 9]),
    seen("cc", [39, 38, 1, 2], [2, 2, 1, 1]),
]


@given(
    stars=st.lists(st.lists(st.integers(0, 39), min_size=1, max_size=30), min_size=1, max_size=4),
    max_rows=st.integers(1, 30),
)
@settings(max_examples=40, deadline=None)
def test_parts_hold_every_star_with_rows_once(stars: list[list[int]], max_rows: int) -> None:
    places = sky()
    readings = [seen(f"r{k}", some) for k, some in enumerate(stars)]
    layout = laid(places, readings, max_rows)
    counts = np.bincount([star for some in stars for star in some], minlength=40)
    for star in range(40):
        inside = [part for part in layout.parts if part.first <= star < part.last]
        assert len(inside) == 1 or (counts[star] == 0 and not inside)
    for part, rows, readings_of in zip(layout.parts, layout.rows, layout.readings, strict=True):
        mine = range(part.first, part.last)
        assert rows == counts[part.first : part.last].sum()
        assert rows <= max_rows or sum(counts[star] > 0 for star in mine) == 1, "whole stars are not split"
        assert readings_of.tolist() == sorted(
            k for k, some in enumerate(stars) if set(some) & set(mine)
        ) or set(readings_of.tolist()) == {k for k, some in enumerate(stars) if set(some) & set(mine)}
    assert list(layout.tiling) == [(part.order, part.pixel) for part in layout.parts]


@given(order=st.permutations(range(3)))
@settings(max_examples=6, deadline=None)
def test_the_order_of_readings_does_not_matter(order: list[int]) -> None:
    expected, found = laid(sky(), READINGS), laid(sky(), [READINGS[k] for k in order])
    assert len(expected.parts) > 5
    assert prints(found) == prints(expected)
    for one, other in zip(expected.readings, found.readings, strict=True):
        assert {READINGS[k].fingerprint for k in one} == {READINGS[order[k]].fingerprint for k in other}


def test_only_partitions_with_rows_of_a_new_reading_change() -> None:
    before = laid(sky(), READINGS, 1000)
    assert len(before.parts) > 5, "one for each base pixel"
    after = laid(sky(), [*READINGS, seen("dd", [4, 4, 30])], 1000)
    assert changed(before, after) == {(p.order, p.pixel) for p in (part_of(after, 4), part_of(after, 30))}


def test_other_content_of_a_reading_changes_its_partitions() -> None:
    before = laid(sky(), READINGS)
    other = laid(sky(), [READINGS[0], READINGS[1]._replace(fingerprint="be"), READINGS[2]])
    parts = {part_of(before, star) for star in (1, 3, 5, 7, 9)}
    assert changed(before, other) == {(part.order, part.pixel) for part in parts}


@pytest.mark.parametrize(
    "change", [{"columns": ("obsid", "snr", "flux")}, {"columns": ("snr", "obsid")}], ids=["other", "order"]
)
def test_other_columns_change_all_and_their_order_none(change: dict[str, tuple[str, ...]]) -> None:
    before, after = laid(sky(), READINGS), laid(sky(), READINGS, **change)  # type: ignore[arg-type]
    all_of_them = set(prints(before)) if "flux" in change["columns"] else set()
    assert changed(before, after) == all_of_them


@pytest.mark.parametrize("column", ["star_id", "ra", "dec"])
def test_a_star_that_is_named_or_placed_otherwise_changes_its_partition(column: str) -> None:
    places = sky()
    before = laid(places, READINGS)
    values = places.stars.column(column).to_pylist()
    values[8] = "G1234" if column == "star_id" else values[8] + 1e-9
    at = places.stars.column_names.index(column)
    moved = replace(places, stars=places.stars.set_column(at, column, pa.array(values)))
    part = part_of(before, 8)
    assert changed(before, laid(moved, READINGS)) == {(part.order, part.pixel)}


def test_stars_of_other_catalogues_change_nothing() -> None:
    """They move the ranks of all stars behind them, and lie in the same partitions."""
    places = sky()
    before = laid(places, READINGS)
    ra, dec = (places.stars.column(name).to_numpy() for name in ("ra", "dec"))
    ids = places.stars.column("star_id").to_pylist()
    more = places_of(
        np.append(ra, ra[[0, 8, 20]] + 1e-3), np.append(dec, dec[[0, 8, 20]]), [*ids, "X0", "X8", "X20"]
    )
    rank = {name: k for k, name in enumerate(more.stars.column("star_id").to_pylist())}
    readings = [one._replace(star=np.array([rank[ids[k]] for k in one.star], np.int64)) for one in READINGS]
    assert changed(before, laid(more, readings)) == set()


def test_other_limits_change_only_the_partitions_that_are_cut_otherwise() -> None:
    fine, coarse = prints(laid(sky(), READINGS, 4)), prints(laid(sky(), READINGS, 12))
    assert set(fine) != set(coarse)
    assert set(fine) & set(coarse)
    assert all(fine[pixel] == coarse[pixel] for pixel in set(fine) & set(coarse))


def test_which_sighting_a_star_has_counts() -> None:
    """Two sightings of a reading that change places: the same stars and numbers, other rows."""
    one, other = seen("aa", [4, 4, 30]), seen("aa", [4, 30, 4])
    assert len(changed(laid(sky(), [one]), laid(sky(), [other]))) == 2


def test_no_readings() -> None:
    layout = laid(sky(), [])
    assert (layout.parts, layout.fingerprints, layout.readings) == ((), (), ())
