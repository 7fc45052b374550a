"""The command ``lkmrs``; also ``dask lkmrs`` and ``python -m lkmrs_dask``.

Nothing heavy is imported before a subcommand runs, so that help and mistakes answer at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from lkmrs_dask import __version__
from lkmrs_dask.cli_catalogs import crossmatch, fetch, import_
from lkmrs_dask.cli_light_curves import frequencies, train
from lkmrs_dask.cli_options import place_options
from lkmrs_dask.errors import LkmrsError, UsageError

__all__ = ["main"]


_KEPT = "What is done is kept: run the same command again"
_NOTHING = "Nothing was written, and what was there is as it was: the same command begins anew"
_WHEN_INTERRUPTED = {"crossmatch": _NOTHING, "import": _NOTHING, "train": _NOTHING}


class _Commands(click.Group):
    """Turns the project's errors into one line and an exit code: 1 for data, 2 for a wrong call."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LkmrsError as fault:
            click.echo(f"lkmrs: {fault}", err=True)
            ctx.exit(fault.exit_code)
        except KeyboardInterrupt:
            kept = _WHEN_INTERRUPTED.get(ctx.invoked_subcommand or "", _KEPT)
            click.echo(f"lkmrs: interrupted. {kept}", err=True)
            ctx.exit(1)
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


for _command in (crossmatch, import_, fetch, frequencies, train):
    main.add_command(_command)


def _finish(summary: dict[str, Any], out: Path) -> None:
    """Say what came out, and exit with 1 where a file was lost."""
    from lkmrs_dask.pipeline.report import summary_lines

    for line in summary_lines(summary, out):
        click.echo(line)
    if summary["failed_files"] or summary["failed_pieces"]:
        sys.exit(1)


@main.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--fraction", type=float, default=1.0, show_default=True, help="Of the paper's survey.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same survey.")
@click.option("--flux", is_flag=True, help="Write FITS spectra with flux too, of one star in a hundred.")
@click.option("--flux-stars", type=click.IntRange(min=0), help="Of so many stars instead, the brightest.")
@click.option("--dirt", type=float, default=0.01, show_default=True, help="Share of rows with a bad copy.")
@click.option("--external/--no-external", default=True, help="Catalogues of other surveys.")
@click.option("--light-curves/--no-light-curves", default=True, help="Light curves of variable stars.")
@click.option("--text-only", is_flag=True, help="No FITS table among the general catalogue's files.")
@click.option(
    "--hats", is_flag=True, help="Write catalogues directly, no raw files; --fraction may exceed 1."
)
@place_options
def synth(
    out: Path,
    fraction: float,
    seed: int,
    flux: bool,
    flux_stars: int | None,
    dirt: float,
    external: bool,
    light_curves: bool,
    text_only: bool,
    hats: bool,
    **where: Any,
) -> None:
    """Write a synthetic survey at the paper's numbers: raw files of LAMOST and others, and the truth."""
    from lkmrs_dask.pipeline.place import Place
    from lkmrs_dask.pipeline.synth import write_catalogs, write_raw

    if hats and (flux or flux_stars or text_only):
        raise UsageError(
            "--hats writes catalogues without raw files: leave out --flux, --flux-stars, --text-only"
        )
    if hats:
        write_catalogs(out, fraction, seed, Place(**where))
        return
    counts = write_raw(
        out,
        fraction,
        seed,
        flux_stars=-1 if flux and flux_stars is None else flux_stars,
        dirt=dirt,
        external=external,
        light_curves=light_curves,
        text_only=text_only,
        place=Place(**where),
    )
    for name in ("n_spectra", "n_stars", "n_stars_with_parameters"):
        click.echo(f"{name:<26} {counts[name]:>12,}")
    click.echo(f"raw files and truth: {out}; next: lkmrs run jobs/full_release.toml --raw {out} --out SURVEY")


