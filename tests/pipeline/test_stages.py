"""Stages: each piece is done once and noted; faults cost as little as they can."""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lkmrs_dask.catalog.receipts import Receipt
from lkmrs_dask.errors import CatalogError, InputError, LkmrsError
from lkmrs_dask.pipeline.cluster import open_crew
from lkmrs_dask.pipeline.crew import Crew
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.progress import StageRecord
from lkmrs_dask.pipeline.stages import TRIES, Done, Failure, StageResult, Unit, carry_out
from lkmrs_dask.pipeline.survey import Survey

Act = Callable[[int], None]


class KilledWorker(Exception):  # noqa: N818
    """Named as Dask's own, by which it is known."""


class Work:
    """A stage's function: notes calls, does what a test wants of a piece, and writes a file."""

    def __init__(self, root: Path, acts: dict[int, Act] | None = None) -> None:
        self.root, self.acts = root, acts or {}
        self.calls: Counter[int] = Counter()
        self.order: list[int] = []
        self._lock = threading.Lock()

    def __call__(self, number: int) -> Done:
        with self._lock:
            self.calls[number] += 1
            self.order.append(number)
        if number in self.acts:
            self.acts[number](self.calls[number])
        path = self.root / f"out-{number}"
        path.write_text(str(number * number))
        return Done(number, (path,), {"square": number * number})


def fails(fault: BaseException, times: int = 10**9) -> Act:
    """Raise so many times."""

    def act(call: int) -> None:
        if call <= times:
            raise fault

    return act


@pytest.fixture
def crew() -> Iterator[Crew]:
    with open_crew(Place(threads=2)) as one:
        yield one


def units(n: int) -> list[Unit]:
    return [Unit(f"u{number}", f"print{number}", number) for number in range(n)]


def done_by(work: Work, n: int, crew: Crew, record: StageRecord | None = None) -> StageResult:
    return carry_out("count", work, units(n), crew, record or StageRecord("count"), Survey(work.root))


