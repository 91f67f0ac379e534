"""The encoding, against schoolbook multiplication modulo X^N + 1 and against every other cut."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from capc.errors import InputError
from capc.he.axis import axes
from capc.he.encoding import Encoding
from capc.he.packing import pack, packed_length, unpack
from capc.he.tiling import tile
from capc.operators import Convolution, Dense, Grid, Operator, apply
from he.strategies import convolutions

DEGREE = 32
dense_layers = st.builds(Dense, st.integers(1, 80), st.integers(1, 80))


def _negacyclic(left: Sequence[int], right: Sequence[int]) -> list[int]:
    result = [0] * DEGREE
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            if a and b:
                sign = -1 if i + j >= DEGREE else 1
                result[(i + j) % DEGREE] += sign * int(a) * int(b)
    return result


def _through_polynomials(encoding: Encoding, weights: np.ndarray, values: np.ndarray) -> list[int | None]:
    tiling = encoding.tiling
    inputs, columns = encoding.encode_input(values), len(tiling.columns)
    assert len(inputs) == tiling.requests
    assert len(encoding.responses) == tiling.responses
    blocks = [encoding.encode_weights(weights, row) for row in tiling.rows]
    results: list[int | None] = [None] * tiling.convolution.outputs
    for response in encoding.responses:
        total = [0] * DEGREE
        of_tile = inputs[response.tile * columns : (response.tile + 1) * columns]
        for polynomial, block in zip(of_tile, blocks[response.row], strict=True):
            total = [a + b for a, b in zip(total, _negacyclic(polynomial, block), strict=True)]
        # Two outputs in one place would share a mask.
        assert len(set(response.positions.tolist())) == response.positions.size
        for position, output in zip(response.positions.tolist(), response.outputs.tolist(), strict=True):
            assert results[output] is None
            results[output] = total[position]
    return results


@settings(max_examples=300, deadline=None)
@given(
    operator=st.one_of(dense_layers, convolutions(8, 4)),
    request_bytes=st.integers(1, 9),
    response_bytes=st.integers(1, 9),
    seed=st.integers(0, 1 << 30),
)
def test_products_of_blocks_carry_every_output_once(
    operator: Operator, request_bytes: int, response_bytes: int, seed: int
) -> None:
    try:
        tiling = tile(operator, DEGREE, request_bytes, response_bytes)
    except InputError:
        assume(False)
    values = [(seed * (j + 3) + j * j) % 251 for j in range(operator.inputs)]
    weights = tuple(
        tuple((seed * (41 * o + 7 * j + 1)) % 241 for j in range(operator.columns)) for o in range(operator.rows)
    )
    words = np.array(weights, dtype=np.uint64), np.array(values, dtype=np.uint64)
    assert _through_polynomials(Encoding(tiling), *words) == apply(operator, weights, values)


@given(shape=dense_layers, request_bytes=st.integers(1, 99), response_bytes=st.integers(1, 99))
def test_no_cut_of_a_fully_connected_layer_has_fewer_bytes(
    shape: Dense, request_bytes: int, response_bytes: int
) -> None:
    tiling = tile(shape, DEGREE, request_bytes, response_bytes)
    chosen = tiling.requests * request_bytes + tiling.responses * response_bytes
    for block_inputs in range(1, DEGREE + 1):
        columns = -(-shape.inputs // block_inputs)
        rows = -(-shape.outputs // (DEGREE // block_inputs))
        assert chosen <= columns * request_bytes + rows * response_bytes


@given(
    channels=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    sizes=st.tuples(st.integers(1, 99), st.integers(1, 99)),
)
def test_no_cut_of_a_convolution_without_padding_has_fewer_bytes(
    channels: tuple[int, int], size: tuple[int, int], kernel: tuple[int, int], sizes: tuple[int, int]
) -> None:
    assume(size[0] >= kernel[0] and size[1] >= kernel[1])
    grid = Grid(channels[0], *size, kernel)
    tiling = tile(Convolution(grid, channels[1]), DEGREE, *sizes)
    chosen = tiling.requests * sizes[0] + tiling.responses * sizes[1]
    cuts = product(range(1, grid.out_height + 1), range(1, grid.out_width + 1), range(1, channels[0] + 1))
    for down, right, block in cuts:
        outputs = DEGREE // (block * (down + kernel[0] - 1) * (right + kernel[1] - 1))
        if outputs:
            tiles = -(-grid.out_height // down) * -(-grid.out_width // right)
            requests, responses = tiles * -(-channels[0] // block), tiles * -(-channels[1] // outputs)
            assert chosen <= requests * sizes[0] + responses * sizes[1]


@pytest.mark.parametrize(
    ("grid", "area"),
    [
        (Grid(1, 8, 8, (3, 3)), 64),
        # One row and one column of padding serve both neighbours.
        (Grid(1, 8, 8, (3, 3), padding=(1, 1)), 81),
        # A single tap with a stride reads every second value only.
        (Grid(1, 8, 8, (1, 1), stride=(2, 2)), 16),
        (Grid(1, 11, 11, (3, 3), stride=(2, 2), dilation=(4, 4)), 36),
        (Grid(1, 8, 8, (8, 8), dilation=(1, 1)), 64),
        (Grid(1, 9, 9, (2, 2), dilation=(8, 8)), 4),
    ],
)
def test_only_what_windows_read_is_encoded_and_padding_is_shared(grid: Grid, area: int) -> None:
    assert tile(Convolution(grid, 1), 128, 1, 1).area == area


def test_padding_is_shared_by_less_than_a_window_and_only_when_one_tile_spans_the_image() -> None:
    down, right = axes(Grid(1, 1, 6, (3, 3), padding=(5, 1)))
    # 11 positions with 5 zeros at either end, of which a window of 3 allows to share 2.
    assert down.pitch(9) == 9
    # The first tile of 5 outputs ends in a zero, but the next one begins with the image.
    assert down.pitch(5) == 7
    assert right.pitch(6) == 7


def test_a_window_larger_than_a_polynomial_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r"spans 6 x 6 values.*32: use a smaller kernel"):
        tile(Convolution(Grid(1, 6, 6, (6, 6)), 1), DEGREE, 1, 1)


def test_an_image_larger_than_a_polynomial_is_cut_into_tiles() -> None:
    tiling = tile(Convolution(Grid(1, 20, 20, (3, 3), padding=(1, 1)), 1), DEGREE, 1, 1)
    assert len(tiling.tiles) > 1
    outputs = np.concatenate([response.outputs for response in Encoding(tiling).responses])
    assert sorted(outputs.tolist()) == list(range(400))


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
