"""The cases of the attack: releases, and what an adversary may ask of them.

Worst cases of section 12: ties, histograms one vote apart, few and many parties, both relations, a check with the
label's own draws and one with others, and offsets where counts wrap.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from capc.foundation.errors import ParameterError
from capc.session.parameters import Adjacency, Charge, NoiseName, Parameters, ReleasePolicy, ThresholdMode
from capc.session.widths import ParameterSet
from capc_verify.attack.laws import NoisyRelease
from capc_verify.attack.releases import Functionality, Question, Release, WholeSessions
from capc_verify.attack.strategies import Menu, Strategy, best_strategy

STATED = Fraction(1, 10**5)
"""The delta of policies. Events that are so rare are seen in no number of trials that can be afforded."""
SEEN = Fraction(1, 5)
"""A delta at which trials tell much of what there is; adversaries are chosen for it."""
_LARGE = Fraction(1000)
_FEW = 6
_MOST_QUESTIONS = 24
"""In a session: each is a feature."""


@dataclass(frozen=True)
class Case:
    """One release under attack.

    Attributes:
        name: what it shows.
        noise: the law.
        sigma: s in votes.
        grid_bits: g.
        adjacency: the relation.
        labels: N, how many are asked for.
        parties: K, the protected one included.
        classes: C.
        threshold: T in votes, or None.
        mode: of the threshold.
        cheating: whether the querying party adds to its shares.
        whole_sessions: whether all parties' steps are run, or the ideal functionality.
        composed: the epsilons, in 64ths, of policies that count labels and are certified for N of them, at
            :data:`STATED` and at :data:`SEEN`; None where no such policy is attacked.
    """

    name: str
    noise: NoiseName
    sigma: Fraction
    grid_bits: int
    adjacency: Adjacency
    labels: int
    parties: int
    classes: int
    threshold: Fraction | None = None
    mode: ThresholdMode = ThresholdMode.SINGLE_DRAW
    cheating: bool = False
    whole_sessions: bool = False
    composed: tuple[int, int] | None = None

    @property
    def policy(self) -> ReleasePolicy:
        """The release's policy, of noised counts and the stated delta."""
        apart = self.threshold is not None and self.mode is ThresholdMode.TWO_DRAWS
        return ReleasePolicy(
            self.noise,
            self.sigma,
            self.threshold,
            self.sigma if apart else None,
            Charge.WORST_CASE,
            self.adjacency,
            _LARGE,
            STATED,
            threshold_mode=ThresholdMode.TWO_DRAWS if self.threshold is None else self.mode,
            renyi_order=Fraction(4) if self.noise is NoiseName.SKELLAM else None,
        )

    @cached_property
    def parameters(self) -> Parameters:
        """Those of the published default, but for the grid and the narrowest vote ring that has room for the noise."""
        default = ParameterSet.named("default")
        for vote_bits in range(2, 64):
            widths = replace(default, name="attack", vote_bits=vote_bits, grid_bits=self.grid_bits)
            parameters = Parameters(widths, self.classes, 1, self.policy)
            with suppress(ParameterError):
                parameters.check_vote_range(self.parties)
                return parameters
        raise ParameterError(f"sigma = {self.sigma}: no vote ring has room for it: choose less noise")

    @property
    def law(self) -> NoisyRelease:
        """What the law of a label depends on."""
        unit, policy = 1 << self.grid_bits, self.policy
        apart = policy.threshold_sigma
        return NoisyRelease(
            self.noise,
            float(self.sigma * unit),
            self.parameters.widths.vote_bits,
            None if self.threshold is None else int(self.threshold * unit),
            None if apart is None else float(apart * unit),
        )

    def adversary(self, delta: Fraction) -> Adversary:
        """The best that is found at a delta, among all questions that are considered."""
        found = _adversary(self, tuple(_questions(self)), float(delta))
        return _adversary(self, found.most_asked(_MOST_QUESTIONS), float(delta)) if self.whole_sessions else found

    def release(self, adversary: Adversary) -> Release:
        """What answers the adversary."""
        if not self.whole_sessions:
            return Functionality(self.parameters)
        return WholeSessions(replace(self.parameters, num_features=len(adversary.questions)), adversary.questions)


@dataclass(frozen=True)
class Adversary:
    """Questions, and a strategy over their numbers."""

    questions: tuple[Question, ...]
    strategy: Strategy

    def most_asked(self, count: int) -> tuple[Question, ...]:
        """The questions that are asked most often under the first hypothesis."""
        asked = np.zeros(len(self.questions))
        law, ratio, ratios = np.ones(1), np.zeros(1), self.strategy.menu.ratios()
        for number in range(len(self.strategy.questions)):
            now = np.array([self.strategy.question(number, float(each)) for each in ratio])
            np.add.at(asked, now, law)
            law = (law[:, None] * self.strategy.menu.first[now]).ravel()
            ratio = (ratio[:, None] + ratios[now]).ravel()
        order = np.argsort(-asked, kind="stable")[:count]
        return tuple(self.questions[place] for place in order if asked[place] > 0)


