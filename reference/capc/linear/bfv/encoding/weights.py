"""The weights of a layer, in the form in which products are fast once they are needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tenseal import sealapi

from capc.foundation import ring
from capc.foundation.errors import ParameterError
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.encoding.polynomials import Encoding
from capc.linear.bfv.encoding.tiling import Tiling
from capc.linear.bfv.wire.seal_format import Words, make_plaintext
from capc.models.operators import Matrix, Operator
from capc.session.widths import TWICE_ERROR_OF_REQUEST

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
        weights: (rows, columns) of the operator, read as signed numbers modulo 2^l.

    Raises:
        ParameterError: the noise of a request, times these weights, could add more than half a unit to a response.
    """

    def __init__(self, context: HeContext, operator: Operator, weights: Matrix) -> None:
        width = context.logit_bits
        lifted = [[ring.signed(ring.reduce(weight, width), width) for weight in row] for row in weights]
        _check_noise(context, sum(abs(weight) for row in lifted for weight in row))
        self.context = context
        self.operator = operator
        mask = (1 << context.plain_bits) - 1
        self.words = np.array([[weight & mask for weight in row] for row in lifted], dtype=np.uint64)
        self._kept: tuple[Tiling | None, dict[int, Blocks]] = None, {}

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
        return f"EncodedWeights({self.operator}, <secret>)"


def _transformed(context: HeContext, polynomial: Words) -> sealapi.Plaintext | None:
    if not polynomial.any():
        # SEAL refuses a product with zero, whose c1 is zero: the caller leaves the block out.
        return None
    transformed = sealapi.Plaintext()
    context.evaluator.transform_to_ntt(make_plaintext(context, polynomial), list(context.data_id), transformed)
    return transformed


def _check_noise(context: HeContext, total: int) -> None:
    """An honest request has an error of at most 43/2 in a coefficient; every weight of a ciphertext can meet one."""
    most = context.modulus // (TWICE_ERROR_OF_REQUEST << context.plain_bits)
    if total > most:
        # The sum itself would tell of the weights.
        raise ParameterError(
            f"the magnitudes of a layer's weights add up to more than {most}: with products of so much noise a result "
            "could be off by one: use smaller weights"
        )
