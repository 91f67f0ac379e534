"""The questions of ``capc account``: a case is what would be done; the answers are figures and counts.

A case's counts are fixed in advance, as they are part of the question. Searches rely on monotonicity only for
tightness: the answer itself was evaluated and is certified.

Spec: CAPC-ACCT-113.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from capc.foundation.errors import InputError
from capc.noise.mechanism import RoundedGaussian
from capc.privacy.accountants.argmax.composition import NOTHING_KEPT, Keeping
from capc.privacy.accountants.ball_arithmetic import (
    first_place,
    first_place_near,
    require,
    round_down,
    smallest_sigma,
)
from capc.privacy.accountants.ballots import BallotRelease, PowersetRelease
from capc.privacy.accountants.pld import groups_of, pld_fits
from capc.privacy.accountants.steps import JointStep, Noise, Release, Step, Steps, step_of
from capc.privacy.accountants.unit import ProtectedUnit
from capc.privacy.events import EventKind
from capc.privacy.figures.composed_labels import (
    affordable_composed,
    calibrate_composed,
    composed_curve,
    composed_statement,
)
from capc.privacy.figures.labels import affordable_labels, calibrate_label, label_curve, label_statement
from capc.privacy.figures.methods import OF_LABELS, Method, applicable, statement_for
from capc.privacy.figures.statement import PrivacyStatement

MAX_QUERIES = 1 << 32


@dataclass(frozen=True)
class Case:
    """What would be done.

    Attributes:
        noise: on each class, for a deviation in votes.
        sigma: that deviation.
        threshold_ratio: the threshold noise's deviation divided by sigma; None without a threshold.
        answers: at most how many labels are released, behind a threshold; None for as many as there are queries.
        joint: whether check and answer are charged jointly.
        ballots: the multi-label mechanism; None for a single label.
        unit: whom the figure protects.
        delta: of the figure.
        method: how it is computed.
        order: of labels (:mod:`capc.privacy.figures.labels`), where a budget fixes one; None looks for one.
        budget: its epsilon, around which labels are composed; None where none is given.
        keeping: of compositions.
    """

    noise: Callable[[Fraction], Noise]
    sigma: Fraction
    threshold_ratio: Fraction | None
    answers: int | None
    joint: bool
    ballots: BallotRelease | None
    unit: ProtectedUnit
    delta: Fraction
    method: Method
    order: Fraction | None = None
    budget: Fraction | None = None
    keeping: Keeping = NOTHING_KEPT

    @property
    def of_labels(self) -> bool:
        """Whether only what a label tells is charged."""
        return self.method in OF_LABELS

    def steps(self, queries: int) -> Steps:
        """The steps of that many queries.

        Raises:
            InputError: a number cannot be used, labels are withheld without a threshold, or joint charging has no
                threshold or withheld answers.
        """
        require(0 <= queries <= MAX_QUERIES, "queries", queries, f"give 0 to {MAX_QUERIES}")
        answers = queries if self.answers is None else self.answers
        require(0 <= answers <= queries, "answers", answers, f"give 0 to the number of queries, {queries}")
        if self.threshold_ratio is None:
            require(answers == queries, "answers", answers, f"without a threshold all {queries} queries are answered")
        check = None if self.threshold_ratio is None else self.noise(self.sigma * self.threshold_ratio)
        release = Release(self.noise(self.sigma), check, self.ballots)
        if self.joint:
            if check is None or self.ballots is not None or answers != queries:
                raise InputError(
                    "joint = True: joint charging needs a threshold and single labels, and charges every query in full"
                )
            happens = {EventKind.CONFIDENT_STEP: queries}
        else:
            happens = {EventKind.ANSWER_RESERVED: answers}
            if check is not None:
                happens[EventKind.THRESHOLD_CHECK] = queries
        counts: Counter[Step | JointStep] = Counter()
        for kind, count in happens.items():
            counts[step_of(kind, release, self.unit)] += count
        return +counts

    def statement(self, queries: int) -> PrivacyStatement:
        """The figure of that many queries.

        Raises:
            InputError: as :meth:`steps`, or the method does not carry the case.
        """
        if self.of_labels:
            noise = self.label_noise(queries)
            if self.method is Method.ARGMAX_COMPOSITION:
                return composed_statement(noise, self.unit, queries, self.delta, self.keeping, self.budget)
            return label_statement(noise, self.unit, queries, self.delta, self.order)
        return self._capped(statement_for(self.steps(queries), self.unit, self.delta, self.method))

    def curve(self, counts: Sequence[int]) -> list[PrivacyStatement]:
        """The figures of several numbers of queries; arguments and errors as of :meth:`statement`."""
        if self.of_labels:
            noise = self.label_noise(max(counts))
            if self.method is Method.ARGMAX_COMPOSITION:
                return composed_curve(noise, self.unit, counts, self.delta, self.keeping, self.budget)
            return label_curve(noise, self.unit, counts, self.delta)
        return [self.statement(count) for count in counts]

    def label_noise(self, queries: int) -> Noise:
        """The noise of labels of which nothing else leaves.

        Raises:
            InputError: more leaves, or a check has draws of its own.
        """
        # Counts and answers are checked as for any other method.
        self.steps(queries)
        if self.threshold_ratio is not None:
            raise InputError(
                f"threshold_ratio = {self.threshold_ratio}: {self.method.value} is for a check with the label's own "
                "draws, at no further cost: leave it out"
            )
        if self.ballots is not None and not isinstance(self.ballots, PowersetRelease):
            raise InputError(
                f"ballots: {self.method.value} is for one label, or one set by powerset voting: choose another method"
            )
        return self.noise(self.sigma)

    def comparison(self, queries: int) -> dict[Method, PrivacyStatement | str]:
        """The figure of that many queries by every method, or why it has none."""
        found = applicable(self.steps(queries), self.unit, self.delta)
        told = {
            method: self._capped(answer) if isinstance(answer, PrivacyStatement) else answer
            for method, answer in found.items()
        }
        of_labels: dict[Method, PrivacyStatement | str] = {}
        for method in OF_LABELS:
            try:
                of_labels[method] = replace(self, method=method).statement(queries)
            except InputError as error:
                of_labels[method] = str(error)
        return {**of_labels, **told}

    @property
    def one_draw(self) -> Case | None:
        """The same release with one draw for check and answer, charged always; None where there is no check."""
        if self.threshold_ratio is None:
            return None
        return replace(self, threshold_ratio=None, answers=None, joint=False)

    def _capped(self, statement: PrivacyStatement) -> PrivacyStatement:
        if self.answers is None:
            return statement
        cap = f"at most {self.answers} labels are released, a cap that is enforced in advance"
        return replace(statement, hypotheses=(cap, *statement.hypotheses))


def calibrate(case: Case, queries: int, epsilon: Fraction) -> Fraction:
    """The smallest sigma on a grid of 1/64 votes for which that many queries cost at most epsilon.

    Args:
        case: its sigma is ignored; threshold noise keeps its ratio.
        queries: at least 1.
        epsilon: above 0.

    Raises:
        InputError: a number cannot be used, or not even the largest sigma is enough.
    """
    require(queries >= 1, "queries", queries, "give at least 1")
    require(epsilon > 0, "epsilon", epsilon, "give a budget above 0")
    if case.method is Method.LOSS_DISTRIBUTION:
        return _calibrate_loss(case, queries, epsilon)

    if case.of_labels:
        case.label_noise(queries)
        if case.method is Method.ARGMAX_COMPOSITION:
            return calibrate_composed(case.noise, case.unit, queries, (epsilon, case.delta), case.keeping)
        return calibrate_label(case.noise, case.unit, queries, epsilon, case.delta)

    def enough(sigma: Fraction) -> bool:
        try:
            return replace(case, sigma=sigma).statement(queries).epsilon <= epsilon
        except InputError:
            # Too little noise for the method's range; every real mistake shows at the largest sigma, asked first.
            return False

    replace(case, sigma=Fraction(8)).statement(1)
    return smallest_sigma(enough, epsilon)


def affordable_queries(case: Case, epsilon: Fraction) -> int:
    """The largest number of queries that cost at most epsilon; 0 if not even one does.

    Raises:
        InputError: a number cannot be used.
    """
    require(epsilon > 0, "epsilon", epsilon, "give a budget above 0")
    require(case.answers is None, "answers", case.answers, "leave it out: every query is charged in full")
    if case.method is Method.LOSS_DISTRIBUTION:
        return _affordable_by_loss(case, epsilon)

    if case.method is Method.ARGMAX_COMPOSITION:
        return affordable_composed(case.label_noise(1), case.unit, (epsilon, case.delta), case.keeping)
    if case.of_labels:
        return affordable_labels(case.label_noise(1), case.unit, epsilon, case.delta, MAX_QUERIES)

    def exceeds(queries: int) -> bool:
        try:
            return case.statement(queries).epsilon > epsilon
        except InputError:
            # The cost of so many queries leaves the range of the method.
            return True

    low, high = 1, MAX_QUERIES + 1
    if case.joint:
        # A joint cost takes long to bound: it lies between the answer's and the sum of both parts.
        separate = replace(case, joint=False)
        low = max(low, affordable_queries(separate, epsilon))
        high = affordable_queries(replace(separate, threshold_ratio=None), epsilon) + 1
    if case.statement(low).epsilon > epsilon:
        return 0
    while 2 * low < high and not exceeds(2 * low):
        low *= 2
    return first_place(exceeds, low, min(high, 2 * low)) - 1


def _affordable_by_loss(case: Case, epsilon: Fraction) -> int:
    """By the loss distribution, whose laws take long: no fewer than by zCDP, and about as many as by Gaussian DP.

    Raises:
        InputError: the law of so many queries is too wide to be summed up.
    """
    groups_of(case.steps(1))
    guess = max(
        1, *(affordable_queries(near, epsilon) for near in (replace(case, method=Method.ZCDP), _gaussian(case)))
    )
    found = first_place_near(lambda queries: not _fits_by_loss(case, queries, epsilon), guess, MAX_QUERIES)
    return MAX_QUERIES if found is None else found - 1


def _calibrate_loss(case: Case, queries: int, epsilon: Fraction) -> Fraction:
    """By the loss distribution: no more than by zCDP, and about as much as by Gaussian DP."""
    groups_of(replace(case, sigma=Fraction(8)).steps(1))
    high = calibrate(replace(case, method=Method.ZCDP), queries, epsilon)
    guess = min(high, calibrate(_gaussian(case), queries, epsilon))

    def enough(sigma: Fraction) -> bool:
        return _fits_by_loss(replace(case, sigma=sigma), queries, epsilon)

    return smallest_sigma(enough, epsilon, guess)


def _fits_by_loss(case: Case, queries: int, epsilon: Fraction) -> bool:
    # The figure that is printed in the end has 12 digits, and must not be above the budget.
    return pld_fits(case.steps(queries), round_down(epsilon), case.delta)


def _gaussian(case: Case) -> Case:
    """The same with noise that is charged at once, and nearly as the discrete Gaussian is: for guesses only."""
    noise = case.noise
    return replace(case, noise=lambda sigma: RoundedGaussian(sigma, noise(sigma).grid_bits), method=Method.GAUSSIAN_DP)
