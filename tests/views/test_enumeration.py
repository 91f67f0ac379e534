"""The enumeration itself: all outcomes, once each, with their exact weights."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource, Seed
from capc_verify.views.enumeration import Choices, Draw, Tape
from capc_verify.views.law import Law, conditional, distance, image, worst_conditional_distance

KEY = Seed(bytes(32))


def law_of(play: Callable[[Callable[[bytes], RandomSource]], object], fixed: dict[bytes, int] | None = None) -> Law:
    """The law of ``play``, which is given a function from labels to streams."""

    def fix(draw: Draw) -> int | None:
        return (fixed or {}).get(draw.label)

    tape = Tape(fix)
    return tape.law(lambda: play(lambda label: tape.expand(KEY, label)))


@given(st.lists(st.integers(1, 4), max_size=4))
def test_every_combination_of_draws_has_its_weight(bounds: list[int]) -> None:
    law = law_of(lambda stream: tuple(stream(bytes([i])).below(bound) for i, bound in enumerate(bounds)))
    combinations = list(product(*map(range, bounds)))
    assert law == dict.fromkeys(combinations, Fraction(1, len(combinations)))


def test_draws_that_depend_on_draws_have_unequal_weights() -> None:
    def play(stream: Callable[[bytes], RandomSource]) -> object:
        source = stream(b"a")
        return (1, source.bits(2)) if source.bits(1) else (0, 0)

    assert law_of(play) == {(0, 0): Fraction(1, 2), **{(1, v): Fraction(1, 8) for v in range(4)}}


def test_one_stream_gives_both_ends_the_same_values_and_other_streams_are_independent() -> None:
    law = law_of(lambda stream: (stream(b"pair").bits(2), stream(b"pair").bits(2), stream(b"other").bits(1)))
    assert set(law) == {(v, v, other) for v in range(4) for other in range(2)}


def test_a_fixed_draw_is_a_condition() -> None:
    assert law_of(lambda stream: stream(b"a").bits(2) + stream(b"b").bits(1), {b"a": 6}) == {
        2: Fraction(1, 2),
        3: Fraction(1, 2),
    }


def test_what_cannot_be_enumerated_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be enumerated"):
        law_of(lambda stream: stream(b"a").read(64))
    with pytest.raises(InputError, match="two uses"):
        law_of(lambda stream: (stream(b"a").bits(3), stream(b"a").bits(2)))


def test_a_play_that_depends_on_something_else_is_refused() -> None:
    choices = Choices()
    choices.choose(2)
    choices.choose(2)
    assert choices.advance()
    with pytest.raises(InputError, match="not a replay"):
        choices.choose(3)
    choices = Choices()
    choices.choose(2)
    choices.choose(2)
    choices.advance()
    with pytest.raises(InputError, match="depends on something else"):
        choices.advance()


def test_laws_are_compared_exactly() -> None:
    fair: Law = {0: Fraction(1, 2), 1: Fraction(1, 2)}
    bent: Law = {0: Fraction(1, 2) + Fraction(1, 1 << 80), 1: Fraction(1, 2) - Fraction(1, 1 << 80)}
    assert distance(fair, fair) == 0
    assert distance(fair, bent) == Fraction(1, 1 << 80)
    assert distance(fair, {2: Fraction(1)}) == 1
    assert image(fair, lambda _: "x") == {"x": Fraction(1)}
    assert conditional(fair, lambda outcome: outcome) == {0: {0: Fraction(1)}, 1: {1: Fraction(1)}}
    with pytest.raises(ValueError, match="empty"):
        worst_conditional_distance(fair, {2: Fraction(1)}, lambda outcome: outcome)
