"""Every column of every survey catalogue, once: name, type, unit, missing values, aliases and meaning.

Readers ask it how to find and convert a column, writers and tables ask it for units and descriptions,
and the documentation prints it.  LAMOST's names and widths follow the releases' own table definitions
(DR6 to DR11); where releases differ the older or other spelling is an alias.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

__all__ = [
    "ABUNDANCES",
    "FLUX_COLUMNS",
    "HEALPIX_COLUMN",
    "MEASUREMENTS",
    "PARAMETERS",
    "SPECTRA",
    "STARS",
    "TABLES",
    "TARGETS",
    "Column",
    "TableSchema",
]

HEALPIX_COLUMN = "_healpix_29"
SENTINELS = (-9999.0, -999.0)

_TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "string": pa.string(),
    "date": pa.date32(),
    "list<float32>": pa.list_(pa.float32()),
    "list<float64>": pa.list_(pa.float64()),
    "list<int32>": pa.list_(pa.int32()),
}


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    name : str
        The name in this package, on disk and in tables.
    dtype : str
        One of ``bool, int16, int32, int64, float32, float64, string, date, list<float32>,
        list<float64>, list<int32>``.
    description : str
        One line, without the unit.
    unit : str, optional
        In astropy's FITS spelling (``deg``, ``km / s``, ``d``); empty for none.
    aliases : tuple of str
        Names that LAMOST releases give it, the newest first.  Matched without regard to case.
    sentinels : tuple of float
        Numbers that mean "missing" in the raw files (beside an empty field, ``null`` and ``nan``).
    required : bool
        A raw table without it cannot be used.
    minimum, maximum : float, optional
        A value outside is a fault of the row, which is then set aside.
    derived : bool
        Computed by this package; a raw column of the same name is something else, or absent.
    """

    name: str
    dtype: str
    description: str
    unit: str = ""
    aliases: tuple[str, ...] = ()
    sentinels: tuple[float, ...] = ()
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    derived: bool = False

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of the column."""
        return _TYPES[self.dtype]

    def to_field(self) -> pa.Field:
        """The Arrow field, with unit and description as metadata."""
        metadata = {"description": self.description}
        if self.unit:
            metadata["unit"] = self.unit
        return pa.field(self.name, self.arrow_type, metadata=metadata)


@dataclass(frozen=True)
class TableSchema:
    """The columns of one catalogue.

    Parameters
    ----------
    name : str
        The catalogue's folder in a survey.
    columns : tuple of Column
        In the order in which they are stored.
    key : tuple of str
        Columns that together name a row: two rows of one star with equal keys are the same thing twice.
        A row in which the first of them is null has no key.
    sort : tuple of str
        Order of rows of a star with equal keys, or without any, most significant first.
    blank : tuple of (str, str)
        Pairs of a key column and a boolean column: where the second is true the first does not count, and
        where it is false a row without the first has no key.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    blank: tuple[tuple[str, str], ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}

    def __getitem__(self, name: str) -> Column:
        return self.by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def names(self) -> list[str]:
        """Names in order."""
        return [column.name for column in self.columns]

    def arrow(self, names: Iterable[str] | None = None) -> pa.Schema:
        """The Arrow schema, of all columns or of those in `names`, always in stored order."""
        wanted = None if names is None else set(names)
        return pa.schema([c.to_field() for c in self.columns if wanted is None or c.name in wanted])

    def find(self, header: Iterable[str]) -> dict[str, str]:
        """Match the names of a raw table against names and aliases.

        Parameters
        ----------
        header : iterable of str
            Names as they stand in the file.

        Returns
        -------
        dict
            Raw name by column name.  A column's own name wins over its aliases, earlier aliases over
            later ones; case does not matter.  Derived columns are not looked for.
        """
        raw = {name.strip().lower(): name for name in header}
        found = {}
        for column in self.columns:
            if column.derived:
                continue
            for name in (column.name, *column.aliases):
                if name.lower() in raw:
                    found[column.name] = raw[name.lower()]
                    break
        return found


