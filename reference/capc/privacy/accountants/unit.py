"""Whom a figure protects, and how far its votes can move: adjacency, weights, and records held more than once.

Spec: CAPC-ACCT-004, CAPC-ACCT-009, CAPC-ACCT-107.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from capc.noise.sensitivity import Sensitivity
from capc.privacy.accountants.ball_arithmetic import require


class Relation(StrEnum):
    """The neighbouring relations that a figure may be asked for."""

    REPLACE_ONE = "replace_one"
    """The unit's votes move to other classes."""
    NULL_VOTE = "null_vote"
    """The participant set is fixed, and the unit's votes become zero."""
    ADD_REMOVE = "add_remove"
    """The unit takes part or not. For comparison with other work only: participants are visible in the protocol, so
    no account and no policy has this relation."""


@dataclass(frozen=True)
class ProtectedUnit:
    """What one protected unit can change in one query.

    Attributes:
        relation: the adjacency.
        weights: one entry for each vote of the query that the unit decides: (1,) for one party with one vote, (w,)
            for a vote of weight w, t entries for a record that t parties hold or a vote that is counted t times.

    Raises:
        InputError: there is no weight, or one is not a Fraction above 0.

    Source of the squares of weights: Boenisch et al., Individualized PATE, PoPETs 2023.
    """

    relation: Relation
    weights: tuple[Fraction, ...] = (Fraction(1),)

    def __post_init__(self) -> None:
        require(len(self.weights) > 0, "weights", self.weights, "give at least one")
        for weight in self.weights:
            require(isinstance(weight, Fraction) and weight > 0, "weight", weight, "give a Fraction above 0")

    @property
    def influence(self) -> Fraction:
        """W, the sum of the weights: a count moves by at most W."""
        return sum(self.weights, Fraction(0))

    @property
    def single(self) -> bool:
        """Whether it is one vote of weight 1."""
        return self.weights == (Fraction(1),)

    @property
    def histogram(self) -> Sensitivity:
        """Of the vote histogram, with the noise of an answer or of a check.

        The worst case is that all of the unit's votes stand together and move together.
        """
        sides = 2 if self.relation is Relation.REPLACE_ONE else 1
        return Sensitivity(sides * self.influence**2, sides * self.influence, sides * len(self.weights))

    def fits_grid(self, grid_bits: int) -> bool:
        """Whether every weight is a whole number of grid units, as rounding after the fact needs."""
        return all((weight * (1 << grid_bits)).denominator == 1 for weight in self.weights)
