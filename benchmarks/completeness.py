"""Which orbits the rule of RV variables finds in a survey's own epochs, and how pure its variables are.

    python benchmarks/completeness.py [--survey SURVEY] [--scale 1] [--orbits 0.1] [--figure PATH]

The velocities of a survey (of a synthetic one by default, at `--scale`) are replaced: for the completeness by
circular orbits with K from 0.3 to 100 km/s and P from 1 to 1,000 d, even in their logarithms; for the purity
by such orbits in a share of the stars, and by constant velocities in the others.  Noise is that of the errors
stated.  With the defaults of the settings: the paper's rule.
"""

from __future__ import annotations

import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from timing import parser, report

K_EDGES = (0.3, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 40.0, 100.0)
N_EDGES = (3, 4, 6, 10, 100)
NEEDS = ("star_id", "mjd", "rv", "rv_err")


def measurements_of(survey: Path | None, scale: float, folder: Path) -> pa.Table:
    """Velocities of a survey, or of a synthetic one that is made for this."""
    from lkmrs_dask import open_catalog
    from lkmrs_dask.pipeline.job import read_job
    from lkmrs_dask.pipeline.place import Place
    from lkmrs_dask.pipeline.progress import Reporter
    from lkmrs_dask.pipeline.run import run_job
    from lkmrs_dask.synthetic.survey import make_survey

    if survey is None:
        survey = folder / "survey"
        if not (survey / "measurements").is_dir():
            make_survey(folder / "raw", scale, seed=1, light_curves=False)
            job = read_job(Path(__file__).resolve().parents[1] / "jobs" / "full_release.toml", folder / "raw")
            run_job(job, survey, Place(threads=2), Reporter(quiet=True))
    return open_catalog(survey / "measurements")[list(NEEDS)].to_arrow()


def main(arguments: list[str] | None = None) -> dict:
    """Run the benchmark."""
    from lkmrs_dask.products.figures.completeness import figure_completeness
    from lkmrs_dask.stars.rv_completeness import binned_completeness, binned_purity
    from lkmrs_dask.stars.rv_injection import inject_orbits
    from lkmrs_dask.stars.rv_variability import rv_variability

    options = parser(__doc__ or "", "completeness.json")
    options.add_argument("--survey", type=Path, default=None, help="a survey that a run has made")
    options.add_argument(
        "--orbits", type=float, default=0.1, help="share of stars with an orbit, for the purity"
    )
    options.add_argument("--figure", type=Path, default=None, help="folder and name of the figure")
    options = options.parse_args(sys.argv[1:] if arguments is None else arguments)
    with tempfile.TemporaryDirectory() as scratch:
        rows = measurements_of(options.survey, options.scale, options.folder or Path(scratch))
    start = time.perf_counter()
    moving = inject_orbits(rows, seed=1)
    still = inject_orbits(rows, amplitudes=(1e-6, 1e-5), seed=2)  # km/s: none
    found, constant = (rv_variability(one.measurements) for one in (moving, still))
    taken = time.perf_counter() - start
    n = found.column("n_rv").to_numpy()
    called, false = (one.column("rv_variable").to_numpy() for one in (found, constant))
    every = np.ones(len(n), bool)
    completeness = binned_completeness(called, every, moving.amplitude, n, k_edges=K_EDGES, n_edges=N_EDGES)
    varies = np.random.default_rng(3).random(len(n)) < options.orbits
    purity = binned_purity(np.where(varies, called, false), varies, n, n_edges=N_EDGES)
    if options.figure is not None:
        title = "Injected orbits" if options.survey is not None else "Injected orbits, synthetic survey"
        figure_completeness(completeness, purity, options.figure, title=title)
    names = [f"N {lo} to {hi - 1}" for lo, hi in pairwise(N_EDGES)]
    results: dict[str, dict[str, Any]] = {}
    for row, name in enumerate(names):
        shares = completeness.share.share[row].tolist()
        results[name] = {f"K>{k:g}": share for k, share in zip(K_EDGES[:-1], shares, strict=True)}
        results[name] |= {"purity": float(purity.share.share[row]), "found": int(purity.share.n[row])}
    return report(
        "completeness", results, options.json, stars=len(n), rows=len(rows),
        orbits=options.orbits, seconds=round(taken, 2),
    )  # fmt: skip


if __name__ == "__main__":
    main()
