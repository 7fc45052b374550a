"""The paper's Tables 2 to 6, each defined once."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from lkmrs_dask.products.error_table import error_rows
from lkmrs_dask.products.tables.definition import TableColumn, TableDefinition
from lkmrs_dask.schema import PARAMETERS
from lkmrs_dask.stars.error_law import TABLE_SNR, ErrorLaw
from lkmrs_dask.stars.means import VSINI_LIMIT

__all__ = ["PAPER_TABLES", "error_law_rows", "table2", "table3", "table4", "table5", "table6"]


def _text(name: str, source: str, description: str, ucd: str = "", **more: str) -> TableColumn:
    return TableColumn(name, source, "string", description, ucd=ucd, **more)  # type: ignore[arg-type]


def _float(
    name: str, source: str, description: str, unit: str, decimals: int, ucd: str, **more: object
) -> TableColumn:
    return TableColumn(
        name, source, "float64", description, unit, decimals, ucd, limits=True, **more  # type: ignore[arg-type]
    )  # fmt: skip


def _count(name: str, source: str, description: str, *, nullable: bool = True) -> TableColumn:
    return TableColumn(
        name, source, "int32", description, ucd="meta.number", nullable=nullable, limits=True
    )  # fmt: skip


def _id(name: str, source: str, description: str) -> TableColumn:
    return TableColumn(name, source, "int64", description, ucd="meta.id.cross")


_TIMES = _count("Times", "times", "Spectra with at least one parameter", nullable=False)
_UID = _text("uid", "uid", "LAMOST identifier of the source", "meta.id;meta.main")
_GAIA = _id("Gaia", "gaia_source_id", "Gaia source identifier, as LAMOST gives it")
_KIC_EPIC = _id("KIC_EPIC", "kic_epic", "KIC or EPIC identifier; those above 201000000 are EPIC")
_TIC = _id("TIC", "tic", "TESS Input Catalog identifier")
_PLACE = tuple(
    TableColumn(name, source, "float64", f"{what} in decimal degrees (J2000)", "deg", 6,
                f"pos.eq.{source};meta.main", nullable=False)
    for name, source, what in (("RAdeg", "ra", "Right ascension"), ("DEdeg", "dec", "Declination"))
)  # fmt: skip
_DISCOVERY = _text("Discovery", "discovery", "Known in the literature or New", "meta.code")

_STAR_PARAMETERS = {
    "teff": ("Teff", "Effective temperature", "K", "phys.temperature.effective"),
    "logg": ("logg", "Surface gravity, log10 of it in cm/s2", "dex(cm/s2)", "phys.gravity"),
    "feh": ("FeH", "Metallicity [Fe/H] in dex", "dex", "phys.abund.Fe"),
    "alpha_m": ("alphaM", "Abundance of alpha elements [alpha/M] in dex", "dex", "phys.abund"),
    "rv": ("RV", "Radial velocity", "km/s", "spect.dopplerVeloc.opt"),
    "vsini": ("vsini", "Projected rotational velocity", "km/s", "phys.veloc.rotat"),
}


def _star_parameter(source: str) -> tuple[TableColumn, ...]:
    """Value, deviation and number of one parameter; before them, of v sin i, the flag of a limit."""
    name, what, unit, ucd = _STAR_PARAMETERS[source]
    flag: tuple[TableColumn, ...] = ()
    logarithm = unit.startswith("dex")
    value = f"{what}, weighted mean"
    error = f"Weighted sample standard deviation of {name}{' in dex' if logarithm else ''}"
    limit: dict[str, object] = {}
    no_error: dict[str, object] = {}
    if source == "vsini":
        limit["limit"] = ("vsini_upper_limit", float(VSINI_LIMIT))
        no_error["limit"] = ("vsini_upper_limit", None)
        about = "Limit flag on vsini: < where it is an upper limit (2)"
        flag = (_text("l_vsini", "vsini_upper_limit", about, "meta.code", true_as="<"),)
    return (
        *flag,
        _float(name, source, value, unit, 2, ucd, **limit),
        # The deviation of a logarithm is one in dex, whatever the logarithm is of.
        _float(f"e_{name}", f"{source}_err", f"{error} (1)", "dex" if logarithm else unit, 2,
               f"stat.stdev;{ucd}", **no_error),
        _count(f"o_{name}", f"n_{source}", f"Spectra with {name} that the mean is of"),
    )  # fmt: skip


_LABELS = "MP, VMP, RVV, bound_HiVels, unbound_HiVels and classes of periodic variables"

table2 = TableDefinition(
    "table2",
    "Stellar parameters",
    columns=(
        _TIMES, _UID, _GAIA, _KIC_EPIC, _TIC, *_PLACE,
        *(column for source in PARAMETERS for column in _star_parameter(source)),
        _text("Label", "label", f"Classes of the star, joined by commas: {_LABELS}", "meta.code.class"),
    ),
    notes=(
        "Equation 2 of the paper: it is not divided by the root of the number of spectra, and it is blank "
        "for a star with one.",
        f"Below {VSINI_LIMIT:g} km/s v sin i cannot be measured in these spectra. Where l_vsini is <, "
        f"vsini is that upper limit, and e_vsini is blank.",
    ),
)  # fmt: skip

table3 = TableDefinition(
    "table3",
    "Error law sigma = a (S/N)^b + c, and internal errors at S/N "
    f"{', '.join(map(str, TABLE_SNR[:-1]))} and {TABLE_SNR[-1]}",
    columns=(
        TableColumn("Param", "Parameter", "string", "Stellar parameter", ucd="meta.id", nullable=False),
        _text("Unit", "Unit", "Unit of a, c and sigma", "meta.unit"),
        *(
            column
            for name, what in (("a", "Factor a"), ("b", "Power b of S/N"), ("c", "Floor c"))
            for column in (
                _float(name, name, f"{what} (1)", "", 4, "stat.fit.param"),
                _float(f"e_{name}", f"{name}_err", f"Error of {name} (2)", "", 4, "stat.error"),
            )
        ),
        *(
            column
            for snr in TABLE_SNR
            for column in (
                _float(f"sig{snr}", f"sigma_{snr}", f"Internal error at S/N {snr} (1)", "", 4, "stat.stdev"),
                _float(f"e_sig{snr}", f"sigma_{snr}_err", f"Standard error of sig{snr}", "", 4, "stat.error"),
            )
        ),
        _float("Share", "share_kept", "Share of the deviations that clipping left", "", 4, "stat.value"),
        _float("chi2", "chi2", "Sum of squared residuals of the fit over what is expected", "", 4,
               "stat.fit.chi2"),
        _count("Nspec", "n_spectra", "Deviations: spectra of stars with two or more"),
        _count("Nstar", "n_stars", "Stars that they are of"),
        _count("Nkept", "n_kept", "Deviations that clipping left"),
        _text("Remark", "Remark", "Why there is no law, or what to know of it", "meta.note"),
    ),
    notes=(
        "a, c and sigma have the unit of their row; b has none.",
        "Half of what it is to the end of the 95.4 percent interval.",
    ),
)  # fmt: skip

table4 = TableDefinition(
    "table4",
    "Candidates for metal-poor stars",
    columns=(
        _TIMES, _UID, _GAIA, _KIC_EPIC, *_PLACE,
        _float("FeH", "feh", "Metallicity [Fe/H] in dex, weighted mean", "dex", 2, "phys.abund.Fe"),
        _float("e_FeH", "feh_err", "Weighted sample standard deviation of FeH in dex (1)", "dex", 2,
               "stat.stdev;phys.abund.Fe"),
        _text("Label", "label", "MP: metal-poor, or VMP: very metal-poor", "meta.code.class"),
        _DISCOVERY,
        _text("Ref", "reference", "Where the star is known as metal-poor", "meta.bib"),
    ),
    notes=("As in Table 2: blank for a star with one spectrum.",),
)  # fmt: skip

table5 = TableDefinition(
    "table5",
    "Candidates for high-velocity stars",
    columns=(
        _TIMES, _UID, _GAIA, _KIC_EPIC, *_PLACE,
        _float("RV", "rv", "Heliocentric radial velocity, weighted mean", "km/s", 2,
               "spect.dopplerVeloc.opt"),
        _float("e_RV", "rv_err", "Weighted sample standard deviation of RV", "km/s", 2,
               "stat.stdev;spect.dopplerVeloc.opt"),
        _float("VGC", "v_gc", "Galactocentric velocity", "km/s", 2, "phys.veloc;pos.galactocentric"),
        _float("e_VGC", "v_gc_err", "Error of VGC", "km/s", 2, "stat.error;phys.veloc"),
        _float("Vesc", "v_esc", "Escape velocity at the place of the star", "km/s", 2, "phys.veloc.escape"),
        _float("Phigh", "p_high", "Probability that VGC is above the high share of Vesc, in the paper 0.7",
               "", 4, "stat.probability"),
        _float("Punbound", "p_unbound", "Probability that VGC is above Vesc", "", 4, "stat.probability"),
        _text("Label", "label", "Kinematic class: bound or unbound high velocity", "meta.code.class"),
        _DISCOVERY,
    ),
)  # fmt: skip

table6 = TableDefinition(
    "table6",
    "Single radial velocities of candidates for RV variables",
    columns=(
        _UID, _GAIA, *_PLACE,
        _float("MJD", "mjd", "Mid-exposure time, modified Julian date (UTC)", "d", 6, "time.epoch"),
        _float("SNR", "snr", "Signal-to-noise ratio of the spectrum", "", 2, "stat.snr"),
        _float("RV", "rv", "Heliocentric radial velocity", "km/s", 2, "spect.dopplerVeloc.opt"),
        _float("e_RV", "rv_err", "Error of RV", "km/s", 2, "stat.error;spect.dopplerVeloc.opt"),
        _KIC_EPIC, _TIC,
        _text("Label", "label", "Class of the variable", "meta.code.class"),
        _DISCOVERY,
    ),
)  # fmt: skip

PAPER_TABLES = {table.name: table for table in (table2, table3, table4, table5, table6)}
"""Definitions by name."""


def error_law_rows(laws: Mapping[str, ErrorLaw]) -> pa.Table:
    """Rows of Table 3 for `lkmrs_dask.products.tables.write_paper_table`.

    Parameters
    ----------
    laws : mapping
        Error laws by name of the parameter; see `lkmrs_dask.products.error_table.error_rows`.

    Returns
    -------
    pyarrow.Table
        With the source columns of `table3`, null where there is no law.
    """
    rows = error_rows(laws)
    return pa.table({name: [row[name] for row in rows] for name in table3.sources})
