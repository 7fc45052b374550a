"""A survey is its old state or its new one, at whatever step a run is killed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lkmrs_dask.catalog.receipts import Receipt, WrittenFile
from lkmrs_dask.errors import LkmrsError
from lkmrs_dask.pipeline import draft as draft_module
from lkmrs_dask.pipeline.draft import Draft
from lkmrs_dask.pipeline.survey import Survey


class Killed(BaseException):
    """Stands for the end of the process: nothing after it is done."""


def fill(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


OLD = {
    "spectra/hats.properties": "old",
    "spectra/dataset/a": "old",
    "targets/hats.properties": "old",
    "receipts/read/r1.json": "{}",
    "receipts/job.json": "old job",
    "set_aside/spectra.csv": "old",
    "set_aside/spectra_repeated/p.parquet": "old",
    "summary.json": "old",
    "_SUCCESS": "",
}
NEW = {
    "spectra/hats.properties": "new",
    "spectra/dataset/b": "new",
    "receipts/read/r2.json": "{}",
    "receipts/job.json": "new job",
    "set_aside/spectra_repeated/q.parquet": "new",
    "summary.json": "new",
}
EXPECTED = {**NEW, "_SUCCESS": ""}
REPLACED = ("spectra", "receipts/read", "receipts/job.json", "set_aside/spectra_repeated", "summary.json")
REMOVED = ("targets", "set_aside/spectra.csv")


def state(survey: Survey) -> dict[str, str]:
    """All files of the survey itself."""
    return {
        path.relative_to(survey.root).as_posix(): path.read_text()
        for path in sorted(survey.root.rglob("*"))
        if path.is_file() and survey.work not in path.parents
    }


def drafted(root: Path) -> Draft:
    """An old survey, and beside it what is to take its place."""
    shutil.rmtree(root, ignore_errors=True)
    fill(root, OLD)
    draft = Draft(Survey(root))
    draft.begin()
    fill(draft.next.root, NEW)
    for name in REPLACED:
        draft.replace(name)
    for name in REMOVED:
        draft.remove(name)
    return draft


def killed_after(step: int, patch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Let `os.replace` raise before its call number `step`; gives back the number of calls so far."""
    plain, calls = os.replace, 0

    def replace(*arguments: object) -> None:
        nonlocal calls
        if calls == step:
            raise Killed
        calls += 1
        plain(*arguments)  # type: ignore[arg-type]

    patch.setattr(os, "replace", replace)
    return lambda: calls


def test_a_commit_takes_and_removes_what_it_should(tmp_path: Path) -> None:
    draft = drafted(tmp_path / "s")
    assert draft.changed
    assert draft.where("spectra") == draft.next.root / "spectra"
    assert draft.where("targets") is None
    assert draft.where("set_aside") == tmp_path / "s" / "set_aside"
    assert state(draft.survey) == OLD, "nothing is changed before the commit"
    draft.commit(success=True)
    assert state(draft.survey) == EXPECTED


@pytest.mark.parametrize("success", [True, False])
def test_after_a_kill_at_any_rename_the_next_run_carries_the_change_through(
    tmp_path: Path, success: bool
) -> None:
    draft = drafted(tmp_path / "s")
    with pytest.MonkeyPatch.context() as patch:
        calls = killed_after(-1, patch)
        draft.commit(success)
    expected = EXPECTED if success else {**NEW}
    assert state(draft.survey) == expected
    n_renames = calls()
    # One for the journal, two for what takes a place, one for what goes, one for _SUCCESS.
    assert n_renames == 1 + 2 * len(REPLACED) + len(REMOVED) + success
    for step in range(n_renames):
        draft = drafted(tmp_path / "s")
        with pytest.MonkeyPatch.context() as patch:
            killed_after(step, patch)
            with pytest.raises(Killed):
                draft.commit(success)
        survey = Survey(tmp_path / "s")
        if step == 0:
            assert state(survey) == OLD, "before the journal nothing has happened"
        else:
            assert not survey.success.is_file(), "half a change does not pass for a finished run"
        again = Draft(survey)
        again.begin()
        assert state(survey) == (OLD if step == 0 else expected), f"killed before rename {step}"
        assert not again.changed
        assert not (survey.work / "commit.json").exists()
        again.begin()
        assert state(survey) == (OLD if step == 0 else expected)


def test_a_kill_of_the_run_that_carries_on_is_no_harm_either(tmp_path: Path) -> None:
    for first in range(1, 8):
        for second in range(6):
            draft = drafted(tmp_path / "s")
            for step, act in ((first, lambda: draft.commit(True)), (second, Draft(draft.survey).begin)):  # noqa: B023
                with pytest.MonkeyPatch.context() as patch:
                    killed_after(step, patch)
                    with pytest.raises(Killed):
                        act()
            Draft(draft.survey).begin()
            assert state(draft.survey) == EXPECTED


@pytest.mark.parametrize("text", ["", "{", '{"replace": []}'])
def test_a_journal_that_cannot_be_read_stops_the_run(tmp_path: Path, text: str) -> None:
    draft = drafted(tmp_path / "s")
    (draft.survey.work / "commit.json").write_text(text)
    with pytest.raises(LkmrsError, match=r"commit.json cannot be read .* remove it"):
        Draft(draft.survey).begin()
    assert state(draft.survey) == OLD


def test_what_the_draft_lacks_is_removed_and_the_last_word_counts(tmp_path: Path) -> None:
    draft = drafted(tmp_path / "s")
    draft.replace("set_aside/spectra.csv")  # the draft has none
    assert draft.where("set_aside/spectra.csv") is None
    draft.remove("spectra")
    assert draft.where("spectra") is None
    draft.replace("spectra")
    assert draft.where("spectra") == draft.next.root / "spectra"
    fresh = Draft(Survey(tmp_path / "new"))
    fresh.begin()
    fresh.remove("spectra")
    fresh.replace("targets")
    assert not fresh.changed, "there is nothing to remove"


