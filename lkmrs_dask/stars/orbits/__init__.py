"""Orbits of stars with several radial velocities."""

from lkmrs_dask.stars.orbits.kepler import mass_function, orbit_velocity
from lkmrs_dask.stars.orbits.search import orbit_search
from lkmrs_dask.stars.orbits.settings import OrbitSettings
from lkmrs_dask.stars.orbits.solution import OrbitSolution, OrbitSolutions
from lkmrs_dask.stars.orbits.table import orbit_schema, orbits_of

__all__ = [
    "OrbitSettings",
    "OrbitSolution",
    "OrbitSolutions",
    "mass_function",
    "orbit_schema",
    "orbit_search",
    "orbit_velocity",
    "orbits_of",
]
