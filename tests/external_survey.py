"""The external catalogues of a small synthetic survey, written once, and read as plainly as can be."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

from astropy.io import fits

from lkmrs_dask.synthetic.external.headers import columns_of
from lkmrs_dask.synthetic.external.write import write_external
from lkmrs_dask.synthetic.ledger import make_ledger

# kind: file, delimiter (none: FITS), whether it has a header, columns of identifier and position
SYNTHETIC = {
    "kic": ("kic.txt.gz", "|", True, ("kic_kepler_id", "kic_degree_ra", "kic_dec")),
    "epic": ("epic.txt.gz", "|", False, ("ID", "RA", "DEC")),
    "tic": ("tic.csv.gz", ",", False, ("ID", "ra", "dec")),
    "gaia": ("gaia.csv.gz", ",", True, ("source_id", "ra", "dec")),
    "apogee": ("apogee_allStar.fits.gz", "", True, ("APOGEE_ID", "RA", "DEC")),
    "galah": ("galah_allstar.fits.gz", "", True, ("sobject_id", "ra_dr2", "dec_dr2")),
    "simbad": ("simbad.csv", ",", True, ("main_id", "ra", "dec")),
    "vsx": ("vsx.csv", ",", True, ("OID", "RAJ2000", "DEJ2000")),
    "gaia_variables": ("gaia_variables.csv", ",", True, ("source_id", "ra", "dec")),
}


def write_files(folder: Path, fraction: float = 0.01) -> Path:
    """Write them; return their folder."""
    write_external(folder, make_ledger(fraction, 1))
    return folder / "external"


def plain_rows(folder: Path, kind: str) -> list[dict[str, str]]:
    """Rows of a file as text, with the standard library; of a FITS file with astropy."""
    name, mark, header, _ = SYNTHETIC[kind]
    if not mark:
        with fits.open(folder / name) as hdus:
            table = hdus[1].data
            return [{c: str(row[c]).strip() for c in table.names} for row in table]
    data = (folder / name).read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode()
    names = None if header else columns_of(kind)
    return list(csv.DictReader(text.splitlines(), names, delimiter=mark))
