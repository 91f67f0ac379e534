"""Figures for counts that were fixed in advance, by each method, with their hypotheses.

Spec: CAPC-ACCT-004, CAPC-ACCT-102 to CAPC-ACCT-108.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from fractions import Fraction

from capc.foundation.errors import InputError
from capc.noise.mechanism import CostUnit, DiscreteGaussian, RoundedGaussian, Skellam
from capc.noise.shares import DiscreteGaussianShare, SharedNoise
from capc.privacy.accountants.argmax.noise_table import Noise as LabelNoise
from capc.privacy.accountants.ball_arithmetic import require
from capc.privacy.accountants.conversion import check_delta, epsilon_upper, improved_conversion
from capc.privacy.accountants.gdp import composed_mu_squared
from capc.privacy.accountants.pld import pld_epsilon
from capc.privacy.accountants.rdp import Conversion, classic_conversion, rdp_epsilon
from capc.privacy.accountants.steps import JointStep, Noise, Steps
from capc.privacy.accountants.unit import ProtectedUnit, Relation
from capc.privacy.accountants.zcdp import zcdp_rho
from capc.privacy.figures.statement import (
    COMPUTATIONAL_TERMS,
    METHODS_OF_UNITS,
    ONE_VOTE,
    ONLY_LABELS,
    ROUNDED_UP,
    VOTES_OF_OTHERS,
    PrivacyStatement,
    towards_whom,
)


class Method(StrEnum):
    """How a figure is computed."""

    GAUSSIAN_DP = "gaussian_dp"
    LOSS_DISTRIBUTION = "loss_distribution"
    ZCDP = "zcdp"
    RENYI_IMPROVED = "renyi_improved"
    RENYI_CLASSIC = "renyi_classic"
    ARGMAX_RENYI = "argmax_renyi"
    """Of labels (:mod:`capc.privacy.figures.labels`), where the others are of whatever has noise."""
    ARGMAX_COMPOSITION = "argmax_composition"
    """Likewise (:mod:`capc.privacy.figures.composed_labels`): of so many labels together."""


OF_LABELS = (Method.ARGMAX_RENYI, Method.ARGMAX_COMPOSITION)
TIGHTEST_FIRST = (
    Method.GAUSSIAN_DP,
    Method.LOSS_DISTRIBUTION,
    Method.ZCDP,
    Method.RENYI_IMPROVED,
    Method.RENYI_CLASSIC,
)
"""Where a method carries the noise at all, it is at least as tight as those after it, up to the grid of orders. These
are of noised counts, whatever is made of them."""

FIXED_COUNTS = "the counts were fixed in advance, or a valid filter enforced this budget"
PLANNED_COUNTS = (
    "the counts were fixed in advance, or are caps fixed in advance and enforced, each query charged in full; what is "
    "asked and when it stops may follow earlier outputs, but no filter may stop on this curve"
)


def statement_for(steps: Steps, unit: ProtectedUnit, delta: Fraction, method: Method) -> PrivacyStatement:
    """The figure of these steps.

    Args:
        steps: what is done, as counts fixed in advance.
        unit: whom the figure protects; the steps were made for the same one.
        delta: from 2^-512 to below 1.
        method: one that carries the noise of every step, and is of noised counts.

    Returns:
        A statement that is not labelled a guarantee: whether the counts were fixed in advance is the caller's to know.

    Raises:
        InputError: delta is out of range, or the method does not carry a step's noise.
    """
    check_delta(delta)
    require(method in _COMPUTE, "method", method.value, "it is of labels, not of noised counts")
    epsilon, how = _COMPUTE[method](steps, delta)
    return planned_statement(_noises(steps), unit, delta, (epsilon, method, how), _is_joint(steps))


def planned_statement(
    noises: Sequence[Noise],
    unit: ProtectedUnit,
    delta: Fraction,
    found: tuple[Fraction, Method, str],
    joint: bool = False,
    also: Sequence[str] = (),
) -> PrivacyStatement:
    """A figure with what it needs to be read correctly.

    Args:
        noises: of all that is done.
        unit: whom the figure protects.
        delta: of the figure.
        found: epsilon, the method, and how the figure was computed.
        joint: whether check and answer are charged jointly.
        also: further hypotheses.
    """
    epsilon, method, how = found
    return PrivacyStatement(
        epsilon=epsilon,
        delta=delta,
        adjacency=unit.relation,
        method=how,
        mechanism=" and ".join(sorted({noise_name(noise) for noise in noises})) or "no",
        guarantee=False,
        hypotheses=(*_hypotheses(noises, unit, method, joint), *also),
        rounding=ROUNDED_UP,
    )


def planned_labels(
    noise: Noise,
    unit: ProtectedUnit,
    delta: Fraction,
    epsilons: tuple[Fraction, Fraction],
    method: Method,
    how: str,
) -> PrivacyStatement:
    """A figure of labels.

    Args:
        noise: on each class.
        unit: whom the figure protects.
        delta: of the figure.
        epsilons: towards a semi-honest querying party, and at least that towards one that adds to its shares.
        method: of :data:`OF_LABELS`.
        how: the figure was computed.
    """
    own, cheated = epsilons[0], max(epsilons)
    also = (ONLY_LABELS, VOTES_OF_OTHERS, towards_whom(own, cheated))
    return replace(planned_statement([noise], unit, delta, (own, method, how), also=also), cheated=cheated)


def one_drawer(noise: Noise, unit: ProtectedUnit, method: Method) -> LabelNoise:
    """The noise, where a label's cost under it is known.

    Raises:
        InputError: it is of several drawers, or several parties hold a record.
    """
    require(
        len(unit.weights) == 1,
        "weights",
        ", ".join(map(str, unit.weights)),
        f"{method.value} is for a record that one party holds: choose gaussian_dp",
    )
    if isinstance(noise, SharedNoise):
        raise InputError(f"noise from {noise.contributors} shares: {method.value} is for the noise of one drawer")
    return noise


def noise_name(noise: Noise) -> str:
    """A name for people, with how many shares count."""
    if not isinstance(noise, SharedNoise):
        return noise.name.value
    law = "discrete_gaussian" if isinstance(noise.share, DiscreteGaussianShare) else "skellam"
    return f"{law} from {noise.counted} of {noise.contributors} shares"


def _composed(unit: CostUnit, cost: Callable[[Steps], Fraction]) -> Callable[[Steps, Fraction], tuple[Fraction, str]]:
    return lambda steps, delta: (epsilon_upper(unit, cost(steps), delta), METHODS_OF_UNITS[unit])


def _loss(steps: Steps, delta: Fraction) -> tuple[Fraction, str]:
    return pld_epsilon(steps, delta), "exact privacy-loss distribution of the discrete Gaussian on its lattice"


def _renyi(conversion: Conversion, name: str) -> Callable[[Steps, Fraction], tuple[Fraction, str]]:
    def compute(steps: Steps, delta: Fraction) -> tuple[Fraction, str]:
        found = rdp_epsilon(steps, delta, conversion)
        if found.by_distance:
            told = f"delta covers the total variation distance (Pinsker's inequality at order {float(found.order):g})"
            return found.epsilon, f"Renyi DP, {told}"
        edge = ", the edge of the grid of orders: a wider grid may give less" if found.at_edge else ""
        return found.epsilon, f"Renyi DP, {name} conversion at order {float(found.order):g}{edge}"

    return compute


_COMPUTE: dict[Method, Callable[[Steps, Fraction], tuple[Fraction, str]]] = {
    Method.GAUSSIAN_DP: _composed(CostUnit.MU_SQUARED, composed_mu_squared),
    Method.LOSS_DISTRIBUTION: _loss,
    Method.ZCDP: _composed(CostUnit.RHO, zcdp_rho),
    Method.RENYI_IMPROVED: _renyi(improved_conversion, "improved (Canonne, Kamath and Steinke 2020)"),
    Method.RENYI_CLASSIC: _renyi(classic_conversion, "classic (Mironov 2017)"),
}


def _noises(steps: Steps) -> list[Noise]:
    return [
        part.noise for step in steps for part in ((step.check, step.answer) if isinstance(step, JointStep) else (step,))
    ]


def _is_joint(steps: Steps) -> bool:
    return any(isinstance(step, JointStep) for step in steps)


def _hypotheses(noises: Sequence[Noise], unit: ProtectedUnit, method: Method, joint: bool) -> list[str]:
    shared = any(isinstance(noise, SharedNoise) for noise in noises)
    decides = f"decides {len(unit.weights)} votes of total weight {unit.influence} in each query"
    stated = {
        PLANNED_COUNTS: method is Method.LOSS_DISTRIBUTION,
        FIXED_COUNTS: method is not Method.LOSS_DISTRIBUTION,
        ONE_VOTE: unit.single,
        f"a protected unit {decides}": not unit.single,
        "add/remove is for comparison only: participants are visible, so the protocol does not claim it": (
            unit.relation is Relation.ADD_REMOVE
        ),
        "noise is exactly Gaussian before it is rounded to the grid, and votes are on the grid": any(
            isinstance(noise, RoundedGaussian) for noise in noises
        ),
        "noise follows its exact integer law, and votes are on the grid": any(
            isinstance(noise, DiscreteGaussian | Skellam | SharedNoise) for noise in noises
        ),
        "every counted share was added and its owner does not collude with whoever sees the output": shared,
        "whoever drew the noise does not collude with the querying party": not shared,
        "check and answer are charged jointly, always, whether a label was released or not": joint,
        "what follows the noise is a function of the noised votes, wrap-around too": method not in OF_LABELS,
        COMPUTATIONAL_TERMS: True,
    }
    return [hypothesis for hypothesis, applies in stated.items() if applies]


def applicable(steps: Steps, unit: ProtectedUnit, delta: Fraction) -> dict[Method, PrivacyStatement | str]:
    """Every method's statement, or why it does not carry these steps."""
    found: dict[Method, PrivacyStatement | str] = {}
    for method in TIGHTEST_FIRST:
        try:
            found[method] = statement_for(steps, unit, delta, method)
        except InputError as error:
            found[method] = str(error)
    return found
