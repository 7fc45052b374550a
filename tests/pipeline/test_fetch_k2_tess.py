"""Light curves of K2 and TESS, of which an archive of our own is asked what there is, as MAST is."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive_fetches import DOWNLOAD, SPOC, get, k2_row, names, tess_row
from archive_site import Archive, path_of

from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline.light_curve_addresses import Choice

pytest_plugins = ["fetch_fixtures"]

# Addresses that were seen in public code.
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
