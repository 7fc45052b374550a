"""``lkmrs import light_curves``: files of light curves to a HATS catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.catalog.light_curve_build import BuiltLightCurves, build_light_curves
from lkmrs_dask.catalog.light_curve_stars import REPEATED
from lkmrs_dask.catalog.set_aside import set_aside_path
from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.pipeline.cluster import open_crew
from lkmrs_dask.pipeline.external_places import spare_inputs, spare_results
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.readers.light_curves.reading import light_curve_files
from lkmrs_dask.readers.light_curves.table_format import TableFormat
from lkmrs_dask.readers.tables import open_table

__all__ = ["ImportedLightCurves", "import_light_curves", "read_targets", "table_format"]

_TARGETS = {"mission": pa.string(), "target_id": pa.int64(), "ra": pa.float64(), "dec": pa.float64()}
_STAR = {"star_id": pa.string()}
_WORDS = {pa.string(): "text", pa.int64(): "whole numbers", pa.float64(): "numbers"}


class ImportedLightCurves(NamedTuple):
    """What was made.

    Attributes
    ----------
    built : BuiltLightCurves
        The catalogue.
    set_aside_path : str or None
        List of the files that were left out.
    """

    built: BuiltLightCurves
    set_aside_path: str | None

    @property
    def lost(self) -> int:
        """Files that are not in the catalogue, but for those that are there twice."""
        return sum(number for reason, number in self.built.set_aside.items() if reason != REPEATED)

    def lines(self) -> Iterator[str]:
        """Lines for a person."""
        built = self.built
        yield (
            f"{built.rows:,} light curves of {built.stars:,} stars, {built.points:,} points, "
            f"{built.partitions:,} partitions: {built.path}"
        )
        for reason, number in built.set_aside.items():
            yield f"set aside: {number:,} x {reason}"
        if self.set_aside_path is not None:
            yield f"files set aside are listed in {self.set_aside_path}"


def table_format(pairs: Sequence[str]) -> TableFormat:
    """Read ``key=value`` settings of plain tables.

    Raises
    ------
    UsageError
        Where one is no such pair, is not known, or makes no sense.
    """
    values: dict[str, Any] = {}
    where: list[tuple[str, str]] = []
    known = [one.name for one in fields(TableFormat) if one.name not in ("band", "site", "where")]
    for pair in pairs:
        key, mark, text = pair.partition("=")
        if not mark or (key not in known and not key.startswith("where.")):
            raise UsageError(
                f"{pair!r} is not as KEY=VALUE with KEY one of {', '.join(known)} and where.COLUMN"
            )
        if key.startswith("where."):
            where.append((key.removeprefix("where."), text))
        else:
            values[key] = _value(key, text)
    return TableFormat(**values, where=tuple(where))


def _value(key: str, text: str) -> Any:
    """A number where the setting is one."""
    kinds: tuple[type, ...] = ()
    if key in ("time", "flux", "error", "quality", "target_id", "segment"):
        kinds = (int,)
    elif key in ("zero", "ra", "dec", "exptime"):
        kinds = (float,)
    for kind in kinds:
        try:
            return kind(text)
        except ValueError:
            continue  # a name then, which the settings check
    return text


def import_light_curves(
    files: Sequence[str | Path],
    out: str | Path,
    *,
    flux: str = "corrected",
    targets: str | Path | None = None,
    max_stars: int = 50,
    table: Sequence[str] = (),
    overwrite: bool = False,
    place: Place | None = None,
) -> ImportedLightCurves:
    """Write files of light curves as a HATS catalogue.

    Parameters
    ----------
    files, flux, max_stars
        See `build_light_curves`.
    out : path
        Folder of the catalogue.
    targets : path, optional
        See `read_targets`.
    table : sequence of str
        Settings of `TableFormat` as ``key=value``; ``where.band=g`` for one of `where`.
    overwrite : bool
        Replace the catalogue that is there, when the new one is complete; else it is refused.
    place : Place, optional
        Where to compute.

    Raises
    ------
    UsageError
        Where a setting makes no sense, a place has no light curves, `out` may not be replaced, or a file of
        the input would be.
    InputError
        Where the targets cannot be read.
    CatalogError
        Where no file can be used.
    """
    out = Path(out).absolute()
    if not out.name:
        raise UsageError(f"{out} cannot be a catalogue's folder: choose another --out")
    spare_results(out, located=True, overwrite=overwrite)
    tables = [] if targets is None else [Path(targets)]
    form = table_format(table) if table else None
    found = light_curve_files(*files)
    spare_inputs(out, [*found, *tables], located=True)
    known = None if targets is None else read_targets(targets)
    out.parent.mkdir(parents=True, exist_ok=True)
    with open_crew(place or Place()) as crew:
        crew.check_sees(out.parent)
        built = build_light_curves(
            found, out, flux=flux, table=form, targets=known, max_stars=max_stars, executor=crew.executor
        )
    return ImportedLightCurves(built, str(set_aside_path(out)) if built.set_aside else None)


def read_targets(path: str | Path) -> pa.Table:
    """Read a table of stars: CSV or other delimited text, FITS, or Parquet, gzipped or not.

    Parameters
    ----------
    path : path
        With the columns mission, target_id, ra and dec (deg), and star_id where there; capitals do not
        matter, and other columns are left out.

    Returns
    -------
    pyarrow.Table
        These columns; null where a cell is empty.

    Raises
    ------
    InputError
        Where the file cannot be read, a column is missing, or a cell is not what its column holds.
    """
    path = Path(path)
    known = {**_TARGETS, **_STAR}
    with closing(
        open_table(path, lambda names: len({name.lower() for name in names} & known.keys()))
    ) as table:
        there = {name.lower(): name for name in reversed(table.names)}
        missing = [name for name in _TARGETS if name not in there]
        if missing:
            raise InputError(
                f"the table of targets has no column {', '.join(missing)}; it has {', '.join(table.names)}",
                file=path,
            )
        types = {there[name]: kind for name, kind in known.items() if name in there}
        blocks = list(table.blocks(types))
    if any(len(block.refused) for block in blocks):
        row = next(block.refused for block in blocks if len(block.refused)).to_pylist()[0]
        raise InputError(
            f"a row of the table of targets cannot be read: {row['reason']}", file=path, row=row["row"]
        )
    columns = {
        name: pa.chunked_array(
            [_cast(block.columns[there[name]], kind, path, name) for block in blocks], kind
        )
        for name, kind in known.items()
        if name in there
    }
    return pa.table(columns)


def _cast(values: Any, kind: pa.DataType, path: Path, name: str) -> pa.Array:
    """Values as a type; text of FITS files comes with blanks and as bytes."""
    try:
        if pa.types.is_binary(values.type) or pa.types.is_string(values.type):
            text = pc.utf8_trim_whitespace(values.cast(pa.string()))
            values = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
        return values.cast(kind)
    except pa.ArrowException as fault:
        raise InputError(f"it must hold {_WORDS[kind]} only: {fault}", file=path, column=name) from fault
