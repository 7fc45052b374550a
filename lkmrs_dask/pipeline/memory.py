"""Memory of a process: its largest since a stage began, and what it holds without use."""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa

__all__ = ["peak_memory_mb", "release_memory", "restart_peak"]

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_PEAK_OF_MEMORY = "5"  # what Linux wants to hear
_current: list[str] = []


def restart_peak(stage: str) -> None:
    """Forget the peak of earlier stages; once a stage and process, and only where the system can (Linux)."""
    if _current == [stage]:
        return
    _current[:] = [stage]
    try:
        _CLEAR.write_text(_PEAK_OF_MEMORY)
    except OSError:
        return  # the peak is then that since the process began, which is what other systems give too


def peak_memory_mb() -> float:
    """Peak of the resident memory of this process, MB (2**20 bytes)."""
    if _STATUS.is_file():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    scale = 1024 if sys.platform != "darwin" else 1024**2
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def release_memory() -> None:
    """Give back what allocators keep for later, Arrow's and (with glibc) C's.

    Pieces are of all sizes, so what one leaves seldom fits the next: without this a process that does many
    of them holds some 250 MB more than its largest one needs.
    """
    pa.default_memory_pool().release_unused()
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
