"""Multi-label votes against plain definitions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.errors import InputError
from capc.multi_label import binary_vote, clip_ballot, powerset_vote, tau_vote


@st.composite
def votes(draw: st.DrawFn) -> tuple[list[list[int]], int, int]:
    labels, parties, grid = draw(st.integers(1, 4)), draw(st.integers(1, 6)), draw(st.integers(0, 4))
    bits = st.lists(st.integers(0, 1), min_size=labels, max_size=labels)
    return draw(st.lists(bits, min_size=parties, max_size=parties)), labels, grid


@given(case=votes(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_binary_voting_compares_yes_and_no_of_each_label(
    case: tuple[list[list[int]], int, int], data: st.DataObject
) -> None:
    ballots, labels, grid = case
    draws = st.integers(-40, 40)
    noise = data.draw(st.lists(st.tuples(draws, draws), min_size=labels, max_size=labels))
    found = binary_vote(ballots, noise, grid)
    for label, (no, yes) in enumerate(noise):
        ayes = sum(ballot[label] for ballot in ballots) * 2**grid + yes
        noes = sum(1 - ballot[label] for ballot in ballots) * 2**grid + no
        assert found[label] == (1 if ayes > noes else 0)


@given(case=votes(), tau_squared=st.fractions(min_value=Fraction(1, 4), max_value=6, max_denominator=8))
@settings(max_examples=60, deadline=None)
def test_shortened_ballots_have_length_at_most_tau(
    case: tuple[list[list[int]], int, int], tau_squared: Fraction
) -> None:
    ballots, _, grid = case
    for ballot in ballots:
        clipped = clip_ballot(ballot, tau_squared, grid)
        assert sum(entry**2 for entry in clipped) <= tau_squared * 4**grid
        assert all(0 <= entry <= bit << grid for entry, bit in zip(clipped, ballot, strict=True))
        if sum(ballot) <= tau_squared:
            assert clipped == [bit << grid for bit in ballot]


@given(case=votes(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_powerset_voting_is_the_first_largest_noisy_count(
    case: tuple[list[list[int]], int, int], data: st.DataObject
) -> None:
    ballots, labels, grid = case
    noise = data.draw(st.lists(st.integers(-20, 20), min_size=1 << labels, max_size=1 << labels))
    names = [sum(bit << j for j, bit in enumerate(ballot)) for ballot in ballots]
    noisy = [names.count(name) * 2**grid + draw for name, draw in enumerate(noise)]
    winner = noisy.index(max(noisy))
    assert powerset_vote(ballots, noise, grid) == tuple(winner >> j & 1 for j in range(labels))


def test_named_edges() -> None:
    """Ties, one party, everybody alike, and exactly half."""
    assert binary_vote([[1], [0]], [(0, 0)], 4) == (0,)
    assert binary_vote([[1, 0]], [(0, 0), (0, 0)], 4) == (1, 0)
    assert tau_vote([[1, 1], [0, 1]], [0, 0], Fraction(2), 4) == (0, 1)
    assert tau_vote([[1], [0]], [1], Fraction(1), 4) == (1,)
    assert powerset_vote([[1, 0], [0, 1]], [0, 0, 0, 0], 0) == (1, 0)
    assert powerset_vote([[1, 1]] * 3, [0] * 4, 2) == (1, 1)


def test_what_cannot_be_counted_is_refused() -> None:
    calls: list[Any] = [
        lambda: binary_vote([], [(0, 0)], 0),
        lambda: binary_vote([[1, 0]], [(0, 0)], 0),
        lambda: binary_vote([[2]], [(0, 0)], 0),
        lambda: tau_vote([[1]], [0], Fraction(0), 0),
        lambda: powerset_vote([[1]], [0], 0),
        lambda: powerset_vote([[0] * 17], [0], 0),
        lambda: powerset_vote([], [0], 0),
    ]
    for call in calls:
        with pytest.raises(InputError):
            call()
