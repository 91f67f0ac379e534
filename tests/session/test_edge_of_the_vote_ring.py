"""Votes and noise that fill half of the ring exactly are refused, and one grid unit less is admitted."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import ParameterError
from capc.session.parameters import Parameters
from support.builders import make_parameters, make_policy, make_widths


def with_noise_bound(wanted: int, vote_bits: int, grid_bits: int) -> Parameters:
    """Parameters whose noise has exactly this bound, which grows by less than 1 with a small step of sigma."""
    low, high = Fraction(1, 1 << 40), Fraction(1 << vote_bits)
    while True:
        sigma = (low + high) / 2
        parameters = make_parameters(make_widths(vote_bits=vote_bits, grid_bits=grid_bits), make_policy(sigma))
        found = parameters.noise_bound(sigma)
        if found == wanted:
            return parameters
        low, high = (sigma, high) if found < wanted else (low, sigma)


@pytest.mark.req("CAPC-PARAM-031")
@settings(max_examples=8)
@given(st.integers(8, 24), st.integers(0, 3), st.integers(1, 12))
def test_half_of_the_ring_is_refused_and_one_unit_less_admitted(vote_bits: int, grid_bits: int, count: int) -> None:
    half, votes = 1 << vote_bits - 1, count << grid_bits
    with_noise_bound(half - votes - 1, vote_bits, grid_bits).check_vote_range(count)
    with pytest.raises(ParameterError, match=rf"^vote_bits = {vote_bits}: .* need at least {vote_bits + 1}: "):
        with_noise_bound(half - votes, vote_bits, grid_bits).check_vote_range(count)
