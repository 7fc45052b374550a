"""Light curves by star, against an archive of our own that lists and gives files as MAST's does."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import archive_site
import pytest
from archive_site import FITS, Archive, book_of, make_survey, path_of
from rich.console import Console

from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline import fetch_light_curves as fetching
from lkmrs_dask.pipeline.download import FetchError, NoNetworkError, RemoteFile, Transfer, download
from lkmrs_dask.pipeline.fetch import fetch
from lkmrs_dask.pipeline.fetch_command import fetch_curves, wants_curves
from lkmrs_dask.pipeline.fetch_light_curves import (
    AT_ONCE,
    MISSIONS,
    LightCurvesFetched,
    Report,
    Terms,
    fetch_light_curves,
    fetch_survey_light_curves,
    side_by_side,
)
from lkmrs_dask.pipeline.fetch_progress import shown_transfer
from lkmrs_dask.pipeline.light_curve_addresses import Choice
from lkmrs_dask.readers.light_curves.reading import read_light_curve

QUICK = Transfer(attempts=2, wait=0.0, timeout=5.0)

# Addresses that were seen in public code.
K2 = "https://archive.stsci.edu/missions/k2/lightcurves/c8/220100000/39000/ktwo220139473-c08_llc.fits"
K2SFF = (
    "https://archive.stsci.edu/hlsps/k2sff/c16/212100000/00236/"
    "hlsp_k2sff_k2_lightcurve_212100236-c16_kepler_v1_llc.fits"
)
FULL_FRAME = {
    "qlp": "https://archive.stsci.edu/hlsps/qlp/s0011/0000/0002/7755/4109/"
    "hlsp_qlp_tess_ffi_s0011-0000000277554109_tess_v01_llc.fits",
    "tess-spoc": "https://archive.stsci.edu/hlsps/tess-spoc/s0048/target/0000/0002/9866/3873/"
    "hlsp_tess-spoc_tess_phot_0000000298663873-s0048_tess_v1_lc.fits",
}


@pytest.fixture
def archive() -> Iterator[Archive]:
    with archive_site.serve(Archive()) as one:
        yield one


def get(
    archive: Archive,
    folder: Path,
    name: str,
    *targets: str,
    choice: Choice | None = None,
    report: Report | None = None,
    **more: Any,
) -> LightCurvesFetched:
    """Fetch from it into a folder beside its file of addresses."""
    folder.mkdir(exist_ok=True)
    terms = Terms(choice or Choice(), report, QUICK, book_of(archive, folder))
    return fetch_light_curves(name, targets, folder / "raw", terms=terms, **more)


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(os.listdir(folder))


# Kepler


def kepler(archive: Archive, number: int, *endings: str) -> list[str]:
    """Put light curves of a star into it."""
    star = f"{number:09d}"
    folder = f"/pub/kepler/lightcurves/{star[:4]}/{star}/"
    added = [f"kplr{star}-{2010355172524 + at}_{ending}.fits" for at, ending in enumerate(endings)]
    for name in added:
        archive.add(folder + name)
    for other in (f"kplr{star}_lc_Q111111.tar", f"kplr{star}-2010355172524_llc.fits.md5", "README"):
        archive.add(folder + other, b"no light curve")
    return added


def test_kepler(archive: Archive, tmp_path: Path) -> None:
    first, second = kepler(archive, 5023948, "llc", "slc", "llc"), kepler(archive, 11442793, "llc")
    lines: list[str] = []
    done = get(archive, tmp_path, "kepler_light_curves", "KIC 5023948", "11442793", report=lines.append)
    wanted = sorted([first[0], first[2], second[0]])
    assert [path.name for path in done.files] == names(tmp_path / "raw") == wanted
    assert (done.fresh, done.without, done.faults) == (3, [], [])
    assert all(path.read_bytes().startswith(FITS) for path in done.files)
    assert lines[0].startswith("kepler_light_curves by kepler: 2 stars.  Cite Borucki")
    assert {line.partition(": ")[2] for line in lines[1:]} == {
        "KIC 5023948, 2 light curves, 2 fetched now",
        "KIC 11442793, 1 light curve, 1 fetched now",
    }
    assert [line.partition(":")[0] for line in lines[1:]] == ["1 of 2", "2 of 2"]
    # Another time nothing but the two pages is asked for; a broken file is fetched anew.
    done.files[0].write_bytes(b"")
    archive.asked.clear()
    again = get(archive, tmp_path, "kepler_light_curves", "KIC 5023948", "11442793")
    assert (len(again.files), again.fresh) == (3, 1)
    assert len(archive.asked) == 3
    assert list(again.lines()) == ["light curves that are there: 3, fetched now: 1"]


@pytest.mark.parametrize(("cadence", "endings"), [("short", ["slc"]), ("both", ["llc", "slc"])])
def test_kepler_cadences_and_patterns(
    archive: Archive, tmp_path: Path, cadence: str, endings: list[str]
) -> None:
    kepler(archive, 5023948, "llc", "slc")
    done = get(archive, tmp_path, "kepler_light_curves", "5023948", choice=Choice(cadence))
    assert sorted(path.stem[-3:] for path in done.files) == endings
    none = get(archive, tmp_path, "kepler_light_curves", "5023948", choice=Choice(cadence), only=["x*"])
    assert none.without == ["KIC 5023948"]


def test_stars_without_light_curve_are_named_and_no_fault(archive: Archive, tmp_path: Path) -> None:
    kepler(archive, 5023948, "llc")
    kepler(archive, 7, "slc")
    lines: list[str] = []
    done = get(archive, tmp_path, "kepler_light_curves", "7", "8", "5023948", report=lines.append)
    assert (len(done.files), sorted(done.without), done.faults) == (1, ["KIC 7", "KIC 8"], [])
    assert sum("no light curve" in line for line in lines) == 2
    assert list(done.lines())[1].startswith("no light curve of 2 stars: KIC ")


def test_faults_of_one_star_stop_no_other(archive: Archive, tmp_path: Path) -> None:
    for number in (5, 6, 7, 8):
        kepler(archive, number, "llc", "llc")
    archive.statuses["/pub/kepler/lightcurves/0000/000000005/"] = 403
    gone = "/pub/kepler/lightcurves/0000/000000006/kplr000000006-2010355172524_llc.fits"
    archive.statuses[gone] = 404  # although the page lists it
    broken = "/pub/kepler/lightcurves/0000/000000007/kplr000000007-2010355172525_llc.fits"
    archive.bodies[broken] = b"no FITS"
    done = get(archive, tmp_path, "kepler_light_curves", "5", "6", "7", "8")
    assert len(done.files) == done.fresh == 4
    assert done.without == []
    one, two, three = done.faults
    assert "KIC 5: " in one
    assert "answers 403" in one
    assert "open it with a browser and put its *_llc.fits into" in one
    assert two.startswith("KIC 6: ")
    assert gone in two
    assert "it is no FITS file" in three
    assert names(tmp_path / "raw") == [path.name for path in done.files]
    assert [line for line in done.lines() if line.startswith("not fetched: KIC")] == list(done.lines())[1:]


def test_lists_of_another_form_are_no_missing_light_curves(archive: Archive, tmp_path: Path) -> None:
    archive.add("/pub/kepler/lightcurves/0050/005023948/", b"<html>Please log in</html>")
    archive.add("/missions/tess/download_scripts/sector/tesscurl_sector_42_lc.sh", b"#!/bin/sh\n")
    for name, choice in (("kepler_light_curves", Choice()), ("tess_light_curves", Choice(sectors=(42,)))):
        done = get(archive, tmp_path, name, "5023948", choice=choice)
        (fault,) = done.faults
        assert "no light curve: its form may have changed; " in fault
        assert (done.files, done.without) == ([], [])


def test_links_that_lead_elsewhere_are_not_followed(archive: Archive, tmp_path: Path) -> None:
    name = "kplr005023948-2010355172524_llc.fits"
    folder = "/pub/kepler/lightcurves/0050/005023948/"
    links = (f"http://192.0.2.1/{name}", f"../../../../{name}", "/etc/passwd")
    archive.add(folder, "".join(f'<a href="{link}">x</a>' for link in links).encode())
    archive.add(folder + name)
    done = get(archive, tmp_path, "kepler_light_curves", "5023948")
    assert [path.name for path in done.files] == [name]
    assert archive.asked[-1] == folder + name


def test_few_downloads_at_once(archive: Archive, tmp_path: Path) -> None:
    for number in range(1, 13):
        kepler(archive, number, "llc")
    done = get(archive, tmp_path, "kepler_light_curves", *map(str, range(1, 13)))
    assert done.fresh == 12
    assert 1 <= archive.most <= AT_ONCE


def test_real_files_come_as_they_are_and_can_be_read(archive: Archive, tmp_path: Path, shared: Path) -> None:
    real = shared / "data/lc_kepler_eb"
    for path in real.glob("*.fits"):
        archive.add(f"/pub/kepler/lightcurves/0050/005023948/{path.name}", path.read_bytes())
    done = get(archive, tmp_path, "kepler_light_curves", "KIC 5023948")
    assert len(done.files) == 9
    assert all(path.read_bytes() == (real / path.name).read_bytes() for path in done.files)
    assert read_light_curve(done.files[0]).name == "KIC 5023948"


# K2


def k2_row(name: str, campaign: str, kind: str = "lc") -> dict[str, Any]:
    """A row of MAST's service."""
    return {
        "obs_id": f"ktwo{name}-c{campaign}_{kind}",
        "dataURL": f"mast:K2/url/missions/k2/target_pixel_files/ktwo{name}-c{campaign}_lpd-targ.fits.gz",
        "obs_collection": "K2",
        "target_name": f"ktwo{name}",
    }


