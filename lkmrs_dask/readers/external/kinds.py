"""The external catalogues: what their files are called, look like, and mean by a missing value.

The columns of each, in the published order and spelling, are in ``columns/KIND.csv``.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from lkmrs_dask.errors import UsageError
from lkmrs_dask.schema import Column

__all__ = ["KINDS", "Kind", "kind_named"]


@dataclass(frozen=True)
class Kind:
    """One external catalogue.

    Parameters
    ----------
    name : str
        The word for it on the command line.
    title : str
        What it is, in a line.
    id_column : str or None
        Published name of the identifier; a row without one is set aside.
    ra_column, dec_column : str or None
        Published names of the position in degrees.
    epoch : float or None
        Julian year of the positions; None where the files must say.
    epoch_column : str or None
        The column that says it.
    positions : bool
        Whether the published files have positions: without, rows are a plain table that is joined by
        identifier.
    aliases : tuple of (str, tuple of str)
        Other names of a column: those that VizieR or an older release gives it.
    hours : tuple of (str, str)
        Pairs of a column in degrees and one in hours that it is made of where it is missing.
    delimiter : str or None
        Of text files; found from the header where None.
    headless : bool
        Text files come without a header, with all columns in the published order.
    sentinels : tuple of float
        Numbers that mean "missing" in any column (beside an empty field, ``null`` and ``nan``).
    magnitude_sentinels : tuple of float
        Numbers that do so in columns of magnitudes.
    missing_texts : tuple of str
        Texts that do so, in tables with a line of dashes under the names.
    columns : tuple of Column
        The published ones that have a type here; others are taken with the type that they seem to have.
    """

    name: str
    title: str
    id_column: str | None = None
    ra_column: str | None = None
    dec_column: str | None = None
    epoch: float | None = 2000.0
    epoch_column: str | None = None
    positions: bool = True
    aliases: tuple[tuple[str, tuple[str, ...]], ...] = ()
    hours: tuple[tuple[str, str], ...] = ()
    delimiter: str | None = None
    headless: bool = False
    sentinels: tuple[float, ...] = ()
    magnitude_sentinels: tuple[float, ...] = ()
    missing_texts: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()

    @property
    def as_told(self) -> bool:
        """Whether nothing is known of the catalogue but what is told: None and -9999 may be values."""
        return not self.columns

    @property
    def header(self) -> tuple[str, ...] | None:
        """Names of the columns of a file that has no header; None where files have one."""
        return tuple(column.name for column in self.columns) if self.headless else None

    def missing_values(self, unit: str) -> tuple[float, ...]:
        """Numbers that mean "missing" in a column of this unit."""
        return self.sentinels + (self.magnitude_sentinels if unit == "mag" else ())


_VIZIER = ("RAJ2000", "_RAJ2000", "RA_ICRS", "_RA"), ("DEJ2000", "_DEJ2000", "DE_ICRS", "_DE")

_DEFINITIONS = (
    Kind("kic", "Kepler Input Catalog (MAST)", "kic_kepler_id", "kic_degree_ra", "kic_dec", delimiter="|",
         aliases=(("kic_kepler_id", ("KIC",)), ("kic_degree_ra", _VIZIER[0]), ("kic_dec", _VIZIER[1])),
         hours=(("kic_degree_ra", "kic_ra"),)),
    Kind("epic", "Ecliptic Plane Input Catalog (MAST)", "ID", "RA", "DEC", delimiter="|", headless=True,
         aliases=(("ID", ("EPIC",)), ("RA", _VIZIER[0]), ("DEC", _VIZIER[1]))),
    Kind("k2_targets", "LAMOST's lists of K2 targets, a file a plate", "OBJID", "RADEG", "DECDEG"),
    Kind("tic", "TESS Input Catalog, version 8 (MAST)", "ID", "ra", "dec", delimiter=",", headless=True,
         aliases=(("ID", ("TIC",)), ("ra", _VIZIER[0]), ("dec", _VIZIER[1]))),
    Kind("apogee", "APOGEE DR17 allStar", "APOGEE_ID", "RA", "DEC",
         sentinels=(-9999.0, -9999.99, -999.0, -999.99),
         magnitude_sentinels=(99.0, 99.99, 99.999, 99.9999, -99.99)),
    Kind("galah", "GALAH DR3 main, all stars", "sobject_id", "ra_dr2", "dec_dr2", epoch=2015.5,
         sentinels=(-(2.0**63), -9999.0, -999.0)),
    Kind("gaia", "Gaia DR3 gaia_source", "source_id", "ra", "dec", epoch=2016.0, epoch_column="ref_epoch",
         aliases=(("source_id", ("Source",)), ("ra", _VIZIER[0][2:3]), ("dec", _VIZIER[1][2:3]))),
    Kind("gaia_variables", "Gaia DR3 classified variables (vari_classifier_result)", "source_id", "ra", "dec",
         epoch=2016.0, positions=False, aliases=(("source_id", ("Source",)),)),
    Kind("apokasc2", "APOKASC-2 (Pinsonneault et al. 2018)", "KIC", "_RAJ2000", "_DEJ2000", positions=False,
         aliases=(("_RAJ2000", _VIZIER[0]), ("_DEJ2000", _VIZIER[1])), sentinels=(-9999.0, -999.0)),
    Kind("apokasc3", "APOKASC-3 (Pinsonneault et al. 2025)", "KIC", None, None, positions=False,
         sentinels=(-9999.0, -999.0)),
    Kind("simbad", "SIMBAD, an answer of its TAP service", "main_id", "ra", "dec"),
    Kind("vsx", "AAVSO International Variable Star Index (VizieR B/vsx)", "OID", "RAJ2000", "DEJ2000",
         aliases=(("RAJ2000", ("RAdeg", "_RAJ2000")), ("DEJ2000", ("DEdeg", "_DEJ2000")))),
    Kind("jinabase", "JINAbase, abundances of metal-poor stars (Abohalima & Frebel 2018)", "Seq", "RA", "DEC",
         missing_texts=("*",)),
    Kind("table", "Any table, with the names of its columns given", epoch=None),
)  # fmt: skip

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _DEFINITIONS}
"""By name, without columns: see `kind_named`."""


@cache
def kind_named(name: str) -> Kind:
    """Find an external catalogue's definition, with its columns.

    Parameters
    ----------
    name : str
        One of `KINDS`.

    Raises
    ------
    UsageError
        For another name.
    """
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"no external catalogue is called {name!r}{hint} Known are {', '.join(KINDS)}")
    kind = KINDS[name]
    if name == "table":
        return kind
    text = (files("lkmrs_dask.readers.external") / "columns" / f"{name}.csv").read_text("utf-8")
    return replace(
        kind,
        columns=tuple(_column(kind, row) for row in csv.DictReader(text.splitlines())),
    )


def _column(kind: Kind, row: Mapping[str, str]) -> Column:
    return Column(
        row["name"],
        row["dtype"],
        row["description"],
        row["unit"],
        aliases=dict(kind.aliases).get(row["name"], ()),
        sentinels=kind.missing_values(row["unit"]),
    )