def _number(name: str, description: str, unit: str = "", *, dtype: str = "float64", **more: object) -> Column:
    return Column(name, dtype, description, unit, sentinels=SENTINELS, **more)  # type: ignore[arg-type]


_IDENTITY = (
    Column(HEALPIX_COLUMN, "int64", "HEALPix pixel of (ra, dec), order 29, nested", derived=True),
    Column(
        "star_id",
        "string",
        "Star: the uid where there is one, else a name made from the position",
        derived=True,
    ),
    Column("ra", "float64", "Right ascension of the star (J2000), one value per star", "deg", derived=True),
    Column("dec", "float64", "Declination of the star (J2000), one value per star", "deg", derived=True),
)

_POSITION = (
    Column("ra_input", "float64", "Right ascension (J2000) that the row came with", "deg", aliases=("ra",),
           sentinels=SENTINELS, required=True, minimum=0.0, maximum=360.0),
    Column("dec_input", "float64", "Declination (J2000) that the row came with", "deg", aliases=("dec",),
           sentinels=SENTINELS, required=True, minimum=-90.0, maximum=90.0),
    _number("ra_obs", "Right ascension at which the fibre pointed", "deg"),
    _number("dec_obs", "Declination at which the fibre pointed", "deg"),
)  # fmt: skip

_NAMES = (
    Column("uid", "string", "LAMOST identifier of the source; G, L, ... tells whose coordinates it has"),
    _number("gp_id", "LAMOST group identifier of the source", dtype="int64"),
    Column("designation", "string", "LAMOST designation, JHHMMSS.ss+DDMMSS.s", aliases=("desig",)),
    _number("gaia_source_id", "Gaia source identifier", dtype="int64"),
    Column("mobsid", "string", "LAMOST identifier of the medium-resolution spectrum"),
    _number("obsid", "LAMOST identifier of the observation (repeats between arms and exposures)",
            dtype="int64"),
)  # fmt: skip

_OBSERVATION = (
    Column("obsdate", "date", "Date of the observing night"),
    _number("lmjd", "Local modified Julian day of the night (UTC + 8 h)", "d", dtype="int32"),
    Column("mjd", "float64", "Mid-exposure time, MJD (UTC)", "d", derived=True),
    Column("bjd_tdb", "float64", "Mid-exposure time at the barycentre, BJD (TDB)", "d", derived=True),
    _number("lmjm", "Local modified Julian minute at which the exposure began", "min", dtype="int64"),
    _number("exptime", "Exposure time of the spectrum, of all its exposures for a coadd", "s"),
    Column("n_exposures", "int16", "Exposures in the spectrum: 1, or those of the coadd"),
    Column("planid", "string", "Observing plan (plate)"),
    _number("spid", "Spectrograph, 1 to 16", dtype="int16"),
    _number("fiberid", "Fibre, 1 to 250", dtype="int16"),
    Column("band", "string", "Arm: B (blue) or R (red)"),
    Column("coadd", "bool", "True for a coadded, False for a single-exposure spectrum"),
    _number("snr", "Median signal-to-noise ratio per pixel of the arm", aliases=("snrg",)),
    Column("low_snr", "bool", "S/N missing or too low for a radial velocity (setting low_snr)", derived=True),
)  # fmt: skip

