"""Writes the light curves of a synthetic survey, and the truth about them.

Every file is a function of the seed and its star alone: one star is one task, and any split of the work
writes the same bytes.
"""

from __future__ import annotations

import gzip
import shutil
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.counters import Draws, Purpose
from lkmrs_dask.synthetic.external.identifiers import FIRST_EPIC, kic_epic_ids, tic_ids
from lkmrs_dask.synthetic.ledger import Ledger
from lkmrs_dask.synthetic.light_curves.classes import make_signal
from lkmrs_dask.synthetic.light_curves.curve import observe
from lkmrs_dask.synthetic.light_curves.headers import file_bytes, file_name
from lkmrs_dask.synthetic.light_curves.photometry import Photometry, detection, photometry
from lkmrs_dask.synthetic.light_curves.segments import Segment, choose_segments
from lkmrs_dask.synthetic.light_curves.signal import Numbers, Signal, Source
from lkmrs_dask.synthetic.light_curves.sources import sources

__all__ = [
    "FOLDER", "TRUTH", "TRUTH_SCHEMA", "LightCurveSettings", "Submits", "write_light_curves", "write_star",
]  # fmt: skip

FOLDER = "light_curves"
"""Folder of the files, with one folder each for ``kepler``, ``k2`` and ``tess``."""

TRUTH = "truth/light_curves.parquet"
"""What went into the files, a row a file."""

TRUTH_SCHEMA = pa.schema(
    [
        ("uid", pa.string()),
        ("mission", pa.string()),
        ("segment", pa.int32()),
        ("identifier", pa.int64()),
        ("file", pa.string()),
        ("class", pa.string()),
        ("period", pa.float64()),
        ("frequencies", pa.list_(pa.float64())),
        ("amplitudes", pa.list_(pa.float64())),
        ("phases", pa.list_(pa.float64())),
        ("boost", pa.float64()),
        ("nu_max", pa.float64()),
        ("delta_nu", pa.float64()),
        ("white_ppt", pa.float64()),
    ]
)
"""Columns of the truth; ``period`` in d, ``frequencies`` in 1/d, ``amplitudes`` in ppt, ``phases`` in turns
at BJD_TDB 2458000.5 (sines), ``nu_max`` and ``delta_nu`` in uHz, ``white_ppt`` the noise of a cadence."""

_MARK = "SYNTHETIC.txt"
_NOTE = "Light curves made by lkmrs_dask for a synthetic survey.  No mission observed them.\n"
_LEVEL = 1  # of compression: higher ones cost more time than all the rest and save little of noise


class Submits(Protocol):
    """An executor of `concurrent.futures`, or a Dask client whose workers share this file system."""

    def submit(self, function: Any, /, *arguments: Any) -> Future[Any]:
        """Start a call."""


