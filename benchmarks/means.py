"""Star means from HATS files on disk to a result in memory, beside polars and nested-pandas.

python benchmarks/means.py [--scale 0.1] [--rounds 5] [--json means.json]
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from survey_files import make_stars
from timing import compare, installed, parser, report

import lkmrs_dask as lk
from lkmrs_dask.pipeline.add import add_files
from lkmrs_dask.pipeline.progress import Reporter

ROWS, STARS = 170_637, 36_588
PARAMETERS = ("teff", "logg", "feh", "alpha_m", "rv", "vsini")
MISSING = {"rv": 0.055, "alpha_m": 0.45, "vsini": 0.86}  # shares, from Table 1 of the paper


def make_measurements(n_rows: int, n_stars: int, seed: int = 3) -> pa.Table:
    """Measurements in the release's columns, every star at least once."""
    rng = np.random.default_rng(seed)
    stars = make_stars(n_stars, seed)
    star = np.concatenate([np.arange(n_stars), rng.integers(0, n_stars, n_rows - n_stars)])
    columns = {
        "mobsid": np.char.add("M", np.arange(n_rows).astype(str)),
        "obsid": np.arange(n_rows),
        "uid": np.char.add("G", (14_000_000_000_000 + star * 7919).astype(str)),
        "ra": stars["ra"][star],
        "dec": stars["dec"][star],
        "snr": np.round(10 + 190 * rng.random(n_rows), 2),
    }
    for name, centre, width in zip(
        PARAMETERS, (5800, 4, 0, 0.1, 0, 40), (800, 0.5, 0.3, 0.1, 30, 20), strict=True
    ):
        values = np.round(rng.normal(centre, width, n_rows), 3)
        columns[name] = np.where(rng.random(n_rows) < MISSING.get(name, 0.0), -9999.0, values)
    return pa.table(columns)


def build(folder: Path, n_rows: int, n_stars: int) -> Path:
    """Write the measurements as a survey's catalogue."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(make_measurements(n_rows, n_stars), folder / "raw.parquet")
    survey = folder / "survey"
    add_files([folder / "raw.parquet"], survey, catalog="measurements", report=Reporter(quiet=True))
    return survey / "measurements"


def with_polars(files: str):
    """Equations 1 and 2 in polars, lazily over the same files."""
    import polars as pl

    weight = pl.col("snr") ** 2
    first, second = [], []
    for name in PARAMETERS:
        used = pl.when(pl.col(name).is_not_null()).then(weight)
        first.append(
            (used * pl.col(name)).sum().over("star_id").truediv(used.sum().over("star_id")).alias(f"m_{name}")
        )
        n = pl.col(name).count()
        spread = (used * (pl.col(name) - pl.col(f"m_{name}")) ** 2).sum() / used.sum()
        second += [
            pl.col(f"m_{name}").first().alias(name),
            (spread * n / (n - 1)).sqrt().alias(f"{name}_err"),
            n.alias(f"n_{name}"),
        ]
    lazy = pl.scan_parquet(files).select("star_id", "ra", "dec", "snr", *PARAMETERS)
    return lazy.with_columns(first).group_by("star_id").agg(pl.col("ra", "dec").first(), *second).collect()


def with_polars_one_pass(files: str):
    """Write the same sums without the deviations: polars' quickest form, which loses digits in the error."""
    import polars as pl

    weight = pl.col("snr") ** 2
    columns = []
    for name in PARAMETERS:
        used = pl.when(pl.col(name).is_not_null()).then(weight)
        total, n = used.sum(), pl.col(name).count()
        mean = (used * pl.col(name)).sum() / total
        square = (used * pl.col(name) ** 2).sum() / total
        error = ((square - mean**2) * n / (n - 1)).sqrt()
        columns += [mean.alias(name), error.alias(f"{name}_err"), n.alias(f"n_{name}")]
    lazy = pl.scan_parquet(files).select("star_id", "ra", "dec", "snr", *PARAMETERS)
    return lazy.group_by("star_id").agg(pl.col("ra", "dec").first(), *columns).collect()


def with_nested_pandas(files: list[Path]):
    """Nest by star and map a function of each star's arrays."""
    import nested_pandas as npd
    import pandas as pd

    frame = pd.concat([pd.read_parquet(f, columns=["star_id", "snr", *PARAMETERS]) for f in files])
    nested = npd.NestedFrame.from_flat(frame, base_columns=[], nested_columns=["snr", *PARAMETERS],
                                       on="star_id", name="m")  # fmt: skip

    def star(row):
        weight, out = np.asarray(row["m.snr"], float) ** 2, {}
        for name in PARAMETERS:
            values = np.asarray(row[f"m.{name}"], float)
            used = np.isfinite(values)
            w, v, n = weight[used], values[used], used.sum()
            mean = (w * v).sum() / w.sum() if n else np.nan
            out[name] = mean
            out[f"{name}_err"] = (
                np.sqrt(n / (n - 1) * (w * (v - mean) ** 2).sum() / w.sum()) if n > 1 else np.nan
            )
        return out

    return nested.map_rows(
        star, columns=["m.snr", *(f"m.{name}" for name in PARAMETERS)], row_container="dict"
    )


def main(arguments: list[str] | None = None) -> dict:
    """Run the benchmark."""
    options = parser(__doc__ or "", "means.json").parse_args(arguments)
    n_rows, n_stars = max(200, int(ROWS * options.scale)), max(40, int(STARS * options.scale))
    with tempfile.TemporaryDirectory() as scratch:
        path = build(options.folder or Path(scratch), n_rows, n_stars)
        files = sorted(path.glob("dataset/**/*.parquet"))
        pattern = str(path / "dataset/**/*.parquet")

        def ours() -> pa.Table:
            return lk.star_means(lk.open_catalog(path)).to_arrow()

        contenders = {"lkmrs_dask star_means": ours}
        if installed("polars"):
            check(ours(), with_polars(pattern))
            contenders["polars scan_parquet"] = lambda: with_polars(pattern)
            contenders["polars, one pass (loses digits)"] = lambda: with_polars_one_pass(pattern)
        results = compare(contenders, options.rounds)
        if installed("nested_pandas"):
            # Seconds at full size: one round is enough for a ratio of tens.
            slow = {
                "lkmrs_dask star_means": ours,
                "nested-pandas map_rows": lambda: with_nested_pandas(files),
            }
            results["nested-pandas map_rows"] = compare(slow, 1)["nested-pandas map_rows"]
        return report("means", results, options.json, rows=n_rows, stars=n_stars, partitions=len(files))


def check(ours: pa.Table, peer) -> None:
    """Both give the same stars and numbers."""
    peer = peer.sort("star_id")
    ours = ours.sort_by("star_id")
    assert ours.column("star_id").to_pylist() == peer["star_id"].to_list()
    for name in PARAMETERS:
        a = ours.column(name).to_numpy()
        np.testing.assert_allclose(a, peer[name].to_numpy(), rtol=1e-9, atol=1e-9, equal_nan=True)


if __name__ == "__main__":
    main()
