"""External catalogues as a source of rows, and as one table."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.errors import InputError, UsageError
from lkmrs_dask.readers.base import SET_ASIDE_SCHEMA, Chunk
from lkmrs_dask.readers.convert import Use, convert_block, convert_column
from lkmrs_dask.readers.external.angles import HALF_CIRCLE, has_faults, to_the_west, with_stated_units
from lkmrs_dask.readers.external.columns_of import check_header, match_names, score_of, settle_columns
from lkmrs_dask.readers.external.kinds import Kind, kind_named
from lkmrs_dask.readers.external.opening import open_external
from lkmrs_dask.readers.external.rounded import refuse_rounded
from lkmrs_dask.readers.raw import RawTable
from lkmrs_dask.schema import Column, TableSchema

__all__ = ["ExternalSource", "open_source", "read_external"]

YEARS = (1800.0, 2200.0)
"""Epochs that positions may have."""


@dataclass(frozen=True)
class ExternalSource:
    """Files of one external catalogue, whose columns are settled; made by `open_source`.

    Parameters
    ----------
    kind : Kind
        What they are.
    paths : tuple of Path
        The files.
    columns : tuple of Column
        What is read of them, under the published names.  A column that a file does not have is null there.
    left_out : tuple of str
        What the files have and is not read, with the reason: vectors, columns without a name or of the same
        name as another.
    positions : bool
        Whether a row without a position is set aside.
    delimiter : str, optional
        Of text files.
    block_bytes : int
        About how many bytes are converted at once; memory is a few times that.
    """

    kind: Kind
    paths: tuple[Path, ...]
    columns: tuple[Column, ...]
    left_out: tuple[str, ...] = ()
    positions: bool = True
    delimiter: str | None = None
    block_bytes: int = 16 << 20

    @property
    def schema(self) -> TableSchema:
        """The columns."""
        return TableSchema(self.kind.name, self.columns)

    @property
    def files_together(self) -> int:
        """Files that make one piece of work: catalogues are large, each is one."""
        return 1

    def files(self) -> list[Path]:
        """List the files."""
        return list(self.paths)

    def has(self, name: str | None) -> bool:
        """Whether a column is read."""
        return name in {column.name for column in self.columns}

    @property
    def located(self) -> bool:
        """Whether rows have positions."""
        return self.has(self.kind.ra_column) and self.has(self.kind.dec_column)

    def with_positions(self) -> ExternalSource:
        """Return the same source, for which a row without a position is of no use."""
        place = (self.kind.ra_column, self.kind.dec_column)
        columns = tuple(replace(c, required=True) if c.name in place else c for c in self.columns)
        return replace(self, columns=columns, positions=True)

    def read(self, file: Path) -> Iterator[Chunk]:
        """Read one file in bounded memory.

        Parameters
        ----------
        file : Path
            The file.

        Yields
        ------
        Chunk
            Good rows in the settled columns and types, and rows set aside.

        Raises
        ------
        InputError
            Where the file cannot be read, lacks a needed column or has no rows; after all chunks before.
        """
        path, rows, looked = Path(file), 0, False
        arrow = self.schema.arrow()
        with closing(self._open(path)) as table:
            uses = match_names(self.kind, self.columns, table.names)
            check_header(path, self.kind, table, self.columns, uses)
            uses = with_stated_units(path, table.fields, uses)
            types = _types(uses.values())
            # A row is set aside for the first fault found: its identifier and position come first.
            first = (self.kind.id_column, self.kind.ra_column, self.kind.dec_column)
            order = sorted(uses.values(), key=lambda use: use.column.name not in first)
            for block in table.blocks(types):
                n_block = block.n_rows + block.refused.num_rows
                if n_block:
                    rows += n_block
                    refuse_rounded(path, block, order)
                    found = convert_block(block, order, path)
                    if not looked and has_faults(found[2], self.kind.ra_column):
                        looked = True
                        if self._is_western(path, uses):
                            order = [to_the_west(use) for use in order]
                            found = convert_block(block, order, path)
                    yield _chunk(arrow, *found)
        if not rows:
            raise InputError("the table has no rows", file=path)

    def _is_western(self, path: Path, uses: Mapping[str, Use]) -> bool:
        """Whether no right ascension of a file is beyond 180 deg: negative ones are then to the west of 0."""
        use = next(use for use in uses.values() if use.column.name == self.kind.ra_column)
        with closing(self._open(path)) as table:
            for block in table.blocks(_types([use])):
                raw = block.columns[use.raw]
                most = pc.max(convert_column(raw, use.column, use.scale, use.angle, wrap=False).array)
                if most.is_valid and most.as_py() > HALF_CIRCLE:
                    return False
        return True

    def epoch(self) -> float | None:
        """Julian year of the positions: that of the first row that states one, else the kind's."""
        name = self.kind.epoch_column
        if self.has(name):
            column = next(column for column in self.columns if column.name == name)
            small = replace(
                self, columns=(column,), kind=replace(self.kind, id_column=None), block_bytes=1 << 16
            )
            small = replace(small, positions=False)
            for chunk in small.read(self.paths[0]):
                years = chunk.table.column(name).drop_null()
                if len(years):
                    return float(years[0].as_py())
        return self.kind.epoch

    def _open(self, path: Path) -> RawTable:
        def score(header: Sequence[str]) -> int:
            return score_of(self.kind, self.columns, header)

        return open_external(path, self.kind, score, delimiter=self.delimiter, block_bytes=self.block_bytes)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _types(uses: Iterable[Use]) -> dict[str, pa.DataType]:
    """What to parse the columns of a file as."""
    types: dict[str, pa.DataType] = {}
    for use in uses:
        kind = use.column.arrow_type
        types[use.raw] = kind if types.get(use.raw, kind) == kind else pa.binary()
    return types