def test_k2_asks_for_the_campaigns(archive: Archive, tmp_path: Path) -> None:
    star, base = "211121743", "/missions/k2/lightcurves/"
    archive.observations = [
        k2_row(star, "04"),
        k2_row(star, "04", "sc"),
        k2_row(star, "10"),
        k2_row(star, "18"),
    ]
    archive.add(f"{base}c4/211100000/21000/ktwo{star}-c04_llc.fits")
    archive.add(f"{base}c4/211100000/21000/ktwo{star}-c04_slc.fits")
    archive.add(f"{base}c102/211100000/21000/ktwo{star}-c102_llc.fits")
    done = get(archive, tmp_path, "k2_light_curves", star, "EPIC 201367065")
    # Campaign 18 has an observation but no light curve: that is no fault.
    assert names(tmp_path / "raw") == [f"ktwo{star}-c04_llc.fits", f"ktwo{star}-c102_llc.fits"]
    assert (done.without, done.faults) == (["EPIC 201367065"], [])
    (asked,) = archive.questions
    assert (asked["service"], asked["format"]) == ("Mast.Caom.Filtered", "json")
    assert asked["params"]["filters"][1] == {
        "paramName": "target_name", "values": [f"ktwo{star}", "ktwo201367065"],
    }  # fmt: skip
    both = get(archive, tmp_path, "k2_light_curves", star, choice=Choice("both"))
    assert len(both.files) == 3
    # Campaigns that are given need no question.
    archive.questions.clear()
    given = get(archive, tmp_path / "b", "k2_light_curves", star, choice=Choice(campaigns=(3, 4)))
    assert [path.name for path in given.files] == [f"ktwo{star}-c04_llc.fits"]
    assert archive.questions == []


