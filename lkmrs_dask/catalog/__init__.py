"""Catalogues: HATS on disk, Dask data frames in memory, and building them from raw rows."""
