"""Section 15: primes, expansions, layouts and positions of the HE layer."""

from __future__ import annotations

import numpy as np

from capc.linear.bfv.context import context_for
from capc.linear.bfv.encoding.polynomials import Encoding
from capc.linear.bfv.encoding.tiling import tile
from capc.linear.bfv.scheme import costs_for, encoding_for
from capc.linear.bfv.wire.seal_format import make_seeded_ciphertext, read_pair
from capc.models.operators import Convolution, Dense, Grid, Operator
from capc.session.widths import ParameterSet
from capc_verify.vectors.text.writing import table

_SETS = ("default", "conservative")
_WORDS = (0, 1, 2, 511, 512, 4095)
SHAPES: tuple[tuple[str, Operator, int], ...] = (
    ("fully connected, 2 to 3", Dense(2, 3), 1),
    ("fully connected, 2 to 3", Dense(2, 3), 2),
    ("fully connected, 784 to 128", Dense(784, 128), 1),
    ("fully connected, 784 to 128", Dense(784, 128), 64),
    ("fully connected, 128 to 10", Dense(128, 10), 16),
    ("1 x 28 x 28, kernel 5 x 5, padding 2, to 16", Convolution(Grid(1, 28, 28, (5, 5), padding=(2, 2)), 16), 1),
    ("3 x 32 x 32, kernel 3 x 3, padding 1, to 32", Convolution(Grid(3, 32, 32, (3, 3), padding=(1, 1)), 32), 4),
    ("8 x 16 x 16, kernel 1 x 1, stride 2, to 8", Convolution(Grid(8, 16, 16, (1, 1), stride=(2, 2)), 8), 1),
    (
        "4 x 20 x 9, kernel 3 x 2, stride 2 x 1, dilation 2, to 6",
        Convolution(Grid(4, 20, 9, (3, 2), stride=(2, 1), dilation=(2, 2)), 6),
        3,
    ),
)
"""What the table of layouts has: name, operator, queries."""


def primes() -> str:
    """The primes of both degrees that published sets have."""
    rows = []
    for name in _SETS:
        context = context_for(ParameterSet.named(name))
        for prime in context.key_primes:
            rows.append((context.degree, prime.bit_length(), prime, (prime.bit_length() + 7) // 8))
    return table("N | bits | prime | bytes of a remainder", rows)


def expansion() -> str:
    """Some coefficients of the polynomial of a seed."""
    context = context_for(ParameterSet.named("default"))
    nothing = np.zeros((len(context.data_primes), context.degree), dtype=np.uint64)
    made = read_pair(make_seeded_ciphertext(context, nothing, bytes(range(64))), *nothing.shape)[1]
    rows = [(number, *(int(row[number]) for row in made)) for number in _WORDS]
    return table("coefficient | modulo p | modulo p_1", rows)


def tilings() -> str:
    """Layouts of some layers."""
    context = context_for(ParameterSet.named("default"))
    rows = []
    for name, operator, count in SHAPES:
        tiling = tile(operator, count, context.degree, costs_for(context))
        layout = tiling.layout
        cut = f"{layout.tile_down} x {layout.tile_right}", layout.block_channels, layout.group_signals
        rows.append((name, count, *cut, layout.block, tiling.block_outputs, layout.requests, tiling.responses))
    heads = "layer | queries | tile | b | g | block | B | ciphertexts of a request | of a response"
    return table(heads, rows)


def encoding() -> str:
    """Where two queries of two features, and the weights of three outputs, lie."""
    made: Encoding = encoding_for(context_for(ParameterSet.named("default")), Dense(2, 3), 2)
    layout = made.tiling.layout
    weights = np.array([[11, 12], [21, 22], [31, 32]], dtype=np.uint64)
    (row,) = made.tiling.rows
    (polynomial,) = made.encode_weights(weights, row)
    rows = [
        (f"{name}_{channel}, of query {query}", query * layout.signal_pitch + channel * layout.area)
        for query, name in enumerate("xy")
        for channel in range(2)
    ]
    places = sorted((int(polynomial[at]), at) for at in np.flatnonzero(polynomial).tolist())
    rows += [(f"w_{value // 10 - 1},{value % 10 - 1}", at) for value, at in places]
    (response,) = made.responses
    carried = zip(response.positions.tolist(), response.outputs.tolist(), strict=True)
    rows += [(f"output {output % 3} of query {output // 3}", position) for position, output in carried]
    return table("what | coefficient", rows)
