"""What threshold checks do at given histograms: how likely they pass, and Theorem 6 applied to one.

A check passes if the largest noised count reaches the threshold T, with a draw for each class (CAPC-REL-010). Noise is
on the grid, so T counts as reached by whole grid units, and a count that is exactly T passes.

All of this depends on the votes. It is for planning on votes that are public or made up, and for audits: told of
private votes, it is a release of its own.

Source: Papernot et al. 2018 (arXiv 1802.08908), whose tables list these figures beside their data-dependent epsilon;
there the check has one draw on the largest count. Spec: CAPC-ACCT-112.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

from flint import arb, ctx

from capc.noise.sensitivity import Sensitivity
from capc.privacy.accountants.ball_arithmetic import ball, require
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.analysis.argmax_law import PRECISION, IntegerNoise, noise_masses
from capc.privacy.analysis.diagnostic import Diagnostic, Scope
from capc.privacy.analysis.divergence import Histogram
from capc.privacy.analysis.theorem6 import theorem6
from capc.session.parameters import Adjacency

_LAW = ("the law of the noise is exact, one draw per class",)
_NOBODY = "none: no neighbour is compared"


def answered_probability(histogram: Sequence[int], threshold: Fraction, noise: IntegerNoise) -> Diagnostic:
    """Pr[answered]: that the check passes, 1 - prod_c P(n_c + Z_c < T).

    Args:
        histogram: votes per class, at least one class.
        threshold: T in votes.
        noise: of the check: the answer's own with one draw for both, else that of the check. Where the querying party
            adds noise of its own, this is without it.

    Raises:
        InputError: there is no class, or the noise has too many values to be summed up.
    """
    with ctx.workprec(PRECISION):
        value = answered(histogram, threshold, noise)
    return Diagnostic.of("Pr[answered]", value, Scope.LAW, _NOBODY, _LAW)


def expected_answers(histograms: Sequence[Histogram], threshold: Fraction, noise: IntegerNoise) -> Diagnostic:
    """The expected number of answers to queries with these histograms: the sum of their Pr[answered].

    Args:
        histograms: of all queries.
        threshold: as of :func:`answered_probability`.
        noise: as of :func:`answered_probability`.

    Raises:
        InputError: as of :func:`answered_probability`.
    """
    with ctx.workprec(PRECISION):
        value = sum((answered(histogram, threshold, noise) for histogram in histograms), arb(0))
    return Diagnostic.of(f"expected answers of {len(histograms)} queries", value, Scope.LAW, _NOBODY, _LAW)


def data_dependent_check(
    histogram: Sequence[int], threshold: Fraction, noise: IntegerNoise, order: Fraction, adjacency: Adjacency
) -> Diagnostic:
    """Theorem 6 for the answered bit alone, or the data-independent cost where a precondition fails or that is smaller.

    The mechanism has two outcomes; q is the exact probability of the less likely one. Its data-independent costs are
    those that an account charges for the check, D^2 = 2 or 1, not those of one draw on the largest count.

    Args:
        histogram: votes per class, at least one class.
        threshold: T in votes.
        noise: of the check.
        order: a > 1.
        adjacency: the neighbouring relation, which decides the data-independent cost.

    Raises:
        InputError: as of :func:`answered_probability`, or the order is not above 1.
    """
    moved = ProtectedUnit(Relation(adjacency.value)).histogram
    with ctx.workprec(PRECISION):
        passes = answered(histogram, threshold, noise)
        value, checked = bounded(passes.min(1 - passes), noise, moved, order)
    quantity = f"data-dependent Renyi bound of order {float(order):g} of the check"
    return Diagnostic.of(quantity, value, Scope.ONE_SIDED, adjacency.value, (checked, *_LAW))


def data_dependent_label(
    histogram: Sequence[int], noise: IntegerNoise, order: Fraction, adjacency: Adjacency
) -> Diagnostic:
    """Theorem 6 for the label under noise on a grid, q by the union bound with ties counted; otherwise as the check's.

    Args:
        histogram: votes per class, at least two classes.
        noise: of the answer.
        order: a > 1.
        adjacency: the neighbouring relation.

    Raises:
        InputError: there is no second class, the order is not above 1, or the noise has too many values.
    """
    moved = ProtectedUnit(Relation(adjacency.value)).histogram
    with ctx.workprec(PRECISION):
        value, checked = bounded(union_bound_with_ties(histogram, noise), noise, moved, order)
    quantity = f"data-dependent Renyi bound of order {float(order):g} of the label"
    ties = "ties are counted: they go to the lowest index"
    return Diagnostic.of(quantity, value, Scope.ONE_SIDED, adjacency.value, (checked, ties))


def answered(histogram: Sequence[int], threshold: Fraction, noise: IntegerNoise) -> arb:
    """A ball around Pr[answered]; arguments and errors as of :func:`answered_probability`."""
    require(len(histogram) > 0, "histogram", tuple(histogram), "give at least one class")
    masses, tail = noise_masses(noise)
    unit = 1 << noise.grid_bits
    least = -(-threshold * unit // 1)
    misses = arb(1)
    for votes in histogram:
        misses *= _at_most(masses, int(least) - 1 - votes * unit)
    # What lies outside the masses may be on either side.
    slack = len(histogram) * tail
    return (1 - misses + (-slack).union(slack)).intersection(arb(0).union(arb(1)))


def union_bound_with_ties(histogram: Sequence[int], noise: IntegerNoise) -> arb:
    """Q: an upper bound of the probability that another class than the leader wins, with noise on a grid.

    The sum over rivals of P(Z_rival - Z_leader >= gap), or > gap for a rival of higher index, which loses a tie.

    Args:
        histogram: votes per class, at least two classes; the leader is the first of the largest.
        noise: one draw per class.

    Raises:
        InputError: there is no second class, or the noise has too many values to be summed up.
    """
    require(len(histogram) >= 2, "histogram", tuple(histogram), "give at least two classes")
    masses, tail = noise_masses(noise)
    reach, unit = len(masses) // 2, 1 << noise.grid_bits
    below = list(accumulate(masses, initial=arb(0)))
    leader = max(range(len(histogram)), key=lambda label: histogram[label])
    beaten = arb(0)
    for rival, votes in enumerate(histogram):
        if rival != leader:
            gap = (histogram[leader] - votes) * unit + (rival > leader)
            for place, mass in enumerate(masses):
                # P(Z >= n) = P(Z <= -n), as the law is symmetric.
                beaten += mass * below[min(max(reach + 1 - (place - reach) - gap, 0), len(masses))]
            beaten += 2 * tail
    return beaten


def bounded(q: arb, noise: IntegerNoise, moved: Sensitivity, order: Fraction) -> tuple[arb, str]:
    """Theorem 6 with the costs of a noise, never above the data-independent cost; and what was checked."""
    plain = ball(noise.rdp_cost(order, moved))
    found = theorem6(q.upper(), lambda other: noise.rdp_cost(other, moved), order)
    if found is None:
        return plain, "a precondition of Theorem 6 fails: the data-independent cost is shown"
    return found.min(plain), "q < 1, a <= mu1, mu2 > 1, q <= e^((mu2 - 1) eps2) / (...)^mu2: hold"


def _at_most(masses: Sequence[arb], value: int) -> arb:
    """P(Z <= value) of the masses -R .. R."""
    return sum(masses[: max(value + len(masses) // 2 + 1, 0)], arb(0))
