"""Cross-matching of catalogues on the sky.

Not ``lkmrs_dask.crossmatch``: that name is the function's.
"""

from lkmrs_dask.matching.crossmatch import crossmatch

__all__ = ["crossmatch"]
