"""Subcommands that need no survey: catalogues of others, and light curves."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from lkmrs_dask.cli_options import place_options

__all__ = ["crossmatch", "fetch", "frequencies", "import_"]


class _Neighbours(click.ParamType):
    """A word, or a number."""

    name = "nearest|all|one-to-one|N"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return int(value) if str(value).isdigit() else value


class _Epoch(click.ParamType):
    """A Julian year, or the name of a column."""

    name = "year|column"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return float(value)
        except ValueError:
            return value


def _names(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip()) if value else ()


@click.command()
@click.argument("left")
@click.argument("right")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the result.")
@click.option(
    "--radius", "radius_arcsec", type=float, default=3.7, show_default=True, help="Arcsec, up to 7200."
)
@click.option("--neighbours", type=_Neighbours(), default="nearest", show_default=True, help="Which ones.")
@click.option(
    "--join",
    type=click.Choice(["inner", "left", "anti"]),
    default="inner",
    show_default=True,
    help="Pairs; all of LEFT, with nulls; those of LEFT without a counterpart.",
)
@click.option(
    "--suffixes", nargs=2, default=("", "_2"), metavar="LEFT RIGHT", help="Of names in both [default: '' _2]."
)
@click.option("--left-epoch", type=_Epoch(), help="Epoch of LEFT's positions: a year, or a column.")
@click.option("--right-epoch", type=_Epoch(), help="Of RIGHT's: with both, its rows move to LEFT's epochs.")
@click.option(
    "--proper-motion",
    nargs=2,
    default=("pmra", "pmdec"),
    show_default=True,
    metavar="PMRA PMDEC",
    help="Columns of RIGHT, mas/yr.",
)
@click.option("--id", "id_column", metavar="COLUMN", help="RIGHT's identifier: the lowest wins a tie.")
@click.option("--max-pairs", type=click.IntRange(min=1), metavar="N", help="Of a partition [default: 2e7].")
@click.option("--left-columns", callback=_names, metavar="A,B,...", help="Columns of LEFT [default: all].")
@click.option("--right-columns", callback=_names, metavar="A,B,...", help="Columns of RIGHT [default: all].")
@click.option("--overwrite", is_flag=True, help="Replace the catalogue at --out.")
@place_options
def crossmatch(
    left: str,
    right: str,
    out: Path,
    left_columns: tuple[str, ...],
    right_columns: tuple[str, ...],
    overwrite: bool,
    max_pairs: int | None,
    threads: int | None,
    workers: int | None,
    scheduler: str | None,
    memory: str | None,
    **options: Any,
) -> None:
    """Match two HATS catalogues on the sky, exactly at all borders; the result has LEFT's partitions."""
    from lkmrs_dask.pipeline.cluster import Place
    from lkmrs_dask.pipeline.match import match_files

    if max_pairs is not None:
        options["max_pairs"] = max_pairs
    match_files(
        left,
        right,
        out,
        left_columns=left_columns,
        right_columns=right_columns,
        overwrite=overwrite,
        place=Place(threads, workers, scheduler, memory),
        say=click.echo,
        **options,
    )


@click.command("import")
@click.argument("kind")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the catalogue.")
@click.option("--columns", callback=_names, metavar="A,B,...", help="Keep these columns [default: all].")
@click.option("--id", "id_column", metavar="COLUMN", help="Identifier, for KIND table.")
@click.option("--ra", metavar="COLUMN", help="Right ascension (deg), for KIND table.")
@click.option("--dec", metavar="COLUMN", help="Declination (deg), for KIND table.")
@click.option("--epoch", type=float, metavar="YEAR", help="Epoch of the positions, for KIND table.")
@click.option("--delimiter", metavar="CHARACTER", help="Of text files, where it is not found.")
@click.option("--overwrite", is_flag=True, help="Replace the catalogue at --out.")
@place_options
def import_(
    kind: str,
    files: tuple[Path, ...],
    out: Path,
    columns: tuple[str, ...],
    id_column: str | None,
    overwrite: bool,
    threads: int | None,
    workers: int | None,
    scheduler: str | None,
    memory: str | None,
    **options: Any,
) -> None:
    """Make a HATS catalogue of another survey's published files.

    KIND: kic, epic, k2_targets, tic, apogee, galah, gaia, gaia_variables, apokasc2, apokasc3, simbad, vsx,
    jinabase, or table for any other.
    """
    from lkmrs_dask.pipeline.cluster import Place, open_crew
    from lkmrs_dask.pipeline.external import build_external

    given = {name: value for name, value in {**options, "id": id_column}.items() if value is not None}
    with open_crew(Place(threads, workers, scheduler, memory)) as crew:
        counts = build_external(
            kind, files, out, keep=columns or None, overwrite=overwrite, executor=crew.executor, **given
        )
    click.echo(f"{counts['rows']:,} rows, {counts['columns']} columns: {counts['path']}")
    for reason, number in counts["set_aside_by_column"].items():
        click.echo(f"set aside: {number:,} x {reason}")
    if counts["set_aside_path"]:
        click.echo(f"rows set aside are listed in {counts['set_aside_path']}")
    if counts["repeated_ids"]:
        click.echo(f"{counts['repeated_ids']:,} rows repeat the identifier of another")
    if counts["left_out"]:
        click.echo(f"left out: {', '.join(counts['left_out'])}")


@click.command()
@click.argument("name", required=False)
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), default=Path(), help="Folder [default: this one]."
)
@click.option("--only", multiple=True, metavar="PATTERN", help="Of a catalogue in many files, these only.")
def fetch(name: str | None, folder: Path, only: tuple[str, ...]) -> None:
    """Download the real catalogue NAME from its publisher, or list those whose address is known."""
    from lkmrs_dask.pipeline.fetch import fetch, list_known
    from lkmrs_dask.pipeline.fetch_progress import shown_transfer

    if name is None:
        for one in list_known():
            click.echo(f"{one.name:<18} {one.title}")
        return
    with shown_transfer() as transfer:
        paths = fetch(name, folder, only=only, report=click.echo, transfer=transfer)
    for path in paths:
        click.echo(str(path))


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print a list with one object a file.")
@click.option("--snr", "snr_min", type=float, default=5.6, show_default=True, help="Least S/N of a peak.")
@click.option(
    "--most",
    "max_frequencies",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Frequencies at most.",
)
@click.option(
    "--noise",
    type=click.Choice(["median", "mean"]),
    default="median",
    show_default=True,
    help="Of the residual amplitudes about a peak.",
)
@click.option(
    "--flux", default="corrected", show_default=True, help="corrected, raw, or a column of FITS files."
)
def frequencies(files: tuple[Path, ...], as_json: bool, flux: str, **options: Any) -> None:
    """Find the frequencies of light curves: Kepler, K2 and TESS FITS, and text tables (time, flux or mag)."""
    from lkmrs_dask.pipeline.frequencies import frequencies_of, frequency_lines

    found = []
    for one in frequencies_of(files, flux=flux, **options):
        found.append(one)
        for line in frequency_lines(one) if not as_json else ():
            click.echo(line)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    sys.exit(1 if any("error" in one for one in found) else 0)
