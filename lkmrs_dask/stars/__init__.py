"""Star science: pure functions of arrays and Arrow tables."""

from lkmrs_dask.stars.kinematics.frame import galactocentric_velocity
from lkmrs_dask.stars.means import WeightedMean, weighted_mean

__all__ = ["WeightedMean", "galactocentric_velocity", "weighted_mean"]
