"""Whose light curves are wanted, where they are by the archive's rules, and what its pages link to."""

from __future__ import annotations

import re
from pathlib import Path

import archive_site
import pyarrow as pa
import pytest
from archive_site import Stars, make_survey

from lkmrs_dask.errors import UsageError
from lkmrs_dask.pipeline import light_curve_addresses
from lkmrs_dask.pipeline.fetch import known
from lkmrs_dask.pipeline.fetch_light_curves import MISSIONS
from lkmrs_dask.pipeline.light_curve_addresses import Choice, questions
from lkmrs_dask.pipeline.light_curve_targets import Target, numbers, parse_targets, targets_of_survey
from lkmrs_dask.pipeline.remote_pages import linked_names

# Addresses: each of these was seen in public code or on the archive's own pages.

ADDRESSES = [
    ("kepler_light_curves", "kepler", 1429092, Choice(),
     "https://archive.stsci.edu/pub/kepler/lightcurves/0014/001429092/"),
    ("k2_light_curves", "k2", 220139473, Choice(campaigns=(8,)),
     "https://archive.stsci.edu/missions/k2/lightcurves/c8/220100000/39000/ktwo220139473-c08_llc.fits"),
    ("k2_light_curves", "k2", 246199087, Choice("short", campaigns=(12,)),
     "https://archive.stsci.edu/missions/k2/lightcurves/c12/246100000/99000/ktwo246199087-c12_slc.fits"),
    ("k2_light_curves", "k2sff", 212100236, Choice(campaigns=(16,)),
     "https://archive.stsci.edu/hlsps/k2sff/c16/212100000/00236/"
     "hlsp_k2sff_k2_lightcurve_212100236-c16_kepler_v1_llc.fits"),
    ("tess_light_curves", "tess-spoc", 298663873, Choice(sectors=(48,)),
     "https://archive.stsci.edu/hlsps/tess-spoc/s0048/target/0000/0002/9866/3873/"
     "hlsp_tess-spoc_tess_phot_0000000298663873-s0048_tess_v1_lc.fits"),
    ("tess_light_curves", "qlp", 277554109, Choice(sectors=(11,)),
     "https://archive.stsci.edu/hlsps/qlp/s0011/0000/0002/7755/4109/"
     "hlsp_qlp_tess_ffi_s0011-0000000277554109_tess_v01_llc.fits"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "author", "number", "choice", "url"), ADDRESSES)
