"""What every object that draws noise on a grid has: a deviation in votes, the grid, and checked draws.

Spec: CAPC-NOISE-012.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource


@dataclass(frozen=True)
class GridNoise:
    """Noise of one law on the grid 2^-g votes.

    Attributes:
        sigma_votes: the deviation, or the law's parameter of that name, in votes.
        grid_bits: g.

    Raises:
        InputError: the deviation is not a Fraction above 0, or g is negative.
    """

    sigma_votes: Fraction
    grid_bits: int

    def __post_init__(self) -> None:
        # A float would arrive here silently rounded: only an exact rational is the deviation that is charged.
        if not isinstance(self.sigma_votes, Fraction) or self.sigma_votes <= 0:
            raise InputError(f"sigma_votes = {self.sigma_votes!r}: give a Fraction above 0 votes")
        if self.grid_bits < 0:
            raise InputError(f"grid_bits = {self.grid_bits}: give 0 or more")

    @property
    def variance(self) -> Fraction:
        """The squared deviation in squared grid units."""
        return (self.sigma_votes * (1 << self.grid_bits)) ** 2

    def sample(self, source: RandomSource, count: int) -> list[int]:
        """``count`` independent draws, one after another, in grid units.

        Raises:
            InputError: the count is negative.
            RandomnessExhaustedError: the stream ended.

        Reveals: the draws are the secret of whoever draws them.
        """
        if count < 0:
            raise InputError(f"sample: count = {count}: give 0 or more draws")
        return [self._draw(source) for _ in range(count)]

    def _draw(self, source: RandomSource) -> int:
        raise NotImplementedError


def check_order(order: Fraction) -> None:
    """Checks a Renyi order.

    Raises:
        InputError: it is not above 1.
    """
    if order <= 1:
        raise InputError(f"renyi_order = {order}: give an order above 1")
