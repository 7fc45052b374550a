"""Which stars a run trains its classifier with."""

from __future__ import annotations

from dataclasses import dataclass

from lkmrs_dask.checked import check_types, check_values

__all__ = ["TrainingChoice"]


@dataclass(frozen=True)
class TrainingChoice:
    """Training table of a run (ours).

    Parameters
    ----------
    table : str
        File that `lkmrs train` made, or the folder that it filled, with real stars for one; empty for
        synthetic stars that the run itself makes.
    per_class : int
        Synthetic stars of each class that it makes.
    seed : int
        Of them.

    Raises
    ------
    UsageError
        When a value makes no sense.
    """

    table: str = ""
    per_class: int = 50
    seed: int = 1

    def __post_init__(self) -> None:
        """Check every value."""
        check_types(self)
        checks = {
            "per_class": (10 <= self.per_class <= 100_000, "from 10 to 100000"),
            "seed": (self.seed >= 0, "0 or more"),
        }
        check_values(self, checks)
