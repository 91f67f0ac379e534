"""The method `argmax_composition`: what a fixed number of released labels costs together.

Nothing but labels may leave, the noise and the number of queries are fixed before the first of them, and a protected
record is one vote of one party. Section 12 has the theorem with all its hypotheses.

Towards a querying party that adds to its shares of the votes, votes that move are bounded by three intervals, under
rounded Gaussian noise. Votes that become zero cost the same towards both.

Spec: CAPC-ACCT-140, CAPC-ACCT-150.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

from capc.noise.mechanism import CostUnit, DiscreteGaussian, RoundedGaussian, Skellam
from capc.privacy.accountants.argmax.cost import Adversary
from capc.privacy.accountants.ball_arithmetic import LARGEST, SIGMA_GRID, require, round_up, smallest_sigma
from capc.privacy.accountants.conversion import epsilon_upper, gaussian_dp_delta_upper, keeps
from capc.privacy.accountants.rdp import ORDERS
from capc.privacy.accountants.steps import Noise
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.composition.family import Family
from capc.privacy.composition.kept import composed
from capc.privacy.composition.recursion import (
    LEAST_DELTA,
    MAX_LABELS,
    Composed,
    Progress,
    Wanted,
    about_epsilon,
    curve_after,
    smallest_epsilon,
)
from capc.privacy.composition.references import gaussian_mu


@dataclass(frozen=True)
class Keeping:
    """What happens beside a computation.

    Attributes:
        folder: where certificates are kept and looked for; None for none.
        progress: told the number of labels so far and their delta, after each.
        recheck: whether all steps of a kept certificate are taken again, and not only some.
    """

    folder: Path | None = None
    progress: Progress | None = None
    recheck: bool = False


NOTHING_KEPT = Keeping()
_NEAR = Fraction(21, 20)
"""How far from the epsilon around which labels were composed a figure is read, at most."""
Budget = tuple[Fraction, Fraction]
"""Epsilon and delta."""


def kept_by_user() -> Keeping:
    """Certificates in the user's own cache folder; in memory only where there is none."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return NOTHING_KEPT
    return Keeping(base / "capc" / "compositions")


def composition_delta(
    noise: Noise,
    unit: ProtectedUnit,
    queries: int,
    epsilon: Fraction,
    keeping: Keeping = NOTHING_KEPT,
    adversary: Adversary = Adversary.SEMI_HONEST,
) -> Fraction:
    """A certified upper bound of delta(epsilon) of so many released labels, in decimals of 12 digits.

    Args:
        noise: on each class's votes, one draw per class: rounded or discrete Gaussian, and where votes move, rounded
            Gaussian only towards a cheating querying party.
        unit: whom the figure protects: one vote, of a weight that is on the noise's grid.
        queries: from 1 to 4096.
        epsilon: from 0 to 200.
        keeping: see :class:`Keeping`.
        adversary: towards whom.

    Raises:
        InputError: an argument is out of range or of a kind that the method does not cover, or a kept certificate is
            refused.
    """
    wanted = Wanted(_family(noise, unit, adversary), epsilon, None, queries)
    found = Fraction(_composed(wanted, keeping).delta)
    if isinstance(noise, RoundedGaussian):
        found = min(found, gaussian_dp_delta_upper(queries * noise.cost(unit.histogram.squared), epsilon))
    return min(Fraction(1), round_up(found))


def composition_epsilon(
    noise: Noise,
    unit: ProtectedUnit,
    queries: int,
    delta: Fraction,
    keeping: Keeping = NOTHING_KEPT,
    adversary: Adversary = Adversary.SEMI_HONEST,
) -> Fraction:
    """A certified upper bound of epsilon(delta) of so many released labels, in decimals of 12 digits.

    Args: as :func:`composition_delta`; delta from 2^-46 to below 1.

    Raises:
        InputError: as :func:`composition_delta`.
    """
    return composition_curve(noise, unit, [queries], delta, keeping, adversary)[0]


def composition_curve(
    noise: Noise,
    unit: ProtectedUnit,
    counts: Sequence[int],
    delta: Fraction,
    keeping: Keeping = NOTHING_KEPT,
    adversary: Adversary = Adversary.SEMI_HONEST,
    around: Fraction | None = None,
) -> list[Fraction]:
    """The same for several numbers of labels, which are composed once.

    Args: as :func:`composition_epsilon`; around: the epsilon of a budget that was asked about, or is kept: what was
        composed for it serves here, if it has so many labels.

    Raises:
        InputError: as :func:`composition_epsilon`.
    """
    require(
        LEAST_DELTA <= delta < 1, "delta", delta, "a composition of labels takes 2^-46 to below 1: use argmax_renyi"
    )
    family, most = _family(noise, unit, adversary), max(counts)
    whole = None if around is None else _composed(Wanted(family, around, delta, None), keeping)

    def read(composed: Composed, count: int) -> Fraction:
        of_labels = smallest_epsilon(curve_after(composed, count), delta)
        of_counts = epsilon_upper(family.noise.unit, count * family.noise.cost(unit.histogram.squared), delta)
        return of_counts if of_labels is None else min(of_labels, of_counts)

    if whole is None or whole.labels < most:
        about = about_epsilon(family, delta, most)
        whole = _composed(Wanted(family, about, None, most), keeping)
        # Few labels are further from a normal law than what `about` comes from; a bound is tight where it was made.
        if (near := read(whole, most)) > about * _NEAR:
            whole = _composed(Wanted(family, Fraction(ceil(16 * near), 16), None, most), keeping)
    return [round_up(read(whole, count)) for count in counts]


