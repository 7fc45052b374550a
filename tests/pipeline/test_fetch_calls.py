"""Which calls of a fetch fetch which light curves, those of a survey's stars among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from archive_fetches import DOWNLOAD, QUICK, SPOC, k2_row, kepler, names, tess_row
from archive_site import Archive, book_of, make_survey, path_of
from rich.console import Console

from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.fetch import fetch
from lkmrs_dask.pipeline.fetch_command import fetch_curves, wants_curves
from lkmrs_dask.pipeline.fetch_light_curves import (
    AT_ONCE,
    MISSIONS,
    Terms,
    fetch_light_curves,
    fetch_survey_light_curves,
)
from lkmrs_dask.pipeline.fetch_progress import shown_transfer
from lkmrs_dask.pipeline.light_curve_addresses import Choice

pytest_plugins = ["fetch_fixtures"]

K2 = "https://archive.stsci.edu/missions/k2/lightcurves/c8/220100000/39000/ktwo220139473-c08_llc.fits"
"""An address that was seen in public code."""


def test_wrong_calls(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"name": "kepler"}, "light curves are kepler_light_curves"),
        ({"targets": []}, "say of which stars"),
        ({"author": "qlp"}, "of kepler_light_curves there are kepler"),
        ({"terms": Terms(Choice(sectors=(1,)))}, "--sectors is not for the light curves of Kepler"),
        ({"terms": Terms(Choice(campaigns=(1,)))}, "--campaigns is not for"),
        ({"name": "tess_light_curves", "terms": Terms(Choice("short"))}, "--cadence is not for"),
    ]
    for more, message in wrong:
        call = {"name": "kepler_light_curves", "targets": ["5"], "folder": tmp_path / "raw", **more}
        with pytest.raises(UsageError, match=message):
            fetch_light_curves(**call)
    with pytest.raises(UsageError, match="there are long, short, both"):
        Choice("quick")
    with pytest.raises(UsageError, match="lkmrs fetch kepler_light_curves NUMBER"):
        fetch("kepler_light_curves", tmp_path)
    assert names(tmp_path) == []


# Surveys


@pytest.fixture
def survey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_survey(tmp_path / "survey", monkeypatch)


def test_light_curves_of_a_survey(survey: Path, archive: Archive, tmp_path: Path) -> None:
    wanted = kepler(archive, 5023948, "llc")
    archive.observations = [
        k2_row("211121743", "04"), tess_row(SPOC.removesuffix("_lc.fits"), "67768222"),
        tess_row("hlsp_qlp_tess_ffi_s0042-0000000067768222_tess_v01_llc", "67768222", "QLP"),
    ]  # fmt: skip
    archive.add("/missions/k2/lightcurves/c4/211100000/21000/ktwo211121743-c04_llc.fits")
    archive.add(DOWNLOAD + SPOC)
    qlp = "hlsp_qlp_tess_ffi_s0042-0000000067768222_tess_v01_llc.fits"
    archive.add(f"/hlsps/qlp/s0042/0000/0000/6776/8222/{qlp}")
    terms, raw = Terms(transfer=QUICK, addresses=book_of(archive, tmp_path)), tmp_path / "raw"
    done = fetch_survey_light_curves(survey, raw, terms=terms)
    assert sorted(path.relative_to(raw).as_posix() for path in done.files) == [
        "k2/ktwo211121743-c04_llc.fits", f"kepler/{wanted[0]}", f"tess/{SPOC}",
    ]  # fmt: skip
    assert (done.fresh, done.without, done.faults) == (3, ["KIC 7", "TIC 5"], [])
    done = fetch_survey_light_curves(survey, raw, authors=["qlp"], only=["rv_variables"], terms=terms)
    assert (done.fresh, done.without, done.faults) == (1, [], [])
    assert (raw / "tess" / qlp).is_file()
    for authors, message in (
        (["eleanor"], "author eleanor: give one a mission"),
        (["spoc", "qlp"], "spoc and qlp"),
    ):
        with pytest.raises(UsageError, match=message):
            fetch_survey_light_curves(survey, raw, authors=authors, terms=terms)


# Progress


def test_bars_of_downloads_side_by_side(archive: Archive, tmp_path: Path) -> None:
    kepler(archive, 5023948, *["llc"] * 9)
    console = Console(force_terminal=True, width=100, file=(tmp_path / "shown.txt").open("w"))
    with shown_transfer(console, at_once=AT_ONCE) as transfer:
        assert transfer.progress is not None
        terms = Terms(transfer=transfer, addresses=book_of(archive, tmp_path))
        done = fetch_light_curves("kepler_light_curves", ["5023948"], tmp_path / "raw", terms=terms)
    console.file.close()
    assert done.fresh == 9
    assert "kplr005023948-" in (tmp_path / "shown.txt").read_text()


# What the command does


def test_which_calls_are_for_light_curves() -> None:
    for name in ("light_curves", *MISSIONS):
        assert wants_curves(name, ["5"], sectors="42")
    assert not wants_curves("kic", [], survey=None, author=(), sectors=None)
    with pytest.raises(UsageError, match=r"stars, --sectors: only for kepler_light_curves, .*, not for kic"):
        wants_curves("kic", ["5"], survey=None, sectors="42")


def test_the_command(survey: Path, archive: Archive, tmp_path: Path) -> None:
    kepler(archive, 5023948, "llc", "slc")
    archive.add(path_of(K2))
    book, raw = book_of(archive, tmp_path), tmp_path / "raw"
    done = fetch_curves("kepler_light_curves", ["5023948"], raw, cadence="both", addresses=book)
    assert len(done.files) == 2
    done = fetch_curves(
        "k2_light_curves", ["220139473"], raw, campaigns="7-8", authors=["k2"], addresses=book
    )
    assert len(done.files) == 1
    done = fetch_curves("light_curves", [], raw, survey=survey, only=["rv_variables"], addresses=book)
    assert (len(done.files), len(done.without), done.faults) == (1, 2, [])
    wrong: list[tuple[str, list[str], dict[str, Any], str]] = [
        ("light_curves", [], {}, "light_curves --survey SURVEY"),
        ("light_curves", ["5"], {"survey": survey}, "or name the stars"),
        ("tess_light_curves", [], {"survey": survey}, "or name the stars"),
        ("tess_light_curves", ["5"], {"authors": ["spoc", "qlp"]}, "--author spoc,qlp: give one"),
        ("tess_light_curves", ["5"], {"sectors": "all"}, "--sectors 'all': give numbers"),
        ("tess_light_curves", ["5"], {"cadence": "quick"}, "cadence 'quick': there are"),
    ]
    for name, stars, more, message in wrong:
        with pytest.raises(UsageError, match=message):
            fetch_curves(name, stars, raw, addresses=book, **more)
