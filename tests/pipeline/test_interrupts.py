"""A Ctrl-C ends a run wherever it arrives."""

from __future__ import annotations

import gc
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest

from lkmrs_dask.pipeline.cluster import open_crew
from lkmrs_dask.pipeline.interrupts import heed_interrupts
from lkmrs_dask.pipeline.place import Place


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Ctrl-C counts even where the tests do not heed it, as in the background of a shell script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c(*_: object) -> None:
    """Ask this process to end; Python handles it before the call returns."""
    os.kill(os.getpid(), signal.SIGINT)


@contextmanager
def while_collecting(callback: Callable[[str, dict[str, Any]], None]) -> Iterator[None]:
    gc.callbacks.append(callback)
    try:
        gc.collect()
        yield
    finally:
        gc.callbacks.remove(callback)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Python could not raise; pytest's own hook would make warnings of it later."""
    faults: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda fault: faults.append(fault.exc_value))
    return faults


class Once:
    """Press the keys in the first collection alone."""

    def __init__(self) -> None:
        self.pressed = False

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        if not self.pressed:
            self.pressed = True
            press_ctrl_c()


def test_python_alone_swallows_one_in_a_collection(printed: list[Any]) -> None:
    with while_collecting(Once()):
        pass  # nothing is raised: this is what is guarded against
    assert [type(fault) for fault in printed] == [KeyboardInterrupt]


@pytest.mark.parametrize("place", [Place(threads=1), pytest.param(Place(workers=1), marks=pytest.mark.slow)])
def test_a_swallowed_one_ends_the_wait_for_pieces(place: Place, printed: list[Any]) -> None:
    never: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
    with open_crew(place) as crew:
        with while_collecting(Once()):
            pass
        with pytest.raises(KeyboardInterrupt):
            crew.next_finished(never)
    assert printed == []


def test_what_else_cannot_be_raised_is_still_told(printed: list[Any]) -> None:
    def fail(phase: str, info: dict[str, Any]) -> None:
        raise ValueError("of another kind")

    with heed_interrupts(), while_collecting(fail):
        pass
    assert {str(fault) for fault in printed} == {"of another kind"}


def test_an_ordinary_one_is_raised_where_it_arrives_and_all_is_as_before_at_the_end() -> None:
    handler, hook = signal.getsignal(signal.SIGINT), sys.unraisablehook
    with pytest.raises(KeyboardInterrupt), heed_interrupts():
        press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is handler
    assert sys.unraisablehook is hook


def test_elsewhere_than_in_the_main_thread_nothing_changes() -> None:
    seen: list[object] = []

    def look() -> None:
        with heed_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_somebody_elses_handler_stays() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with heed_interrupts():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            press_ctrl_c()
    finally:
        signal.signal(signal.SIGINT, before)
