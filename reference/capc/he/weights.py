"""The weights of a layer in the form in which products are fast, and their noise bound."""

from __future__ import annotations

import numpy as np
from tenseal import sealapi

from capc.errors import ParameterError
from capc.he.context import HeContext
from capc.he.encoding import Encoding
from capc.he.serialisation import Words, make_plaintext
from capc.operators import Matrix, Operator

FRESH_NOISE = 22
"""Largest noise of a coefficient of an honest request: SEAL's centred binomial of 21 bit pairs, and rounding."""


class PreparedWeights:
    """A layer's weights. Secret. A polynomial in NTT form takes 8 N bytes for each prime of q.

    Attributes:
        context: the parameters.
        operator: the layer.
        encoding: its polynomials.
        words: (rows, columns) of the operator, reduced modulo 2^l.
        blocks: for each row of blocks, one polynomial in NTT form per column, None where all weights are zero.
    """

    def __init__(
        self,
        context: HeContext,
        operator: Operator,
        encoding: Encoding,
        words: Words,
        blocks: list[list[sealapi.Plaintext | None]],
    ) -> None:
        self.context = context
        self.operator = operator
        self.encoding = encoding
        self.words = words
        self.blocks = blocks

    def magnitudes(self, row: int) -> list[list[int]]:
        """Of each output channel in a row of blocks, the magnitudes of the weights as SEAL lifts them. Secret."""
        return _magnitudes(self.context, self.words[self.encoding.tiling.rows[row]])

    def __repr__(self) -> str:
        return f"PreparedWeights({self.operator}, <secret>)"


def prepare_weights(context: HeContext, operator: Operator, encoding: Encoding, weights: Matrix) -> PreparedWeights:
    """Every block of the weights, reduced modulo 2^l, as a polynomial in NTT form at the level of requests.

    Raises:
        ParameterError: the noise of a product could exceed a quarter of the flooding noise.
    """
    mask = (1 << context.plain_bits) - 1
    words = np.array([[weight & mask for weight in row] for row in weights], dtype=np.uint64)
    blocks: list[list[sealapi.Plaintext | None]] = []
    for row in encoding.tiling.rows:
        _check_noise(context, words[row])
        blocks.append([_transformed(context, polynomial) for polynomial in encoding.encode_weights(words, row)])
    return PreparedWeights(context, operator, encoding, words, blocks)


def _transformed(context: HeContext, polynomial: Words) -> sealapi.Plaintext | None:
    if not polynomial.any():
        # SEAL refuses a product with zero, whose c1 is zero: the caller leaves the block out.
        return None
    transformed = sealapi.Plaintext()
    context.evaluator.transform_to_ntt(make_plaintext(context, polynomial), list(context.data_id), transformed)
    return transformed


def _check_noise(context: HeContext, words: Words) -> None:
    """Noise and flooding together stay below q / 2^(l+1) with room: see FLOOD_ROOM_BITS."""
    total = sum(map(sum, _magnitudes(context, words)))
    # An encryption of zero adds at most (1 + N) / 2 of rounding, and little of its own noise over the special prime.
    noise = FRESH_NOISE * total + 2 * context.degree
    if 4 * noise > 1 << context.flood_bits:
        # The size of the noise would tell the size of the weights.
        raise ParameterError(
            f"he_flood_bits = {context.flood_bits}: too little to drown the noise of products of this layer: "
            "raise it, or use smaller weights"
        )


def _magnitudes(context: HeContext, words: Words) -> list[list[int]]:
    magnitudes: list[list[int]] = np.minimum(words, np.uint64(1 << context.plain_bits) - words).tolist()
    return magnitudes
