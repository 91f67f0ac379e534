"""The weights of a layer, in the form in which products are fast once they are needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tenseal import sealapi

from capc.foundation import ring
from capc.foundation.errors import ParameterError
from capc.linear.bfv.context import HeContext, product_context
from capc.linear.bfv.encoding.axis import Indices
from capc.linear.bfv.encoding.polynomials import Encoding
from capc.linear.bfv.encoding.tiling import Tiling
from capc.linear.bfv.wire.seal_format import Words, make_plaintext, make_sparse_plaintext
from capc.models.operators import Matrix, Operator
from capc.session.widths import TWICE_ERROR_OF_REQUEST

FEW_TERMS = 256
"""A convolution's polynomials have a term for each tap, and mostly zeros."""

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
        products = product_context(context)
        fits = all(max(map(abs, row)) < 1 << products.plain_bits - 1 for row in lifted)
        self.product_context = products if fits else context
        mask = (1 << context.plain_bits) - 1
        self.words = np.array([[weight & mask for weight in row] for row in lifted], dtype=np.uint64)
        self._kept: tuple[Tiling | None, dict[int, Blocks]] = None, {}

    def blocks(self, encoding: Encoding, row: int) -> Blocks:
        """One row of blocks, in the context of products, at the level of requests."""
        tiling, kept = self._kept
        if tiling != encoding.tiling:
            kept = {}
            self._kept = encoding.tiling, kept
        if row not in kept:
            context, mask = self.product_context, np.uint64((1 << self.product_context.plain_bits) - 1)
            terms = encoding.weight_terms(self.words, encoding.tiling.rows[row])
            kept[row] = [_transformed(context, exponents, weights & mask) for exponents, weights in terms]
        return kept[row]

    def __repr__(self) -> str:
        return f"EncodedWeights({self.operator}, <secret>)"


def _transformed(context: HeContext, exponents: Indices, coefficients: Words) -> sealapi.Plaintext | None:
    if not coefficients.any():
        # SEAL refuses a product with zero, whose c1 is zero: the caller leaves the block out.
        return None
    if len(exponents) <= FEW_TERMS:
        plaintext = make_sparse_plaintext(exponents.tolist(), coefficients.tolist())
    else:
        polynomial = np.zeros(context.degree, dtype=np.uint64)
        polynomial[exponents] = coefficients
        plaintext = make_plaintext(context, polynomial)
    context.evaluator.transform_to_ntt_inplace(plaintext, list(context.data_id))
    return plaintext


def _check_noise(context: HeContext, total: int) -> None:
    """An honest request has an error of at most 43/2 in a coefficient; every weight of a ciphertext can meet one."""
    most = context.modulus // (TWICE_ERROR_OF_REQUEST << context.plain_bits)
    if total > most:
        # The sum itself would tell of the weights.
        raise ParameterError(
            f"the magnitudes of a layer's weights add up to more than {most}: with products of so much noise a result "
            "could be off by one: use smaller weights"
        )