def written(root: Path) -> dict[str, dict[str, Any]]:
    return {
        unit: {"print": one.fingerprint, "rows": one.rows, "files": [(f.path, f.sha256) for f in one.files]}
        for unit, one in Receipt.read_all(root / "receipts", "count").items()
    }


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_every_piece_is_done_once_and_noted_whoever_does_it(tmp_path: Path, n_threads: int) -> None:
    n, record = 150, StageRecord("count")  # more than are handed out at once
    with open_crew(Place(threads=n_threads)) as crew:
        work = Work(tmp_path)
        result = done_by(work, n, crew, record)
    assert work.calls == Counter(range(n))
    assert result.failures == []
    assert result.receipts == Receipt.read_all(tmp_path / "receipts", "count")
    assert set(result.receipts) == {f"u{number}" for number in range(n)}
    for number in range(n):
        receipt = result.receipts[f"u{number}"]
        assert (receipt.rows, receipt.fingerprint) == (number, f"print{number}")
        assert receipt.extra == {"square": number * number}
        assert [file.problem(tmp_path) for file in receipt.files] == [None]
        assert receipt.peak_memory_mb > 1
    assert (record.done, record.failed, record.rows) == (n, 0, n * (n - 1) // 2)


def test_the_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    found = []
    for n_threads in (1, 4):
        with open_crew(Place(threads=n_threads)) as crew:
            done_by(Work(tmp_path / str(n_threads), {3: fails(ValueError("no"))}), 20, crew)
        found.append(written(tmp_path / str(n_threads)))
    assert found[0] == found[1]
    assert len(found[0]) == 19


@pytest.fixture(autouse=True)
def folders(tmp_path: Path) -> None:
    for name in ("1", "4"):
        (tmp_path / name).mkdir()


def test_heavy_pieces_begin_first_and_equal_ones_in_their_order(tmp_path: Path) -> None:
    weights = [2, 7, 0, 7, 5, 2]
    some = [Unit(f"u{k}", f"print{k}", k, weight) for k, weight in enumerate(weights)]
    work = Work(tmp_path)
    with open_crew(Place(threads=1)) as crew:
        carry_out("count", work, some, crew, StageRecord("count"), Survey(tmp_path))
    assert work.order == [1, 3, 4, 0, 5, 2]


def wrapped(cause: BaseException) -> LkmrsError:
    """A fault as readers give it."""
    fault = InputError("cannot be read", file="a.csv")
    fault.__cause__ = cause
    return fault


@pytest.mark.parametrize(
    "fault",
    [
        OSError(errno.EIO, "input/output error"),
        OSError(errno.ESTALE, "stale file handle"),
        ConnectionResetError("reset"),
        TimeoutError("late"),
        wrapped(OSError(errno.EIO, "input/output error")),
    ],
    ids=repr,
)
def test_a_fault_that_passes_is_tried_again(tmp_path: Path, crew: Crew, fault: BaseException) -> None:
    work = Work(tmp_path, {2: fails(fault, TRIES - 1), 4: fails(fault)})
    record = StageRecord("count")
    result = done_by(work, 6, crew, record)
    assert work.calls == Counter({0: 1, 1: 1, 2: TRIES, 3: 1, 4: TRIES, 5: 1})
    assert set(result.receipts) == {"u0", "u1", "u2", "u3", "u5"}
    (failure,) = result.failures
    assert (failure.stage, failure.unit, failure.tries) == ("count", "u4", TRIES)
    assert str(failure).startswith(f"count u4, tried {TRIES} times: ")
    assert str(fault) in failure.reason
    assert (record.done, record.failed) == (5, 1)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (ValueError("a bad row"), "ValueError: a bad row"),
        (CatalogError("rows are unsorted"), "rows are unsorted"),
        (PermissionError(errno.EACCES, "permission denied"), "PermissionError: [Errno 13] permission denied"),
        (wrapped(ValueError("x")), "file a.csv: cannot be read"),
    ],
    ids=repr,
)
def test_a_piece_that_cannot_be_done_costs_itself_alone(
    tmp_path: Path, crew: Crew, fault: BaseException, reason: str
) -> None:
    work = Work(tmp_path, {7: fails(fault)})
    result = done_by(work, 80, crew)
    assert result.failures == [Failure("count", "u7", 1, reason)]
    assert str(result.failures[0]) == f"count u7: {reason}"
    assert work.calls == Counter(range(80))
    assert set(written(tmp_path)) == {f"u{number}" for number in range(80) if number != 7}


@pytest.mark.parametrize("fault", [MemoryError(), KilledWorker("u1")], ids=["memory", "worker"])
def test_what_takes_all_memory_is_tried_alone_at_the_end(
    tmp_path: Path, crew: Crew, fault: Exception
) -> None:
    at_work: list[int] = []
    alone: dict[tuple[int, int], list[int]] = {}
    lock = threading.Lock()

    def watched(number: int, times: int) -> Act:
        def act(call: int) -> None:
            with lock:
                alone[number, call] = list(at_work)
            fails(fault, times)(call)

        return act

    class Watched(Work):
        def __call__(self, number: int) -> Done:
            with lock:
                at_work.append(number)
            try:
                return super().__call__(number)
            finally:
                with lock:
                    at_work.remove(number)

    work = Watched(tmp_path, {1: watched(1, 1), 5: watched(5, 10**9), 8: watched(8, 1)})
    result = done_by(work, 70, crew)
    assert {number: n for number, n in work.calls.items() if n > 1} == {1: 2, 5: 2, 8: 2}
    assert sorted(work.order[-3:]) == [1, 5, 8], "after all others"
    assert all(alone[number, 2] == [number] for number in (1, 5, 8)), "no other is at work meanwhile"
    assert set(result.receipts) == {f"u{number}" for number in range(70) if number != 5}
    (failure,) = result.failures
    assert (failure.unit, failure.tries) == ("u5", 2)
    if isinstance(fault, KilledWorker):
        assert "out of memory" in failure.reason
        assert "max_rows" in failure.reason


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_stops_the_stage_at_once_and_keeps_what_is_done(tmp_path: Path, number: int) -> None:
    work = Work(tmp_path, {3: fails(OSError(number, os.strerror(number)))})
    with (
        open_crew(Place(threads=1)) as crew,
        pytest.raises(
            LkmrsError, match="What is done is kept: make room, then run the same command again"
        ) as fault,
    ):
        done_by(work, 500, crew)
    assert "count u3" in str(fault.value)
    assert os.strerror(number) in str(fault.value)
    assert work.calls[3] == 1, "it is not tried again"
    assert len(work.calls) <= 4 + crew.window, "what was handed out already may end, nothing else begins"
    assert {"u0", "u1", "u2"} <= set(written(tmp_path))
    assert set(written(tmp_path)) == {f"u{n}" for n in work.calls if n != 3}


