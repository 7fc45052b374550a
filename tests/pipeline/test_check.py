"""Checks of a survey find what was changed, and repairs make just that anew."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import small_raw
from no_figures import leave_out_figures
from small_raw import lkmrs

import lkmrs_dask as lk
from lkmrs_dask.pipeline.check import Checked, forget, verify_survey
from lkmrs_dask.pipeline.survey import Survey


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_figures(monkeypatch)


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    lines = small_raw.rows(n_stars=4, n_nights=1)
    small_raw.write(tmp_path / "raw" / "a.csv", lines)
    small_raw.write(
        tmp_path / "raw" / "b.csv", [line.replace("|G0", "|H0").replace("|29", "|12") for line in lines]
    )
    bad = lines[4].replace("|58400|", "|night|")
    small_raw.write(tmp_path / "raw" / "c.csv", [*lines[:4], bad])
    small_raw.write_job(tmp_path / "job.toml", tmp_path / "raw")
    assert lkmrs("run", tmp_path / "job.toml", "--out", tmp_path / "s", "--threads", 1).exit_code == 0
    return Survey(tmp_path / "s")


def partition(survey: Survey, name: str = "spectra") -> Path:
    return sorted(survey.catalog(name).glob("dataset/Norder=*/Dir=*/*.parquet"))[0]


def receipt_of(survey: Survey, stage: str) -> Path:
    return sorted((survey.receipts / stage).glob("*.json"))[0]


def flip_in_silence(path: Path) -> None:
    """Change a byte; size and time of change stay."""
    stat, content = path.stat(), path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def found(survey: Survey) -> dict[str, Checked]:
    return {one.name: one for one in verify_survey(survey)}


def test_a_sound_survey_is_sound(survey: Survey) -> None:
    checked = found(survey)
    assert list(checked) == ["spectra", "targets", "others", "receipts"]
    assert all(one.problems == [] and one.remove == [] for one in checked.values())
    assert forget(checked.values()) == 0


DAMAGES: dict[str, tuple[Callable[[Survey], object], str, str]] = {
    "flipped": (lambda s: flip_in_silence(partition(s)), "spectra", "SHA-256 differs"),
    "missing": (lambda s: partition(s).unlink(), "spectra", "No such file"),
    "cut": (lambda s: os.truncate(partition(s), 100), "spectra", "100 bytes are there"),
    "derived": (lambda s: flip_in_silence(partition(s, "targets")), "targets", "SHA-256 differs"),
    "repeated": (
        lambda s: flip_in_silence(next(s.repeated("spectra").glob("*.parquet"))),
        "spectra", "spectra_repeated",
    ),
    "sightings": (
        lambda s: flip_in_silence(next((s.receipts / "read_files").glob("*.sightings.parquet"))),
        "receipts", "sightings.parquet: its content",
    ),
    "table": (lambda s: (s.products / "table1.csv").unlink(), "others", "No such file"),
    "list": (lambda s: flip_in_silence(s.set_aside / "spectra.csv"), "others", "SHA-256 differs"),
    "receipt": (lambda s: receipt_of(s, "spectra").write_text("{"), "spectra", "receipt cannot be read"),
    "reading": (lambda s: receipt_of(s, "read").write_text("{"), "receipts", "receipt cannot be read"),
    "counts": (lambda s: receipt_of(s, "overview").write_text("3"), "receipts", "receipt cannot be read"),
    "footers": (
        lambda s: (s.catalog("spectra") / "dataset" / "_metadata").write_bytes(b"nothing"),
        "spectra", "_metadata cannot be read",
    ),
    "no success": (lambda s: s.success.unlink(), "receipts", "_SUCCESS is missing"),
    "catalogue": (lambda s: shutil.rmtree(s.catalog("targets")), "targets", "the catalogue is missing"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_and_repaired(survey: Survey, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    act, where, text = DAMAGES[damage]
    rows = {name: lk.open_catalog(path).to_arrow() for name, path in survey.catalogs().items()}
    inodes = {path: path.stat().st_ino for path in survey.root.glob("*/dataset/N*/*/*.parquet")}
    act(survey)
    checked = found(survey)
    bad = {name for name, one in checked.items() if one.problems}
    # What describes a catalogue is among the other files too.
    assert bad == ({where, "others"} if damage in ("footers", "catalogue") else {where})
    assert any(text in line for line in checked[where].problems)
    assert lkmrs("verify", survey.root).exit_code == 1
    done = small_raw.watch_units(monkeypatch)
    mended = lkmrs("verify", survey.root, "--repair", "--threads", 1)
    assert mended.exit_code == 0, mended.output
    assert len(done) <= 4, "just what is needed is made anew"
    assert lkmrs("verify", survey.root).exit_code == 0
    assert {name: lk.open_catalog(path).to_arrow() for name, path in survey.catalogs().items()} == rows
    same = sum(path.stat().st_ino == inode for path, inode in inodes.items())
    assert same >= len(inodes) - (len(inodes) // 2 if damage == "catalogue" else 1)
    assert survey.success.is_file()


def test_a_survey_without_receipts_says_so_and_is_not_repaired(survey: Survey) -> None:
    shutil.rmtree(survey.receipts)
    checked = found(survey)
    assert "it has no receipts, so its files cannot be told from others" in checked["spectra"].problems
    mended = lkmrs("verify", survey.root, "--repair")
    assert mended.exit_code == 1
    assert "run its job again" in mended.output


def test_a_damaged_receipt_is_named(survey: Survey) -> None:
    receipt = next((survey.receipts / "spectra").glob("*.json"))
    receipt.write_text("{")
    (problem,) = found(survey)["spectra"].problems
    assert receipt.name in problem
    assert "--repair" in problem
    assert lkmrs("run", survey.root.parent / "job.toml", "--out", survey.root).exit_code == 0
    assert found(survey)["spectra"].problems == []


def test_a_repair_without_the_raw_files_changes_nothing(survey: Survey, tmp_path: Path) -> None:
    partition(survey).unlink()
    shutil.rmtree(tmp_path / "raw")
    before = {p: p.stat().st_mtime_ns for p in survey.root.glob("[a-z]*/**/*.parquet")}
    mended = lkmrs("verify", survey.root, "--repair")
    assert mended.exit_code == 1
    assert "is gone or was changed: bring it back" in mended.output
    assert {p: p.stat().st_mtime_ns for p in survey.root.glob("[a-z]*/**/*.parquet")} == before
