"""Multi-label voting: a query has L labels, each on or off, and every answering party votes for a set of them.

Three rules (Dziedzic et al., "Private Multi-Winner Voting for Machine Learning", PoPETs 2023, arXiv 2211.15410), as
ideal functionality: what the votes are, how they are aggregated, and what is released. The programs compute these, and
`capc.privacy.accountants.ballots` charges for these. A label is in a party's set where its logit is above 0.

| rule | a party's vote | released | squared L2 distance in votes^2, one party's vote replaced |
|---|---|---|---|
| binary | L counts, 2^g for each label of the set | every label whose noisy count is above the limit | L |
| tau | the same, scaled down to an L2 norm of at most 2^g tau | likewise | min(2 tau^2, L) |
| powerset | one-hot over the 2^L sets | the set with the largest noisy count | 2 |

Every count gets one draw of noise. Counts are in grid units of 2^-g votes; the grid, rounding down to it and the tie
rule are this project's. The querying party learns the released labels and nothing else; the guardian learns its noise;
answering parties learn nothing. Votes are shared as in step 1c, and opened to nobody.

Spec: CAPC-MPC-020 to CAPC-MPC-022.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from math import isqrt

from capc.foundation.cleartext import one_hot_argmax
from capc.foundation.errors import InputError

MAX_POWERSET_LABELS = 16
"""Powerset voting counts 2^L sets."""

Vote = Callable[[Sequence[int]], list[int]]
"""From a party's L logits to its vote, in grid units."""


def binary_votes(grid_bits: int) -> Vote:
    """Binary voting: each label is a vote of its own."""
    return lambda logits: [int(logit > 0) << grid_bits for logit in logits]


def tau_votes(grid_bits: int, tau_squared: Fraction) -> Vote:
    """Tau voting: the party's set, scaled to an L2 norm of at most tau, rounded down to the grid."""

    def votes(logits: Sequence[int]) -> list[int]:
        scale = tau_scale(sum(logit > 0 for logit in logits), grid_bits, tau_squared)
        return [scale if logit > 0 else 0 for logit in logits]

    return votes


def tau_scale(chosen: int, grid_bits: int, tau_squared: Fraction) -> int:
    """What each label of a set of ``chosen`` labels counts: floor(2^g min(1, tau / sqrt(chosen))), exactly.

    Raises:
        InputError: tau^2 is not above 0.
    """
    if tau_squared <= 0:
        raise InputError(f"tau_squared = {tau_squared}: give a rational above 0")
    unit = 1 << grid_bits
    squared = unit * unit * tau_squared.numerator // (tau_squared.denominator * max(chosen, 1))
    return min(unit, isqrt(squared))


def powerset_votes(grid_bits: int) -> Vote:
    """Powerset voting: one vote for the set itself, whose number has bit j set for label j.

    The vote raises :class:`InputError` for more than :data:`MAX_POWERSET_LABELS` labels.
    """

    def votes(logits: Sequence[int]) -> list[int]:
        if len(logits) > MAX_POWERSET_LABELS:
            raise InputError(f"{len(logits)} labels: powerset voting takes at most {MAX_POWERSET_LABELS}")
        chosen = sum(1 << j for j, logit in enumerate(logits) if logit > 0)
        return [int(number == chosen) << grid_bits for number in range(1 << len(logits))]

    return votes


def released_labels(counts: Sequence[int], noise: Sequence[int], limit: int) -> list[int]:
    """Binary and tau voting: 1 for each label whose noisy count is above the limit, in grid units."""
    return [int(count + draw > limit) for count, draw in zip(counts, noise, strict=True)]


def released_set(counts: Sequence[int], noise: Sequence[int]) -> int:
    """Powerset voting: the number of the set with the largest noisy count, the lowest one of equals."""
    return one_hot_argmax([count + draw for count, draw in zip(counts, noise, strict=True)]).index(1)


def total_votes(vote: Vote, logits: Sequence[Sequence[int]]) -> list[int]:
    """The sums over all answering parties, that nobody learns."""
    return [sum(column) for column in zip(*map(vote, logits), strict=True)]


class SetRule(StrEnum):
    """How parties vote on sets of labels."""

    BINARY = "binary"
    """On each label alone."""
    TAU = "tau"
    """On each label alone, with ballots that are scaled down to a length."""
    POWERSET = "powerset"
    """On the whole set."""


@dataclass(frozen=True)
class SetVoting:
    """One rule, from how many parties vote for each set to the set that is released.

    A set is told by its number, whose bit j is set where it holds label j (CAPC-MPC-022).

    Attributes:
        rule: which.
        labels: L, from 1 to :data:`MAX_POWERSET_LABELS`.
        grid_bits: g.
        tau_squared: of tau voting, in votes^2; None for the other rules.

    Raises:
        InputError: there are too many labels or none, or tau^2 is given for another rule, or not for this one.
    """

    rule: SetRule
    labels: int
    grid_bits: int
    tau_squared: Fraction | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.labels <= MAX_POWERSET_LABELS:
            raise InputError(f"{self.labels} labels: voting on sets takes 1 to {MAX_POWERSET_LABELS}")
        if (self.tau_squared is None) != (self.rule is not SetRule.TAU):
            raise InputError(f"tau_squared = {self.tau_squared}: give one for tau voting, and for no other rule")

    @property
    def draws(self) -> int:
        """How many counts there are, each with a draw of noise."""
        return 1 << self.labels if self.rule is SetRule.POWERSET else self.labels

    def release(self, votes: Sequence[int], noise: Sequence[int]) -> int:
        """The number of the released set.

        Binary and tau voting release every label that more than half of all votes are for, after noise.

        Args:
            votes: how many parties vote for each of the 2^L sets.
            noise: one draw for each count, in grid units.
        """
        counts = [0] * self.draws
        for ballot, count in zip(self._ballots, votes, strict=True):
            if count:
                counts = [total + count * entry for total, entry in zip(counts, ballot, strict=True)]
        if self.rule is SetRule.POWERSET:
            return released_set(counts, noise)
        limit = (sum(votes) << self.grid_bits) // 2
        return sum(on << label for label, on in enumerate(released_labels(counts, noise, limit)))

    @cached_property
    def _ballots(self) -> tuple[list[int], ...]:
        """The vote for each set."""
        labels, sets = range(self.labels), range(1 << self.labels)
        return tuple(self._vote([1 if number >> label & 1 else -1 for label in labels]) for number in sets)

    @property
    def _vote(self) -> Vote:
        if self.rule is SetRule.POWERSET:
            return powerset_votes(self.grid_bits)
        return binary_votes(self.grid_bits) if self.tau_squared is None else tau_votes(self.grid_bits, self.tau_squared)