def _adversary(case: Case, questions: tuple[Question, ...], delta: float) -> Adversary:
    unit, law = 1 << case.grid_bits, case.law
    rows = [np.array([law.law(each.counts(first, unit)) for each in questions]) for first in (True, False)]
    return Adversary(questions, best_strategy(Menu(rows[0], rows[1], _allowed(case, questions)), delta))


def _allowed(case: Case, questions: tuple[Question, ...]) -> NDArray[np.bool_]:
    """Which question each query may be: of several, every other one asks the vote to move the other way.

    That costs an adversary next to nothing, and noise that two queries share would cancel.
    """
    found = np.ones((case.labels, len(questions)), dtype=bool)
    up = np.array([each.mine < (1 if each.instead is None else each.instead) for each in questions])
    if case.labels > 1:
        found[::2], found[1::2] = up, ~up
    return found


def _questions(case: Case) -> Iterator[Question]:
    """Every class for the vote, and every other one instead; all votes of few others, of many those near a tie."""
    classes = range(case.classes)
    null = case.adjacency is Adjacency.NULL_VOTE
    moves: list[tuple[int, int | None]]
    moves = [(i, None) for i in classes] if null else [(i, j) for i in classes for j in classes if i != j]
    if case.parties <= _FEW:
        full = product(range(case.parties), repeat=case.classes)
        others = [counts for counts in full if sum(counts) == case.parties - 1]
    else:
        moves = [move for move in moves if move[0] in (0, 1) and move[1] in (0, 1, None)]
        others = list(_near_ties(case))
    for counts, (mine, instead), offsets in product(others, moves, _offsets(case)):
        yield Question(counts, mine, instead, offsets)


def _near_ties(case: Case) -> Iterator[tuple[int, ...]]:
    """The first two classes have nearly all votes, and nearly as many."""
    votes, reach = case.parties - 1, int(6 * case.sigma) + 2
    for gap in range(-reach, reach + 1):
        first = (votes + gap) // 2
        if 0 <= first <= votes:
            yield (first, votes - first, *(0,) * (case.classes - 2))


def _offsets(case: Case) -> list[tuple[int, ...]]:
    """Of a cheat: at the ends of the ring, where a vote more or less wraps, and beside T; nothing of others."""
    if not case.cheating:
        return [()]
    half, unit = 1 << (case.parameters.widths.vote_bits - 1), 1 << case.grid_bits
    step = max(1, round(float(case.sigma * unit)))
    limit = 0 if case.threshold is None else int(case.threshold * unit)
    places = [0, limit, -half // 2, half - unit - step, half - unit, half - 1, step - half]
    return list(product(sorted(set(places)), repeat=case.classes))


ROUNDED, DISCRETE, SKELLAM = NoiseName.ROUNDED_GAUSSIAN, NoiseName.DISCRETE_GAUSSIAN, NoiseName.SKELLAM
MOVES, LEAVES = Adjacency.REPLACE_ONE, Adjacency.NULL_VOTE
ONE, TWO = Fraction(1), Fraction(2)

CASES = (
    Case("one label of a tie", ROUNDED, TWO, 0, MOVES, 1, 3, 2, composed=(189, 14)),
    Case("two labels, the second by the first", ROUNDED, TWO, 0, MOVES, 2, 6, 2, composed=(266, 34)),
    Case("one draw for check and label", ROUNDED, ONE, 0, LEAVES, 2, 3, 2, TWO, composed=(402, 71)),
    Case("one label at a distance", ROUNDED, ONE, 0, MOVES, 1, 12, 2, composed=(410, 88)),
    Case("one label on half votes", ROUNDED, TWO, 1, MOVES, 1, 30, 2, composed=(189, 15)),
    Case("four labels of three classes", ROUNDED, TWO, 1, MOVES, 4, 4, 3, composed=(385, 73)),
    Case("six labels of a vote that is nulled", ROUNDED, TWO, 1, LEAVES, 6, 4, 2, TWO, composed=(306, 48)),
    Case("a check with draws of its own", ROUNDED, TWO, 0, MOVES, 2, 3, 2, TWO, ThresholdMode.TWO_DRAWS),
    Case("three labels under the discrete Gaussian", DISCRETE, TWO, 0, MOVES, 3, 3, 3, ONE, composed=(331, 54)),
    Case("two labels under Skellam noise", SKELLAM, TWO, 0, MOVES, 2, 3, 2),
    Case("many parties and classes", ROUNDED, Fraction(3), 0, MOVES, 3, 100, 10),
    Case("a cheat at the ends of the ring", ROUNDED, ONE, 0, MOVES, 1, 2, 2, ONE, composed=(410, 88), cheating=True),
    Case("a cheat where a vote is nulled", ROUNDED, TWO, 0, LEAVES, 2, 2, 2, ONE, composed=(178, 10), cheating=True),
    Case("steps of all parties", ROUNDED, TWO, 0, MOVES, 2, 3, 2, composed=(266, 34), whole_sessions=True),
)
"""The first ones take seconds, and are tried in every run of the tests."""
