"""Carry out the job on a synthetic survey and compare what comes out with what was put in.

    python benchmarks/recovery.py [--scale 1] [--seed 1] [--folder DIR] [--json recovery.json]

Counts must be equal to the digit, and every star found once.  Weighted means are compared with the stars'
true values in units of their own errors, sigma^2 = sum (w_k sigma_k)^2 / (sum w_k)^2 with w = S/N^2 and
sigma_k the error of one spectrum that the release states: their mean (bias) must be 0, their spread 1, and
68.3 % and 95.4 % of them lie within one and two (the errors cover).  The published error, Eq. 2, is a sample
standard deviation: its square is compared with its expectation under the same errors (eq2_ratio must be 1).
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from timing import parser, report

JOB = Path(__file__).resolve().parents[1] / "jobs" / "full_release.toml"
PARAMETERS = ("teff", "logg", "feh", "alpha_m", "rv", "vsini")
_MORE = ("n_stars", "n_plates", "n_exposures")


def compare_counts(summary: dict[str, Any], truth: Path) -> list[str]:
    """List differences between a summary and the truth, in counts, years and rows set aside."""
    counts, years, aside = (
        pq.read_table(truth / f"{name}.parquet").to_pylist() for name in ("counts", "years", "rows_set_aside")
    )
    found = [
        (row["name"], row["count"], summary[row["name"]])
        for row in counts
        # Variables are found in light curves, which this survey is made without.
        if row["name"] in summary and row["name"] != "n_periodic"
    ]
    for row in years:
        year = summary["years"][str(row["year"])]
        found += [(f"{row['year']} {name}", n, year[name]) for name, n in row.items() if name != "year"]
    reasons = {row["reason"]: row["count"] for row in aside}
    for reason in reasons.keys() | summary["rows_set_aside"].keys():
        found.append((reason, reasons.get(reason, 0), summary["rows_set_aside"].get(reason, 0)))
    return [f"{name}: {there} were put in, {here} came out" for name, there, here in found if there != here]


def compare_stars(survey: Path, truth: Path) -> list[str]:
    """List stars that were not found, or found otherwise than once."""
    from lkmrs_dask import open_catalog

    known = pq.read_table(truth / "stars.parquet").column("uid").to_pylist()
    found = open_catalog(survey / "targets").to_arrow().column("uid").to_pylist()
    problems = []
    if len(set(found)) != len(found):
        problems.append(f"{len(found) - len(set(found))} stars were found more than once")
    if set(known) != set(found):
        problems.append(
            f"{len(set(known) - set(found))} stars missed, {len(set(found) - set(known))} made up"
        )
    return problems


def compare_means(survey: Path, truth: Path) -> dict[str, dict[str, float]]:
    """Compare means and errors with the truth, by parameter."""
    from lkmrs_dask import open_catalog

    stars = open_catalog(survey / "stars").to_arrow().to_pandas().set_index("star_id")
    names = [f"{name}{end}" for name in PARAMETERS for end in ("", "_err")]
    rows = open_catalog(survey / "measurements")[["star_id", "snr", *names]].to_arrow().to_pandas()
    true = pq.read_table(truth / "stars.parquet").to_pandas().set_index("uid")
    return {name: _one_parameter(name, stars, rows, true) for name in PARAMETERS}


def _one_parameter(
    name: str, stars: pd.DataFrame, rows: pd.DataFrame, true: pd.DataFrame
) -> dict[str, float]:
    rows = rows[rows[name].notna()]
    weight, variance = rows["snr"] ** 2, rows[f"{name}_err"] ** 2
    sums = pd.DataFrame(
        {"star_id": rows["star_id"], "w": weight, "wv": weight * variance, "wwv": weight**2 * variance}
    )
    total = sums.groupby("star_id").sum()
    stars = stars.loc[total.index]
    there = true.loc[total.index]
    keep = ~there["is_rv_variable"] if name == "rv" else slice(None)
    of_mean = total["wwv"] / total["w"] ** 2
    pull = ((stars[name] - there[name]) / np.sqrt(of_mean))[keep]
    n = stars[f"n_{name}"][keep]
    # E[s^2] of Eq. 2 for independent errors: n / (n - 1) * (sum w v - sum w^2 v / sum w) / sum w.
    expected = n / (n - 1) * (total["wv"] / total["w"] - of_mean)[keep]
    many = n >= 3
    ratio = (stars[f"{name}_err"][keep][many] ** 2 / expected[many]).astype(float)
    return {
        "stars": len(pull),
        "bias": float(pull.mean()),
        "bias_err": float(pull.std() / math.sqrt(len(pull))),
        "spread": float(pull.std()),
        "within_1": float((pull.abs() < 1).mean()),
        "within_2": float((pull.abs() < 2).mean()),
        "n_error": int(many.sum()),
        "eq2_ratio": float(ratio.mean()),
        "eq2_err": float(ratio.std() / math.sqrt(max(1, int(many.sum())))),
    }


def main(arguments: list[str] | None = None) -> dict:
    """Run the benchmark."""
    options = parser(__doc__ or "", "recovery.json")
    options.add_argument("--seed", type=int, default=1, help="of the synthetic survey")
    options = options.parse_args(arguments)
    from lkmrs_dask.pipeline.job import read_job
    from lkmrs_dask.pipeline.place import Place
    from lkmrs_dask.pipeline.run import run_job
    from lkmrs_dask.pipeline.synth import write_raw

    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        raw, survey = folder / "raw", folder / "survey"
        start = time.perf_counter()
        write_raw(raw, options.scale, options.seed, light_curves=False, place=Place(workers=2))
        made = time.perf_counter() - start
        summary = run_job(read_job(JOB, raw), survey, Place())
        problems = compare_counts(summary, raw / "truth") + compare_stars(survey, raw / "truth")
        results = compare_means(survey, raw / "truth")
    for problem in problems:
        print(problem)
    facts = {name: summary[name] for name in (*_MORE, "n_spectra", "n_stars_with_parameters")}
    content = report(
        "recovery", results, options.json, problems=problems, synth_seconds=round(made, 1), **facts
    )
    if problems:
        sys.exit(json.dumps(problems))
    return content


if __name__ == "__main__":
    main()
