"""Frequencies of a light curve, beside one periodogram and a fit and a periodogram for every frequency.

python benchmarks/frequencies.py [--scale 0.1] [--rounds 5] [--json frequencies.json] [--plain N]
    [--star-shine PYTHON] [--curves N] [--files FOLDER]

PYTHON is one that has star_shine.  A survey is one of N synthetic light curves, or all files of FOLDER.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import finufft
import numpy as np
from timing import compare, parser, report

from lkmrs_dask.errors import LkmrsError
from lkmrs_dask.pipeline.memory import peak_memory_mb
from lkmrs_dask.readers.light_curves.reading import light_curve_files, read_light_curve
from lkmrs_dask.readers.light_curves.stitching import stitch
from lkmrs_dask.variability import Frequencies, find_frequencies, periodogram
from lkmrs_dask.variability.one_thread import ONE_THREAD

N_FREQUENCIES = 50
_TEN = 10  # for star_shine, which takes minutes for so many
# Points, cadence (d), baseline (d), share of a survey of 2,797 curves: 1,088 of Kepler and K2, 1,709 of TESS.
KINDS = {
    "kepler": (50_736, 0.02043365, 1350.6, 544 / 2797),
    "k2": (3_500, 0.02043365, 78.0, 544 / 2797),
    "tess": (17_000, 2.0 / 1440.0, 26.0, 1709 / 2797),
}
CURVE = "data/lc_kepler_dsct/kic11754974_lc.txt"


def real_curve() -> tuple[np.ndarray, np.ndarray] | None:
    """KIC 11754974 in thousandths of a magnitude, where the real files are."""
    folder = os.environ.get("LKMRS_SHARED", Path(__file__).resolve().parents[1].parent / "shared")
    path = Path(folder) / CURVE
    if not path.is_file():
        return None
    time_d, magnitude = np.loadtxt(path).T
    return time_d, 1000.0 * magnitude


def synthetic_curve(
    kind: str = "kepler", n_frequencies: int = 60, seed: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Sinusoids of falling amplitude in white noise, sampled as a mission does, with gaps."""
    rng = np.random.default_rng(seed)
    n, cadence, baseline, _ = KINDS[kind]
    full = np.arange(0.0, baseline, cadence)
    pieces = np.sort(rng.choice(np.arange(1, 40), 3, replace=False)) / 40 * len(full)
    gaps = [np.arange(int(p), int(p) + len(full) // 100) for p in pieces]
    kept = np.setdiff1d(np.arange(len(full)), np.concatenate(gaps))
    kept = np.sort(rng.choice(kept, min(n, len(kept)), replace=False))
    t = full[kept] + 2e-3 * np.sin(2 * np.pi * full[kept] / 372.5)  # light travels to the barycentre
    flux = rng.normal(0.0, 2.0, len(t))
    top = min(0.5 / cadence, 80.0)
    for f, a, p in zip(rng.uniform(0.3, 0.95 * top, n_frequencies), 50 * 0.9 ** np.arange(n_frequencies),
                       rng.uniform(0, 2 * np.pi, n_frequencies), strict=True):  # fmt: skip
        flux += a * np.cos(2 * np.pi * f * t + p)
    return t, flux


def plain(t: np.ndarray, y: np.ndarray, n_frequencies: int) -> np.ndarray:
    """One nifty-ls call and one joint scipy fit for every frequency; rows of frequency, amplitude."""
    from scipy.optimize import least_squares

    middle = 0.5 * (t[0] + t[-1])
    x, parameters, residual = t - middle, np.array([y.mean()]), y - y.mean()
    for _ in range(n_frequencies):
        frequency, amplitude = periodogram(x, residual)
        for taken in parameters[1::3]:  # closer ones cannot be told apart: two large ones would cancel out
            amplitude[np.abs(frequency - taken) < 1.5 / np.ptp(x)] = 0.0
        f, a = frequency[amplitude.argmax()], amplitude.max()
        phase = np.angle(np.exp(-2j * np.pi * f * x) @ residual)
        parameters = np.concatenate([parameters, [f, a * np.cos(phase), -a * np.sin(phase)]])
        fit = least_squares(lambda p: model(x, p) - y, parameters, jac=lambda p: jacobian(x, p),
                            x_scale="jac")  # fmt: skip
        parameters, residual = fit.x, -fit.fun
    f, c, s = parameters[1:].reshape(-1, 3).T
    return np.stack([f, np.hypot(c, s)], axis=1)


def model(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Mean and sinusoids of (frequency, cosine, sine)."""
    out = np.full(len(x), p[0])
    for f, c, s in p[1:].reshape(-1, 3):
        out += c * np.cos(2 * np.pi * f * x) + s * np.sin(2 * np.pi * f * x)
    return out


def jacobian(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Derivatives of `model`."""
    out = np.empty((len(x), len(p)))
    out[:, 0] = 1.0
    for k, (f, c, s) in enumerate(p[1:].reshape(-1, 3)):
        cosine, sine = np.cos(2 * np.pi * f * x), np.sin(2 * np.pi * f * x)
        out[:, 1 + 3 * k] = 2 * np.pi * x * (s * cosine - c * sine)
        out[:, 2 + 3 * k], out[:, 3 + 3 * k] = cosine, sine
    return out


def cpu_seconds(run: Callable[[], object]) -> float:
    """Time of the process, which another's load does not make longer as it does the clock's."""
    start = time.process_time()
    run()
    return time.process_time() - start


def finufft_share(run: Callable[[], object]) -> float:
    """Share of the time that is spent within FINUFFT, plans included.

    Its calls alone are timed: a profiler makes every other Python function longer.
    """
    inside = 0.0

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def within(*arguments: Any, **options: Any) -> Any:
            nonlocal inside
            start = time.process_time()
            result = call(*arguments, **options)
            inside += time.process_time() - start
            return result

        return within

    with ExitStack() as stack:
        for name in ("__init__", "setpts", "execute"):
            stack.enter_context(patch.object(finufft.Plan, name, timed(getattr(finufft.Plan, name))))
        whole = cpu_seconds(run)
    return inside / whole


def difference(ours: Frequencies, theirs: np.ndarray) -> tuple[float, float]:
    """Largest differences of frequency and amplitude from the plain way's, in our errors."""
    row = np.abs(ours.frequency[:, None] - theirs[:, 0]).argmin(axis=1)
    return (
        float(np.max(np.abs(ours.frequency - theirs[row, 0]) / ours.frequency_err)),
        float(np.max(np.abs(ours.amplitude - theirs[row, 1]) / ours.amplitude_err)),
    )


def star_shine(python: Path, t: np.ndarray, y: np.ndarray, n: int) -> dict[str, Any]:
    """The same by star_shine, in a process of one thread."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/curve.npy", np.stack([t, y]))
        script = Path(__file__).with_name("star_shine_peer.py")
        command = [str(python), str(script), f"{folder}/curve.npy", str(n)]
        done = subprocess.run(command, capture_output=True, text=True, check=True,
                              env={**os.environ, "NUMBA_NUM_THREADS": "1", "PYTHONPATH": ""})  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


Curve = Path | tuple[str, int, int]  # a file, or arguments of synthetic_curve


class Done(NamedTuple):
    """What one light curve took."""

    kind: str
    cpu_s: float
    frequencies: int
    peak_mb: float


def read(curve: Curve) -> tuple[str, np.ndarray, np.ndarray]:
    """Read or make a light curve: kind, time, flux."""
    if isinstance(curve, Path):
        star = read_light_curve(curve)
        whole = stitch([star])
        return star.mission.lower(), whole.time, whole.flux
    return curve[0], *synthetic_curve(*curve)


def extract(curve: Curve) -> Done:
    """Read and extract; a light curve that cannot be used counts as one without frequencies."""
    kind, t, y = read(curve)
    start = time.thread_time()
    try:
        n = len(find_frequencies(t, y))
    except LkmrsError:
        n = 0
    taken = time.thread_time() - start
    # Not RUSAGE_SELF, which knows the memory of the process that started this one too.
    return Done(kind, taken, n, peak_memory_mb())


def synthetic_survey(n_curves: int) -> list[Curve]:
    """Light curves in the shares of the missions; of every three one varies."""
    shares = np.cumsum([0, *(k[3] for k in KINDS.values())])
    kinds = np.repeat(list(KINDS), np.diff(np.rint(shares * n_curves).astype(int)))
    return [(str(kind), 12 if i % 3 == 0 else 0, i) for i, kind in enumerate(kinds)]


def pool_of(place: str, workers: int) -> Executor:
    """Threads or processes; processes are new ones, so that their memory is that of their work."""
    if place == "threads":
        return ThreadPoolExecutor(workers)
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def run_survey(curves: Sequence[Curve], place: str, workers: int) -> dict[str, float]:
    """Time of a survey, and the highest memory of a process."""
    start = time.perf_counter()
    with ONE_THREAD, pool_of(place, workers) as pool:
        done = list(pool.map(extract, curves, chunksize=1 if place == "threads" else 10))
    wall = time.perf_counter() - start
    row = {"median": wall, "curves_a_second": len(curves) / wall, "cpu_s": sum(d.cpu_s for d in done),
           "peak_mb": max(d.peak_mb for d in done), "found": sum(d.frequencies for d in done)}  # fmt: skip
    for kind in KINDS:
        mine = [d.cpu_s for d in done if d.kind == kind]
        row[f"{kind}_ms"] = 1e3 * float(np.mean(mine)) if mine else float("nan")
    return row


def alone(curves: Sequence[Curve], place: str, workers: int) -> dict[str, float]:
    """`run_survey` in a new process, so that memory is not that of what was before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as one:
        return one.submit(run_survey, curves, place, workers).result()


def survey(curves: Sequence[Curve], workers: int) -> tuple[dict[str, dict[str, float]], float]:
    """Run a survey on threads and on processes, whole and a part; share of FINUFFT in a sample."""
    part = curves[:: max(1, len(curves) // 300)][:300]  # of the same kinds
    results = {}
    for place in ("threads", "processes"):
        for some in (part, curves) if len(curves) > len(part) else (curves,):
            results[f"{len(some)} curves, {workers} {place}"] = alone(some, place, workers)
    sample = [read(curve)[1:] for curve in curves[:: max(1, len(curves) // 60)]]
    with ONE_THREAD:
        share = finufft_share(lambda: [find_frequencies(*curve) for curve in sample])
    return results, share


def contender_times(
    contenders: dict[str, Callable[[], object]], rounds: int
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Clock and process time of each."""
    results = dict(compare(contenders, rounds))
    cpu = {
        name: float(np.median([cpu_seconds(run) for _ in range(rounds)])) for name, run in contenders.items()
    }
    return results, cpu


def main(arguments: list[str] | None = None) -> dict:
    """Run the benchmark."""
    options = parser(__doc__ or "", "frequencies.json")
    options.add_argument("--curves", type=int, default=0, help="a survey of so many light curves, too")
    options.add_argument("--files", type=Path, help="a survey of the files of a folder instead")
    options.add_argument("--workers", type=int, default=2, help="threads and processes for the survey")
    options.add_argument(
        "--plain", type=int, default=5, help="frequencies for the plain way; 50 take minutes"
    )
    options.add_argument("--star-shine", type=Path, help="a Python that has star_shine; ten minutes")
    chosen = options.parse_args(arguments)
    curve = real_curve()
    name = "KIC 11754974" if curve else "synthetic"
    t, y = curve or synthetic_curve()
    n_points = max(1000, int(len(t) * chosen.scale))
    t, y = t[:n_points], y[:n_points]
    n_plain = max(1, chosen.plain)
    numbers = dict.fromkeys((N_FREQUENCIES, n_plain, *((_TEN,) if chosen.star_shine else ())))
    contenders: dict[str, Callable[[], object]] = {"one nifty-ls periodogram": lambda: periodogram(t, y)}
    for n in numbers:
        contenders[f"find_frequencies, {n}"] = partial(find_frequencies, t, y, max_frequencies=n)
    peers: dict[str, tuple[int, np.ndarray]] = {}
    with ONE_THREAD:
        results, cpu = contender_times(contenders, chosen.rounds)
        slow = f"nifty-ls and scipy, {n_plain}"
        start, kept = time.perf_counter(), []
        cpu[slow] = cpu_seconds(lambda: kept.append(plain(t, y, n_plain)))
        results[slow] = {"median": time.perf_counter() - start}
        peers[slow] = n_plain, kept[0]
        if chosen.star_shine:
            theirs = star_shine(chosen.star_shine, t, y, _TEN)
            slow = f"star_shine, {_TEN}"
            cpu[slow], results[slow] = theirs["cpu_s"], {"median": theirs["wall_s"]}
            peers[slow] = _TEN, np.array(theirs["rows"])
        base = cpu["one nifty-ls periodogram"]
        for run, seconds in cpu.items():
            results[run] |= {"cpu_s": seconds, "periodograms": seconds / base}
        for run, (n, rows) in peers.items():
            df, da = difference(find_frequencies(t, y, max_frequencies=n), rows)
            results[run] |= {"times_slower": cpu[run] / cpu[f"find_frequencies, {n}"],
                             "f_sigma": df, "a_sigma": da}  # fmt: skip
        share = finufft_share(lambda: find_frequencies(t, y, max_frequencies=N_FREQUENCIES))
    facts: dict[str, Any] = {"finufft_share": round(share, 3)}
    curves: list[Curve] = synthetic_survey(chosen.curves)
    if chosen.files:
        curves = [Path(file) for file in light_curve_files(chosen.files)]
    if curves:
        of_survey, share = survey(curves, max(1, chosen.workers))
        results |= of_survey
        facts["finufft_share_survey"] = round(share, 3)
    return report("frequencies", results, chosen.json, curve=name, points=len(t), **facts)


if __name__ == "__main__":
    main()
