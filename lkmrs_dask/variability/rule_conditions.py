"""Conditions on the features of a star that know what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

__all__ = ["Condition", "Star", "all_of", "any_of", "score_of"]


class Condition(NamedTuple):
    """One condition of a class.

    Parameters
    ----------
    text : str
        What is asked, with the star's value.
    holds : bool or None
        None where the value is not known: it counts half if it is needed, and not at all if it is not.
    weight : float
        Its share in the score.
    needed : bool
        Whether the class is excluded where it does not hold.
    """

    text: str
    holds: bool | None
    weight: float = 1.0
    needed: bool = True


class Star:
    """Features by name, and conditions on them that know what is missing."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self.values = values

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def least(self, name: str, limit: float, weight: float = 1.0, needed: bool = True) -> Condition:
        """At least a limit."""
        return self._compared(name, ">=", limit, lambda value: value >= limit, weight, needed)

    def most(self, name: str, limit: float, weight: float = 1.0, needed: bool = True) -> Condition:
        """At most a limit."""
        return self._compared(name, "<=", limit, lambda value: value <= limit, weight, needed)

    def within(
        self, name: str, ends: tuple[float, float], weight: float = 1.0, needed: bool = True
    ) -> Condition:
        """From one limit to another."""
        value = self[name]
        holds = bool(ends[0] <= value <= ends[1]) if np.isfinite(value) else None
        return Condition(f"{name} {value:.4g} from {ends[0]:g} to {ends[1]:g}", holds, weight, needed)

    def _compared(
        self, name: str, sign: str, limit: float, test: Callable[[float], bool], weight: float, needed: bool
    ) -> Condition:
        value = self[name]
        holds = bool(test(value)) if np.isfinite(value) else None
        return Condition(f"{name} {value:.4g} {sign} {limit:g}", holds, weight, needed)


def any_of(*options: Condition) -> Condition:
    """One of several: holds where any does, is unknown where none does and one is unknown."""
    known = [one.holds for one in options]
    holds = True if True in known else None if None in known else False
    return Condition(
        " or ".join(one.text for one in options), holds, options[0].weight, options[0].needed
    )  # fmt: skip


def all_of(*parts: Condition) -> Condition:
    """All of several."""
    known = [one.holds for one in parts]
    holds = False if False in known else None if None in known else True
    return Condition(
        "(" + " and ".join(one.text for one in parts) + ")", holds, parts[0].weight, parts[0].needed
    )  # fmt: skip


def score_of(ones: list[Condition]) -> float:
    """Share of the weight that holds, 0 where a needed condition does not."""
    if any(one.needed and one.holds is False for one in ones):
        return 0.0
    counted = [one for one in ones if one.needed or one.holds is not None]
    held = sum(one.weight * (0.5 if one.holds is None else float(one.holds)) for one in counted)
    return held / sum(one.weight for one in counted)
