"""Arithmetic in Z_{2^k} against Python's own modulo, and exhaustively at small widths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation import ring
from capc.foundation.randomness import BytesSource

WIDTHS = st.integers(1, 64)
INTEGERS = st.integers(-(1 << 80), 1 << 80)


@pytest.mark.req("CAPC-PARAM-020")
@given(st.lists(st.tuples(INTEGERS, INTEGERS), max_size=5), INTEGERS, WIDTHS)
def test_arithmetic_wraps_like_modulo(pairs: list[tuple[int, int]], factor: int, width: int) -> None:
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    assert ring.add(left, right, width) == [(a + b) % 2**width for a, b in pairs]
    assert ring.subtract(left, right, width) == [(a - b) % 2**width for a, b in pairs]
    assert ring.scale(left, factor, width) == [a * factor % 2**width for a in left]
    assert [ring.reduce(a, width) for a in left] == [a % 2**width for a in left]


@pytest.mark.parametrize("width", range(1, 9))
def test_signed_reading_is_twos_complement_for_every_element(width: int) -> None:
    half = 1 << (width - 1)
    readings = [ring.signed(element, width) for element in range(1 << width)]
    assert readings == [*range(half), *range(-half, 0)]


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_signed_reading_of_64_bits_is_that_of_the_machine(value: int) -> None:
    element = ring.reduce(value, 64)
    assert ring.signed(element, 64) == int(np.uint64(element).astype(np.int64)) == value


def test_a_shift_by_38_does_not_lose_bits() -> None:
    """The authors' code computed 1 << 38 in 32 bits; the logit ring is wider than a machine word there."""
    assert ring.reduce(-1, 38) == 274877906943
    assert ring.reduce(1 << 38, 39) == 274877906944


@pytest.mark.parametrize("operation", [ring.add, ring.subtract])
def test_other_lengths_are_not_cut_off(operation: object) -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        operation([1, 2], [3], 8)


@given(st.binary(min_size=15, max_size=15))
def test_uniform_elements_take_whole_bytes_in_order(data: bytes) -> None:
    source = BytesSource(data)
    elements = ring.uniform(source, 5, 17)
    assert elements == [int.from_bytes(data[i : i + 3], "little") % (1 << 17) for i in range(0, 15, 3)]
    assert source.consumed == 15
