"""Star science: pure functions of arrays and Arrow tables."""

from lkmrs_dask.stars.means import WeightedMean, weighted_mean

__all__ = ["WeightedMean", "weighted_mean"]
