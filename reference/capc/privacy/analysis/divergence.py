"""Exact divergences of one release between a histogram and each of its neighbours, in both directions.

This is what a data-dependent bound bounds, and what a guarantee must never be below; tests use it as the oracle.

Spec: CAPC-ACCT-112.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from flint import arb, ctx

from capc.privacy.accountants.ball_arithmetic import ball, require
from capc.privacy.analysis.argmax_law import PRECISION
from capc.privacy.analysis.diagnostic import Diagnostic, Scope
from capc.session.parameters import Adjacency

Histogram = tuple[int, ...]
Law = Callable[[Sequence[int]], list[arb]]


def neighbours(histogram: Histogram, adjacency: Adjacency) -> list[Histogram]:
    """All histograms after one party's vote moved, or became zero, or came back from zero.

    The last is the reverse of the second, with the party among the participants all the time.
    """
    labels = range(len(histogram))
    found = []
    for gone in labels:
        if histogram[gone]:
            # None: the vote became zero.
            ends = [None] if adjacency is Adjacency.NULL_VOTE else [label for label in labels if label != gone]
            found += [tuple(votes - (j == gone) + (j == end) for j, votes in enumerate(histogram)) for end in ends]
    return found


def exact_renyi(law: Law, histogram: Histogram, adjacency: Adjacency, order: Fraction) -> Diagnostic:
    """The largest Renyi divergence to or from a neighbour.

    Args:
        law: of the release, for example :func:`~capc.privacy.analysis.argmax_law.continuous_law` at some sigma.
        histogram: votes per class, with at least one vote.
        adjacency: the neighbouring relation.
        order: above 1.

    Raises:
        InputError: the order is not above 1, or there is no vote.
    """
    require(order > 1, "order", order, "give an order above 1")
    return _worst(
        f"Renyi divergence of order {float(order):g}", law, histogram, adjacency, lambda p, q: renyi(p, q, order)
    )


def exact_hockey_stick(law: Law, histogram: Histogram, adjacency: Adjacency, epsilon: Fraction) -> Diagnostic:
    """The largest hockey-stick divergence at one epsilon to or from a neighbour.

    Args:
        law: of the release.
        histogram: votes per class, with at least one vote.
        adjacency: the neighbouring relation.
        epsilon: at least 0.

    Raises:
        InputError: epsilon is negative, or there is no vote.
    """
    require(epsilon >= 0, "epsilon", epsilon, "give a value of at least 0")
    return _worst(
        f"hockey-stick divergence at {float(epsilon):g}",
        law,
        histogram,
        adjacency,
        lambda p, q: hockey_stick(p, q, epsilon),
    )


def renyi(p: Sequence[arb], q: Sequence[arb], order: Fraction) -> arb:
    """1 / (a - 1) ln sum p^a q^(1 - a), for laws with positive probabilities."""
    a = ball(order)
    terms = (q_label * (a * (p_label / q_label).log()).exp() for p_label, q_label in zip(p, q, strict=True))
    return sum(terms, arb(0)).log() / (a - 1)


def hockey_stick(p: Sequence[arb], q: Sequence[arb], epsilon: Fraction) -> arb:
    """Sum of the positive parts of p - e^epsilon q."""
    factor = ball(epsilon).exp()
    return sum(((p_label - factor * q_label).max(arb(0)) for p_label, q_label in zip(p, q, strict=True)), arb(0))


def _worst(
    what: str,
    law: Law,
    histogram: Histogram,
    adjacency: Adjacency,
    divergence: Callable[[list[arb], list[arb]], arb],
) -> Diagnostic:
    require(sum(histogram) > 0, "histogram", histogram, "give at least one vote")
    with ctx.workprec(PRECISION):
        here, worst = law(histogram), arb(0)
        for other in neighbours(histogram, adjacency):
            there = law(other)
            worst = worst.max(divergence(here, there)).max(divergence(there, here))
    quantity = f"{what} to and from the worst neighbour"
    return Diagnostic.of(quantity, worst, Scope.TWO_SIDED, adjacency.value, ("the law is exact, ties included",))
