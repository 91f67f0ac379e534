"""The coefficient encoding, against schoolbook multiplication modulo X^N + 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.he.encoding import encode_block, encode_vector, tile
from capc.he.packing import pack, packed_length, unpack
from capc.linear import LayerShape

DEGREE = 16
small_shapes = st.builds(LayerShape, st.integers(1, 40), st.integers(1, 40))


def _negacyclic(left: Sequence[int], right: Sequence[int]) -> list[int]:
    product = [0] * DEGREE
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            sign = -1 if i + j >= DEGREE else 1
            product[(i + j) % DEGREE] += sign * int(a) * int(b)
    return product


@given(shape=small_shapes, request_bytes=st.integers(1, 9), response_bytes=st.integers(1, 9), data=st.data())
def test_products_of_blocks_carry_the_product_of_the_matrix(
    shape: LayerShape, request_bytes: int, response_bytes: int, data: st.DataObject
) -> None:
    tiling = tile(shape, DEGREE, request_bytes, response_bytes)
    value = st.integers(0, 255)
    vector = np.array(data.draw(st.lists(value, min_size=shape.inputs, max_size=shape.inputs)), dtype=np.uint64)
    seed = data.draw(st.integers(1, 1 << 30))
    weights = np.array(
        [[(seed * (41 * o + 7 * j + 1)) % 251 for j in range(shape.inputs)] for o in range(shape.outputs)],
        dtype=np.uint64,
    )
    polynomials = encode_vector(tiling, vector)
    result = []
    for row in tiling.rows:
        total = [0] * DEGREE
        for column, polynomial in zip(tiling.columns, polynomials, strict=True):
            block = encode_block(tiling, weights, row, column)
            total = [a + b for a, b in zip(total, _negacyclic(polynomial, block), strict=True)]
        result += [total[position] for position in tiling.positions(row)]
    expected = [sum(int(w) * int(x) for w, x in zip(row, vector, strict=True)) for row in weights]
    assert result == expected


@given(shape=small_shapes, request_bytes=st.integers(1, 99), response_bytes=st.integers(1, 99))
def test_no_tiling_has_fewer_bytes(shape: LayerShape, request_bytes: int, response_bytes: int) -> None:
    tiling = tile(shape, DEGREE, request_bytes, response_bytes)
    assert 1 <= tiling.block_inputs * tiling.block_outputs <= DEGREE
    chosen = len(tiling.columns) * request_bytes + len(tiling.rows) * response_bytes
    for block_inputs in range(1, DEGREE + 1):
        columns = -(-shape.inputs // block_inputs)
        rows = -(-shape.outputs // (DEGREE // block_inputs))
        assert chosen <= columns * request_bytes + rows * response_bytes


PRIMES = (281474976694273, 1099510890497, 114689, 65537, (1 << 60) - 93)


@pytest.mark.req("CAPC-HE-005")
@given(st.lists(st.tuples(*(st.integers(0, prime - 1) for prime in PRIMES)), min_size=1, max_size=9))
def test_packing_round_trips_little_endian(columns: list[tuple[int, ...]]) -> None:
    words = np.array(columns, dtype=np.uint64).T
    packed = pack(words, PRIMES)
    expected = b""
    for prime, row in zip(PRIMES, zip(*columns, strict=True), strict=True):
        expected += b"".join(value.to_bytes((prime.bit_length() + 7) // 8, "little") for value in row)
    assert packed == expected
    assert len(packed) == packed_length(PRIMES, len(columns))
    assert (unpack(packed, PRIMES, len(columns), "words") == words).all()
