"""Subcommands for light curves on disk, without a survey."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from lkmrs_dask.cli_options import place_options
from lkmrs_dask.errors import UsageError

__all__ = ["frequencies", "train"]


class _Column(click.ParamType):
    """The name of a column, or its number."""

    name = "column"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return int(value) if str(value).isdigit() else value


class _Zero(click.ParamType):
    """A Julian date, or a word."""

    name = "date"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return float(value)
        except ValueError:
            return value


class _Pair(click.ParamType):
    """A column and a text, as band=g."""

    name = "column=text"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, tuple):
            return value
        column, mark, text = str(value).partition("=")
        if not (column and mark):
            self.fail(f"{value!r} is not as COLUMN=TEXT, for instance band=g", param, ctx)
        return column, text


_OPTIONS = {
    name: name for name in ("time", "flux", "unit", "zero", "band", "where", "harmonics", "noise")
} | {
    "join": "stitch",
    "figures": "plot",
    "snr_min": "snr",
    "max_frequencies": "most",
}


def _with_options(message: str) -> str:
    """What a message calls settings of a table are options here."""
    message = message.replace("name the columns with TableFormat", "name the columns with --time and --flux")
    if "several values of" in message:
        message += ", or have the best period of all by --band COLUMN --harmonics 3"
    return re.sub(rf"\b({'|'.join(_OPTIONS)})=(?=\W|$)", lambda found: f"--{_OPTIONS[found[1]]}", message)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print a list with one object a file.")
@click.option("--plot", is_flag=True, help="Draw NAME_frequencies.png and .pdf of each file.")
@click.option("--to", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Of the figures [default: this one]; implies --plot.")  # fmt: skip
@click.option("--stitch", is_flag=True, help="Join the files of a star (quarters, sectors).")
@click.option("--snr", "snr_min", type=float, default=5.6, show_default=True, help="Least S/N of a peak.")
@click.option("--most", "max_frequencies", type=click.IntRange(min=1), default=50, show_default=True,
              help="Frequencies at most.")  # fmt: skip
@click.option("--noise", type=click.Choice(["median", "mean"]), default="median", show_default=True,
              help="Of the residual amplitudes about a peak.")  # fmt: skip
@click.option(
    "--f-min", type=float, metavar="F", help="Lowest frequency, 1/d [default: the higher of 0.05 and 2/T]."
)
@click.option("--f-max", type=float, metavar="F",
              help="Highest [default: the lower of 100 and the Nyquist frequency].")  # fmt: skip
@click.option("--harmonics", type=click.IntRange(1, 10), metavar="N",
              help="Find the best period by N harmonics too: for few points on many nights, 3.")  # fmt: skip
@click.option("--flux", default="corrected", show_default=True, metavar="FLUX",
              help="corrected or raw; or a column: its name, or in text its number from 0.")  # fmt: skip
@click.option("--time", type=_Column(), help="Column of times, of a table.")
@click.option("--unit", help="Of a table's flux: e-/s, relative, excess (relative - 1), ppt, ppm, mag.")
@click.option("--zero", type=_Zero(),
              help="Julian date that a table's times count from: a number, jd, rjd, mjd, bkjd, btjd, or "
                   "relative for any.")  # fmt: skip
@click.option(
    "--band",
    type=_Column(),
    help="Column of the band in a text table: with --harmonics the best period of all bands together.",
)
@click.option("--where", type=_Pair(), multiple=True, help="Only such rows of a text table, as band=g.")
def frequencies(
    files: tuple[Path, ...],
    as_json: bool,
    plot: bool,
    to: Path | None,
    stitch: bool,
    time: str | int | None,
    unit: str | None,
    zero: str | float | None,
    band: str | int | None,
    where: tuple[tuple[str, str], ...],
    **options: Any,
) -> None:
    """Find the frequencies of light curves.

    FILES: FITS files of Kepler, K2 and TESS, folders of them, and text tables (time, flux or magnitude).
    """
    from lkmrs_dask.pipeline.frequencies import frequencies_of
    from lkmrs_dask.pipeline.frequency_lines import frequency_lines
    from lkmrs_dask.readers.light_curves.table_format import TableFormat

    table = TableFormat(time=time, unit=unit, zero=zero, band=band, where=where)
    source = click.get_current_context().get_parameter_source
    given = {name: value for name, value in options.items() if source(name) is not ParameterSource.DEFAULT}
    figures = to if to is not None else Path() if plot else None
    found = []
    try:
        for one in frequencies_of(files, table=table, join=stitch, figures=figures, **given):
            if "error" in one:
                one["error"] = _with_options(one["error"])
            found.append(one)
            for line in frequency_lines(one) if not as_json else ():
                click.echo(line)
    except UsageError as fault:
        message = _with_options(str(fault))
        raise UsageError(message if plot else message.replace("--plot", "--to")) from fault
    if as_json:
        click.echo(json.dumps(found, indent=1))
    sys.exit(1 if any("error" in one for one in found) else 0)


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--labels",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="Real stars of known class; may be repeated.",
)
@click.option(
    "--per-class",
    type=click.IntRange(min=10),
    metavar="N",
    help="Synthetic stars of each class [default: 50].",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="S", help="Of them [default: 1].")
@click.option("--search", "searched", is_flag=True, help="Search the settings of the forest.")
@place_options
def train(
    out: Path,
    labels: tuple[Path, ...],
    per_class: int | None,
    seed: int | None,
    searched: bool,
    **where: Any,
) -> None:
    """Make the classifier's training table in folder OUT, and say how good what it teaches is."""
    from lkmrs_dask.pipeline.place import Place
    from lkmrs_dask.pipeline.progress import Reporter
    from lkmrs_dask.pipeline.train import train_files

    train_files(
        out,
        labels,
        per_class=per_class,
        seed=seed,
        searched=searched,
        place=Place(**where),
        report=Reporter(),
        say=click.echo,
    )
