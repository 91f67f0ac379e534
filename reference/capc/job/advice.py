"""What the votes of a plan can carry: how much noise, and so how many queries of a budget.

The rule, of public figures only. Assumed is that :data:`AGREEMENT` of the K votes go to one class and all the others to
one other class, and nobody looks whether they do: an advice from real votes would leak them. Noise of deviation sigma
is carried if the released label is then that of the votes with at least :data:`CERTAINTY`. From the largest such sigma
follows the largest number of queries that fit the budget at their full cost, and from this number the smallest sigma
for which they fit. A threshold lies so far below the assumed votes that a query with so many is answered with the same
certainty; noise that would push it below half of the votes is not carried either, since a query without a majority
would then pass as well. An advice is a proposal, never a claim about privacy.

Source: the order statistics of independent normal draws; rounding to the grid is left out, and laws on the integers are
taken as the Gaussian of their deviation. GNMax and Confident-GNMax: Papernot et al., Scalable private learning with
PATE, ICLR 2018, sections 4.1 and 4.2.

Spec: CAPC-RUN-034, CAPC-RUN-035.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, erfc, exp, floor, pi, sqrt
from statistics import NormalDist

from capc.job.config import rational_text
from capc.job.options import flag
from capc.noise.sensitivity import Sensitivity
from capc.privacy.accountants.ball_arithmetic import SIGMA_GRID
from capc.privacy.accountants.ballots import sensitivity_of
from capc.privacy.accountants.policies import calibrate_sigma, fitting_queries, fitting_queries_at
from capc.privacy.multi_label import SetRule, SetVoting
from capc.session.parameters import ReleasePolicy

AGREEMENT = Fraction(3, 4)
"""The assumed share of the votes that the strongest class gets; it leads by half of them then."""
CERTAINTY = 0.95
"""How likely a label has to be that of the votes."""

_OTHER_SHARES = (Fraction(3, 5), Fraction(9, 10))
"""For these an advice says how likely labels are right, so that one sees what the assumption does."""
_REACH = 9.0
"""Standard deviations; beyond them lies less than 1e-18."""
_STEPS = 300
_DISTANCE = NormalDist().inv_cdf(CERTAINTY)


@dataclass(frozen=True)
class Contest:
    """What votes decide.

    Attributes:
        classes: C >= 2, of which one wins.
        labels: L, if each of so many is decided by itself, by half of the votes; 0 otherwise. That tau voting scales
            ballots down is left out.
    """

    classes: int
    labels: int = 0

    def __str__(self) -> str:
        if self.labels:
            return f"each of {self.labels} labels"
        return f"one of {self.classes} classes, and the others on one other"


@dataclass(frozen=True)
class Advice:
    """What a plan could be instead, and what speaks against the one that it is.

    Attributes:
        sigma: the proposed deviation in votes: the smallest for which the proposed queries, or at least one, fit.
        threshold: T in votes; None where the policy has none, or where there is too much noise for one.
        queries: as many as votes can carry, the budget admits and the pool has; 0 if not even one can be carried.
        warnings: of the plan as it is; one line each, with value and remedy.
        reasons: the rule in figures; one line each.
    """

    sigma: Fraction
    threshold: Fraction | None
    queries: int
    warnings: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Figures:
    """What a plan is, and what it could carry. Deviations are in votes.

    Attributes:
        answering: K.
        contest: what votes decide.
        queries: that the plan asks.
        release: its policy.
        fitting: how many queries its budget admits at its own deviation.
        largest: the largest deviation that votes carry.
        carried: how many queries the budget admits at that one.
        possible: as many, or what the pool has if that is less.
        sigma: the smallest deviation for ``possible`` queries, or for one.
    """

    answering: int
    contest: Contest
    queries: int
    release: ReleasePolicy
    fitting: int
    largest: Fraction
    carried: int
    possible: int
    sigma: Fraction

    def chance(self, sigma: Fraction, share: Fraction = AGREEMENT) -> float:
        """How likely a label is right under a deviation, if a share of the votes agrees."""
        return chance_right(float(self.answering / sigma), self.contest, share)

    def threshold(self, sigma: Fraction) -> Fraction | None:
        """T for that deviation; None where the policy has none, or where it would lie below half of the votes."""
        ratio = check_ratio(self.release)
        if ratio is None:
            return None
        steps = floor((float(AGREEMENT * self.answering) - _DISTANCE * float(ratio * sigma)) * SIGMA_GRID)
        proposed = Fraction(steps, SIGMA_GRID)
        return proposed if 2 * proposed >= self.answering else None


def advise(
    *,
    answering: int,
    classes: int,
    pool: int,
    queries: int,
    release: ReleasePolicy,
    grid_bits: int,
    voting: SetVoting | None = None,
) -> Advice:
    """The advice on a plan.

    Args:
        answering: K, the votes of a query.
        classes: C, at least 2.
        pool: how many rows all querying parties together could ask about.
        queries: how many they are to ask together.
        release: noise and budget of the plan, whose sigma was given or calibrated.
        grid_bits: g.
        voting: how sets of labels are voted on; None where each row has one class.

    Raises:
        InputError: not even one query fits the budget with a deviation up to 2^20 votes.
    """
    answered = answered_by(release, voting)
    contest = Contest(classes, 0 if voting is None or voting.rule is SetRule.POWERSET else voting.labels)

    largest = largest_sigma(answering, contest, check_ratio(release))
    carried = fitting_queries_at(release, largest, grid_bits, answered) if largest else 0
    possible = min(carried, pool)
    sigma = calibrate_sigma(release, grid_bits, max(possible, 1), answered)
    fitting = fitting_queries(release, grid_bits, answered)
    figures = _Figures(answering, contest, queries, release, fitting, largest, carried, possible, sigma)
    warnings = (*_of_the_noise(figures), *_of_the_budget(figures), *_of_the_threshold(figures))
    return Advice(sigma, figures.threshold(sigma), possible, warnings, _reasons(figures))


def answered_by(release: ReleasePolicy, voting: SetVoting | None) -> Sensitivity | None:
    """How far a vote moves what noise is added to; None where that is a histogram: of classes, or of sets."""
    if voting is None or voting.rule is SetRule.POWERSET:
        return None
    return sensitivity_of(voting, release.adjacency)


def chance_right(votes_per_sigma: float, contest: Contest, share: Fraction = AGREEMENT) -> float:
    """How likely the noisy votes decide as those without noise: the strongest class, or each label by itself.

    Args:
        votes_per_sigma: K / sigma.
        contest: what they decide.
        share: of the votes, for the strongest class; one other class has the rest, and all the others none. Of labels
            that are decided by themselves, for what each of them is.
    """
    if contest.labels:
        return _below(float(share - Fraction(1, 2)) * votes_per_sigma) ** contest.labels
    lead_of_one = float(2 * share - 1) * votes_per_sigma
    lead_of_others = float(share) * votes_per_sigma
    width = 2 * _REACH / _STEPS
    total = 0.0
    # The trapezoidal rule, which for such functions errs less than rounding does.
    for step in range(_STEPS + 1):
        x = -_REACH + step * width
        density = exp(-x * x / 2) / sqrt(2 * pi)
        total += density * _below(x + lead_of_one) * _below(x + lead_of_others) ** (contest.classes - 2)
    return min(1.0, total * width)


def _below(x: float) -> float:
    """P(N <= x) of a standard normal N."""
    return erfc(-x / sqrt(2)) / 2


@lru_cache(maxsize=64)
def _needed_votes_per_sigma(contest: Contest, ratio: Fraction | None) -> float:
    """The smallest K / sigma at which label and threshold are as certain as they have to be, or a little more."""
    low, high = 0.0, 64.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if chance_right(middle, contest) >= CERTAINTY else (middle, high)
    if ratio is None:
        return high
    return max(high, _DISTANCE * float(ratio) / float(AGREEMENT - Fraction(1, 2)))


def largest_sigma(answering: int, contest: Contest, ratio: Fraction | None = None) -> Fraction:
    """The largest deviation that the votes carry, on a grid of 1/64 votes; it grows with K.

    Args:
        answering: K.
        contest: what votes decide.
        ratio: the threshold's deviation over that of the classes; None without a threshold.
    """
    return Fraction(floor(answering / _needed_votes_per_sigma(contest, ratio) * SIGMA_GRID), SIGMA_GRID)


def least_answering(sigma: Fraction, contest: Contest, ratio: Fraction | None = None) -> int:
    """The smallest K whose votes carry a deviation."""
    return ceil(float(sigma) * _needed_votes_per_sigma(contest, ratio))


def check_ratio(release: ReleasePolicy) -> Fraction | None:
    """The check's deviation over that of the label, a proportion that calibration keeps; 1 for a single draw."""
    if release.threshold is None:
        return None
    return Fraction(1) if release.threshold_sigma is None else release.threshold_sigma / release.sigma


