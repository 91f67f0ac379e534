"""How far neighbouring inputs can move what noise is added to."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from capc.foundation.errors import InputError


@dataclass(frozen=True)
class Sensitivity:
    """The largest distance between what two neighbours add noise to, in votes.

    Attributes:
        squared: D^2, the squared Euclidean distance.
        absolute: the L1 distance.
        changed: how many of the noised numbers can differ at all.

    Raises:
        InputError: one of them is negative: it would give back what others cost.
    """

    squared: Fraction
    absolute: Fraction
    changed: int

    def __post_init__(self) -> None:
        for name in ("squared", "absolute", "changed"):
            if not getattr(self, name) >= 0:
                raise InputError(f"sensitivity {name} = {getattr(self, name)}: give a value of at least 0")

    def times(self, count: int) -> Sensitivity:
        """Of ``count`` such vectors side by side."""
        return Sensitivity(count * self.squared, count * self.absolute, count * self.changed)