@dataclass(frozen=True)
class LightCurveSettings:
    """How much to write.

    Parameters
    ----------
    quarters, campaigns, sectors : int
        For each star of Kepler, K2 and TESS; fewer where the mission has fewer.
    compress_tess : bool
        Whether TESS files are gzipped, ``.fits.gz``: a sector is 1.8 MB, and 0.8 MB then.  The archive serves
        them as plain ``.fits``.
    """

    quarters: int = 1
    campaigns: int = 1
    sectors: int = 1
    compress_tess: bool = True

    def __post_init__(self) -> None:
        for name in ("quarters", "campaigns", "sectors"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")

    def count(self, mission: str) -> int:
        """Segments of a mission for each star."""
        return {"kepler": self.quarters, "k2": self.campaigns, "tess": self.sectors}[mission]


def write_light_curves(
    folder: Path,
    ledger: Ledger,
    executor: Submits | None = None,
    settings: LightCurveSettings | None = None,
) -> None:
    """Write the light curves of the stars that vary in radial velocity.

    Parameters
    ----------
    folder : Path
        Of the survey; gets ``light_curves/kepler``, ``light_curves/k2``, ``light_curves/tess`` and
        ``truth/light_curves.parquet``.  Synthetic light curves that it holds are replaced.
    ledger : Ledger
        The survey.
    executor : Submits, optional
        Where stars are made, each a task; this process if not given.
    settings : LightCurveSettings, optional
        How much to write.

    Raises
    ------
    UsageError
        Where ``light_curves`` holds something else.

    Notes
    -----
    With the defaults the full survey has 2,797 files, 2.0 GB, and takes two minutes of one core.  From the
    ledger come a star's class, orbit and period (a red giant's follows from teff and log g instead).  Other
    amplitudes and frequencies are those of the class, amplitudes raised (``boost``) until the signal has an
    S/N of 5.6 or more: in each of the star's light curves, but for red giants and the uncertain, which may
    reach it in the best one only, and for eclipses that are too short or too rare.
    """
    folder, settings = Path(folder), settings or LightCurveSettings()
    place = folder / FOLDER
    if place.exists():
        if not (place / _MARK).is_file():
            raise UsageError(f"{place} holds something else than synthetic light curves; name another folder")
        shutil.rmtree(place)
    for mission in ("kepler", "k2", "tess"):
        (place / mission).mkdir(parents=True)
    (place / _MARK).write_text(_NOTE, encoding="ascii")
    stars = sources(ledger, kic_epic_ids(ledger), tic_ids(ledger))
    if executor is None:
        made = [write_star(star, place, ledger.draws, settings) for star in stars]
    else:
        futures = [executor.submit(write_star, star, place, ledger.draws, settings) for star in stars]
        made = [future.result() for future in futures]
    truth = pa.Table.from_pylist(list(chain.from_iterable(made)), schema=TRUTH_SCHEMA)
    (folder / TRUTH).parent.mkdir(exist_ok=True)
    pq.write_table(truth, folder / TRUTH)


def write_star(
    source: Source, place: Path, draws: Draws, settings: LightCurveSettings
) -> list[dict[str, Any]]:
    """Write all files of a star.

    Parameters
    ----------
    source : Source
        The star.
    place : Path
        The folder ``light_curves``.
    draws : Draws
        Random numbers of the survey.
    settings : LightCurveSettings
        How much to write.

    Returns
    -------
    list of dict
        Rows of the truth, a file each.
    """
    numbers = Numbers(draws, source.number)
    lit = _lit(source, numbers, settings)
    signal = make_signal(source, numbers, detection(lit))
    rows = []
    for segment, brightness in lit:
        curve = observe(source, signal, segment, brightness, numbers)
        name, data = file_name(source, curve), file_bytes(source, curve)
        if segment.mission == "tess" and settings.compress_tess:
            name, data = f"{name}.gz", gzip.compress(data, compresslevel=_LEVEL, mtime=0)
        (place / segment.mission / name).write_bytes(data)
        rows.append(_truth(source, signal, segment, brightness, f"{FOLDER}/{segment.mission}/{name}"))
    return rows


def _lit(source: Source, numbers: Numbers, settings: LightCurveSettings) -> list[tuple[Segment, Photometry]]:
    """When each mission looked at a star, and how bright the star is for it."""
    missions = []
    if source.kic:
        missions.append("kepler" if source.kic < FIRST_EPIC else "k2")
    if source.tic:
        missions.append("tess")
    draw = numbers.uniform(Purpose.LIGHT_SEGMENT, 3)
    return [
        (segment, photometry(mission, source.g, source.bp_rp))
        for mission in missions
        for segment in choose_segments(
            mission, source.ra, source.dec, settings.count(mission), float(draw[int(mission == "tess")])
        )
    ]


def _truth(
    source: Source, signal: Signal, segment: Segment, brightness: Photometry, file: str
) -> dict[str, Any]:
    return {
        "uid": source.uid,
        "mission": segment.mission,
        "segment": segment.number,
        "identifier": source.tic if segment.mission == "tess" else source.kic,
        "file": file,
        "class": source.variable_class,
        "period": signal.period,
        "frequencies": signal.frequencies.tolist(),
        "amplitudes": signal.amplitudes.tolist(),
        "phases": signal.phases.tolist(),
        "boost": signal.boost,
        "nu_max": signal.nu_max,
        "delta_nu": signal.delta_nu,
        "white_ppt": 1e3 * brightness.white,
    }
