"""``lkmrs fetch``: which of its ways a call means, and what its options are for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lkmrs_dask.errors import UsageError

if TYPE_CHECKING:
    from lkmrs_dask.pipeline.fetch import Report
    from lkmrs_dask.pipeline.fetch_light_curves import LightCurvesFetched

__all__ = ["OF_SURVEY", "fetch_curves", "wants_curves"]

OF_SURVEY = "light_curves"
"""The word for the light curves of a survey's stars."""

_BY_STAR = ("kepler_light_curves", "k2_light_curves", "tess_light_curves")


def wants_curves(name: str, stars: Sequence[str], **options: object) -> bool:
    """Tell whether a call is for light curves.

    Parameters
    ----------
    name : str
        What is wanted.
    stars : sequence of str
        The stars that are named.
    **options
        Those that are for light curves only, None or empty where they are not given.

    Raises
    ------
    UsageError
        Where it is for another catalogue, and stars or such options are given.
    """
    if name == OF_SURVEY or name in _BY_STAR:
        return True
    given = [f"--{option}" for option, value in options.items() if value]
    if stars or given:
        what = ", ".join([*(["stars"] if stars else []), *given])
        raise UsageError(f"{what}: only for {', '.join(_BY_STAR)} and {OF_SURVEY}, not for {name}")
    return False


def fetch_curves(
    name: str,
    stars: Sequence[str],
    folder: Path,
    *,
    only: Sequence[str] = (),
    survey: Path | None = None,
    authors: Sequence[str] = (),
    cadence: str | None = None,
    campaigns: str | None = None,
    sectors: str | None = None,
    report: Report | None = None,
    addresses: Path | None = None,
) -> LightCurvesFetched:
    """Fetch light curves as a call says.

    Parameters
    ----------
    name : str
        ``light_curves``, for those of a survey's stars, or a mission's.
    stars : sequence of str
        See `parse_targets`.
    folder : Path
        Gets the files.
    only : sequence of str
        Patterns of files; of a survey, ``rv_variables``.
    survey : Path, optional
        Folder of the survey.
    authors : sequence of str
        At most one a mission.
    cadence, campaigns, sectors : str, optional
        See `Choice`; the last two as ``42,43`` or ``40-45``.
    report : callable, optional
        Told what happens, in lines.
    addresses : Path, optional
        Another file of addresses than the package's own.

    Raises
    ------
    UsageError
        Where stars and survey do not go with the name, or an option has no such value.
    NoNetworkError
        Where a server cannot be reached.
    """
    from lkmrs_dask.pipeline.fetch_light_curves import (
        AT_ONCE,
        Terms,
        fetch_light_curves,
        fetch_survey_light_curves,
    )
    from lkmrs_dask.pipeline.fetch_progress import shown_transfer
    from lkmrs_dask.pipeline.light_curve_addresses import Choice
    from lkmrs_dask.pipeline.light_curve_targets import numbers

    choice = Choice(
        cadence or "long",
        numbers(campaigns, "--campaigns") if campaigns else (),
        numbers(sectors, "--sectors") if sectors else (),
    )
    if (name == OF_SURVEY) != (survey is not None) or (survey is not None and stars):
        raise UsageError(
            f"say `lkmrs fetch {OF_SURVEY} --survey SURVEY` for the stars of a survey, or name the stars: "
            f"`lkmrs fetch {_BY_STAR[0]} 5023948 11442793`"
        )
    with shown_transfer(at_once=AT_ONCE) as transfer:
        terms = Terms(choice, report, transfer, addresses)
        if survey is not None:
            return fetch_survey_light_curves(survey, folder, authors=authors, only=only, terms=terms)
        if len(authors) > 1:
            raise UsageError(f"--author {','.join(authors)}: give one for {name}")
        author = authors[0] if authors else None
        return fetch_light_curves(name, stars, folder, author=author, only=only, terms=terms)