def _chunk(arrow: pa.Schema, columns: Mapping[str, pa.Array], n_rows: int, aside: pa.Table) -> Chunk:
    """Put the columns in order; those that a file does not have are null."""
    arrays = [
        columns[name] if name in columns else pa.nulls(n_rows, arrow.field(name).type) for name in arrow.names
    ]
    return Chunk(pa.Table.from_arrays(arrays, schema=arrow), aside)


def open_source(
    kind: str,
    files: Sequence[str | Path] | str | Path,
    *,
    keep: Collection[str] | None = None,
    positions: bool | None = None,
    id: str | None = None,
    ra: str | None = None,
    dec: str | None = None,
    epoch: float | None = None,
    sentinels: Sequence[float] | None = None,
    delimiter: str | None = None,
    block_bytes: int = 16 << 20,
) -> ExternalSource:
    """Open the files of an external catalogue and settle its columns.

    Parameters
    ----------
    kind : str
        One of `lkmrs_dask.readers.external.kinds.KINDS`.
    files : path or sequence of paths
        One catalogue, in any number of files of any format.
    keep : collection of str, optional
        Columns wanted beside identifier and position; all if not given.
    positions : bool, optional
        Whether rows need a position; by default where the files have them.
    id, ra, dec : str, optional
        Columns of identifier and position, where they are not the published ones; for the kind ``table``.
    epoch : float, optional
        Julian year of the positions, where it is not the published one.
    sentinels : sequence of float, optional
        Numbers that mean "missing", beside the published ones.
    delimiter : str, optional
        Of text files.
    block_bytes : int
        About how many bytes are converted at once.

    Raises
    ------
    UsageError
        Where a setting cannot be right.
    InputError
        Where a file cannot be opened or lacks a needed column.
    """
    paths = tuple(Path(file) for file in ([files] if isinstance(files, str | Path) else files))
    if not paths:
        raise UsageError(f"no file is given for the catalogue {kind}")
    if isinstance(keep, str):
        raise UsageError("keep must be a list of columns, not one text")
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise UsageError(f"the delimiter must be one character, not {delimiter!r}")
    if (ra is None) != (dec is None):
        raise UsageError("ra and dec must be given together")
    if epoch is not None and not (_is_number(epoch) and YEARS[0] <= epoch <= YEARS[1]):
        raise UsageError(f"epoch is a Julian year from {YEARS[0]:g} to {YEARS[1]:g}, not {epoch!r}")
    what = kind_named(kind)
    if sentinels:
        extra = tuple(float(value) for value in sentinels)
        columns = tuple(replace(c, sentinels=(*c.sentinels, *extra)) for c in what.columns)
        what = replace(what, sentinels=(*what.sentinels, *extra), columns=columns)
    what = replace(
        what,
        id_column=id or what.id_column,
        ra_column=ra or what.ra_column,
        dec_column=dec or what.dec_column,
        epoch=what.epoch if epoch is None else epoch,
        epoch_column=what.epoch_column if epoch is None else None,
    )
    must = what.positions or ra is not None if positions is None else positions
    if must and what.ra_column is None:
        raise UsageError(f"the columns of the position must be named for a {kind}: ra and dec")
    settled = settle_columns(
        what, paths, keep=keep, positions=must, delimiter=delimiter, block_bytes=block_bytes
    )
    source = ExternalSource(what, paths, settled.columns, settled.left_out, must, delimiter, block_bytes)
    return source.with_positions() if positions is None and source.located else source


def read_external(
    kind: str,
    files: Sequence[str | Path] | str | Path,
    *,
    set_aside: list[pa.Table] | None = None,
    keep: Collection[str] | None = None,
    id: str | None = None,
    ra: str | None = None,
    dec: str | None = None,
    sentinels: Sequence[float] | None = None,
    delimiter: str | None = None,
) -> pa.Table:
    """Read an external catalogue into one table: for small lists, and those that have no positions.

    Rows may lack a position; everything else is as in `open_source`.

    Parameters
    ----------
    kind, files, keep, id, ra, dec, sentinels, delimiter
        See `open_source`.
    set_aside : list, optional
        Gets a table of the rows set aside (``SET_ASIDE_SCHEMA``); without it a warning tells their number.

    Returns
    -------
    pyarrow.Table
        In the files' order, under the published names, with units and descriptions as metadata.

    Raises
    ------
    UsageError, InputError
        See `open_source`.
    """
    source = open_source(
        kind, files, keep=keep, positions=False, id=id, ra=ra, dec=dec, sentinels=sentinels,
        delimiter=delimiter,
    )  # fmt: skip
    tables, aside = [source.schema.arrow().empty_table()], [SET_ASIDE_SCHEMA.empty_table()]
    for path in source.paths:
        for chunk in source.read(path):
            tables.append(chunk.table)
            aside.append(chunk.set_aside)
    rows = pa.concat_tables(aside)
    if set_aside is not None:
        set_aside.append(rows)
    elif rows.num_rows:
        reasons = pc.value_counts(rows.column("reason")).to_pylist()
        told = ", ".join(f"{count['counts']} {count['values']}" for count in reasons)
        warnings.warn(f"rows of {kind} were set aside: {told}; pass set_aside=[] to see them", stacklevel=2)
    return pa.concat_tables(tables).combine_chunks()
