"""How far one unit moves what the multi-label votes of :mod:`capc.privacy.multi_label` count.

Source: Dziedzic et al., Private Multi-Winner Voting for Machine Learning, PoPETs 2023 (arXiv 2211.15410), for the three
mechanisms. The distances below follow from their definition.

Spec: CAPC-ACCT-109.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from capc.foundation.errors import InputError
from capc.noise.sensitivity import Sensitivity
from capc.privacy.accountants.ball_arithmetic import require
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.multi_label import SetRule, SetVoting
from capc.session.parameters import Adjacency


@dataclass(frozen=True)
class BinaryRelease:
    """Binary voting: k counts, of which one ballot may move each by its weight, and all of them.

    Attributes:
        labels: k.
    """

    labels: int

    def __post_init__(self) -> None:
        require(self.labels >= 1, "labels", self.labels, "give at least 1")

    def sensitivity(self, unit: ProtectedUnit) -> Sensitivity:
        """K times that of one count; under each adjacency, since a label that is replaced was there or was not."""
        return Sensitivity(unit.influence**2, unit.influence, 1).times(self.labels)


@dataclass(frozen=True)
class TauRelease:
    """Tau voting: ballots of Euclidean length at most tau, entries in [0, 1].

    Two such ballots have no negative entries, so their squared distance is at most the sum of their squared lengths,
    2 tau^2, and also at most k.

    Attributes:
        labels: k.
        tau_squared: tau^2 in votes^2.
    """

    labels: int
    tau_squared: Fraction

    def __post_init__(self) -> None:
        require(self.labels >= 1, "labels", self.labels, "give at least 1")
        require(self.tau_squared > 0, "tau_squared", self.tau_squared, "give a rational above 0")

    def sensitivity(self, unit: ProtectedUnit) -> Sensitivity:
        """Of the sum of shortened ballots.

        Raises:
            InputError: the unit has more than one vote or another weight: shortened ballots are not weighted.
        """
        if not unit.single:
            raise InputError(f"weights = {', '.join(map(str, unit.weights))}: tau voting is charged for one vote of 1")
        sides = 2 if unit.relation is Relation.REPLACE_ONE else 1
        squared = min(sides * self.tau_squared, Fraction(self.labels))
        # Entries lie in [0, 1], so at most k of them change by at most 1 each.
        return Sensitivity(squared, Fraction(self.labels), self.labels)


@dataclass(frozen=True)
class PowersetRelease:
    """Powerset voting: one vote for one of 2^k sets, as any other vote for a class."""

    def sensitivity(self, unit: ProtectedUnit) -> Sensitivity:
        """That of one vote."""
        return unit.histogram


BallotRelease = BinaryRelease | TauRelease | PowersetRelease
"""The mechanisms of :mod:`capc.privacy.multi_label`."""


def sensitivity_of(voting: SetVoting, adjacency: Adjacency) -> Sensitivity:
    """How far one party's vote moves the counts of a rule."""
    release: BallotRelease
    if voting.rule is SetRule.POWERSET:
        release = PowersetRelease()
    elif voting.tau_squared is None:
        release = BinaryRelease(voting.labels)
    else:
        release = TauRelease(voting.labels, voting.tau_squared)
    return release.sensitivity(ProtectedUnit(Relation(adjacency.value)))
