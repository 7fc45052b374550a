"""One side of a cross-match: which of a catalogue's rows may be near some points, and reading just those."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.footers import footer, index_bounds
from lkmrs_dask.catalog.hats import data_files
from lkmrs_dask.catalog.sources import HatsFiles, PartitionSource, read_groups, touching_groups
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.matching.pairs import Points, distinct, rows_from
from lkmrs_dask.schema import HEALPIX_COLUMN
from lkmrs_dask.sky.index import INDEX_ORDER, pixel_centre, pixel_radius_deg, separation_arcsec
from lkmrs_dask.sky.regions import Ranges
from lkmrs_dask.sky.tiling import Tiling

__all__ = ["Piece", "Side", "floats", "has_order", "is_number", "stated_unit"]

_PIECE_ROWS = 1 << 19
_TAKE_BYTES = 64 << 20  # decoded at a time while rows are taken
_CHECKED = 16  # rows of a piece whose coordinates are held against their index
_OFF_ARCSEC = 1.0
_FLOAT32_ARCSEC = 0.06
"""Half a step of a 32-bit number of 256 to 360 (deg): so far may rows be from where their index is."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Part = tuple[int, int]


class Piece(NamedTuple):
    """Rows read together: row groups of a file, or a whole partition of a catalogue that is no file.

    `first` is the number of its first row in the partition.
    """

    part: Part
    first: int = 0
    path: Path | None = None
    groups: tuple[int, ...] = ()


def is_number(kind: pa.DataType) -> bool:
    """Whether a column holds numbers that `floats` can give."""
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def has_order(kind: pa.DataType) -> bool:
    """Whether values of a type can be ranked."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    try:
        pc.rank(pa.array([], kind))
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError, pa.ArrowInvalid):
        return False
    return True


def stated_unit(column: pa.Field) -> str:
    """Unit that a column's metadata state; empty for none."""
    return (column.metadata or {}).get(b"unit", b"").decode()


def floats(table: pa.Table, name: str) -> Floats:
    """Return a column as floats, NaN where it is null."""
    column = table.column(name)
    if column.type != pa.float64():
        column = column.cast(pa.float64())
    return column.to_numpy()


