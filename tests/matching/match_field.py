"""A field to look at closely: fixtures for modules that import them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from match_oracle import Sky, ambiguous, around, everywhere, joined, separations, stars

from lkmrs_dask.catalog.catalog import Catalog
from lkmrs_dask.catalog.opening import from_dataframe

RADIUS = 40.0


def with_repeats(sky: Sky, share: float, rng: np.random.Generator) -> Sky:
    """Some rows take the position of others."""
    n = len(sky.ra)
    of = np.where(rng.random(n) < share, rng.integers(0, max(n, 1), n), np.arange(n))
    return Sky(sky.ra[of], sky.dec[of])


@pytest.fixture(scope="module")
def field() -> tuple[Sky, Sky]:
    """Around a corner of base pixels: 300 stars, 400 sources, and places with many of either."""
    rng = np.random.default_rng(11)
    site = (0.0, 41.8103148957786)
    left = with_repeats(joined(around(*site, 1500.0, 295, rng), everywhere(5, rng)), 0.1, rng)
    right = joined(around(*site, 1500.0, 380, rng), Sky(left.ra[:20], left.dec[:20]))
    right = with_repeats(right, 0.1, rng)
    assert not ambiguous(separations(left, right), RADIUS)
    return left, right


@pytest.fixture(scope="module")
def left(field: tuple[Sky, Sky]) -> Catalog:
    note = [None if k % 5 == 0 else [float(k)] * (k % 3) for k in range(300)]
    table = stars(field[0], "i", star_id=[f"s{k * 7919 % 300:03d}" for k in range(300)], note=note)
    return from_dataframe(table, max_rows=70)


@pytest.fixture(scope="module")
def right(field: tuple[Sky, Sky]) -> Catalog:
    number = np.arange(400) * 7919 % 400 + 2**62
    inner = [{"a": k, "b": str(k)} for k in range(400)]
    return from_dataframe(stars(field[1], "j", source_id=number, inner=inner), max_rows=100)


@pytest.fixture(scope="module")
def away(field: tuple[Sky, Sky]) -> np.ndarray:
    return separations(*field)


def as_table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame.reset_index(), preserve_index=False).replace_schema_metadata(None)


def ids_of(catalog: Catalog, number: str, name: str) -> list:
    return catalog.to_arrow().sort_by(number).column(name).to_pylist()
