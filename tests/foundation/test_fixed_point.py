"""Quantisation against exact rationals."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.foundation.fixed_point import quantise

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.req("CAPC-PARAM-040")
@given(st.lists(FINITE, max_size=5), st.integers(0, 30))
@example([1.7976931348623157e308, -5e-324, 0.1], 30)
def test_result_is_the_nearest_integer(values: list[float], fraction_bits: int) -> None:
    quantised = quantise(values, fraction_bits)
    for value, number in zip(values, quantised, strict=True):
        error = abs(Fraction(value) - Fraction(number, 1 << fraction_bits))
        assert error <= Fraction(1, 1 << (fraction_bits + 1))
        assert type(number) is int


@pytest.mark.req("CAPC-PARAM-040")
@given(st.integers(-(1 << 40), 1 << 40), st.integers(0, 10))
def test_halves_go_to_the_even_neighbour(number: int, fraction_bits: int) -> None:
    value = math.ldexp(2 * number + 1, -fraction_bits - 1)
    (quantised,) = quantise([value], fraction_bits)
    assert quantised % 2 == 0
    assert abs(2 * quantised - (2 * number + 1)) == 1


def test_known_values() -> None:
    assert quantise([0.125, 0.375, -0.125, -0.375, 1.0, -1.0, 0.24, -0.26], 2) == [0, 2, 0, -2, 4, -4, 1, -1]


@pytest.mark.req("CAPC-PARAM-041")
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@given(before=st.lists(FINITE, max_size=3), after=st.lists(FINITE, max_size=3))
def test_what_is_not_finite_is_refused_by_position(bad: float, before: list[float], after: list[float]) -> None:
    values = [*before, bad, *after]
    with pytest.raises(
        InputError, match=f"^value {len(before)} of {len(values)} is not a finite number: clean the data"
    ):
        quantise(values, 4)
