"""Runs an adversary against a release, and holds what it found from below against what is printed from above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from capc.privacy.accountants.argmax.cost import Adversary as Towards
from capc_verify.attack.cases import SEEN, STATED, Adversary, Case
from capc_verify.attack.estimate import Counts, Seen, epsilon_from_below
from capc_verify.attack.figures import Printed, printed_epsilons
from capc_verify.attack.releases import Ask
from capc_verify.attack.strategies import epsilon_of

FAILURE = 1e-6
"""The probability, for a whole run, that any estimate is above the epsilon that it estimates."""


@dataclass(frozen=True)
class Finding:
    """What is known of a release at one delta.

    Attributes:
        delta: at which.
        estimate: a lower bound of the shipped release's epsilon, from its labels.
        played: the exact epsilon of the adversary that was played, if the release does what it should.
        best: the exact epsilon of the best adversary that was found for this delta, likewise.
        printed: from above, by each method and towards each adversary.
    """

    delta: Fraction
    estimate: float
    played: float
    best: float
    printed: Printed

    def least_printed(self, cheating: bool) -> Fraction:
        """The least epsilon that is printed towards such an adversary."""
        towards = Towards.CHEATING if cheating else Towards.SEMI_HONEST
        return min(each[towards] for each in self.printed.values())


@dataclass(frozen=True)
class Outcome:
    """A case, how often it was tried under each hypothesis, and what was found."""

    case: Case
    trials: int
    findings: tuple[Finding, ...]

    @property
    def refuted(self) -> bool:
        """Whether an estimate is above something that is printed."""
        return any(each.estimate > each.least_printed(self.case.cheating) for each in self.findings)


def attack(case: Case, trials: int, failure: float = FAILURE, deltas: Sequence[Fraction] = (STATED, SEEN)) -> Outcome:
    """Plays the adversary of :data:`SEEN`, and says what its trials show at each delta.

    Args:
        case: what is attacked.
        trials: under each hypothesis, at least 2: half of them choose an event, and the others count.
        failure: the probability that any estimate of the case is too high.
        deltas: of :data:`STATED` and :data:`SEEN`, at which it is looked at.
    """
    adversary = case.adversary(SEEN)
    laws = adversary.strategy.laws()
    halves = _played(case, adversary, trials)
    findings = []
    for delta in deltas:
        at = float(delta)
        played = _epsilon(laws, at)
        best = case.adversary(delta).strategy.laws()
        estimate = epsilon_from_below(*halves, laws, at, failure / len(deltas))
        findings.append(
            Finding(delta, estimate, played, max(_epsilon(best, at), played), printed_epsilons(case, delta))
        )
    return Outcome(case, trials, tuple(findings))


def _played(case: Case, adversary: Adversary, trials: int) -> tuple[Seen, Seen]:
    """Histories of both halves of the trials."""
    release = case.release(adversary)
    first, second = (
        [_histories(adversary, release.opened(hypothesis), count) for count in (trials // 2, trials - trials // 2)]
        for hypothesis in (True, False)
    )
    return Seen(first[0], second[0]), Seen(first[1], second[1])


def _histories(adversary: Adversary, ask: Ask, trials: int) -> Counts:
    """How often each history was seen; each question depends on the labels before it."""
    strategy, ratios = adversary.strategy, adversary.strategy.menu.ratios()
    outcomes = ratios.shape[1]
    seen = np.zeros(outcomes ** len(strategy.questions), dtype=np.int64)
    for _ in range(trials):
        history, ratio = 0, 0.0
        for query in range(len(strategy.questions)):
            number = strategy.question(query, ratio)
            label = ask(adversary.questions[number])
            outcome = outcomes - 1 if label is None else label
            history, ratio = history * outcomes + outcome, ratio + ratios[number, outcome]
        seen[history] += 1
    return seen


def _epsilon(laws: tuple[np.ndarray, np.ndarray], delta: float) -> float:
    return max(epsilon_of(*laws, delta), epsilon_of(*laws[::-1], delta))