def _of_the_noise(figures: _Figures) -> tuple[str, ...]:
    release = figures.release
    if release.sigma <= figures.largest:
        return ()
    consequence = f"a label is right with probability {figures.chance(release.sigma):.2f}"
    if release.threshold is not None and figures.threshold(release.sigma) is None:
        consequence += ", and no threshold above half of the votes lets it pass for sure"
    found = (
        f"sigma = {rational_text(release.sigma)} votes: {flag('parties')} {figures.answering} carry "
        f"{rational_text(figures.largest)}: even where {_percent(AGREEMENT)} of them agree, {consequence}"
    )
    # Without a query that can be carried, the parties that one query needs.
    bought = release.sigma if figures.possible else figures.sigma
    parties = f"{flag('parties')} {least_answering(bought, figures.contest, check_ratio(release))} at least"
    epsilon = f"{flag('epsilon')} {rational_text(release.epsilon)}"
    if not figures.possible:
        return (f"{found}; {epsilon} has not even one query that can be carried: choose a larger one, or {parties}",)
    enough = f"for which sigma = {rational_text(figures.sigma)} is enough at {epsilon}"
    return (
        f"{found}: choose {flag('queries')} {figures.possible} at most, {enough}, or {parties}, or a larger epsilon",
    )


def _of_the_budget(figures: _Figures) -> tuple[str, ...]:
    if figures.queries <= figures.fitting:
        return ()
    return (
        f"queries = {figures.queries}: at sigma = {rational_text(figures.release.sigma)} the budget is sure to admit "
        f"{figures.fitting} only: choose {flag('queries')} {figures.fitting}, or a larger {flag('sigma')}",
    )