_TARGET = (
    _number("gaia_g_mean_mag", "Gaia G magnitude", "mag"),
    _number("gaia_bp_mean_mag", "Gaia BP magnitude", "mag"),
    _number("gaia_rp_mean_mag", "Gaia RP magnitude", "mag"),
    Column("fibertype", "string", "Fibre type (Obj, Sky, ...)", aliases=("fibertyp",)),
    Column("tsource", "string", "Input catalogue of the target"),
    Column("tfrom", "string", "Origin of the target in that catalogue"),
    Column("tcomment", "string", "Comment on the target"),
    _number("offsets", "Whether the fibre was offset from the target", dtype="int16", aliases=("offset",)),
    _number("offsets_v", "Offset of the fibre", "arcsec", aliases=("offset_v",)),
    _number("fibermask", "Fibre problems, bit mask; 0 is good", dtype="int32", aliases=("fibermas",)),
    _number("bad_b", "Blue arm is bad", dtype="int16"),
    _number("bad_r", "Red arm is bad", dtype="int16"),
    _number("moon_angle", "Angle to the Moon", "deg"),
    _number("lunardate", "Day of the lunar month", dtype="int16"),
    Column("moon_flg", "string", "1 when 10 to 30 deg from the Moon: double lines near RV 0 are suspect"),
    Column("subproject", "string", "LAMOST sub-project"),
)

_ARMS = {"b": "blue arm", "r": "red arm", "br": "both arms"}


def _rv_columns() -> tuple[Column, ...]:
    columns: list[Column] = []
    for arm, arm_name in _ARMS.items():
        for digit, kind in (("0", "raw"), ("1", "zero-point corrected")):
            what = f"Radial velocity, {arm_name}, Kurucz templates, {kind}"
            columns.append(_number(f"rv_{arm}{digit}", what, "km / s"))
            columns.append(_number(f"rv_{arm}{digit}_err", f"Error of rv_{arm}{digit}", "km / s"))
        columns.append(
            _number(f"rv_{arm}_flag", f"Quality of the {arm_name} velocity, 1 is bad", dtype="int16")
        )
    for digit, kind in (("0", "raw"), ("1", "zero-point corrected")):
        columns.append(
            _number(f"rv_lasp{digit}", f"Radial velocity, LASP (ELODIE templates), {kind}", "km / s")
        )
        columns.append(_number(f"rv_lasp{digit}_err", f"Error of rv_lasp{digit}", "km / s"))
    return tuple(columns)


_RVS = _rv_columns()

_FLUX = (
    Column("wavelength", "list<float64>", "Vacuum wavelength, heliocentric where helio is true", "Angstrom"),
    Column("flux", "list<float32>", "Relative flux"),
    Column("ivar", "list<float32>", "Inverse variance of the flux"),
    Column("mask", "list<int32>", "Pixel mask: PIXMASK of an exposure, ORMASK of a coadd"),
)
FLUX_COLUMNS = tuple(column.name for column in _FLUX)

_PROVENANCE = (Column("source_file", "string", "Name of the raw file", derived=True),)

SPECTRA = TableSchema(
    "spectra",
    columns=(
        *_IDENTITY,
        *_NAMES,
        *_POSITION,
        *_OBSERVATION,
        *_TARGET,
        Column("helio", "bool", "Wavelengths are corrected to the heliocentre"),
        *_RVS,
        *_FLUX,
        *_PROVENANCE,
    ),
    # obsid names fibre and night, and rises with time; releases differ in the minute that they give a coadd.
    key=("obsid", "coadd", "lmjm", "band"),
    sort=("lmjd", "lmjm", "planid", "spid", "fiberid", "mobsid", "source_file"),
    blank=(("lmjm", "coadd"),),
)

PARAMETERS: dict[str, Column] = {
    column.name: column
    for column in (
        _number("teff", "Effective temperature", "K", aliases=("teff_lasp",)),
        _number("logg", "Surface gravity, log10 of cm s-2", "dex", aliases=("logg_lasp",)),
        _number("feh", "Metallicity [Fe/H]", "dex", aliases=("feh_lasp",)),
        _number("alpha_m", "Alpha-element abundance [alpha/M]", "dex", aliases=("alpha_m_lasp",)),
        _number("rv", "Radial velocity (the job's setting rv_column says which)", "km / s"),
        _number("vsini", "Projected rotational velocity", "km / s", aliases=("vsini_lasp",)),
    )
}
"""The six parameters of the paper's Table 2, in its order."""


