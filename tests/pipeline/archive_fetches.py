"""Fetches of light curves from an archive of our own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from archive_site import Archive, book_of

from lkmrs_dask.pipeline.download import Transfer
from lkmrs_dask.pipeline.fetch_light_curves import (
    LightCurvesFetched,
    Report,
    Terms,
    fetch_light_curves,
)
from lkmrs_dask.pipeline.light_curve_addresses import Choice

QUICK = Transfer(attempts=2, wait=0.0, timeout=5.0)


def get(
    archive: Archive,
    folder: Path,
    name: str,
    *targets: str,
    choice: Choice | None = None,
    report: Report | None = None,
    **more: Any,
) -> LightCurvesFetched:
    """Fetch from it into a folder beside its file of addresses."""
    folder.mkdir(exist_ok=True)
    terms = Terms(choice or Choice(), report, QUICK, book_of(archive, folder))
    return fetch_light_curves(name, targets, folder / "raw", terms=terms, **more)


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(os.listdir(folder))


def kepler(archive: Archive, number: int, *endings: str) -> list[str]:
    """Put light curves of a star into it."""
    star = f"{number:09d}"
    folder = f"/pub/kepler/lightcurves/{star[:4]}/{star}/"
    added = [f"kplr{star}-{2010355172524 + at}_{ending}.fits" for at, ending in enumerate(endings)]
    for name in added:
        archive.add(folder + name)
    for other in (f"kplr{star}_lc_Q111111.tar", f"kplr{star}-2010355172524_llc.fits.md5", "README"):
        archive.add(folder + other, b"no light curve")
    return added


def k2_row(name: str, campaign: str, kind: str = "lc") -> dict[str, Any]:
    """A row of MAST's service."""
    return {
        "obs_id": f"ktwo{name}-c{campaign}_{kind}",
        "dataURL": f"mast:K2/url/missions/k2/target_pixel_files/ktwo{name}-c{campaign}_lpd-targ.fits.gz",
        "obs_collection": "K2",
        "target_name": f"ktwo{name}",
    }


SPOC = "tess2021232031932-s0042-0000000067768222-0213-s_lc.fits"
DOWNLOAD = "/api/v0.1/Download/file/?uri=mast:TESS/product/"


def tess_row(obs_id: str, tic: str, author: str = "SPOC") -> dict[str, Any]:
    """A row of MAST's service."""
    return {
        "obs_id": obs_id,
        "dataURL": None,
        "obs_collection": "TESS" if author == "SPOC" else "HLSP",
        "provenance_name": author,
        "target_name": tic,
    }