@main.command()
@click.argument("job", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Survey folder.")
@click.option("--raw", type=click.Path(path_type=Path), help="Raw files, in place of the job's folder.")
@click.option("--drop-ingested", is_flag=True, help="Leave out files that `lkmrs ingest` added since.")
@click.option("--dry-run", is_flag=True, help="Print what there is to do, and do nothing.")
@click.option("--rows", type=float, metavar="N", help="With --dry-run: plan for a survey of N rows.")
@place_options
def run(
    job: Path,
    out: Path,
    raw: Path | None,
    drop_ingested: bool,
    dry_run: bool,
    rows: float | None,
    **where: Any,
) -> None:
    """Carry out a job, or go on with it: raw files to catalogues, tables, figures and summary.json."""
    from lkmrs_dask.pipeline.job import read_job
    from lkmrs_dask.pipeline.place import Place

    if dry_run:
        from lkmrs_dask.pipeline.plan import plan_run

        for line in plan_run(read_job(job, raw), out, Place(**where), rows).lines():
            click.echo(line)
        return
    if rows is not None:
        raise UsageError("--rows goes with --dry-run")
    from lkmrs_dask.pipeline.run import run_job

    _finish(run_job(read_job(job, raw), out, Place(**where), drop_ingested=drop_ingested), out)


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
@click.option("--drop", is_flag=True, help="Take these files out again.")
@place_options
def ingest(
    files: tuple[Path, ...],
    out: Path,
    catalog: str,
    plans: tuple[str, ...],
    no_flux: bool,
    drop: bool,
    **where: Any,
) -> None:
    """Add raw files (tables, FITS spectra, folders of them) to a survey; only what they touch is redone."""
    from lkmrs_dask.pipeline.add import add_files, drop_files
    from lkmrs_dask.pipeline.place import Place

    if drop:
        _finish(drop_files(files, out, place=Place(**where)), out)
        return
    summary = add_files(files, out, catalog=catalog, plans=plans, flux=not no_flux, place=Place(**where))
    _finish(summary, out)


@main.command()
@click.argument("survey", type=click.Path(path_type=Path))
@click.option("--repair", "mend", is_flag=True, help="Make damaged and missing pieces anew.")
@place_options
def verify(survey: Path, mend: bool, **where: Any) -> None:
    """Check a survey: checksums, rows, order, pixels, one partition per star."""
    from lkmrs_dask.pipeline.add import repair
    from lkmrs_dask.pipeline.check import verify_survey
    from lkmrs_dask.pipeline.cluster import open_crew
    from lkmrs_dask.pipeline.place import Place
    from lkmrs_dask.pipeline.survey import Survey

    folder, place = Survey(survey), Place(**where)
    folder.check()
    with open_crew(place) as crew:
        checked = []
        for one in verify_survey(folder, crew.executor):
            checked.append(one)
            click.echo(f"{one.name:<18} {'sound' if not one.problems else f'{len(one.problems)} problems'}")
            for problem in one.problems:
                click.echo(f"  {problem}")
    bad = sum(len(one.problems) for one in checked)
    if bad and mend:
        summary = repair(survey, checked, place)
        left = [problem for one in verify_survey(folder) for problem in one.problems]
        for problem in left:
            click.echo(f"  not mended: {problem}")
        _finish(summary, survey)
        if left:
            sys.exit(1)
    elif bad:
        sys.exit(1)


@main.command()
@click.argument("survey", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print summary.json itself.")
def status(survey: Path, as_json: bool) -> None:
    """Print what a survey holds, and how far a run in it is."""
    from lkmrs_dask.pipeline.report import state_lines, summary_lines
    from lkmrs_dask.pipeline.summary import read_summary
    from lkmrs_dask.pipeline.survey import Survey

    folder = Survey(survey)
    state = list(state_lines(folder))
    summary = read_summary(folder)
    if summary is None and not state:
        folder.check()
        raise LkmrsError(f"{survey} has no summary.json: its run has not ended; run the job again")
    if as_json and summary is None:
        raise LkmrsError(f"{survey} has no summary.json yet: " + "; ".join(state))
    if as_json:
        click.echo(json.dumps(summary, indent=1))
        return
    for line in state:
        click.echo(line)
    for line in summary_lines(summary, survey) if summary is not None else ():
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
@place_options
def demo(out: Path, stars: int, **where: Any) -> None:
    """Make a small synthetic survey in LAMOST's formats and carry out the main job on it."""
    from lkmrs_dask.pipeline.demo import run_demo
    from lkmrs_dask.pipeline.place import Place

    _finish(run_demo(out, stars, Place(**where)), out / "survey")
