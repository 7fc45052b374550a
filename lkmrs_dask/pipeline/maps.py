"""Pure functions of stars, mapped over the partitions of catalogues: a few lines each."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.sources import Memory
from lkmrs_dask.errors import CatalogError, UsageError
from lkmrs_dask.schema import HEALPIX_COLUMN, STARS
from lkmrs_dask.stars.table2 import STAR_COLUMNS, measurement_columns, star_table

__all__ = ["star_means"]


def star_means(catalog: Catalog) -> Catalog:
    """Weighted means, errors and counts per star (Eqs. 1 and 2), lazily.

    Catalogues built by this package have each star in one partition.  For one of a data frame this is checked
    here.  In other catalogues on disk, and in regions cut out of them, it is taken for granted, as seeing it
    takes reading everything: there, a star with rows in two partitions gets a row from each (`verify_catalog`
    names such stars).  The order of rows within a partition does not matter.

    Parameters
    ----------
    catalog : Catalog
        Measurements: ``star_id``, ``snr`` and parameters.

    Returns
    -------
    Catalog
        One row per star with at least one parameter; columns of ``schema.STARS``.

    Raises
    ------
    UsageError
        When a column that it needs is missing.
    CatalogError
        When a star of a data frame is in more than one partition.
    """
    missing = [n for n in (HEALPIX_COLUMN, "star_id", "ra", "dec", "snr") if n not in catalog.columns]
    if missing:
        raise UsageError(f"{catalog.name} lacks {', '.join(missing)}, which star means need")
    if isinstance(catalog.source, Memory):
        _check_whole_stars(catalog.source)
    return catalog.map_partitions(
        star_table, STARS.arrow(STAR_COLUMNS), measurement_columns(catalog.columns), name="stars"
    )


def _check_whole_stars(source: Memory) -> None:
    stars = [table.column("star_id").unique() for table in source.tables.values()]
    counts = pc.value_counts(pa.chunked_array(stars, source.schema.field("star_id").type))
    torn = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(torn):
        first = torn[0].as_py()
        raise CatalogError(
            f"star {first['values']} has rows in {first['counts']} partitions (and {len(torn) - 1} more do): "
            "give all rows of a star one position, or the data frame a larger max_rows"
        )
