"""What is read of files when stars move: as far as motions reach, and no further."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from match_files import Reads, reads, write_files
from match_oracle import Sky, matches, stars

from lkmrs_dask import crossmatch
from lkmrs_dask.catalog.opening import from_dataframe

__all__ = ["reads"]


def lines(reads: Reads, side: str) -> set[tuple[str, int]]:
    return {one for one in reads.groups if f"/{side}/" in one[0]}


def test_row_groups_of_slow_stars_are_left_out(tmp_path: Path, reads: Reads) -> None:
    """A strip of stars: statistics of their motions tell which of the far ones could have come from here."""
    n = 400
    strip = Sky(50.0 + np.arange(n) * 5.0 / 3600.0, np.zeros(n))
    pmra = np.full(n, 3.0)
    pmra[200:230] = -10_000.0  # up to 115 arcsec further east than where they are wanted
    table = stars(strip, "j", pmra=pmra, pmdec=np.zeros(n))
    right = write_files(tmp_path / "right", from_dataframe(table), rows=4)
    left = from_dataframe(stars(Sky(strip.ra[180:182], strip.dec[180:182]), "i"))
    reads.groups.clear()
    near = crossmatch(left, right, 1.0, "all")
    near.to_arrow()
    few = lines(reads, "right")
    reads.groups.clear()
    matched = crossmatch(left, right, 1.0, "all", left_epoch=2016.0, right_epoch=2000.0)
    table = matched.to_arrow()
    many = lines(reads, "right")
    assert few < many
    assert len(many) < len(few) + 12, "fast stars lie in 8 or 9 groups, slow ones in some 90"
    # Where each star was after 16 years: 32 places further west, or as good as where it is.
    wanted = [(i, j) for i in range(2) for j in range(n) if (j - 32 if 200 <= j < 230 else j) == 180 + i]
    assert sorted(matches(table)) == sorted(wanted)
    assert len(wanted) == 4
    # Without statistics of motions any star might have come.
    known = ["_healpix_29", "ra"]
    whole = from_dataframe(stars(strip, "j", pmra=pmra, pmdec=np.zeros(n)))
    bare = write_files(tmp_path / "bare", whole, rows=4, statistics=known)
    reads.groups.clear()
    again = crossmatch(left, bare, 1.0, "all", left_epoch=2016.0, right_epoch=2000.0).to_arrow()
    assert again.equals(table)
    assert len(lines(reads, "bare")) > len(many)


def test_row_groups_are_read_as_far_as_motions_reach(tmp_path: Path, reads: Reads) -> None:
    """The same strip with slow and fast stars and few or many years: bytes and groups grow with the way."""
    n = 1200
    strip = Sky(50.0 + np.arange(n) * 5.0 / 3600.0, np.zeros(n))
    left = from_dataframe(stars(Sky(strip.ra[600:602], strip.dec[600:602]), "i"))

    def groups(name: str, pmra: float, years: float | None) -> set[tuple[str, int]]:
        table = stars(strip, "j", pmra=np.full(n, pmra), pmdec=np.zeros(n))
        right = write_files(tmp_path / name, from_dataframe(table), rows=4)
        epochs = {} if years is None else {"left_epoch": 2000.0 + years, "right_epoch": 2000.0}
        reads.groups.clear()
        reads.columns.clear()
        crossmatch(left, right, 1.0, "all", **epochs)[["i", "j"]].to_arrow()  # type: ignore[arg-type]
        assert ("pmra" in reads.columns) == ("pmdec" in reads.columns) == (years is not None)
        where = {Path(path).name for path, _ in reads.groups}
        assert len(where) <= len(right.pixels)
        return {(Path(path).name, group) for path, group in lines(reads, name)}

    plain = groups("plain", 10_000.0, None)
    same_epoch = groups("same", 10_000.0, 0.0)
    slow = groups("slow", 20.0, 16.0)
    near, far = groups("near", 10_000.0, 4.0), groups("far", 10_000.0, 16.0)
    # 0.3 arcsec in 16 years count as twice the radius at most: 2 arcsec, less than a step of 5.
    assert same_epoch == plain <= slow < near < far
    assert len(slow) <= len(plain) + 4
    # At the least 40 and 160 arcsec either way, in groups of 20; at the most no group at the strip's ends.
    assert len(near) >= 4
    assert len(far) >= 16
    assert len(far) < n // 4 // 2, "160 arcsec either way, of 3000"


def test_the_way_back_of_one_to_one_reads_what_motions_reach(tmp_path: Path, reads: Reads) -> None:
    """Left rows that may have a star: near where it was, whatever their epoch, and no others."""
    n = 400
    strip = Sky(50.0 + np.arange(n) * 5.0 / 3600.0, np.zeros(n))
    left = write_files(tmp_path / "left", from_dataframe(stars(strip, "i"), max_rows=100), rows=4)
    assert len(left.pixels) > 4

    def back(pmra: float) -> tuple[int, int]:
        right = from_dataframe(
            stars(Sky(strip.ra[200:201], strip.dec[200:201]), "j", pmra=[pmra], pmdec=[0.0])
        )
        reads.groups.clear()
        found = crossmatch(left, right, 1.0, "one-to-one", left_epoch=2016.0, right_epoch=2000.0)
        pairs = matches(found)
        assert len(pairs) == 1
        # What is read twice is read on the way back.
        return pairs[0][0], len(reads.groups) - len(lines(reads, "left"))

    still, few = back(0.0)
    moved_to, many = back(10_000.0)
    assert (still, moved_to) == (200, 232)
    assert 1 <= few < many < 100


@pytest.mark.parametrize("motion", [np.nan, None])
def test_row_groups_in_which_no_motion_is_known(tmp_path: Path, motion: float | None) -> None:
    n = 200
    strip = Sky(50.0 + np.arange(n) * 5.0 / 3600.0, np.zeros(n))
    pmra = pa.array([motion if k < 100 else -10_000.0 for k in range(n)], pa.float64(), from_pandas=False)
    right = from_dataframe(stars(strip, "j", pmra=pmra, pmdec=np.zeros(n)))
    right = write_files(tmp_path / "right", right, rows=4)
    left = from_dataframe(stars(strip, "i"))
    matched = crossmatch(left, right, 1.0, left_epoch=2016.0, right_epoch=2000.0)
    # Of the left rows 68 to 99 both that star and the one that came from further east are there.
    came = [(k, k + 32 if k >= 100 else k) for k in range(168)]
    assert [pair for pair in matches(matched) if not 68 <= pair[0] < 100] == [
        pair for pair in came if not 68 <= pair[0] < 100
    ]
    assert len(matched) == 168
    assert pq.read_metadata(next(Path(str(right.path)).rglob("*.parquet"))).num_row_groups > 1
