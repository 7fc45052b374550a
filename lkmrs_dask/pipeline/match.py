"""``lkmrs crossmatch``: two catalogues on disk to a third."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.matching.crossmatch import RADIUS_ARCSEC, crossmatch
from lkmrs_dask.pipeline.cluster import Place, open_crew

__all__ = ["match_files"]

Say = Callable[[str], None]


def match_files(
    left: str | Path,
    right: str | Path,
    out: str | Path,
    *,
    left_columns: Sequence[str] = (),
    right_columns: Sequence[str] = (),
    overwrite: bool = False,
    place: Place | None = None,
    say: Say = print,
    **options: Any,
) -> Catalog:
    """Match two HATS catalogues and write the result.

    Parameters
    ----------
    left, right : path
        The catalogues.
    out : path
        Folder of the result.
    left_columns, right_columns : sequence of str
        Columns wanted; all if none are given.
    overwrite : bool
        Replace the catalogue that is there.
    place : Place, optional
        Where to compute; threads of this process if not given.
    say : callable
        Is told what came out, a line at a time.
    **options
        Of `lkmrs_dask.crossmatch`.

    Returns
    -------
    Catalog
        The result.

    Raises
    ------
    UsageError
        For a wrong option, or an `out` that is there.
    CatalogError
        When a catalogue cannot be read, or no row is left.
    """
    start = time.perf_counter()
    target = Path(out).absolute()  # workers may have another current folder
    for path in (left, right):
        if Path(path).absolute() == target:
            raise UsageError(f"--out {out} is one of the catalogues that are matched: choose another folder")
    one, other = _open(left, left_columns), _open(right, right_columns)
    matched = crossmatch(one, other, **options)
    with open_crew(place or Place()) as crew:
        try:
            found = matched.write(target, overwrite=overwrite, executor=crew.executor)
        except CatalogError as fault:
            if "there is no row to write" not in str(fault):
                raise
            rows = "every row" if options.get("join") == "anti" else "no row"
            radius = options.get("radius_arcsec", RADIUS_ARCSEC)
            raise CatalogError(
                f'{rows} of {one.name} has a counterpart in {other.name} within {radius:g}": there is '
                "nothing to write"
            ) from fault
        for line in _lines(one, other, found, options, time.perf_counter() - start):
            say(line)
    return found


def _open(path: str | Path, columns: Sequence[str]) -> Catalog:
    catalog = open_catalog(path)
    if not columns:
        return catalog
    # The result is a catalogue: it needs the coordinates of its rows.
    position = [name for name in (catalog.info.ra_column, catalog.info.dec_column) if name not in columns]
    return catalog[[*columns, *position]]


def _lines(
    left: Catalog, right: Catalog, found: Catalog, options: dict[str, Any], seconds: float
) -> Iterator[str]:
    """Lines that say what came out."""
    yield f"{left.name}: {len(left):,} rows; {right.name}: {len(right):,} rows"
    if options.get("join") == "anti":
        yield f"{len(found):,} rows of {left.name} without a counterpart"
    else:
        name = [column for column in found.columns if column.startswith("separation_arcsec")][-1]
        away = found[[name]].to_arrow().column(name)
        n = len(away) - away.null_count
        alone = f", {away.null_count:,} without" if away.null_count else ""
        yield f"{n:,} rows with a counterpart{alone}"
        if n:
            middle, most = pc.quantile(away, [0.5, 1.0]).to_numpy()
            yield f'separations: median {middle:.3g}", largest {most:.3g}"'
    size = sum(path.stat().st_size for path in Path(str(found.path)).rglob("*.parquet"))
    yield f"{len(found.pixels)} partitions, {size / 1e6:,.1f} MB, {seconds:.1f} s: {found.path}"
