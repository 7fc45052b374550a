"""Light curves by star, against an archive of our own that lists and gives files as MAST's does."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from archive_fetches import get, kepler, names
from archive_site import FITS, Archive

from lkmrs_dask.pipeline import fetch_light_curves as fetching
from lkmrs_dask.pipeline.download import FetchError, NoNetworkError, RemoteFile, Transfer, download
from lkmrs_dask.pipeline.fetch_light_curves import AT_ONCE, fetch_light_curves, side_by_side
from lkmrs_dask.pipeline.light_curve_addresses import Choice
from lkmrs_dask.readers.light_curves.reading import read_light_curve

pytest_plugins = ["fetch_fixtures"]


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
