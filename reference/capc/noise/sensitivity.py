"""How far neighbouring inputs can move what noise is added to."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Sensitivity:
    """The largest distance between what two neighbours add noise to, in votes.

    Attributes:
        squared: D^2, the squared Euclidean distance.
        absolute: the L1 distance.
        changed: how many of the noised numbers can differ at all.
    """

    squared: Fraction
    absolute: Fraction
    changed: int

    def times(self, count: int) -> Sensitivity:
        """Of ``count`` such vectors side by side."""
        return Sensitivity(count * self.squared, count * self.absolute, count * self.changed)