def _parameter_columns() -> tuple[Column, ...]:
    columns: list[Column] = []
    for name, column in PARAMETERS.items():
        aliases = tuple(f"{alias}_err" for alias in column.aliases)
        columns.append(column)
        columns.append(_number(f"{name}_err", f"Error of {name} of the single spectrum", column.unit,
                               aliases=aliases, minimum=0.0))  # fmt: skip
    return tuple(columns)


ABUNDANCES = tuple(
    f"{element}_fe" for element in ("c", "n", "o", "mg", "al", "si", "s", "ca", "ti", "cr", "ni", "cu")
)

_CNN = tuple(
    _number(f"{name}_cnn", f"{PARAMETERS[name].description}, neural network", PARAMETERS[name].unit)
    for name in ("teff", "logg", "feh", "alpha_m")
)

MEASUREMENTS = TableSchema(
    "measurements",
    columns=(
        *_IDENTITY,
        *_NAMES,
        *_POSITION,
        *_OBSERVATION,
        *_TARGET,
        *_parameter_columns(),
        *_CNN,
        *(_number(name, f"[{name[:-3].capitalize()}/Fe], neural network", "dex") for name in ABUNDANCES),
        *_RVS,
        *_PROVENANCE,
    ),
    key=("obsid", "coadd", "lmjm", "band"),
    sort=("lmjd", "lmjm", "planid", "spid", "fiberid", "mobsid", "source_file"),
    blank=(("lmjm", "coadd"),),
)


def _star_parameter_columns() -> tuple[Column, ...]:
    columns: list[Column] = []
    for name, column in PARAMETERS.items():
        columns.append(Column(name, "float64", f"{column.description}, weighted mean (Eq. 1)", column.unit))
        columns.append(
            Column(
                f"{name}_err",
                "float64",
                f"Weighted sample standard deviation of {name} (Eq. 2), null for one spectrum",
                column.unit,
            )
        )
        columns.append(Column(f"n_{name}", "int32", f"Spectra with {name} and a positive S/N"))
    return tuple(columns)  # fmt: skip


STARS = TableSchema(
    "stars",
    columns=(
        *_IDENTITY,
        Column("uid", "string", "LAMOST identifier of the source"),
        _number("gaia_source_id", "Gaia source identifier", dtype="int64"),
        Column("times", "int32", "Spectra with at least one parameter"),
        *_star_parameter_columns(),
        Column("vsini_upper_limit", "bool", "v sin i is below 8 km/s: an upper limit (section 3.1)"),
        Column("kic_epic", "int64", "KIC or EPIC identifier; those above 201,000,000 are EPIC"),
        Column("kic_epic_separation", "float64", "Distance of the KIC or EPIC source", "arcsec"),
        Column("tic", "int64", "TIC identifier"),
        Column("field", "string", "Kepler or K2 by the plates' footprints; null outside both"),
        Column("label", "string", "Classes of section 4, joined by commas"),
    ),
    key=("star_id",),
    sort=("star_id",),
)

TARGETS = TableSchema(
    "targets",
    columns=(
        *_IDENTITY,
        Column("uid", "string", "LAMOST identifier of the source"),
        Column("n_spectra", "int32", "Spectra of the star, both arms, single and coadded"),
        Column("n_single", "int32", "Single-exposure spectra"),
        Column("n_coadd", "int32", "Coadded spectra"),
        Column("n_exposures", "int32", "Distinct exposures (plate and minute) of the star"),
        Column("n_nights", "int32", "Distinct nights"),
        Column("n_plans", "int32", "Distinct observing plans"),
        Column("field", "string", "Kepler or K2 by the plates' footprints; null outside both"),
    ),
    key=("star_id",),
    sort=("star_id",),
)

TABLES: dict[str, TableSchema] = {t.name: t for t in (SPECTRA, MEASUREMENTS, STARS, TARGETS)}
