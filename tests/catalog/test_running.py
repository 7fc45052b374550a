"""Running tasks: results in order, the first failure stops the rest."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

from lkmrs_dask.catalog.running import cores, run_tasks, threads


def slow_for_early_ones(number: int) -> int:
    time.sleep(0.002 * (5 - number))
    return number * number


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_results_come_in_the_order_of_tasks(workers: int | None) -> None:
    seen: list[tuple[int, int]] = []
    with threads(ThreadPoolExecutor(workers) if workers else None) as pool:
        result = run_tasks(
            slow_for_early_ones, iter(range(5)), pool, lambda done, every: seen.append((done, every))
        )
    assert result == [0, 1, 4, 9, 16]
    assert seen == [(k, 5) for k in range(1, 6)]


def test_no_tasks() -> None:
    assert run_tasks(slow_for_early_ones, []) == []


def test_the_first_failure_is_raised_and_stops_the_rest() -> None:
    done: list[int] = []

    def task(number: int) -> None:
        if number == 2:
            raise LookupError("two")
        time.sleep(0.001)
        done.append(number)

    with ThreadPoolExecutor(1) as pool, pytest.raises(LookupError, match="two"):
        run_tasks(task, range(100), pool)
    assert done[:2] == [0, 1]
    assert len(done) < 20


def test_an_interrupt_stops_the_rest() -> None:
    done: list[int] = []

    def task(number: int) -> None:
        time.sleep(0.001)
        done.append(number)

    def progress(finished: int, every: int) -> None:
        raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyboardInterrupt):
        run_tasks(task, range(200), pool, progress)
    assert len(done) < 100


class Remembering(Executor):
    """Answers a call that it had before from memory, as Dask does."""

    def __init__(self) -> None:
        self.answers: dict[tuple, Future] = {}

    def submit(self, fn, /, *args, **kwargs) -> Future:  # type: ignore[no-untyped-def]
        key = (fn, *args)
        if key not in self.answers:
            future: Future = Future()
            self.answers[key] = future
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as fault:
                future.set_exception(fault)
        return self.answers[key]


def test_an_executor_that_remembers_calls_makes_them_again() -> None:
    calls: list[int] = []

    def task(number: int) -> int:
        calls.append(number)
        if len(calls) == 1:
            raise OSError("a passing fault")
        return number

    pool = Remembering()
    with pytest.raises(OSError, match="passing"):
        run_tasks(task, [7], pool)
    assert run_tasks(task, [7], pool) == [7]
    assert run_tasks(task, [7], pool) == [7]
    assert calls == [7, 7, 7]


class NeverNotifies(Executor):
    """Fails the first call, and says of no cancelled one that it has ended, as Dask's does now and then."""

    def submit(self, fn, /, *args, **kwargs) -> Future:  # type: ignore[no-untyped-def]
        future: Future = Future()
        if args[-1] == 0:
            future.set_exception(OSError("the first fails"))
        return future


@pytest.mark.timeout(20)
def test_a_failure_does_not_wait_for_what_was_cancelled() -> None:
    with pytest.raises(OSError, match="the first fails"):
        run_tasks(abs, range(5), NeverNotifies())


def test_a_failure_waits_for_what_still_runs() -> None:
    ended = threading.Event()

    def task(number: int) -> None:
        if number == 0:
            raise OSError("the first fails")
        time.sleep(0.2)
        ended.set()

    with ThreadPoolExecutor(2) as pool:
        begun = pool.submit(task, 1)
        with pytest.raises(OSError, match="the first fails"):
            run_tasks(task, [1, 0, 1, 1], pool)
        assert ended.is_set()
        begun.result()


def test_threads_are_one_a_core_unless_given() -> None:
    def name_of_thread(_: int) -> str:
        time.sleep(0.001)
        return threading.current_thread().name

    with threads() as pool:
        names = set(pool.map(name_of_thread, range(50)))
    assert len(names) <= cores()
    assert all(name.startswith("lkmrs") for name in names)
    with ThreadPoolExecutor(1) as mine, threads(mine) as pool:
        assert pool is mine
