"""Figures of labels that are certified together, as many as were fixed in advance: the method `argmax_composition`.

Spec: CAPC-ACCT-113, CAPC-ACCT-140, CAPC-ACCT-150, CAPC-ACCT-152.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from capc.noise.mechanism import CostUnit, RoundedGaussian
from capc.privacy.accountants.argmax.composition import (
    Budget,
    Keeping,
    composition_curve,
    composition_queries,
    smallest_composed_sigma,
)
from capc.privacy.accountants.argmax.cost import Adversary
from capc.privacy.accountants.argmax.noise_table import Noise as LabelNoise
from capc.privacy.accountants.conversion import check_delta, epsilon_upper
from capc.privacy.accountants.steps import Noise
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.figures.methods import Method, one_drawer, planned_labels
from capc.privacy.figures.statement import METHODS_OF_UNITS, PrivacyStatement


def composed_statement(
    noise: Noise,
    unit: ProtectedUnit,
    queries: int,
    delta: Fraction,
    keeping: Keeping,
    epsilon: Fraction | None = None,
) -> PrivacyStatement:
    """The figure of so many labels, with one draw of noise on each class, behind a threshold or not.

    Args:
        noise: on each class.
        unit: whom the figure protects.
        queries: how many, fixed in advance.
        delta: of the figure.
        keeping: of certificates, and who is told how far a computation is.
        epsilon: of a budget around which the figure is wanted; None looks for one.

    Raises:
        InputError: an argument is out of range, or the noise or the unit is not one of labels.
    """
    return composed_curve(noise, unit, [queries], delta, keeping, epsilon)[0]


def composed_curve(
    noise: Noise,
    unit: ProtectedUnit,
    counts: Sequence[int],
    delta: Fraction,
    keeping: Keeping,
    epsilon: Fraction | None = None,
) -> list[PrivacyStatement]:
    """The figures of several numbers of labels, which are composed once.

    Args and Raises: as of :func:`composed_statement`.
    """
    check_delta(delta)
    one = one_drawer(noise, unit, Method.ARGMAX_COMPOSITION)
    some = sorted({count for count in counts if count})
    found: dict[int, tuple[Fraction, Fraction]] = {0: (Fraction(0), Fraction(0))}
    if some:
        own = composition_curve(one, unit, some, delta, keeping, around=epsilon)
        found |= dict(zip(some, zip(own, _cheated(one, unit, some, own, delta, keeping), strict=True), strict=True))
    how = f"{METHODS_OF_UNITS[CostUnit.QUERIES]}, by the value of the best adaptive choice"
    return [planned_labels(noise, unit, delta, found[count], Method.ARGMAX_COMPOSITION, how) for count in counts]


def _cheated(
    noise: LabelNoise,
    unit: ProtectedUnit,
    counts: Sequence[int],
    own: Sequence[Fraction],
    delta: Fraction,
    keeping: Keeping,
) -> Sequence[Fraction]:
    """Towards a querying party that adds to its shares: by three intervals, or by all of the noised counts."""
    if unit.relation is not Relation.REPLACE_ONE:
        return own
    if isinstance(noise, RoundedGaussian):
        return composition_curve(noise, unit, counts, delta, keeping, Adversary.CHEATING)
    return [epsilon_upper(noise.unit, count * noise.cost(unit.histogram.squared), delta) for count in counts]


def calibrate_composed(
    noise: Callable[[Fraction], Noise],
    unit: ProtectedUnit,
    queries: int,
    budget: Budget,
    keeping: Keeping,
) -> Fraction:
    """The smallest deviation on a grid of 1/64 votes for which so many labels keep a budget.

    Args:
        noise: on each class, for a deviation in votes.
        unit: whom the figure protects.
        queries: at least 1.
        budget: epsilon, above 0, and delta.
        keeping: as above.

    Raises:
        InputError: an argument cannot be used, or not even the largest deviation is enough.
    """
    method = Method.ARGMAX_COMPOSITION
    return smallest_composed_sigma(lambda sigma: one_drawer(noise(sigma), unit, method), unit, queries, budget, keeping)


def affordable_composed(noise: Noise, unit: ProtectedUnit, budget: Budget, keeping: Keeping) -> int:
    """The largest number of labels that are certified to keep a budget; 0 if not even one does.

    Args and Raises: as of :func:`calibrate_composed`; more than 4096 labels are refused.
    """
    return composition_queries(one_drawer(noise, unit, Method.ARGMAX_COMPOSITION), unit, *budget, keeping)
