"""A few rows in LAMOST's columns, for tests of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from lkmrs_dask.catalog.receipts import Receipt
from lkmrs_dask.cli import main
from lkmrs_dask.pipeline import stages

COLUMNS = "mobsid|obsid|uid|obsdate|lmjd|planid|spid|fiberid|lmjm|band|snr|ra|dec|coadd"
PLAN = "TD192102N424113K01"
JOB = """[job]
raw = "{raw}"
[settings]
max_rows = 20
[[input]]
catalog = "spectra"
files = ["{files}"]
"""


def rows(n_stars: int = 6, n_nights: int = 3, seed: int = 1, first_night: int = 58400) -> list[str]:
    """Two arms of two exposures and a coadd a night, of stars around the plate's centre."""
    rng = np.random.default_rng(seed)
    ra, dec = 290.26 + rng.uniform(-1, 1, n_stars), 42.69 + rng.uniform(-1, 1, n_stars)
    lines = []
    for night in range(first_night, first_night + n_nights):
        for star in range(n_stars):
            obsid = night * 1000 + star
            for minute, coadd in ((600, 0), (625, 0), (600, 1)):
                for band in "BR":
                    lmjm = night * 1440 - 1440 + minute
                    name = f"M{obsid}{minute}{coadd}{band}"
                    scatter = rng.normal(0, 0.2 / 3600, 2)
                    place = f"{ra[star] + scatter[0]:.7f}|{dec[star] + scatter[1]:.7f}"
                    lines.append(
                        f"{name}|{obsid}|G{star:05d}|2018-10-08|{night}|{PLAN}|{1 + star % 16}|{1 + star}"
                        f"|{lmjm}|{band}|{rng.uniform(5, 90):.2f}|{place}|{coadd}"
                    )
    return lines


def write(path: Path, lines: list[str]) -> Path:
    """Write lines under the header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([COLUMNS, *lines]) + "\n")
    return path


def write_job(path: Path, raw: Path, files: str = "*.csv") -> Path:
    """Write a job that reads tables of spectra into small partitions."""
    path.write_text(JOB.format(raw=raw, files=files))
    return path


def lkmrs(*arguments: object) -> Result:
    """Call the command, in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def watch_units(
    patch: pytest.MonkeyPatch, before: Callable[[str, str, int], None] | None = None
) -> list[tuple[str, str]]:
    """Note the pieces that runs do, stage and name of each; `before` sees each and may raise.

    It is also told how many were begun before, for a kill between any two.
    """
    done: list[tuple[str, str]] = []
    plain = stages._Carry.__call__

    def watched(self: stages._Carry, unit: stages.Unit, tries: int) -> Receipt:
        if before is not None:
            before(self.stage, unit.name, len(done))
        done.append((self.stage, unit.name))
        return plain(self, unit, tries)

    patch.setattr(stages._Carry, "__call__", watched)
    return done
