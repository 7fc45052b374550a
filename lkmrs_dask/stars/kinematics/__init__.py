"""Motions of stars in the Galaxy, and those that are fast (section 4.2)."""

from lkmrs_dask.stars.kinematics.epochs import Epochs, EpochSpeeds, epoch_speeds
from lkmrs_dask.stars.kinematics.frame import PhaseSpace, galactocentric_velocity, phase_space
from lkmrs_dask.stars.kinematics.high_velocity import high_velocity, input_columns
from lkmrs_dask.stars.kinematics.potentials import EscapeSpeed, escape_speed
from lkmrs_dask.stars.kinematics.settings import HighVelocitySettings

__all__ = [
    "EpochSpeeds", "Epochs", "EscapeSpeed", "HighVelocitySettings", "PhaseSpace", "epoch_speeds",
    "escape_speed", "galactocentric_velocity", "high_velocity", "input_columns", "phase_space",
]  # fmt: skip
