"""The command ``lkmrs``; also ``dask lkmrs`` and ``python -m lkmrs_dask``.

Nothing heavy is imported before a subcommand runs, so that help and mistakes answer at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lkmrs_dask import __version__
from lkmrs_dask.errors import LkmrsError

__all__ = ["main"]


class _Commands(click.Group):
    """Turns the project's errors into one line and an exit code: 1 for data, 2 for a wrong call."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LkmrsError as fault:
            click.echo(f"lkmrs: {fault}", err=True)
            ctx.exit(fault.exit_code)
        except BrokenPipeError:
            raise  # click ends quietly when nobody reads on
        except OSError as fault:
            # Disk full, no permission to write: a person can mend these; a traceback would hide what.
            click.echo(f"lkmrs: {fault}", err=True)
            ctx.exit(1)


@click.group(name="lkmrs", cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lkmrs")
def main() -> None:
    """Time-domain spectroscopic surveys on Dask: raw LAMOST files to the published star catalogue.

    Exit codes: 0 done; 1 some input could not be processed (the rest is there); 2 wrong usage.
    """


def _place_options(function: Callable[..., None]) -> Callable[..., None]:
    """Options that say where to compute."""
    for option in (
        click.option("--scheduler", metavar="ADDRESS", help="Compute on a running Dask scheduler."),
        click.option("--workers", type=int, metavar="N", help="Compute on N local worker processes."),
        click.option("--threads", type=int, metavar="N", help="Compute on N threads (default: one a core)."),
    ):
        function = option(function)
    return function


def _finish(summary: dict[str, Any], out: Path) -> None:
    """Say what came out, and exit with 1 where a file was lost."""
    from lkmrs_dask.pipeline.report import summary_lines

    for line in summary_lines(summary, out):
        click.echo(line)
    if summary["failed_files"]:
        sys.exit(1)


@main.command()
@click.argument("job", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Survey folder.")
@click.option("--raw", type=click.Path(path_type=Path), help="Raw files, in place of the job's folder.")
@_place_options
def run(job: Path, out: Path, raw: Path | None, **where: Any) -> None:
    """Carry out a job: raw files to catalogues, tables, figures and summary.json."""
    from lkmrs_dask.pipeline.cluster import Place
    from lkmrs_dask.pipeline.job import read_job
    from lkmrs_dask.pipeline.run import run_job

    _finish(run_job(read_job(job, raw), out, Place(**where)), out)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Survey folder.")
@click.option(
    "--catalog",
    type=click.Choice(["spectra", "measurements"]),
    default="spectra",
    show_default=True,
    help="Catalogue that tables go to.",
)
@click.option(
    "--plans", multiple=True, metavar="PATTERN", help="Keep these plans only, as in '*K[0-9][0-9]'."
)
@click.option("--no-flux", is_flag=True, help="Leave out flux, ivar, wavelength and mask of FITS spectra.")
@_place_options
def ingest(
    files: tuple[Path, ...], out: Path, catalog: str, plans: tuple[str, ...], no_flux: bool, **where: Any
) -> None:
    """Add raw files (tables, FITS spectra, folders of them) to the catalogues of a survey."""
    from lkmrs_dask.pipeline.add import add_files
    from lkmrs_dask.pipeline.cluster import Place

    summary = add_files(files, out, catalog=catalog, plans=plans, flux=not no_flux, place=Place(**where))
    _finish(summary, out)


@main.command()
@click.argument("survey", type=click.Path(path_type=Path))
@_place_options
def verify(survey: Path, **where: Any) -> None:
    """Check the catalogues of a survey: rows, order, pixels, one partition per star."""
    from lkmrs_dask.catalog.opening import open_catalog
    from lkmrs_dask.catalog.verify import verify_catalog
    from lkmrs_dask.pipeline.cluster import Place, open_executor
    from lkmrs_dask.pipeline.summary import read_summary
    from lkmrs_dask.pipeline.survey import Survey

    folder = Survey(survey)
    folder.check()
    stated = (read_summary(folder) or {}).get("catalogs", {})
    missing = [name for name in stated if name not in folder.catalogs()]
    for name in missing:
        click.echo(f"{name:<14} missing: summary.json counts {stated[name]:,} rows of it")
    bad = len(missing)
    with open_executor(Place(**where)) as executor:
        for name, path in folder.catalogs().items():
            problems = verify_catalog(path, executor)
            if stated.get(name, len(open_catalog(path))) != len(open_catalog(path)):
                problems.append(f"summary.json counts {stated[name]:,} rows")
            bad += len(problems)
            click.echo(f"{name:<14} {'sound' if not problems else f'{len(problems)} problems'}")
            for problem in problems:
                click.echo(f"  {problem}")
    if bad:
        sys.exit(1)


@main.command()
@click.argument("survey", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print summary.json itself.")
def status(survey: Path, as_json: bool) -> None:
    """Print what a survey holds."""
    from lkmrs_dask.pipeline.report import summary_lines
    from lkmrs_dask.pipeline.summary import read_summary
    from lkmrs_dask.pipeline.survey import Survey

    folder = Survey(survey)
    folder.check()
    summary = read_summary(folder)
    if summary is None:
        raise LkmrsError(f"{survey} has no summary.json: its run has not ended; run the job again")
    if as_json:
        click.echo(json.dumps(summary, indent=1))
        return
    for line in summary_lines(summary, survey):
        click.echo(line)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def bench(name: str | None, options: tuple[str, ...]) -> None:
    """Run one benchmark of the checkout's folder benchmarks/, or list them.

    OPTIONS are the benchmark's own: --scale, --rounds, --json, --folder.
    """
    from lkmrs_dask.pipeline.benchmarks import list_benchmarks, run_benchmark

    if name is None:
        for known, line in list_benchmarks().items():
            click.echo(f"{known:<14} {line}")
        return
    sys.exit(run_benchmark(name, options))


@main.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Folder."
)
@click.option("--stars", type=click.IntRange(min=20), default=400, show_default=True, help="Number of stars.")
@_place_options
def demo(out: Path, stars: int, **where: Any) -> None:
    """Make a small synthetic survey in LAMOST's formats and carry out the main job on it."""
    from lkmrs_dask.pipeline.cluster import Place
    from lkmrs_dask.pipeline.demo import run_demo

    _finish(run_demo(out, stars, Place(**where)), out / "survey")