def _of_the_threshold(figures: _Figures) -> tuple[str, ...]:
    release, ratio = figures.release, check_ratio(figures.release)
    if release.threshold is None or ratio is None:
        return ()
    votes = AGREEMENT * figures.answering
    answered = _below(float((votes - release.threshold) / (ratio * release.sigma)))
    proposed, half = figures.threshold(release.sigma), Fraction(figures.answering, 2)
    remedy = (
        f"leave out {flag('threshold')}"
        if proposed is None
        else f"choose {flag('threshold')} {rational_text(proposed)}"
    )
    start = f"threshold = {rational_text(release.threshold)} votes of {figures.answering}"
    if answered < CERTAINTY:
        return (
            f"{start}: a query of which {_percent(AGREEMENT)} of the parties agree is answered with probability "
            f"{answered:.2f} only: {remedy}",
        )
    if release.threshold < half:
        return (f"{start}: most queries without a majority are answered too, and every query is paid for: {remedy}",)
    return ()


def _reasons(figures: _Figures) -> tuple[str, ...]:
    release, sigma, agreed = figures.release, figures.sigma, _percent(AGREEMENT)
    shares = ", ".join(f"{_percent(share)}: {figures.chance(sigma, share):.2f}" for share in _OTHER_SHARES)
    budget = f"epsilon = {rational_text(release.epsilon)} and delta = {rational_text(release.delta)}"
    lines = [
        f"assumed, not looked at: {agreed} of the {figures.answering} parties agree on {figures.contest}",
        f"votes carry noise up to sigma = {rational_text(figures.largest)}: the label is then theirs with probability "
        f"{CERTAINTY} at least",
        f"at that sigma {budget} admit {figures.carried} queries at their full cost, and the pool has rows for "
        f"{figures.possible} of them",
        f"at sigma = {rational_text(sigma)}, the smallest for {max(figures.possible, 1)}, a label is right with "
        f"probability {figures.chance(sigma):.2f}; if in the place of {agreed} as many agree, {shares}",
    ]
    if release.threshold is None:
        lines.append("no threshold: a check with draws of its own costs as much as an answer, if of the same deviation")
    elif figures.threshold(sigma) is None:
        lines.append("no threshold: with so much noise none above half of the votes lets agreed queries pass")
    else:
        votes = rational_text(AGREEMENT * figures.answering)
        lines.append(
            f"the threshold is {_DISTANCE:.2f} of its deviations below {votes} votes: a query of which {agreed} agree "
            f"is answered with probability {CERTAINTY}"
        )
    return tuple(lines)


def _percent(share: Fraction) -> str:
    return f"{float(share):.0%}"
