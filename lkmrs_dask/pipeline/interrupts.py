"""Ctrl-C that is never lost.

Python raises KeyboardInterrupt wherever the main thread happens to be.  Within a callback of the garbage
collector (`distributed` has one) or a finalizer it only prints it and goes on, and a run would work to its
end as if nobody had asked.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["Interrupts", "heed_interrupts"]


class Interrupts:
    """Whether somebody pressed Ctrl-C."""

    def __init__(self) -> None:
        self._asked = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal: remember it, and raise KeyboardInterrupt as ever."""
        self._asked = True
        signal.default_int_handler(number, frame)

    def check(self) -> None:
        """Raise KeyboardInterrupt where one was asked for and swallowed."""
        if self._asked:
            raise KeyboardInterrupt


@contextmanager
def heed_interrupts() -> Iterator[Interrupts]:
    """Remember each Ctrl-C of the ``with`` block, and keep those that Python swallows off the terminal.

    In other threads than the main one, and where somebody else handles the signal, it changes nothing.
    """
    found = Interrupts()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield found
        return
    hook = sys.unraisablehook

    def quiet(fault: UnraisableHookArgs) -> None:
        if not issubclass(fault.exc_type, KeyboardInterrupt):
            hook(fault)

    signal.signal(signal.SIGINT, found.note)
    sys.unraisablehook = quiet
    try:
        yield found
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGINT, signal.default_int_handler)
