"""What of a literature list makes a star known, and the lists of the paper."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from lkmrs_dask.errors import UsageError
from lkmrs_dask.stars.labels import LABELS, VARIABLE_CLASSES

__all__ = ["GAIA_VARIABLES", "JINABASE", "SIMBAD", "SIMBAD_VARIABLE_TYPES", "VSX", "KnownList"]

SIMBAD_VARIABLE_TYPES = (
    "V*", "bC*", "Or*", "SX*", "gD*", "dS*", "RR*", "WV*", "Ce*", "cC*", "LP*", "Mi*", "RV*", "a2*", "RC*",
    "El*", "EB*", "BY*", "RS*", "CV*", "No*", "Ir*", "Er*", "Ro*", "Pu*",
)  # fmt: skip
"""Condensed object types of SIMBAD's hierarchy "variable star" (2022-07)."""


@dataclass(frozen=True)
class KnownList:
    """A literature list: which of its columns say what, and which of its rows count for which class.

    A star with a class of section 4 is known where a row of the list is its counterpart and counts for that
    class.  Without further settings every row counts for every class: "Known = present in SIMBAD" (Table 4).

    Parameters
    ----------
    name : str
        How the list is called in tables.
    classes : tuple of str, optional
        Classes (`lkmrs_dask.stars.labels.LABELS`) that the list can tell of; all if not given.
    object_column, reference_column, type_column, value_column : str, optional
        Columns of the name of the object, the paper, the object's type and the value to be told.
    types : mapping
        By class, the types that count; a class that is not in it accepts any.
    candidates : bool
        Whether ``EB?``, SIMBAD's candidate of an ``EB*``, counts as one.
    limits : mapping
        By class, least and largest value that count, ends included.
    excluded : mapping
        By column, values of rows that never count.
    prefer : str, optional
        Column of numbers: where several rows are equally good counterparts, that with the lowest is told.
    ids : mapping
        Columns of the list by columns of the stars, with the same identifiers.
    radius_arcsec : float, optional
        Counterparts by position beyond this distance do not count.

    Raises
    ------
    UsageError
        For classes that are none, and limits or a radius that make no sense.
    """

    name: str
    classes: tuple[str, ...] | None = None
    object_column: str | None = None
    reference_column: str | None = None
    type_column: str | None = None
    value_column: str | None = None
    types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    candidates: bool = True
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    excluded: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    prefer: str | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    radius_arcsec: float | None = None

    def __post_init__(self) -> None:
        """Check every value."""
        self._check_types()
        for name in (*(self.classes or ()), *self.types, *self.limits):
            if name not in LABELS:
                raise UsageError(f"{self.name}: {name!r} is no class; classes are {', '.join(LABELS)}")
        if self.types and self.type_column is None:
            raise UsageError(f"{self.name}: types need a type_column")
        if self.limits and self.value_column is None:
            raise UsageError(f"{self.name}: limits need a value_column")
        for name, (low, high) in self.limits.items():
            if not low <= high:
                raise UsageError(f"{self.name}: the limits of {name} must rise, not {low} to {high}")
        radius = self.radius_arcsec
        if radius is not None and not (math.isfinite(radius) and radius > 0):
            raise UsageError(f"{self.name}: radius_arcsec must be positive, not {radius}")

    def _check_types(self) -> None:
        """See whether values have the types that jobs must give them."""
        for name in ("object_column", "reference_column", "type_column", "value_column", "prefer"):
            if not isinstance(getattr(self, name), str | None):
                raise UsageError(f"{self.name}: {name} must be a text, not {getattr(self, name)!r}")
        if not isinstance(self.classes, tuple | list | None):
            raise UsageError(f"{self.name}: classes must be a list, not {self.classes!r}")
        if not isinstance(self.radius_arcsec, int | float | None):
            raise UsageError(f"{self.name}: radius_arcsec must be a number, not {self.radius_arcsec!r}")
        for name in ("types", "limits", "excluded", "ids"):
            values = getattr(self, name)
            kind = str if name == "ids" else tuple | list
            if not isinstance(values, Mapping) or not all(isinstance(one, kind) for one in values.values()):
                wanted = "columns by column" if name == "ids" else "a table of lists"
                raise UsageError(f"{self.name}: {name} must be {wanted}, not {values!r}")
        for name, pair in self.limits.items():
            if len(pair) != 2 or not all(isinstance(one, int | float) for one in pair):
                raise UsageError(f"{self.name}: limits of {name} must be two numbers, not {pair!r}")

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the list that are read, beside identifiers."""
        named = (self.object_column, self.reference_column, self.type_column, self.value_column, self.prefer)
        return tuple(dict.fromkeys([*(name for name in named if name), *self.excluded]))


_OF_VARIABLES = ("RVV", *VARIABLE_CLASSES)

SIMBAD = KnownList(
    "SIMBAD",
    object_column="main_id",
    type_column="otype",
    # SIMBAD has no type for oscillations like the Sun's: red giants known for them are RG*, which says of no
    # other class that the star varies.
    types=dict.fromkeys(VARIABLE_CLASSES, SIMBAD_VARIABLE_TYPES)
    | {"RG": (*SIMBAD_VARIABLE_TYPES, "RG*"), "RVV": (*SIMBAD_VARIABLE_TYPES, "SB*")},
)
"""SIMBAD: metal-poor and high-velocity stars that are in it are known, as in the paper; periodic and RV
variables where their type is one of variability.  ``replace(SIMBAD, types={})`` counts presence for all."""

JINABASE = KnownList(
    "JINAbase",
    classes=("MP", "VMP"),
    object_column="Name",
    reference_column="Reference",
    value_column="Z",
    limits={"MP": (-math.inf, -1.0), "VMP": (-math.inf, -1.0)},
    prefer="key",
)
"""JINAbase: stars with [Fe/H] of -1 or less in it."""

VSX = KnownList("VSX", classes=_OF_VARIABLES, object_column="Name", type_column="Type",
                excluded={"V": (2,)})  # fmt: skip
"""International Variable Star Index, without those found to be constant (V = 2)."""

GAIA_VARIABLES = KnownList("Gaia DR3", classes=_OF_VARIABLES, type_column="best_class_name",
                           ids={"gaia_source_id": "source_id"})  # fmt: skip
"""Classified variables of Gaia DR3, by source identifier."""
