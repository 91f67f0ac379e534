"""The noise bound of every policy is the table's, in whole numbers, and decides which rings are admitted."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor, isqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import ParameterError
from capc.session.parameters import Charge, NoiseName, ReleasePolicy
from support.builders import confident_policy, make_parameters, make_policy, make_widths, single_draw_policy

COUNTS = {
    "plain": make_policy(),
    "single draw": single_draw_policy(),
    "check": confident_policy(),
    "realised": confident_policy(Charge.REALISED),
}
LABELS = {
    "labels at an order": replace(make_policy(), renyi_order=Fraction(4), argmax_cost=Fraction(1, 9)),
    "labels that are counted": replace(single_draw_policy(), argmax_queries=7),
}
DRAWS = {"check": 1, "realised": 2}
"""n: how many draws a check has of its own."""


def root(square: Fraction) -> int:
    """The smallest whole number that is no less than the square root."""
    least = isqrt(floor(square))
    return least if least * least >= square else least + 1


def told_bound(kind: str, policy: ReleasePolicy, classes: int, deviation: Fraction) -> int:
    """t(s) of a deviation in grid units."""
    kappa = 40
    if kind in LABELS:
        kappa = max(kappa, 53 + ceil(14427 * policy.epsilon / 10000) + len(f"{ceil(1 / policy.delta):b}"))
    e = (kappa + len(f"{4 * classes * (1 + DRAWS.get(kind, 0)):b}")) * Fraction(6932, 10000)
    square = 2 * deviation**2 * e
    return root(square + (e / 3) ** 2) + ceil(e / 3) if policy.mechanism is NoiseName.SKELLAM else 1 + root(square)


def deviations() -> st.SearchStrategy[Fraction]:
    return st.fractions(Fraction(1, 10), Fraction(100), max_denominator=20)


@pytest.mark.req("CAPC-PARAM-031", "CAPC-PARAM-032")
@pytest.mark.parametrize("kind", [*COUNTS, *LABELS])
@settings(max_examples=10)
@given(
    mechanism=st.sampled_from(NoiseName),
    sigmas=st.tuples(deviations(), deviations()),
    classes=st.integers(2, 1024),
    grid_bits=st.integers(0, 8),
    epsilon=st.fractions(Fraction(1, 10), Fraction(40), max_denominator=10),
    delta=st.fractions(Fraction(1, 10**12), Fraction(1, 2)),
)
def test_a_ring_is_admitted_if_votes_and_the_noise_bound_of_the_table_stay_below_its_half(
    kind: str,
    mechanism: NoiseName,
    sigmas: tuple[Fraction, Fraction],
    classes: int,
    grid_bits: int,
    epsilon: Fraction,
    delta: Fraction,
) -> None:
    checked = sigmas[1] if kind in DRAWS else None
    policy = replace(
        (COUNTS | LABELS)[kind],
        mechanism=mechanism,
        sigma=sigmas[0],
        threshold_sigma=checked,
        epsilon=epsilon,
        delta=delta,
        renyi_order=None if kind == "labels that are counted" else Fraction(4),
    )
    unit = 1 << grid_bits
    noise = told_bound(kind, policy, classes, unit * sigmas[0])
    if checked is not None:
        noise = max(noise, DRAWS[kind] * told_bound(kind, policy, classes, unit * checked))
    bits = (5 * unit + noise).bit_length() + 1
    make_parameters(make_widths(vote_bits=bits, grid_bits=grid_bits), policy, classes).check_vote_range(5)
    narrow = make_parameters(make_widths(vote_bits=bits - 1, grid_bits=grid_bits), policy, classes)
    assert narrow.noise_bound(sigmas[0]) == told_bound(kind, policy, classes, unit * sigmas[0])
    with pytest.raises(ParameterError, match=rf"^vote_bits = {bits - 1}: .* at least {bits}: "):
        narrow.check_vote_range(5)
