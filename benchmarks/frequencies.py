"""Frequencies of a light curve, beside one periodogram and a fit and a periodogram for every frequency.

python benchmarks/frequencies.py [--scale 0.1] [--rounds 5] [--json frequencies.json] [--curves N] [--plain N]
"""

from __future__ import annotations

import cProfile
import os
import pstats
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from timing import compare, parser, report

from lkmrs_dask.variability import Frequencies, find_frequencies, periodogram
from lkmrs_dask.variability.one_thread import ONE_THREAD

N_FREQUENCIES = 50
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
    """Share of the time that is spent within FINUFFT, plans included."""
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    run()
    profile.disable()
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    own = {key: values[2] for key, values in stats.items()}
    inside = sum(taken for (file, _, _), taken in own.items() if "finufft" in file)
    return inside / sum(own.values())


def difference(ours: Frequencies, theirs: np.ndarray) -> tuple[float, float]:
    """Largest differences of frequency and amplitude from the plain way's, in our errors."""
    row = np.abs(ours.frequency[:, None] - theirs[:, 0]).argmin(axis=1)
    return (
        float(np.max(np.abs(ours.frequency - theirs[row, 0]) / ours.frequency_err)),
        float(np.max(np.abs(ours.amplitude - theirs[row, 1]) / ours.amplitude_err)),
    )


def survey(n_curves: int, workers: int) -> dict[str, Any]:
    """Extract the frequencies of a synthetic survey: of every three curves one varies."""
    kinds = np.repeat(
        list(KINDS), np.diff(np.rint(np.cumsum([0, *(k[3] for k in KINDS.values())]) * n_curves).astype(int))
    )
    curves = [(str(kind), 12 if i % 3 == 0 else 0, i) for i, kind in enumerate(kinds)]

    def one(curve: tuple[str, int, int]) -> tuple[float, int]:
        kind, n, seed = curve
        t, y = synthetic_curve(kind, n, seed)
        start = time.thread_time()
        found = find_frequencies(t, y)
        return time.thread_time() - start, len(found)

    one(curves[0])
    start = time.perf_counter()
    with ONE_THREAD, ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(one, curves))
    wall = time.perf_counter() - start
    row: dict[str, Any] = {"wall_s": wall, "extraction_cpu_s": sum(taken for taken, _ in results),
                           "frequencies": sum(n for _, n in results)}  # fmt: skip
    for kind in KINDS:
        mine = [taken for (k, _, _), (taken, _) in zip(curves, results, strict=True) if k == kind]
        row[f"{kind}_ms"] = 1e3 * float(np.mean(mine)) if mine else float("nan")
    sample = [synthetic_curve(*curve) for curve in curves[:: max(1, len(curves) // 30)]]
    with ONE_THREAD:
        row["finufft_share"] = finufft_share(lambda: [find_frequencies(*curve) for curve in sample])
    return row


def main(arguments: list[str] | None = None) -> dict:
    """Run the benchmark."""
    options = parser(__doc__ or "", "frequencies.json")
    options.add_argument("--curves", type=int, default=0, help="a survey of so many light curves, too")
    options.add_argument("--workers", type=int, default=2, help="threads for the survey")
    options.add_argument(
        "--plain", type=int, default=5, help="frequencies for the plain way; 50 take minutes"
    )
    chosen = options.parse_args(arguments)
    curve = real_curve()
    name = "KIC 11754974" if curve else "synthetic"
    t, y = curve or synthetic_curve()
    n_points = max(1000, int(len(t) * chosen.scale))
    t, y = t[:n_points], y[:n_points]
    n_plain = max(1, chosen.plain)
    contenders = {
        "one nifty-ls periodogram": lambda: periodogram(t, y),
        f"find_frequencies, {N_FREQUENCIES}": lambda: find_frequencies(t, y, max_frequencies=N_FREQUENCIES),
        f"find_frequencies, {n_plain}": lambda: find_frequencies(t, y, max_frequencies=n_plain),
    }
    slow = f"nifty-ls and scipy, {n_plain}"
    with ONE_THREAD:
        results: dict[str, dict[str, Any]] = dict(compare(contenders, chosen.rounds))
        cpu = {
            run: np.median([cpu_seconds(call) for _ in range(chosen.rounds)])
            for run, call in contenders.items()
        }
        start = time.perf_counter()
        peer: list[np.ndarray] = []
        cpu[slow] = cpu_seconds(lambda: peer.append(plain(t, y, n_plain)))
        results[slow] = {"median": time.perf_counter() - start}
        base = next(iter(cpu.values()))
        for run, seconds in cpu.items():
            results[run] |= {"cpu_s": float(seconds), "periodograms": float(seconds / base)}
        share = finufft_share(lambda: find_frequencies(t, y, max_frequencies=N_FREQUENCIES))
        df, da = difference(find_frequencies(t, y, max_frequencies=n_plain), peer[0])
    faster = {
        f"times_faster_than_plain_{n_plain}": cpu[slow] / cpu[f"find_frequencies, {n_plain}"],
        f"times_faster_than_plain_{n_plain}_with_{N_FREQUENCIES}": cpu[slow]
        / cpu[f"find_frequencies, {N_FREQUENCIES}"],
    }
    facts: dict[str, Any] = {key: round(float(value), 1) for key, value in faster.items()}
    if chosen.curves:
        facts["survey"] = survey(chosen.curves, chosen.workers)
        results[f"survey of {chosen.curves} curves"] = {"median": facts["survey"]["wall_s"]}
    return report(
        "frequencies", results, chosen.json, curve=name, points=len(t), finufft_share=round(share, 3),
        frequency_difference_sigma=df, amplitude_difference_sigma=da,
        **facts,
    )  # fmt: skip


if __name__ == "__main__":
    main()