def test_the_receipt_is_there_before_anybody_hears_of_it(tmp_path: Path) -> None:
    """So a run that is killed at any moment loses no piece that is done."""

    class Killed(BaseException):
        pass

    class Fragile(StageRecord):
        def finish_unit(self, rows: int = 0, memory_mb: float = 0.0, size: int = 1) -> None:
            super().finish_unit(rows, memory_mb, size)
            if self.done == 5:
                raise Killed

    work = Work(tmp_path)
    with open_crew(Place(threads=2)) as crew, pytest.raises(Killed):
        done_by(work, 40, crew, Fragile("count"))
    finished = set(written(tmp_path))
    assert len(finished) >= 5
    # All that was begun was also ended, and noted: nothing writes on behind the back of who cleans up.
    assert finished == {f"u{number}" for number in work.calls}
    assert all(one.unchanged(tmp_path) for one in Receipt.read_all(tmp_path / "receipts", "count").values())


def test_no_receipt_without_its_file(tmp_path: Path, crew: Crew) -> None:
    class Forgetful(Work):
        def __call__(self, number: int) -> Done:
            done = super().__call__(number)
            if number == 2:
                done.files[0].unlink()
            return done

    result = done_by(Forgetful(tmp_path), 4, crew)
    assert [failure.unit for failure in result.failures] == ["u2"]
    assert set(written(tmp_path)) == {"u0", "u1", "u3"}


def test_no_pieces(tmp_path: Path, crew: Crew) -> None:
    assert done_by(Work(tmp_path), 0, crew) == StageResult()


def test_an_interrupt_in_a_piece_ends_the_run(tmp_path: Path, crew: Crew) -> None:
    with pytest.raises(KeyboardInterrupt):
        done_by(Work(tmp_path, {1: fails(KeyboardInterrupt())}), 5, crew)


def squares(root: Path, deadly: int | None) -> Callable[[int], Done]:
    """A function that workers get by value: they cannot import this file.  One piece ends its process."""

    def square(number: int) -> Done:
        if number == deadly:
            os._exit(1)
        path = root / f"out-{number}"
        path.write_text(str(number * number))
        return Done(number, (path,), {"square": number * number})

    return square


def test_worker_processes_do_the_same_as_threads(tmp_path: Path) -> None:
    """And a piece that ends its process costs itself alone."""
    results = []
    for place, root, deadly in (
        (Place(threads=1), tmp_path / "1", None),
        (Place(workers=2), tmp_path / "4", 5),
    ):
        with open_crew(place) as crew:
            work, record = squares(root, deadly), StageRecord("count")
            results.append(carry_out("count", work, units(12), crew, record, Survey(root)))
    assert results[0].failures == []
    (failure,) = results[1].failures
    assert failure.unit == "u5"
    assert "every worker that had it died" in failure.reason
    expected = written(tmp_path / "1")
    del expected["u5"]
    assert written(tmp_path / "4") == expected
