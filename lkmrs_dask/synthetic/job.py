"""The job file of ``lkmrs demo``, for the raw files of a synthetic survey."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

__all__ = ["job_text", "write_job"]

_NAME = "demo.toml"
_RAW = 'raw = "raw"\n'


def job_text(raw: Path) -> str:
    """Text of the job file.

    Parameters
    ----------
    raw : Path
        Folder of the raw files.
    """
    text = files("lkmrs_dask.synthetic").joinpath(_NAME).read_text("utf-8")
    # What JSON escapes in a string, TOML escapes in the same way.
    return text.replace(_RAW, f"raw = {json.dumps(str(raw), ensure_ascii=False)}\n")


def write_job(folder: Path, raw: Path | None = None) -> Path:
    """Write the job file.

    Parameters
    ----------
    folder : Path
        Gets ``demo.toml``.
    raw : Path, optional
        Folder of the raw files; ``folder/raw`` if not given.  It is written as an absolute path.

    Returns
    -------
    Path
        The file.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _NAME
    path.write_text(job_text((folder / "raw" if raw is None else Path(raw)).absolute()), encoding="utf-8")
    return path
