"""Time-domain spectroscopic surveys as Dask data frames partitioned by HEALPix pixel.

The public names load on first use, so that ``import lkmrs_dask`` and ``lkmrs --help`` stay quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

_HOME = {
    "Catalog": "lkmrs_dask.catalog.catalog",
    "crossmatch": "lkmrs_dask.matching.crossmatch",
    "frequencies": "lkmrs_dask.pipeline.light_curve_maps",
    "from_dataframe": "lkmrs_dask.catalog.opening",
    "open_catalog": "lkmrs_dask.catalog.opening",
    "periodograms": "lkmrs_dask.pipeline.light_curve_maps",
    "star_means": "lkmrs_dask.pipeline.maps",
}

__all__ = [
    "Catalog", "__version__", "crossmatch", "frequencies", "from_dataframe", "open_catalog", "periodograms",
    "star_means",
]  # fmt: skip

if TYPE_CHECKING:
    from lkmrs_dask.catalog.catalog import Catalog
    from lkmrs_dask.catalog.opening import from_dataframe, open_catalog
    from lkmrs_dask.matching.crossmatch import crossmatch
    from lkmrs_dask.pipeline.light_curve_maps import frequencies, periodograms
    from lkmrs_dask.pipeline.maps import star_means


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
