"""``lkmrs synth``: write the raw files of a synthetic survey, or its catalogues directly."""

from __future__ import annotations

from pathlib import Path

from lkmrs_dask.pipeline.cluster import open_crew
from lkmrs_dask.pipeline.place import Place
from lkmrs_dask.pipeline.progress import Reporter

__all__ = ["FLUX_SHARE", "write_catalogs", "write_raw"]

FLUX_SHARE = 0.01
"""Share of the stars whose spectra are written with flux, when asked for."""

_PAPER_STARS = 49_310


def write_raw(
    folder: Path,
    fraction: float,
    seed: int,
    *,
    flux_stars: int | None = None,
    dirt: float = 0.01,
    external: bool = True,
    light_curves: bool = True,
    text_only: bool = False,
    place: Place | None = None,
    report: Reporter | None = None,
) -> dict[str, int]:
    """Write raw files in the releases' formats, with the truth beside them; see `make_survey`.

    Parameters
    ----------
    folder : Path
        Gets the files.
    fraction, seed, dirt, external, light_curves, text_only
        See `make_survey`.
    flux_stars : int, optional
        Stars whose spectra are written with flux; none if not given, and `FLUX_SHARE` of all if negative.
    place, report
        See `run_job`.

    Returns
    -------
    dict
        Counts of the truth, by the names of ``summary.json``.
    """
    from lkmrs_dask.synthetic.survey import make_survey

    report = report or Reporter()
    if flux_stars is not None and flux_stars < 0:
        flux_stars = max(3, round(FLUX_SHARE * fraction * _PAPER_STARS))
    report.say(f"synthetic survey (not real data), {fraction:g} of the paper's, seed {seed}, in {folder}")
    with open_crew(place or Place()) as crew, report.stage("synthetic files", "files") as record:
        truth = make_survey(
            folder,
            fraction,
            seed,
            dirt=dirt,
            flux_stars=flux_stars or 0,
            external=external,
            light_curves=light_curves,
            text_only=text_only,
            executor=crew.executor,
        )
        record.rows = truth.counts["n_spectra"]
    return dict(truth.counts)


def write_catalogs(
    folder: Path, fraction: float, seed: int, place: Place | None = None, report: Reporter | None = None
) -> None:
    """Write the catalogues ``spectra`` and ``measurements`` without raw files; a fraction may exceed 1."""
    from lkmrs_dask.synthetic.direct import write_hats

    report = report or Reporter()
    report.say(f"synthetic catalogues (not real data), {fraction:g} of the paper's, seed {seed}, in {folder}")
    with open_crew(place or Place()) as crew, report.stage("synthetic catalogues", "partitions"):
        write_hats(folder, fraction, seed, crew.executor)
