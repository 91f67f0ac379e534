"""The weights of a layer, in the form in which products are fast once they are needed, and their noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tenseal import sealapi

from capc.foundation.errors import ParameterError
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.encoding.polynomials import Encoding
from capc.linear.bfv.encoding.tiling import Tiling
from capc.linear.bfv.sampling import ERROR_COINS
from capc.linear.bfv.wire.seal_format import Words, make_plaintext
from capc.models.operators import Matrix, Operator

FRESH_NOISE = ERROR_COINS // 2 + 1
"""Largest noise of a coefficient of an honest request: SEAL's centred binomial of 21 bit pairs, and rounding."""

Blocks = Sequence[sealapi.Plaintext | None]
"""The polynomials of one row of blocks in NTT form, one per column, None where all weights are zero."""


class EncodedWeights:
    """A layer's weights. Secret.

    Polynomials are transformed when a batch first needs their row, and kept until a batch of another size comes: 8 N
    bytes for each row and column of blocks and each prime of q, which
    :data:`capc.linear.bfv.encoding.tiling.MOST_COEFFICIENTS` bounds.

    Args:
        context: the parameters.
        operator: the layer.
        weights: (rows, columns) of the operator, read modulo 2^l.

    Raises:
        ParameterError: the noise of a product could exceed a quarter of the flooding noise.
    """

    def __init__(self, context: HeContext, operator: Operator, weights: Matrix) -> None:
        mask = (1 << context.plain_bits) - 1
        self.context = context
        self.operator = operator
        self.words = np.array([[weight & mask for weight in row] for row in weights], dtype=np.uint64)
        self.sums, self.squares = _magnitudes(context, self.words)
        self._kept: tuple[Tiling | None, dict[int, Blocks]] = None, {}
        _check_noise(context, sum(self.sums))

    def blocks(self, encoding: Encoding, row: int) -> Blocks:
        """One row of blocks, at the level of requests."""
        tiling, kept = self._kept
        if tiling != encoding.tiling:
            kept = {}
            self._kept = encoding.tiling, kept
        if row not in kept:
            polynomials = encoding.encode_weights(self.words, encoding.tiling.rows[row])
            kept[row] = [_transformed(self.context, polynomial) for polynomial in polynomials]
        return kept[row]

    def __repr__(self) -> str:
        return f"PreparedWeights({self.operator}, <secret>)"


def _transformed(context: HeContext, polynomial: Words) -> sealapi.Plaintext | None:
    if not polynomial.any():
        # SEAL refuses a product with zero, whose c1 is zero: the caller leaves the block out.
        return None
    transformed = sealapi.Plaintext()
    context.evaluator.transform_to_ntt(make_plaintext(context, polynomial), list(context.data_id), transformed)
    return transformed


def _magnitudes(context: HeContext, words: Words) -> tuple[list[int], list[int]]:
    """For each output channel, the sum of its weights' magnitudes as SEAL lifts them, and that of their squares."""
    magnitudes = np.minimum(words, np.uint64(1 << context.plain_bits) - words).tolist()
    return [sum(row) for row in magnitudes], [sum(weight * weight for weight in row) for row in magnitudes]


def _check_noise(context: HeContext, total: int) -> None:
    """Noise and flooding together stay below q / 2^(l+1) with room: see FLOOD_ROOM_BITS."""
    # An encryption of zero adds at most the errors of public key and c1, each with a ternary factor.
    noise = FRESH_NOISE * total + ERROR_COINS * context.degree
    if 4 * noise > 1 << context.flood_bits:
        # The size of the noise would tell the size of the weights.
        raise ParameterError(
            f"he_flood_bits = {context.flood_bits}: too little to drown the noise of products of this layer: "
            "raise it, or use smaller weights"
        )
