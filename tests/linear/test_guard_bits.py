"""Guard bits: exact inside of their room, off by one outside, for all shares and for differences of shares."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from capc.foundation import guarded
from linear.support import altered
from linear.test_exactness import LAYERS

Integers = NDArray[np.int64]
WIDTHS = [(3, 1), (4, 2), (1, 3), (2, 4), (3, 3), (3, 5), (5, 4), (2, 8)]
"""l and h, small enough for all shares of all results."""


def _opened(evaluator: Integers, garbler: Integers, l: int, h: int) -> Integers:  # noqa: E741
    """What circuits make of shares, by the words that enter them."""
    words = guarded.evaluator_word(evaluator, h) + guarded.garbler_word(garbler, l, h)
    assert (guarded.evaluator_word(evaluator, h) >> l + 1 == 0).all()
    assert (guarded.garbler_word(garbler, l, h) >> l + 1 == 0).all()
    return (words % (2 << l)) >> 1


@given(st.lists(st.lists(st.integers(0, 2**13 - 1), max_size=4), max_size=3), st.integers(1, 10))
def test_rows_of_words_are_the_words_of_their_shares(rows: list[list[int]], h: int) -> None:
    l = 13 - h  # noqa: E741
    assert guarded.evaluator_words(rows, h) == [[guarded.evaluator_word(share, h) for share in row] for row in rows]
    assert guarded.garbler_words(rows, l, h) == [[guarded.garbler_word(share, l, h) for share in row] for row in rows]


@pytest.mark.req("CAPC-HE-001", "CAPC-HE-017", "CAPC-PARAM-043")
@pytest.mark.parametrize(("l", "h"), WIDTHS)
def test_exact_for_all_shares_exactly_within_the_room(l: int, h: int) -> None:  # noqa: E741
    modulus, room = 1 << l + h, guarded.room(h)
    evaluator = np.arange(modulus)
    # A single guard bit has room for -1 and 0.
    lowest = -1 if h == 1 else -room - 2
    assert room == max(2**h // 4 - 1, 0)
    for error, result in product(range(-(1 << h - 1), (1 << h - 1) + 1), range(1 << l)):
        found = _opened(evaluator, ((result << h) + error - evaluator) % modulus, l, h)
        wrong = (found - result) % (1 << l)
        # One more below than above: the rounding of the garbler's word is to one side.
        if lowest <= error <= room:
            assert not wrong.any()
        elif l > 1:
            assert set(wrong.tolist()) <= {0, 1, (1 << l) - 1}
            assert wrong.any()


@pytest.mark.req("CAPC-HE-017")
@pytest.mark.parametrize("h", [4, 5])
def test_differences_are_exact_for_all_shares_within_half_of_the_room(h: int) -> None:
    l = 2  # noqa: E741
    modulus, half = 1 << l + h, guarded.room(h) // 2
    one, two = (axis.ravel() for axis in np.meshgrid(np.arange(modulus), np.arange(modulus)))
    for errors in product((-half, 0, half), repeat=2):
        for results in product(range(1 << l), repeat=2):
            garblers = [(z << h) + v - share for z, v, share in zip(results, errors, (one, two), strict=True)]
            found = _opened((one - two) % modulus, (garblers[0] - garblers[1]) % modulus, l, h)
            assert (found == (results[0] - results[1]) % (1 << l)).all()


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-001", "CAPC-HE-017")
@pytest.mark.parametrize("name", ["conservative", "default", "test", "toy"])
def test_real_shares_driven_to_both_edges_are_exact_and_off_by_one_outside(name: str) -> None:
    setting, (operator, count, _) = altered(name), LAYERS["64 to 32"]
    widths, modulus = setting.widths, 1 << setting.widths.share_bits
    l, h, room = widths.logit_bits, widths.guard_bits, guarded.room(widths.guard_bits)  # noqa: E741
    weights, vectors = setting.weights(operator, "w", 8), setting.rows(count, operator.inputs, "x")
    expected = np.array([setting.expected(weights, vector) for vector in vectors])
    request = setting.request(operator, vectors)
    garbler, evaluator = map(np.array, setting.shares(operator, weights, request, count))
    errors = (garbler + evaluator - (expected << h) + modulus // 2) % modulus - modulus // 2
    assert abs(errors).max() <= widths.response_error
    for error in (-room - 3, -room - 2, room, room + 1):
        # The answering party's share moved, so that v is the same for every output.
        found = _opened(evaluator, (garbler + error - errors) % modulus, l, h)
        wrong = (found - expected) % (1 << l)
        if -room - 2 <= error <= room:
            assert not wrong.any()
        else:
            # A share in 2^(h-1) shows an error of one beyond the room: of 16384 none does with probability 2^-180.
            assert set(wrong.tolist() if wrong.ndim == 1 else wrong.ravel().tolist()) == {
                0,
                1 if error > 0 else (1 << l) - 1,
            }
