"""Table of periodic variables, which the paper counts and does not print."""

from __future__ import annotations

from lkmrs_dask.products.tables.definition import TableColumn, TableDefinition

__all__ = ["variable_stars"]


def _text(name: str, source: str, description: str, ucd: str = "", **more: bool) -> TableColumn:
    return TableColumn(name, source, "string", description, ucd=ucd, **more)  # type: ignore[arg-type]


def _id(name: str, source: str, description: str) -> TableColumn:
    return TableColumn(name, source, "int64", description, ucd="meta.id.cross")


def _float(name: str, source: str, description: str, unit: str, decimals: int, ucd: str) -> TableColumn:
    return TableColumn(name, source, "float64", description, unit, decimals, ucd, limits=True)


variable_stars = TableDefinition(
    "periodic_variables",
    "Periodic variables among the candidates for RV variables",
    columns=(
        _text("uid", "uid", "LAMOST identifier of the source", "meta.id;meta.main"),
        _id("Gaia", "gaia_source_id", "Gaia source identifier, as LAMOST gives it"),
        _id("KIC_EPIC", "kic_epic", "KIC or EPIC identifier; those above 201000000 are EPIC"),
        _id("TIC", "tic", "TESS Input Catalog identifier"),
        TableColumn("RAdeg", "ra", "float64", "Right ascension in decimal degrees (J2000)", "deg", 6,
                    "pos.eq.ra;meta.main", nullable=False),
        TableColumn("DEdeg", "dec", "float64", "Declination in decimal degrees (J2000)", "deg", 6,
                    "pos.eq.dec;meta.main", nullable=False),
        _text("Class", "variable_class", "Class of the variable", "meta.code.class"),
        _float("Conf", "confidence", "How sure the class is, from 0 to 1", "", 2, "stat.probability"),
        _text("From", "class_from", "What the class rests on: frequencies or dips (2)", "meta.code"),
        _text("Rules", "rule_class", "Class by the rules (1)", "meta.code.class"),
        _text("Model", "model_class", "Class by the trained model (1)", "meta.code.class"),
        _float("pModel", "model_probability", "Probability of that class", "", 2, "stat.probability"),
        _text("Mission", "mission", "Mission whose light curve gave the class", "meta.id;instr"),
        _float("Period", "period", "Period of the orbit, rotation or pulsation", "d", 6, "time.period"),
        _float("fPeriod", "period_peak", "Period of the strongest frequency", "d", 6, "time.period"),
        _float("numax", "nu_max", "Frequency of most power, of red giants", "uHz", 1, "src.var;em.freq"),
        _float("Amp", "amplitude_mag", "Amplitude at the strongest frequency", "mag", 6, "phot.mag;stat.max"),
        _float("SNR", "snr_main", "Signal-to-noise ratio of that frequency", "", 1, "stat.snr"),
        TableColumn("Nfreq", "n_peaks", "int32", "Significant frequencies", ucd="meta.number", limits=True),
        _float("Teff", "teff", "Effective temperature", "K", 1, "phys.temperature.effective"),
        _float("logg", "logg", "Surface gravity, log10 of it in cm/s2", "dex(cm/s2)", 2, "phys.gravity"),
        _float("GMAG", "m_g", "Absolute magnitude in G of Gaia", "mag", 2, "phys.magAbs"),
        _text("Discovery", "discovery", "Known in the literature or New", "meta.code"),
        _text("List", "known_list", "First list that knows it as a variable", "meta.ref"),
        _text("OName", "known_name", "Its name in that list", "meta.id"),
        _text("OType", "known_type", "Its type in that list", "meta.code.class"),
    ),
    notes=(
        "Two classifiers see each light curve: rules with published thresholds, and a model that was trained "
        "on stars of known class. Class is what both together say.",
        "Eclipses too rare to make a significant frequency are seen one by one, as dips that recur; the "
        "class is then that of the rules, and the period that of the dips.",
    ),
)  # fmt: skip
"""A row a star; `lkmrs_dask.pipeline.periodic` makes them."""