# -- pieces that are done ------------------------------------------------------------------------------------


def piece(root: Path, unit: str, text: str = "rows", print_of: str = "f") -> Receipt:
    """A piece that wrote a file of its own."""
    path = root / "spectra" / "dataset" / unit
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    receipt = Receipt("spectra", unit, print_of, len(text), (WrittenFile.of(root, path),))
    receipt.write(root / "receipts")
    return receipt


def test_pieces_are_found_in_the_survey_and_in_the_draft(tmp_path: Path) -> None:
    draft = Draft(Survey(tmp_path / "s"))
    draft.begin()
    old = {unit: piece(draft.survey.root, unit) for unit in ("kept", "changed", "gone", "other")}
    piece(draft.survey.root, "damaged").path(draft.survey.receipts).write_text("{")
    (tmp_path / "s/spectra/dataset/changed").write_text("another length")
    (tmp_path / "s/spectra/dataset/gone").unlink()
    new = {unit: piece(draft.next.root, unit) for unit in ("fresh", "gone")}
    units = ("kept", "changed", "gone", "other", "damaged", "fresh", "never")
    found = draft.finished("spectra", {unit: "g" if unit == "other" else "f" for unit in units})
    assert {unit: (one.receipt, one.in_survey) for unit, one in found.items()} == {
        "kept": (old["kept"], True),
        "gone": (new["gone"], False),
        "fresh": (new["fresh"], False),
    }
    assert not draft.same_pieces("spectra", found, 3)
    kept = draft.finished("spectra", {"kept": "f"})
    assert not draft.same_pieces("spectra", kept, 1), "the survey has other pieces, which are to go"
    for unit in ("changed", "gone", "other", "damaged"):
        (draft.survey.receipts / "spectra" / f"{unit}.json").unlink()
    assert draft.same_pieces("spectra", kept, 1)
    assert not draft.same_pieces("spectra", kept, 2)


@pytest.mark.parametrize("links", [True, False])
def test_kept_pieces_are_linked_or_copied(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = Draft(Survey(tmp_path / "s"))
    draft.begin()
    piece(draft.survey.root, "a")
    piece(draft.next.root, "b")
    found = draft.finished("spectra", {"a": "f", "b": "f"})
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    for _ in range(2):  # as after a kill
        draft.keep(found.values())
    linked, own = (draft.next.root / "spectra/dataset" / unit for unit in "ab")
    assert os.path.samefile(linked, tmp_path / "s/spectra/dataset/a") == links
    assert (linked.read_text(), own.read_text()) == ("rows", "rows")
    # Its receipt holds in the draft too: times of change are taken over.
    for unit in "ab":
        receipt = Receipt.read(draft.next.receipts, "spectra", unit)
        assert receipt is not None
        assert receipt.unchanged(draft.next.root)


def test_pieces_that_nobody_wants_are_pruned(tmp_path: Path) -> None:
    draft = Draft(Survey(tmp_path / "s"))
    draft.begin()
    for unit in ("a", "b", "c"):
        piece(draft.next.root, unit)
    (draft.next.receipts / "spectra" / "c.json").write_text("{")
    fill(draft.next.root, {"spectra/dataset/left": "by a killed run", "targets/dataset/t": "another's"})
    draft.prune("spectra", ["a", "c"], [draft.next.root / "spectra/dataset"])
    left = {p.relative_to(draft.next.root).as_posix() for p in draft.next.root.rglob("*") if p.is_file()}
    assert left == {"spectra/dataset/a", "receipts/spectra/a.json", "targets/dataset/t"}
    assert json.loads((draft.next.receipts / "spectra" / "a.json").read_text())["unit"] == "a"


def test_each_run_has_a_folder_of_its_own_and_takes_over_what_was_done(tmp_path: Path) -> None:
    """A worker that was left behind may write where the killed run was, and reaches nothing of the next."""
    survey = Survey(tmp_path / "s")
    killed = Draft(survey)
    killed.begin()
    for unit in ("a", "b"):
        piece(killed.next.root, unit)
    again = Draft(survey)
    again.begin()
    assert again.next.root != killed.next.root
    assert set(again.finished("spectra", {"a": "f", "b": "f", "c": "f"})) == {"a", "b"}
    piece(killed.next.root, "a", "other rows", "f")
    (found,) = again.finished("spectra", {"a": "f"}).values()
    assert found.receipt.rows == len("rows")
    assert (again.next.root / "spectra/dataset/a").read_text() == "rows"
    third = Draft(survey)
    third.begin()
    assert set(third.finished("spectra", {"a": "f", "b": "f"})) == {"a", "b"}
    assert [path for path in survey.work.iterdir() if path.name.startswith("next")] == [third.next.root]


def test_scratch_files_of_before_the_machine_went_down_are_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey = Survey(tmp_path / "s")
    monkeypatch.setattr(draft_module, "_BOOT", tmp_path / "boot_id")
    for boot, kept in (("first", False), ("first", True), ("second", False), ("second", True)):
        (tmp_path / "boot_id").write_text(boot)
        draft = Draft(survey)
        draft.begin()
        assert (draft.scratch / "rows.arrow").exists() == kept
        (draft.scratch / "rows.arrow").touch()
    (tmp_path / "boot_id").unlink()  # a system that does not tell
    draft = Draft(survey)
    draft.begin()
    assert not (draft.scratch / "rows.arrow").exists()
