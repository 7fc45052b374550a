"""Largest memory of a process since a stage began."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

__all__ = ["peak_memory_mb", "restart_peak"]

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
