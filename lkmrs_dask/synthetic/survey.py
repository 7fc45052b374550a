"""A small synthetic survey in LAMOST's file formats, with the truth beside it.

All randomness is addressed (see `counters`): a star, its spectra and their noise depend neither on how many
others there are nor on the order in which visits are written.  Only fibres, and a uid that two stars would
share, depend on the stars before.  Work and memory go by visit, of at most 4,000 stars.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import numpy as np

from lkmrs_dask.errors import UsageError
from lkmrs_dask.synthetic.counters import Draws
from lkmrs_dask.synthetic.dirt import check_share
from lkmrs_dask.synthetic.observe import observe
from lkmrs_dask.synthetic.plan import OTHER_PLAN, PLANS, schedule
from lkmrs_dask.synthetic.population import make_stars
from lkmrs_dask.synthetic.targets import choose_targets
from lkmrs_dask.synthetic.truth import Tally, Truth, write_truth
from lkmrs_dask.synthetic.writer import CATALOGUE, SPECTRA, STELLAR, SurveyWriter

__all__ = ["make_survey"]

_TRUTH = "truth"
_OTHER_STARS = 1 << 40  # first address of stars of another sub-project
_OTHER_SHARE = 100  # survey stars for each of them


def make_survey(
    folder: Path, n_stars: int = 400, seed: int = 1, flux_stars: int = 3, dirt: float = 0.01
) -> Truth:
    """Write a synthetic survey.

    Parameters
    ----------
    folder : Path
        Gets ``mrs_catalogue/`` (two text files), ``mrs_stellar/`` (a FITS file, and a text file in the older
        spelling with every second plan), ``mrs_spectra/`` (FITS, a file per fibre and night) and ``truth/``
        (Parquet).  A synthetic survey that it holds is replaced.
    n_stars : int
        Stars, spread evenly over `plan.PLANS`; a plan has 4,000 fibres.
    seed : int
        The same seed gives the same content of all files, and star k is the same for all `n_stars`.
    flux_stars : int
        So many of the brightest stars have their spectra written, on all their visits.
    dirt : float
        Share of the rows of text tables that have a fault (`dirt.KINDS`), 0 to 0.5.  A faulty row stands in
        place of the good one; a repeated row beside it.

    Returns
    -------
    Truth
        As in ``truth/``.

    Raises
    ------
    UsageError
        For arguments out of range, or where one of the four folders holds something else.
    """
    if n_stars < 1:
        raise UsageError(f"a survey needs at least one star, not {n_stars}")
    if not 0 <= flux_stars <= n_stars:
        raise UsageError(f"flux_stars must be from 0 to the {n_stars} stars, not {flux_stars}")
    folder, draws = Path(folder), Draws(seed)
    plans, other = (*PLANS, OTHER_PLAN), len(PLANS)
    n_other = max(1, n_stars // _OTHER_SHARE)
    number = np.concatenate([np.arange(n_stars), _OTHER_STARS + np.arange(n_other)])
    home = np.concatenate([np.arange(n_stars) % other, np.full(n_other, other)])
    stars = make_stars(draws, number, home, plans)
    targets = [choose_targets(stars, plans, at, draws) for at in range(len(plans))]
    with_flux = np.zeros(len(stars), dtype=bool)
    with_flux[np.argsort(stars.g[:n_stars], kind="stable")[:flux_stars]] = True
    with_flux[n_stars] = True

    check_share(dirt)
    _clear(folder)
    tally = Tally(stars)
    with closing(SurveyWriter(folder, draws, dirt, tally, with_flux)) as writer:
        for visit in schedule(plans, draws):
            at = plans.index(visit.plan)
            if len(targets[at]):
                writer.write(observe(visit, stars, targets[at], draws), older=at % 2 == 1)
    truth = tally.truth(plans, home != other)
    write_truth(truth, folder / _TRUTH)
    return truth


def _clear(folder: Path) -> None:
    """Remove an earlier synthetic survey, known by its truth, and nothing else."""
    names = [name for name in (CATALOGUE, STELLAR, SPECTRA, _TRUTH) if (folder / name).exists()]
    if names and not (folder / _TRUTH / "counts.parquet").is_file():
        raise UsageError(f"{folder} holds {names[0]}, but no synthetic survey; name another folder")
    for name in names:
        shutil.rmtree(folder / name)
