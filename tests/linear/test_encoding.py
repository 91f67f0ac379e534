"""The encoding, against schoolbook multiplication modulo X^N + 1 and against every other cut."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from capc.foundation.errors import InputError
from capc.linear.bfv.encoding.axis import axes
from capc.linear.bfv.encoding.layout import steps
from capc.linear.bfv.encoding.polynomials import Encoding, encode_inputs
from capc.linear.bfv.encoding.tiling import MOST_COEFFICIENTS, Costs, Tiling, cheapest_layout, tile
from capc.linear.bfv.scheme import costs_for
from capc.linear.bfv.wire.packing import pack, packed_length, unpack
from capc.linear.bfv.wire.seal_format import Words
from capc.models.operators import Convolution, Dense, Grid, Operator, apply
from linear.strategies import convolutions
from linear.support import altered
from support.sizes import examples

DEGREE = 32
BYTES = Costs(1, 1, 0)
dense_layers = st.builds(Dense, st.integers(1, 80), st.integers(1, 80))


def _negacyclic(left: Words, right: Words) -> NDArray[np.int64]:
    """The product of small polynomials modulo X^N + 1."""
    product = np.convolve(left.astype(np.int64), right.astype(np.int64))
    result = product[:DEGREE].copy()
    result[: DEGREE - 1] -= product[DEGREE:]
    return result


def _through_polynomials(encoding: Encoding, weights: np.ndarray, values: np.ndarray) -> list[list[int | None]]:
    tiling, layout = encoding.tiling, encoding.tiling.layout
    inputs, columns = list(encode_inputs(layout, values)), len(layout.columns)
    assert len(inputs) == layout.requests
    assert len(encoding.responses) == tiling.responses
    blocks = [list(encoding.encode_weights(weights, row)) for row in tiling.rows]
    results: list[int | None] = [None] * (layout.count * tiling.convolution.outputs)
    for response in encoding.responses:
        total = np.zeros(DEGREE, dtype=np.int64)
        of_group = inputs[response.group * columns : (response.group + 1) * columns]
        for polynomial, block in zip(of_group, blocks[response.row], strict=True):
            total += _negacyclic(polynomial, block)
        # Two outputs in one place would share a mask.
        assert len(set(response.positions.tolist())) == response.positions.size
        for position, output in zip(response.positions.tolist(), response.outputs.tolist(), strict=True):
            assert results[output] is None
            results[output] = int(total[position])
    outputs = tiling.convolution.outputs
    return [results[start : start + outputs] for start in range(0, len(results), outputs)]


@pytest.mark.slow
@settings(max_examples=examples(ordinary=300, nightly=20_000), deadline=None)
@given(
    operator=st.one_of(dense_layers, convolutions(8, 4)),
    count=st.integers(1, 9),
    costs=st.builds(Costs, st.integers(1, 9), st.integers(1, 9), st.integers(0, 3)),
    seed=st.integers(0, 1 << 30),
)
def test_products_of_blocks_carry_every_output_of_every_query_once(
    operator: Operator, count: int, costs: Costs, seed: int
) -> None:
    try:
        tiling = tile(operator, count, DEGREE, costs)
    except InputError:
        assume(False)
    rows = [[(seed * (j + 3) + j * j + 17 * query) % 251 for j in range(operator.inputs)] for query in range(count)]
    weights = tuple(
        tuple((seed * (41 * o + 7 * j + 1)) % 241 for j in range(operator.columns)) for o in range(operator.rows)
    )
    words = np.array(weights, dtype=np.uint64), np.array(rows, dtype=np.uint64)
    assert _through_polynomials(Encoding(tiling), *words) == [apply(operator, weights, row) for row in rows]


def _cost(costs: Costs, groups: int, columns: int, rows: int) -> int:
    return groups * (columns * costs.request + rows * costs.response + columns * rows * costs.product)


any_costs = st.builds(Costs, st.integers(1, 99), st.integers(1, 99), st.integers(0, 9))


@given(inputs=st.integers(1, 80), outputs=st.integers(1, 80), count=st.integers(1, 40), costs=any_costs)
def test_no_cut_of_a_fully_connected_layer_costs_less(inputs: int, outputs: int, count: int, costs: Costs) -> None:
    grid = Grid(inputs, 1, 1, (1, 1))
    layout = cheapest_layout(grid, outputs, count, DEGREE, costs)
    tiling = Tiling(layout, Convolution(grid, outputs))
    chosen = _cost(costs, len(layout.groups), len(layout.columns), len(tiling.rows))
    for block, group in product(range(1, DEGREE + 1), range(1, count + 1)):
        room = DEGREE // group // block
        if room:
            assert chosen <= _cost(costs, -(-count // group), -(-inputs // block), -(-outputs // room))


@given(
    channels=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    count=st.integers(1, 3),
    costs=any_costs,
)
@settings(deadline=None)
def test_no_cut_of_a_convolution_without_padding_costs_less(
    channels: tuple[int, int], size: tuple[int, int], kernel: tuple[int, int], count: int, costs: Costs
) -> None:
    assume(size[0] >= kernel[0] and size[1] >= kernel[1])
    grid = Grid(channels[0], *size, kernel)
    layout = cheapest_layout(grid, channels[1], count, DEGREE, costs)
    tiling = Tiling(layout, Convolution(grid, channels[1]))
    chosen = _cost(costs, len(layout.groups), len(layout.columns), len(tiling.rows))
    for down, right, block in product(
        range(1, grid.out_height + 1), range(1, grid.out_width + 1), range(1, channels[0] + 1)
    ):
        signals = count * -(-grid.out_height // down) * -(-grid.out_width // right)
        for group in range(1, signals + 1):
            room = DEGREE // group // (block * (down + kernel[0] - 1) * (right + kernel[1] - 1))
            if room:
                assert chosen <= _cost(costs, -(-signals // group), -(-channels[0] // block), -(-channels[1] // room))


@pytest.mark.parametrize("degree", [4096, 8192])
@pytest.mark.parametrize("count", [1, 64, 1000])
def test_the_weights_of_a_batch_take_no_more_than_is_allowed(degree: int, count: int) -> None:
    # 784 x 128 weights need 25 blocks of 4096 coefficients for one query, and 64 times as many for 64 in a ciphertext.
    tiling = tile(Dense(784, 128), count, degree, Costs(16 * degree, 6 * degree, degree // 6))
    kept = len(tiling.layout.columns) * len(tiling.rows) * degree
    assert kept <= MOST_COEFFICIENTS
    assert kept * 10 >= MOST_COEFFICIENTS or count == 1


@given(total=st.integers(1, 2000))
def test_even_cuts_have_the_shortest_length_for_every_number_of_pieces(total: int) -> None:
    assert steps(total) == sorted({-(-total // pieces) for pieces in range(1, total + 1)}, reverse=True)


@pytest.mark.req("CAPC-BATCH-003")
@pytest.mark.parametrize("name", ["conservative", "default"])
@pytest.mark.parametrize("count", [1, 16, 64])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Dense(64, 32), Dense(64, 48)),
        (Dense(30, 17), Dense(30, 64)),
        (Dense(784, 100), Dense(784, 128)),
        (Convolution(Grid(1, 28, 28, (5, 5)), 5), Convolution(Grid(1, 28, 28, (5, 5)), 8)),
    ],
)
def test_first_layers_of_several_parties_share_a_layout(name: str, count: int, one: Operator, other: Operator) -> None:
    scheme = altered(name).scheme
    assert scheme.request_layout(one, count) == scheme.request_layout(other, count)
    assert hash(scheme.request_layout(one, count)) == hash(scheme.request_layout(other, count))
    assert scheme.request_layout(one, count) != scheme.request_layout(one, count + 1)


@pytest.mark.parametrize("count", [1, 16, 64])
@pytest.mark.parametrize("inputs", [16, 30, 64, 784, 3072])
def test_a_shared_layout_costs_at_most_the_stated_bytes(inputs: int, count: int) -> None:
    scheme = altered("conservative").scheme
    costs = costs_for(scheme._context)
    request, response = scheme.request_length(Dense(1, 1), 1), scheme.response_length(Dense(1, 1), 1) - 7
    for outputs in (2, 4, 8, 10, 16, 20, 24, 32, 48, 64, 100, 128, 200, 256):
        shared = tile(Dense(inputs, outputs), count, 8192, costs)
        own = Tiling(cheapest_layout(shared.layout.grid, outputs, count, 8192, costs), shared.convolution)
        carried = outputs * count * 7
        sizes = [cut.layout.requests * request + cut.responses * response + carried for cut in (shared, own)]
        assert sizes[0] <= (1.77 if inputs == 3072 else 1.37) * sizes[1]


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
    assert tile(Convolution(grid, 1), 1, 128, BYTES).layout.area == area


def test_padding_is_shared_by_less_than_a_window_and_only_when_one_tile_spans_the_image() -> None:
    down, right = axes(Grid(1, 1, 6, (3, 3), padding=(5, 1)))
    # 11 positions with 5 zeros at either end, of which a window of 3 allows to share 2.
    assert down.pitch(9) == 9
    # The first tile of 5 outputs ends in a zero, but the next one begins with the image.
    assert down.pitch(5) == 7
    assert right.pitch(6) == 7


def test_a_window_larger_than_a_polynomial_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r"spans 6 x 6 values.*32: use a smaller kernel"):
        tile(Convolution(Grid(1, 6, 6, (6, 6)), 1), 1, DEGREE, BYTES)


def test_an_image_larger_than_a_polynomial_is_cut_into_tiles() -> None:
    tiling = tile(Convolution(Grid(1, 20, 20, (3, 3), padding=(1, 1)), 1), 1, DEGREE, BYTES)
    assert len(tiling.layout.tiles) > 1
    outputs = np.concatenate([response.outputs for response in Encoding(tiling).responses])
    assert sorted(outputs.tolist()) == list(range(400))


PRIMES = (281474976694273, 1099510890497, 114689, 65537, (1 << 60) - 93)


@pytest.mark.slow
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