def test_known_addresses(
    name: str,
    author: str,
    number: int,
    choice: Choice,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def read_page(url: str, *_: object) -> str:
        asked.append(url)
        return '<a href="kplr001429092-2009166043257_llc.fits">'

    monkeypatch.setattr(light_curve_addresses, "read_page", read_page)
    (question,) = questions(known(name), author, [Target(MISSIONS[name], number)], choice, tmp_path)
    (lead,) = question.find(None)
    is_folder = url.endswith("/")
    assert asked == ([url] if is_folder else [])
    name = "kplr001429092-2009166043257_llc.fits" if is_folder else url.rpartition("/")[2]
    assert lead.file.url == (url + name if is_folder else url)
    assert (lead.file.name, lead.sure) == (name, is_folder)


def test_campaigns_that_were_split(tmp_path: Path) -> None:
    book, target = known("k2_light_curves"), Target("K2", 201569901)
    choice = Choice("both", campaigns=(1, 9, 10, 11))
    (question,) = questions(book, "k2", [target], choice, tmp_path)
    files = [lead.file.name for lead in question.find(None)]
    parts = ["01", "91", "92", "101", "102", "111", "112"]
    assert sorted(files) == sorted(
        f"ktwo201569901-c{part}_{kind}.fits" for part in parts for kind in ("llc", "slc")
    )
    (question,) = questions(book, "k2sff", [target], choice, tmp_path)
    assert len(question.find(None)) == len(parts)


# Targets


def test_targets(tmp_path: Path) -> None:
    list_of_stars = tmp_path / "stars.txt"
    list_of_stars.write_text("# two stars\nKIC 5023948\n\n  9651065  # a hybrid\n")
    words = ["kic 011442793", str(list_of_stars), "5023948", "KIC5023948"]
    assert parse_targets("Kepler", words) == [Target("Kepler", n) for n in (11442793, 5023948, 9651065)]
    assert [star.name for star in parse_targets("K2", ["EPIC 211121743"])] == ["EPIC 211121743"]
    assert parse_targets("TESS", ["TIC 67768222", "211121743"]) == [
        Target("TESS", 67768222), Target("TESS", 211121743),
    ]  # fmt: skip
    assert parse_targets("TESS", []) == []


@pytest.mark.parametrize(
    ("mission", "word", "message"),
    [
        (
            "Kepler",
            "HD 23157",
            "'HD 23157' is no star of Kepler: give a number, KIC with a number, or a file",
        ),
        ("Kepler", "0", "is no star"),
        ("Kepler", "-5", "is no star"),
        ("Kepler", "1.5", "is no star"),
        ("Kepler", "1" * 17, "is no star"),
        ("Kepler", "", "is no star"),
        ("Kepler", "TIC 5", "a star of TIC, whose light curves are tess_light_curves"),
        ("Kepler", "211121743", "a star of EPIC, whose light curves are k2_light_curves"),
        ("Kepler", "KIC 211121743", "a star of EPIC"),
        ("K2", "5023948", "a star of KIC, whose light curves are kepler_light_curves"),
        ("TESS", "EPIC 211121743", "those of TESS go by TIC numbers"),
    ],
)
def test_words_that_are_no_targets(mission: str, word: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        parse_targets(mission, [word])


def test_a_wrong_line_of_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "stars.txt"
    path.write_text("5023948\nVega\n")
    with pytest.raises(UsageError, match=r"stars\.txt, line 2: 'Vega' is no star"):
        parse_targets("Kepler", [str(path)])
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is no text file"):
        parse_targets("Kepler", [str(path)])


def test_lists_of_numbers() -> None:
    assert numbers("42", "sectors") == (42,)
    assert numbers("42, 43,40-44", "sectors") == (42, 43, 40, 41, 44)
    for wrong in ("", "x", "4,", "5-4", "1e3", "-1"):
        with pytest.raises(UsageError, match="give numbers with commas"):
            numbers(wrong, "sectors")


@pytest.fixture
def survey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_survey(tmp_path / "survey", monkeypatch)


def test_targets_of_a_survey(survey: Path, tmp_path: Path) -> None:
    assert targets_of_survey(survey) == [
        Target("Kepler", 7), Target("Kepler", 5023948), Target("K2", 211121743), Target("TESS", 5),
        Target("TESS", 67768222),
    ]  # fmt: skip
    assert targets_of_survey(survey, ["rv_variables"]) == [
        Target("Kepler", 5023948), Target("K2", 211121743), Target("TESS", 67768222),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="--only giants: of a survey's stars there are rv_variables"):
        targets_of_survey(survey, ["giants"])
    with pytest.raises(UsageError, match="holds no catalogue of a survey"):
        targets_of_survey(tmp_path / "elsewhere")


def test_a_survey_without_identifiers(survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = pa.table({"label": [None], "kic_epic": pa.nulls(1, pa.int64()), "tic": pa.nulls(1, pa.int64())})
    monkeypatch.setattr(Stars, "to_arrow", lambda self: none.cast(pa.schema(
        [("label", pa.string()), ("kic_epic", pa.int64()), ("tic", pa.int64())]
    )))  # fmt: skip
    for only in ((), ("rv_variables",)):
        with pytest.raises(UsageError, match="has an identifier in KIC, EPIC or TIC"):
            targets_of_survey(survey, only)
    monkeypatch.setattr(Stars, "columns", ("label",))
    with pytest.raises(UsageError, match="have no column kic_epic, tic"):
        targets_of_survey(survey)


# Pages


@pytest.mark.parametrize(
    "page",
    [
        archive_site.page("/x/", ["b_llc.fits", "a.txt"]),
        "<HTML><BODY><PRE><A HREF='b_llc.fits'>b</A> <a href=a.txt>a</a> <a href=b_llc.fits>again</a>",
        '<a href="/pub/x/b_llc.fits"><a href="https://elsewhere.org/q/a.txt?raw=1#top">',
        '<ul><li><a title="x" href=" b%5Fllc.fits ">b<li><a href="./a.txt">a</ul><a name="end">',
    ],
)
def test_links_of_pages_of_all_kinds(page: str) -> None:
    assert linked_names(page) == ["b_llc.fits", "a.txt"]


def test_pages_without_links() -> None:
    for page in ("", "plain words", "<a>", "<a href>", "<a href=''>", '<a href="x/">', "<" * 100):
        assert linked_names(page) == []
