"""Subcommands that make catalogues, and need no survey."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from lkmrs_dask.cli_options import place_options
from lkmrs_dask.errors import UsageError

__all__ = ["crossmatch", "fetch", "import_"]


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
    from lkmrs_dask.pipeline.match import match_files
    from lkmrs_dask.pipeline.place import Place

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
@click.option("--flux", metavar="FLUX", help="Of light_curves: corrected (the default), raw, or a column.")
@click.option(
    "--targets", type=click.Path(path_type=Path), metavar="TABLE", help="Of light_curves: where stars lie."
)
@click.option(
    "--table", multiple=True, metavar="KEY=VALUE",
    help="Of light_curves, what is what in text tables: unit=mag, zero=mjd, where.band=g, ...",
)  # fmt: skip
@click.option(
    "--max-stars", type=int, metavar="N", help="Of light_curves: stars of a partition at most [50]."
)
@click.option("--overwrite", is_flag=True, help="Replace the catalogue at --out.")
@place_options
def import_(
    kind: str,
    files: tuple[Path, ...],
    out: Path,
    columns: tuple[str, ...],
    id_column: str | None,
    flux: str | None,
    targets: Path | None,
    max_stars: int | None,
    table: tuple[str, ...],
    overwrite: bool,
    threads: int | None,
    workers: int | None,
    scheduler: str | None,
    memory: str | None,
    **options: Any,
) -> None:
    """Make a HATS catalogue of another survey's published files.

    KIND: kic, epic, k2_targets, tic, apogee, galah, gaia, gaia_variables, apokasc2, apokasc3, simbad, vsx,
    jinabase, or table for any other; or light_curves: files, and folders of FITS files, of Kepler, K2, TESS.
    Their --targets are a table (CSV, FITS, Parquet) with mission, target_id, ra, dec and, if there, star_id.
    """
    from lkmrs_dask.pipeline.cluster import open_crew
    from lkmrs_dask.pipeline.external import build_external
    from lkmrs_dask.pipeline.place import Place

    given = {name: value for name, value in {**options, "id": id_column}.items() if value is not None}
    of_curves: dict[str, Any] = {"flux": flux, "targets": targets, "max_stars": max_stars,
                                 "table": table or None}  # fmt: skip
    of_curves = {name: value for name, value in of_curves.items() if value is not None}
    _check_kind(kind, of_curves, [*given, *(("columns",) if columns else ())])
    if kind == "light_curves":
        from lkmrs_dask.pipeline.light_curve_import import import_light_curves

        place = Place(threads, workers, scheduler, memory)
        told = import_light_curves(files, out, overwrite=overwrite, place=place, **of_curves)
        for line in told.lines():
            click.echo(line)
        sys.exit(1 if told.lost else 0)
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


def _check_kind(kind: str, of_curves: Collection[str], of_tables: Collection[str]) -> None:
    """Raise UsageError for options that the kind has no use for."""
    wrong = of_tables if kind == "light_curves" else of_curves
    if wrong:
        name = next(iter(wrong)).replace("_", "-")
        whose = "tables, not of light_curves" if kind == "light_curves" else f"light_curves, not of {kind}"
        raise UsageError(f"--{name} is an option of {whose}: leave it out")


@click.command()
@click.argument("name", required=False)
@click.argument("stars", nargs=-1)
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), default=Path(), help="Folder [default: this one]."
)
@click.option(
    "--only", multiple=True, metavar="PATTERN", help="These files only; of a survey's stars: rv_variables."
)
@click.option("--survey", type=click.Path(path_type=Path), help="Light curves of this survey's stars.")
@click.option(
    "--author",
    "authors",
    callback=_names,
    metavar="A,B,...",
    help="Of light curves: kepler; k2, k2sff; spoc, qlp, tess-spoc [default: kepler, k2, spoc].",
)
@click.option(
    "--cadence",
    type=click.Choice(["long", "short", "both"]),
    help="Of Kepler and K2 [default: long].",
)
@click.option("--campaigns", metavar="N,N-N", help="Of K2 [default: all; MAST is asked which].")
@click.option("--sectors", metavar="N,N-N", help="Of TESS [default: all; MAST is asked which].")
def fetch(
    name: str | None,
    stars: tuple[str, ...],
    folder: Path,
    only: tuple[str, ...],
    survey: Path | None,
    authors: tuple[str, ...],
    cadence: str | None,
    campaigns: str | None,
    sectors: str | None,
) -> None:
    """Download the real catalogue NAME from its publisher, or list those whose address is known.

    NAME kepler_light_curves, k2_light_curves or tess_light_curves: of STARS, which are numbers, names as
    "KIC 5023948", or files with one of these a line.  NAME light_curves with --survey: of its stars, into
    kepler/, k2/ and tess/.
    """
    from lkmrs_dask.pipeline.fetch import fetch, list_known
    from lkmrs_dask.pipeline.fetch_command import OF_SURVEY, fetch_curves, wants_curves
    from lkmrs_dask.pipeline.fetch_progress import shown_transfer

    if name is None:
        for one in list_known():
            click.echo(f"{one.name:<20} {one.title}")
        click.echo(f"{OF_SURVEY:<20} light curves of a survey's stars, with --survey")
        return
    chosen = {
        "survey": survey,
        "author": authors,
        "cadence": cadence,
        "campaigns": campaigns,
        "sectors": sectors,
    }
    if wants_curves(name, stars, **chosen):
        done = fetch_curves(
            name,
            stars,
            folder,
            only=only,
            survey=survey,
            authors=authors,
            cadence=cadence,
            campaigns=campaigns,
            sectors=sectors,
            report=click.echo,
        )
        for line in done.lines():
            click.echo(line)
        sys.exit(1 if done.faults else 0)
    with shown_transfer() as transfer:
        paths = fetch(name, folder, only=only, report=click.echo, transfer=transfer)
    for path in paths:
        click.echo(str(path))


# ---