@dataclass(frozen=True, eq=False)
class Side:
    """A catalogue as one side.

    Parameters
    ----------
    name : str
        Of the catalogue.
    source : PartitionSource
        Its rows.
    tiling : Tiling
        Its pixels.
    ra, dec : str
        Its coordinates' columns, deg.
    id_column : str or None
        Which of two rows comes first that are equally near; None for the one that comes first in the sky's
        order.
    """

    name: str
    source: PartitionSource
    tiling: Tiling
    ra: str
    dec: str
    id_column: str | None = None

    @classmethod
    def of(cls, catalog: Catalog, id_column: str | None) -> Side:
        """Make a side of a catalogue, checking what can be checked without its rows.

        Raises
        ------
        UsageError
            For a margin catalogue, one without its coordinates, or an `id_column` that is unknown or that has
            no order.
        CatalogError
            When the coordinates are stated to be in other units than degrees.
        """
        info, schema = catalog.info, catalog.source.schema
        if info.kind == "margin":
            raise UsageError(f"{catalog.name} is a margin catalogue: match the catalogue that it belongs to")
        wanted = [info.ra_column, info.dec_column, *([id_column] if id_column is not None else [])]
        missing = [name for name in wanted if name not in schema.names]
        if missing:
            raise UsageError(
                f"{catalog.name} has no column {', '.join(missing)}; it has {', '.join(schema.names)}"
            )
        for name in wanted[:2]:
            column = schema.field(name)
            unit = stated_unit(column)
            if unit and unit.lower() not in ("deg", "degree", "degrees"):
                raise CatalogError(f"{catalog.name}: column {name} is in {unit}, not in degrees")
            if not is_number(column.type):
                raise CatalogError(f"{catalog.name}: column {name} is {column.type}, no numbers of degrees")
        if id_column is not None and not has_order(schema.field(id_column).type):
            kind = schema.field(id_column).type
            raise UsageError(f"{catalog.name}: identifiers are numbers or text; {id_column} is {kind}")
        return cls(catalog.name, catalog.source, catalog.tiling, info.ra_column, info.dec_column, id_column)

    @property
    def in_files(self) -> bool:
        """Whether row groups can be read one by one."""
        return isinstance(self.source, HatsFiles)

    def groups(self, ranges: Ranges) -> Iterator[tuple[Part, Path, list[int]]]:
        """Row groups of files that may have rows in some index ranges."""
        assert isinstance(self.source, HatsFiles)
        near = self.tiling.overlapping(*ranges)
        for part, wanted in zip(self.tiling, near.tolist(), strict=True):
            for path in data_files(self.source.root, *part, self.source.info.suffix) if wanted else ():
                found = touching_groups(path, ranges)
                yield part, path, list(range(footer(path).num_row_groups)) if found is None else found

    def pieces(self, ranges: Ranges) -> list[Piece]:
        """Pieces that hold all rows in some index ranges, in sky order."""
        if not self.in_files:
            near = self.tiling.overlapping(*ranges)
            return [Piece(part) for part, wanted in zip(self.tiling, near.tolist(), strict=True) if wanted]
        return [piece for part, path, groups in self.groups(ranges) for piece in self.cut(part, path, groups)]

    def cut(self, part: Part, path: Path, groups: Sequence[int]) -> Iterator[Piece]:
        """Cut row groups of a file into pieces of bounded size."""
        rows = index_bounds(path).rows
        before = np.cumsum(rows) - rows + self._rows_before(part, path)
        held: list[int] = []
        for group in groups:
            if held and (group != held[-1] + 1 or rows[held].sum() + rows[group] > _PIECE_ROWS):
                yield Piece(part, int(before[held[0]]), path, tuple(held))
                held = []
            held.append(group)
        if held:
            yield Piece(part, int(before[held[0]]), path, tuple(held))

    def _rows_before(self, part: Part, path: Path) -> int:
        """Rows of a partition in the files before one: a partition may be a folder of several."""
        assert isinstance(self.source, HatsFiles)
        total = 0
        for other in data_files(self.source.root, *part, self.source.info.suffix):
            if other == path:
                break
            total += footer(other).num_rows
        return total

    def read(self, piece: Piece, columns: Sequence[str], ranges: Ranges | None = None) -> pa.Table:
        """Read columns of a piece; `ranges` may spare a catalogue that is no file some reading."""
        if piece.path is None:
            return self.source.read(*piece.part, list(columns), ranges)
        return read_groups(piece.path, self._stored(columns), piece.groups)

    def _stored(self, columns: Sequence[str]) -> pa.Schema:
        return pa.schema([self.source.schema.field(name) for name in columns])

    @property
    def position(self) -> list[str]:
        """Columns that `points` needs; the index too where it is stored."""
        source = self.source
        stored = source.stored if isinstance(source, HatsFiles) else source.schema
        index = [HEALPIX_COLUMN] if HEALPIX_COLUMN in stored.names else []
        return [*index, self.ra, self.dec]

    @property
    def _coarse(self) -> bool:
        """Whether coordinates have lost digits, perhaps after their index was made."""
        kinds = [self.source.schema.field(name).type for name in (self.ra, self.dec)]
        return any(pa.types.is_floating(kind) and kind != pa.float64() for kind in kinds)

    @property
    def slack_arcsec(self) -> float:
        """How far a row may be from where the index says that it is."""
        return _FLOAT32_ARCSEC if self._coarse else 0.0

    def rows_in(self, table: pa.Table, ranges: Ranges) -> Integers | None:
        """Numbers of the rows in some index ranges; None for all, where no sorted index tells."""
        if HEALPIX_COLUMN not in table.column_names or table.column(HEALPIX_COLUMN).null_count:
            return None
        index = table.column(HEALPIX_COLUMN).cast(pa.int64()).to_numpy()
        if not len(index) or np.any(index[1:] < index[:-1]):
            return None
        lo, hi = ranges
        some = slice(
            np.searchsorted(hi, index[0], side="right"), np.searchsorted(lo, index[-1], side="right")
        )
        start, stop = np.searchsorted(index, lo[some]), np.searchsorted(index, hi[some])
        return rows_from(start, stop - start)

    def points(self, table: pa.Table, part: Part | None) -> Points:
        """Positions of rows; null ones are left out.

        Parameters
        ----------
        table : pyarrow.Table
            Rows with the columns of `position`.
        part : (int, int) or None
            Their partition; None for rows of several that were checked before.

        Raises
        ------
        CatalogError
            For a declination beyond a pole, or coordinates that are not where the index or the partition is.
        """
        ra, dec = floats(table, self.ra), floats(table, self.dec)
        if np.nanmax(np.abs(dec), initial=0.0) > 90.0:
            raise CatalogError(f"{self.name}: column {self.dec} goes beyond 90 deg: not in degrees?")
        index = None
        if HEALPIX_COLUMN in table.column_names and table.column(HEALPIX_COLUMN).null_count == 0:
            index = table.column(HEALPIX_COLUMN).cast(pa.int64()).to_numpy()
        if part is not None:
            # An index that was made of the coordinates says nothing of them.
            self._check_places(ra, dec, index if HEALPIX_COLUMN in self.position else None, part)
        return Points.of(ra, dec, None if self._coarse else index)

    def _check_places(self, ra: Floats, dec: Floats, index: Integers | None, part: Part) -> None:
        """See whether some positions are where their index is, or else in their partition."""
        known = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
        if not len(known):
            return
        at = known[distinct(np.linspace(0, len(known) - 1, _CHECKED).astype(np.int64))]
        if index is not None:
            place, reach, what = pixel_centre(INDEX_ORDER, index[at]), 0.0, f"its {HEALPIX_COLUMN}"
        else:
            place, reach = pixel_centre(*part), 3600.0 * pixel_radius_deg(part[0])
            what = f"its partition, order {part[0]}, pixel {part[1]},"
        away = separation_arcsec(*place, ra[at], dec[at]) - reach
        worst = int(away.argmax())
        if away[worst] > _OFF_ARCSEC:
            raise CatalogError(
                f"{self.name}: a row with {self.ra} {ra[at[worst]]}, {self.dec} {dec[at[worst]]} is "
                f"{away[worst]:.4g} arcsec from where {what} is: coordinates must be in degrees, and those "
                "that the catalogue was partitioned by"
            )

    def take(self, piece: Piece, rows: Integers, columns: Sequence[str]) -> pa.Table:
        """Read columns of some rows of a piece of a file, decoding few bytes at a time."""
        assert piece.path is not None
        sizes = index_bounds(piece.path).rows[list(piece.groups)]
        ends = np.cumsum(sizes)
        place = np.searchsorted(ends, rows, side="right")  # of the row's group in the piece
        needed = np.unique(place)
        # Rows by group, and back in their order at the end.
        order = np.argsort(place, kind="stable")
        first = np.searchsorted(place[order], needed)
        parts = []
        for at, start, stop in zip(needed.tolist(), first, [*first[1:], len(rows)], strict=True):
            inside = pa.array(rows[order[start:stop]] - (ends[at] - sizes[at]))
            parts.append(self._take_group(piece.path, piece.groups[at], inside, columns))
        back = np.empty(len(rows), dtype=np.int64)
        back[order] = np.arange(len(rows))
        return pa.concat_tables(parts).take(pa.array(back))

    def _take_group(self, path: Path, group: int, rows: pa.Array, columns: Sequence[str]) -> pa.Table:
        found = footer(path)
        a_column = found.row_group(group).total_byte_size / max(1, found.num_columns)
        n = max(1, int(_TAKE_BYTES / max(1.0, a_column)))
        taken: dict[str, pa.ChunkedArray] = {}
        for start in range(0, len(columns), n):
            names = columns[start : start + n]
            table = read_groups(path, self._stored(names), [group]).take(rows)
            taken |= {name: table.column(name) for name in names}
        return pa.table(taken, schema=self._stored(columns))
