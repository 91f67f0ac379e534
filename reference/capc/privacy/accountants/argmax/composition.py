"""The method `argmax_composition`: what a fixed number of released labels costs together.

Nothing but labels may leave, the noise and the number of queries are fixed before the first of them, and a protected
record is one vote of one party. Section 12 has the theorem with all its hypotheses.

Spec: CAPC-ACCT-140.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from capc.noise.mechanism import RoundedGaussian
from capc.privacy.accountants.ball_arithmetic import require, round_up
from capc.privacy.accountants.conversion import gaussian_dp_delta_upper
from capc.privacy.accountants.steps import Noise
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.composition.family import Family
from capc.privacy.composition.kept import composed
from capc.privacy.composition.recursion import MAX_LABELS, Composed, Progress, Wanted


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


_NOTHING = Keeping()


def kept_by_user() -> Keeping:
    """Certificates in the user's own cache folder; in memory only where there is none."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return _NOTHING
    return Keeping(base / "capc" / "compositions")


def composition_delta(
    noise: Noise, unit: ProtectedUnit, queries: int, epsilon: Fraction, keeping: Keeping = _NOTHING
) -> Fraction:
    """A certified upper bound of delta(epsilon) of so many released labels, in decimals of 12 digits.

    Args:
        noise: on each class's votes, one draw per class: rounded or discrete Gaussian.
        unit: whom the figure protects: one vote, of a weight that is on the noise's grid.
        queries: from 1 to 4096.
        epsilon: from 0 to 200.
        keeping: see :class:`Keeping`.

    Raises:
        InputError: an argument is out of range or of a kind that the method does not cover, or a kept certificate is
            refused.
    """
    wanted = Wanted(_family(noise, unit), epsilon, None, queries)
    found = Fraction(_composed(wanted, keeping).delta)
    if isinstance(noise, RoundedGaussian):
        found = min(found, gaussian_dp_delta_upper(queries * noise.cost(unit.histogram.squared), epsilon))
    return min(Fraction(1), round_up(found))


def composition_queries(
    noise: Noise, unit: ProtectedUnit, epsilon: Fraction, delta: Fraction, keeping: Keeping = _NOTHING
) -> int:
    """The largest number of released labels that is certified to be (epsilon, delta)-DP.

    Args: as :func:`composition_delta`; delta from 2^-46 to below 1.

    Raises:
        InputError: as :func:`composition_delta`, or more than 4096 labels fit.
    """
    found = _composed(Wanted(_family(noise, unit), epsilon, delta, None), keeping).labels
    require(found < MAX_LABELS, "queries", f"more than {MAX_LABELS}", "use the method argmax_renyi")
    while _is_gaussian(noise, unit, found + 1, epsilon, delta):
        found += 1
    return found


def composition_holds(
    noise: Noise,
    unit: ProtectedUnit,
    queries: int,
    epsilon: Fraction,
    delta: Fraction,
    keeping: Keeping = _NOTHING,
) -> bool:
    """Whether it is certified that so many released labels are (epsilon, delta)-DP.

    Args and Raises: as :func:`composition_queries`; with more than 4096 queries it is refused.
    """
    wanted = Wanted(_family(noise, unit), epsilon, delta, None)
    require(1 <= queries <= MAX_LABELS, "queries", queries, f"give 1 to {MAX_LABELS}, or use the method argmax_renyi")
    return _is_gaussian(noise, unit, queries, epsilon, delta) or queries <= _composed(wanted, keeping).labels


def _composed(wanted: Wanted, keeping: Keeping) -> Composed:
    return composed(wanted, keeping.folder, keeping.progress, recheck=keeping.recheck)


def _is_gaussian(noise: Noise, unit: ProtectedUnit, queries: int, epsilon: Fraction, delta: Fraction) -> bool:
    """Whether the whole histograms, released so often, keep the budget: then their labels do."""
    if not isinstance(noise, RoundedGaussian):
        return False
    return gaussian_dp_delta_upper(queries * noise.cost(unit.histogram.squared), epsilon) <= delta


def _family(noise: Noise, unit: ProtectedUnit) -> Family:
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
    return Family(noise, int(shift), unit.relation is Relation.REPLACE_ONE)  # type: ignore[arg-type]
