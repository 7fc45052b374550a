"""``lkmrs crossmatch``: two catalogues on disk to a third."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import open_catalog
from lkmrs_dask.catalog.places import is_remote, place_of
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.matching.crossmatch import RADIUS_ARCSEC, crossmatch
from lkmrs_dask.pipeline.cluster import open_crew
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.schema import HEALPIX_COLUMN

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
        For a wrong option, an `out` that is there, or one that is a catalogue that is matched, lies in it or
        holds it.
    CatalogError
        When a catalogue cannot be read, or no row is left.
    """
    start = time.perf_counter()
    target = Path(out).absolute()  # workers may have another current folder
    for path in (left, right):
        _keep_apart(path, target)
    one, other = _open(left, left_columns), _open(right, right_columns)
    matched = crossmatch(one, other, **options)
    with open_crew(place or Place()) as crew:
        try:
            found = matched.write(target, overwrite=overwrite, executor=crew.executor)
        except CatalogError as fault:
            text = _said_better(str(fault), left, one, other, options)
            if text is None:
                raise
            raise CatalogError(text) from fault
        for line in _lines(one, other, found, options, time.perf_counter() - start):
            say(line)
    return found


def _said_better(
    text: str, path: str | Path, left: Catalog, right: Catalog, options: Mapping[str, Any]
) -> str | None:
    """What a fault of writing means for a match; None where it says so itself."""
    if "there is no row to write" in text:
        rows = "every row" if options.get("join") == "anti" else "no row"
        radius = options.get("radius_arcsec", RADIUS_ARCSEC)
        return (
            f'{rows} of {left.name} has a counterpart in {right.name} within {radius:g}": there is nothing '
            "to write"
        )
    _, _, rest = text.partition(": ")
    if rest.startswith("rows of partition") and HEALPIX_COLUMN in rest:
        return (
            f"{path}: {rest}, as they have no position: a catalogue cannot hold them; leave them out, or "
            "take --join inner (join='inner')"
        )
    return None


def _keep_apart(path: str | Path, target: Path) -> None:
    """Raise UsageError where the result would be written over a catalogue that is matched, or into it."""
    place = place_of(path)
    if is_remote(place):
        return
    own, result = place.resolve(), target.resolve()  # links and .. lead to the same folder
    if own == result or (own.exists() and result.exists() and own.samefile(result)):
        raise UsageError(f"--out {target} is one of the catalogues that are matched: choose another folder")
    if result in own.parents:
        raise UsageError(f"--out {target} holds {path}, which is matched: choose another folder")
    if own in result.parents:
        raise UsageError(f"--out {target} lies in {path}, which is matched: choose another folder")


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