def composition_queries(
    noise: Noise,
    unit: ProtectedUnit,
    epsilon: Fraction,
    delta: Fraction,
    keeping: Keeping = NOTHING_KEPT,
    adversary: Adversary = Adversary.SEMI_HONEST,
) -> int:
    """The largest number of released labels that is certified to be (epsilon, delta)-DP.

    Args: as :func:`composition_epsilon`; epsilon from 0 to 200.

    Raises:
        InputError: as :func:`composition_delta`, or more than 4096 labels fit.
    """
    found = _composed(Wanted(_family(noise, unit, adversary), epsilon, delta, None), keeping).labels
    require(found < MAX_LABELS, "queries", f"more than {MAX_LABELS}", "use the method argmax_renyi")
    while counts_hold(noise, unit, found + 1, epsilon, delta):
        found += 1
    return found


def composition_holds(
    noise: Noise,
    unit: ProtectedUnit,
    queries: int,
    epsilon: Fraction,
    delta: Fraction,
    keeping: Keeping = NOTHING_KEPT,
) -> bool:
    """Whether it is certified that so many released labels are (epsilon, delta)-DP, towards a semi-honest party.

    Where all their noised counts are, they are; else it is composed.

    Args and Raises: as :func:`composition_queries`; more than 4096 queries are not composed, but refused.
    """
    if counts_hold(noise, unit, queries, epsilon, delta):
        return True
    wanted = Wanted(_family(noise, unit), epsilon, delta, None)
    require(1 <= queries <= MAX_LABELS, "queries", queries, f"give 1 to {MAX_LABELS}, or use the method argmax_renyi")
    return queries <= _composed(wanted, keeping).labels


def counts_hold(noise: Noise, unit: ProtectedUnit, queries: int, epsilon: Fraction, delta: Fraction) -> bool:
    """Whether the whole histograms, released so often, keep the budget: then their labels do, and all can see it.

    By one method for each noise, so that everybody decides alike: gaussian_dp of rounded Gaussian noise, zcdp of
    discrete Gaussian, and of Skellam renyi_improved at the best order of the grid.

    Args and Raises: as :func:`composition_queries`.

    Spec: CAPC-ACCT-137.
    """
    moved = unit.histogram
    if isinstance(noise, RoundedGaussian | DiscreteGaussian):
        cost = queries * noise.cost(moved.squared)
        return cost <= LARGEST and keeps(noise.unit, cost, epsilon, delta)
    if not isinstance(noise, Skellam):
        return False
    costs = ((order, queries * noise.rdp_cost(order, moved)) for order in ORDERS)
    return any(keeps(CostUnit.RENYI, cost, epsilon, delta, order) for order, cost in costs if cost <= LARGEST)


def smallest_composed_sigma(
    noise: Callable[[Fraction], Noise],
    unit: ProtectedUnit,
    queries: int,
    budget: Budget,
    keeping: Keeping = NOTHING_KEPT,
) -> Fraction:
    """The smallest deviation, on a grid of 1/64 votes, at which so many labels are certified to keep a budget.

    Args:
        noise: on each class, for a deviation in votes.
        unit: whom the figure protects.
        queries: from 1 to 4096.
        budget: epsilon and delta.
        keeping: see :class:`Keeping`.

    Raises:
        InputError: as :func:`composition_holds`, or no deviation up to 2^20 votes is enough.
    """
    epsilon, delta = budget
    return smallest_sigma(
        lambda sigma: composition_holds(noise(sigma), unit, queries, epsilon, delta, keeping),
        epsilon,
        _about_sigma(unit, queries, float(epsilon), float(delta)),
    )


def _about_sigma(unit: ProtectedUnit, queries: int, epsilon: float, delta: float) -> Fraction:
    """Where the search begins, and nothing that its result depends on: by what a label was found to cost.

    That is about 0.64 of what its counts cost, and more for few labels and where one label tells much.
    """
    of_all = gaussian_mu(epsilon, delta) ** 2
    one = of_all / queries
    for _ in range(20):
        one = of_all / queries / min(1.0, 0.642 + 0.8 / queries + 0.1 * one)
    sigma = (float(unit.histogram.squared) / one) ** 0.5
    return Fraction(max(1, round(sigma * SIGMA_GRID)), SIGMA_GRID)


def _composed(wanted: Wanted, keeping: Keeping) -> Composed:
    return composed(wanted, keeping.folder, keeping.progress, recheck=keeping.recheck)


def _family(noise: Noise, unit: ProtectedUnit, adversary: Adversary = Adversary.SEMI_HONEST) -> Family:
    require(
        unit.relation in (Relation.REPLACE_ONE, Relation.NULL_VOTE),
        "adjacency",
        unit.relation,
        "argmax_composition is for replace_one and null_vote: use gaussian_dp",
    )
    require(
        len(unit.weights) == 1,
        "weights",
        ", ".join(map(str, unit.weights)),
        "argmax_composition is for one record in one party, with one vote: use gaussian_dp",
    )
    shift = unit.weights[0] * (1 << noise.grid_bits)
    require(
        shift.denominator == 1,
        "weight",
        unit.weights[0],
        f"give a whole multiple of 2^-{noise.grid_bits} votes, the grid of the noise",
    )
    moves = unit.relation is Relation.REPLACE_ONE
    offsets = moves and adversary is Adversary.CHEATING
    return Family(noise, int(shift), moves, offsets)  # type: ignore[arg-type]