def test_k2sff(archive: Archive, tmp_path: Path) -> None:
    url = K2SFF
    archive.add(path_of(url))
    archive.observations = [
        k2_row("212100236", "16"),
        k2_row("212100236", "16", "sc"),
        k2_row("212100236", "05"),
    ]
    done = get(archive, tmp_path, "k2_light_curves", "212100236", author="k2sff")
    assert [path.name for path in done.files] == [url.rpartition("/")[2]]
    with pytest.raises(UsageError, match="k2sff has no light curves of short cadence"):
        get(archive, tmp_path, "k2_light_curves", "212100236", author="k2sff", choice=Choice("short"))


def test_a_long_answer_comes_in_pages_and_after_waiting(archive: Archive, tmp_path: Path) -> None:
    stars = [f"2111217{at:02d}" for at in range(60)]
    archive.observations = [k2_row(star, "04") for star in stars]
    archive.rows_of_a_page, archive.executing = 7, 2
    for star in stars:
        archive.add(f"/missions/k2/lightcurves/c4/{star[:4]}00000/{star[4:6]}000/ktwo{star}-c04_llc.fits")
    done = get(archive, tmp_path, "k2_light_curves", *stars)
    assert (len(done.files), done.without, done.faults) == (60, [], [])
    # Fifty stars and ten: 8 and 2 pages, and two questions put once more.
    assert len(archive.questions) == 8 + 2 + 2
    assert max(len(path) for path in archive.asked) < 2000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>We are closed</html>", "answers with no JSON of MAST's form"),
        (b"[]", "answers with no JSON of MAST's form"),
        (b'{"status": "ERROR", "msg": "Invalid column"}', "answers ERROR Invalid column"),
        (b'{"status": "COMPLETE", "msg": ""}', "answers COMPLETE"),
        (b'{"status": "COMPLETE", "data": [1]}', "answers COMPLETE"),
        (b'{"status": "EXECUTING"}', "works on an answer without end"),
    ],
)
def test_answers_that_are_of_no_use(
    archive: Archive, tmp_path: Path, body: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_of_service", lambda request: body)
    lines: list[str] = []
    done = get(archive, tmp_path, "k2_light_curves", "211121743", "211121744", report=lines.append)
    (fault,) = done.faults
    assert fault.startswith("2 stars from EPIC 211121743 to EPIC 211121744: ")
    assert message in fault
    assert "take the files from" in fault
    assert "with --campaigns that service is not asked" in fault
    assert done.without == [], "it is not known that they have none"
    assert [line.rpartition(", ")[2] for line in lines[1:]] == ["not fetched", "not fetched"]


# TESS

SPOC = "tess2021232031932-s0042-0000000067768222-0213-s_lc.fits"
DOWNLOAD = "/api/v0.1/Download/file/?uri=mast:TESS/product/"


def tess_row(obs_id: str, tic: str, author: str = "SPOC") -> dict[str, Any]:
    """A row of MAST's service."""
    return {
        "obs_id": obs_id,
        "dataURL": None,
        "obs_collection": "TESS" if author == "SPOC" else "HLSP",
        "provenance_name": author,
        "target_name": tic,
    }


def test_tess_spoc(archive: Archive, tmp_path: Path) -> None:
    other = "tess2021258175143-s0043-0000000067768222-0214-s"
    archive.observations = [
        tess_row(SPOC.removesuffix("_lc.fits"), "67768222"),
        tess_row(other, "067768222"),
        tess_row("tess2021258175143-s0043-0000000067768222-0214-a_fast", "67768222"),
        tess_row("tess2018206190142-s0001-s0043-0000000067768222-00213_dvt", "67768222"),
        tess_row("hlsp_qlp_tess_ffi_s0042-0000000067768222_tess_v01_llc", "67768222", "QLP"),
    ]
    archive.add(DOWNLOAD + SPOC)
    archive.add(f"{DOWNLOAD}{other}_lc.fits")
    done = get(archive, tmp_path, "tess_light_curves", "TIC 67768222", "5")
    assert names(tmp_path / "raw") == [SPOC, f"{other}_lc.fits"]
    assert (done.without, done.faults) == (["TIC 5"], [])


def test_tess_spoc_by_lists_of_sectors(archive: Archive, tmp_path: Path) -> None:
    def line(name: str) -> str:
        return f"curl -C - -L -o {name} https://mast.stsci.edu/api/v0.1/Download/file/?uri=mast:TESS/product/{name}\n"

    stranger = SPOC.replace("67768222", "67768223")
    script = "#!/bin/sh\n" + line(stranger) + line(SPOC)
    archive.add("/missions/tess/download_scripts/sector/tesscurl_sector_42_lc.sh", script.encode())
    archive.add(DOWNLOAD + SPOC)
    choice = Choice(sectors=(42, 999))
    lines: list[str] = []
    done = get(archive, tmp_path, "tess_light_curves", "67768222", "5", choice=choice, report=lines.append)
    assert [path.name for path in done.files] == [SPOC]
    (fault,) = done.faults
    assert fault.startswith("sector 999: ")
    assert "tesscurl_sector_999_lc.sh" in fault
    assert done.without == [], "the missing list may have named the other star"
    assert archive.questions == []


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(("author", "row"), [
    ("qlp", "hlsp_qlp_tess_ffi_s0011-0000000277554109_tess_v01_llc"),
    ("tess-spoc", "hlsp_tess-spoc_tess_phot_0000000298663873-s0048_tess_v1_tp"),
])  # fmt: skip
def test_tess_full_frame_images(archive: Archive, tmp_path: Path, author: str, row: str, given: bool) -> None:
    url = FULL_FRAME[author]
    star = "277554109" if author == "qlp" else "298663873"
    archive.observations = [tess_row(row, star, author.upper())]
    archive.add(path_of(url))
    choice = Choice(sectors=(1, 11, 48)) if given else Choice()
    done = get(archive, tmp_path, "tess_light_curves", star, author=author, choice=choice)
    assert [path.name for path in done.files] == [url.rpartition("/")[2]]
    assert (done.without, done.faults) == ([], [])
    assert len(archive.questions) == (0 if given else 1)


# No network


def test_without_a_network_it_says_so_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_names(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    stars = [str(number) for number in range(1, 200)]
    with pytest.raises(NoNetworkError) as caught:
        fetch_light_curves("kepler_light_curves", stars, tmp_path / "raw")
    text = str(caught.value)
    assert "no network, or archive.stsci.edu does not answer" in text
    assert re.search(
        r"The address is https://archive\.stsci\.edu/pub/kepler/lightcurves/0000/000000\d{3}/;", text
    )
    assert f"open it with a browser and put its *_llc.fits into {tmp_path / 'raw'}" in text
    with pytest.raises(NoNetworkError) as caught:
        fetch_light_curves("tess_light_curves", stars, tmp_path / "raw")
    text = str(caught.value)
    assert "no network, or mast.stsci.edu does not answer" in text
    assert "The address is https://mast.stsci.edu/api/v0/invoke?...;" in text
    assert "take the files from https://archive.stsci.edu/tess/bulk_downloads.html" in text
    assert names(tmp_path / "raw") == []


def test_a_network_that_goes_away_ends_all_and_keeps_what_came(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 41):
        kepler(archive, number, "llc")
    real, calls = download, []

    def until_then(file: RemoteFile, folder: Path, transfer: Transfer | None) -> bool:
        calls.append(file)
        if len(calls) > 10:
            raise NoNetworkError("no network")
        return real(file, folder, transfer)

    monkeypatch.setattr(fetching, "download", until_then)
    with pytest.raises(NoNetworkError):
        get(archive, tmp_path, "kepler_light_curves", *map(str, range(1, 41)))
    assert len(names(tmp_path / "raw")) == 10
    assert 10 < len(calls) <= 10 + AT_ONCE


def test_tasks_side_by_side() -> None:
    def work(number: int) -> int:
        if number % 3 == 0:
            raise FetchError(str(number))
        return number * number

    found = dict(side_by_side(work, range(10)))
    assert {n: r for n, r in found.items() if n % 3} == {n: n * n for n in range(10) if n % 3}
    assert [str(found[n]) for n in (0, 3, 6, 9)] == ["0", "3", "6", "9"]
    assert list(side_by_side(work, [])) == []
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(lambda n: 1 // n, [1, 0]))


# Calls


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
