"""The weights of a layer in the form in which products are fast, and their noise bound."""

from __future__ import annotations

import numpy as np
from tenseal import sealapi

from capc.errors import InputError, ParameterError
from capc.he.context import HeContext
from capc.he.encoding import Tiling, encode_block
from capc.he.serialisation import Words, make_plaintext
from capc.linear import LayerShape, Matrix

FRESH_NOISE = 22
"""Largest noise of a coefficient of an honest request: SEAL's centred binomial of 21 bit pairs, and rounding."""


class PreparedWeights:
    """A layer's weights in NTT form: for each row of blocks, one polynomial per column, None where all are zero."""

    def __init__(self, context: HeContext, tiling: Tiling, blocks: list[list[sealapi.Plaintext | None]]) -> None:
        self.context = context
        self.tiling = tiling
        self.blocks = blocks

    def __repr__(self) -> str:
        return f"PreparedWeights({self.tiling.shape}, <secret>)"


def check_matrix(weights: Matrix) -> LayerShape:
    """The shape of a matrix.

    Raises:
        InputError: it is empty or ragged.
    """
    lengths = {len(row) for row in weights}
    if len(lengths) != 1 or 0 in lengths:
        raise InputError("weights: give at least one row, and rows of one length above 0")
    return LayerShape(inputs=lengths.pop(), outputs=len(weights))


def prepare_weights(context: HeContext, tiling: Tiling, weights: Matrix) -> PreparedWeights:
    """Every block of the weights, reduced modulo 2^l, as a polynomial in NTT form at the level of requests.

    Raises:
        ParameterError: the noise of a product could exceed a quarter of the flooding noise.
    """
    mask = (1 << context.plain_bits) - 1
    reduced = np.array([[weight & mask for weight in row] for row in weights], dtype=np.uint64)
    _check_noise(context, tiling, reduced)
    blocks = [
        [_transformed(context, encode_block(tiling, reduced, row, column)) for column in tiling.columns]
        for row in tiling.rows
    ]
    return PreparedWeights(context, tiling, blocks)


def _transformed(context: HeContext, polynomial: Words) -> sealapi.Plaintext | None:
    if not polynomial.any():
        # SEAL refuses a product with zero, whose c1 is zero: the caller leaves the block out.
        return None
    transformed = sealapi.Plaintext()
    context.evaluator.transform_to_ntt(make_plaintext(context, polynomial), list(context.data_id), transformed)
    return transformed


def _check_noise(context: HeContext, tiling: Tiling, reduced: Words) -> None:
    """Noise and flooding together stay below q / 2^(l+1) with room: see FLOOD_ROOM_BITS."""
    magnitudes = np.minimum(reduced, np.uint64(1 << context.plain_bits) - reduced).astype(object)
    largest = max(int(magnitudes[row].sum()) for row in tiling.rows)
    # An encryption of zero adds at most (1 + N) / 2 of rounding, and little of its own noise over the special prime.
    noise = FRESH_NOISE * largest + 2 * context.degree
    if 4 * noise > 1 << context.flood_bits:
        # The size of the noise would tell the size of the weights.
        raise ParameterError(
            f"he_flood_bits = {context.flood_bits}: too little to drown the noise of products of this layer: "
            "raise it, or use smaller weights"
        )
