"""The linear layer under BFV: requests, products, responses, each for a batch of queries.

Payloads (all words packed as :mod:`capc.linear.bfv.wire.packing` says):

| payload    | for each                            | content                                                          |
|------------|-------------------------------------|------------------------------------------------------------------|
| public key | answering party                     | c0 under q                                                       |
| request    | group of signals, column of blocks  | c0 under q, 64-byte seed of c1                                   |
| response   | group of signals, row of blocks     | the coefficients of c0 that carry outputs, all of c1, modulo p   |

Spec: CAPC-HE-001, CAPC-HE-002, CAPC-HE-004 to CAPC-HE-006, CAPC-HE-016, CAPC-HE-017.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np

from capc.foundation.errors import InputError, ParameterError
from capc.foundation.randomness import RandomSource, Seed
from capc.linear.bfv.context import HeContext, context_for
from capc.linear.bfv.encoding.layout import Layout
from capc.linear.bfv.encoding.polynomials import Encoding, encode_inputs
from capc.linear.bfv.encoding.tiling import Costs, tile
from capc.linear.bfv.encoding.weights import EncodedWeights
from capc.linear.bfv.keys import (
    PublicKey,
    SecretKey,
    generate_secret_key,
    public_key,
    public_key_length,
    read_public_key,
)
from capc.linear.bfv.masks import response_seed
from capc.linear.bfv.plaintext_product import multiply_words
from capc.linear.bfv.wire.requests import check_request, request_length, seal_inputs
from capc.linear.bfv.wire.responses import open_response, respond, response_length, second_bytes, split_response
from capc.linear.bfv.wire.seal_format import Words
from capc.linear.bfv.wire.seeded import seeded_length
from capc.models.operators import Matrix, Operator, check_weights
from capc.session.widths import ParameterSet

_Own = TypeVar("_Own", SecretKey, PublicKey, EncodedWeights)

WORK_PER_CIPHERTEXT, COEFFICIENTS_PER_BYTE_OF_PRODUCT = 4, 6
"""Work in bytes, for the choice of a tiling: what a line of 50 Mbit/s carries in its time. A ciphertext of a request or
of a response takes 4 bytes for each of its N coefficients, a product a sixth of a byte (both named sets, measured)."""


class BfvLinear:
    """Exact encrypted evaluation of linear operators over Z_{2^l} for batches of queries; a ``LinearScheme``.

    Secret keys and requests use randomness that SEAL draws from the operating system; all that hides the weights in a
    response comes from the ``source`` argument.
    Blocks of weights that are all zero are skipped, so the time of :meth:`evaluate` tells how many there are.

    Memory: payloads once more in pieces; 16 bytes for each output of all queries of a batch, kept for the 16 shapes
    used last; and, however many queries there are, 16 N bytes for each prime of q and column of blocks while a request
    is evaluated, and the polynomials of :class:`capc.linear.bfv.encoding.weights.EncodedWeights`. For 784 to 128 with
    the default set these two take 7 and 161 MB for batches of 64 queries, 1 and 3 MB for one.

    Args:
        widths: the parameter set: l and the HE figures.

    Reveals:
        To the querying party: a share of W x, whose law depends on nothing, for every key and request; the operator.
        To the answering party: the operator, and how many queries a batch has.

    Raises:
        ParameterError: the figures fail a rule of :func:`capc.linear.bfv.context.context_for`.
    """

    def __init__(self, widths: ParameterSet) -> None:
        self._context = context_for(widths)

    def generate_secret_key(self) -> SecretKey:
        """A fresh secret key."""
        return generate_secret_key(self._context)

    def public_key_length(self) -> int:
        """Bytes of a public key's payload: those of c0 of a request."""
        return public_key_length(self._context)

    def public_key(self, secret_key: SecretKey, binding: bytes, source: RandomSource) -> bytes:
        """The payload of the public key for one peer.

        Args:
            secret_key: of :meth:`generate_secret_key`.
            binding: what the uniform half is expanded from; the peer had its part in it, and this party none after it.
            source: for the error.
        """
        return public_key(self._own(secret_key, SecretKey), binding, source)

    def read_public_key(self, payload: bytes, binding: bytes) -> PublicKey:
        """A peer's public key.

        Raises:
            InvalidPayloadError: the length is wrong, or a coefficient is not below its prime.
        """
        return read_public_key(self._context, payload, binding)

    def prepare(self, operator: Operator, weights: Matrix) -> EncodedWeights:
        """The weights, checked and reduced; once per layer. The first batch of a size takes longer: it transforms them.

        Args:
            operator: the layer.
            weights: ``operator.rows`` x ``operator.columns`` signed integers, read modulo 2^l.

        Raises:
            InputError: the weights do not fit the operator, or one of its windows does not fit a polynomial.
            ParameterError: products with these weights could be so noisy that a result is off by one.
        """
        check_weights(operator, weights)
        self._encoding(operator, 1)
        return EncodedWeights(self._context, operator, weights)

    def multiply(self, prepared: EncodedWeights, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """W x in Z_{2^l} in the clear, for each row x.

        Args:
            prepared: of :meth:`prepare`.
            rows: ``operator.inputs`` elements of Z_{2^l} for each query.

        Raises:
            InputError: there are more or fewer values, or one is outside the ring.
        """
        weights = self._own(prepared, EncodedWeights)
        product = multiply_words(weights.operator, weights.words, self._elements(rows, weights.operator.inputs, "x"))
        results: list[list[int]] = (product & np.uint64((1 << self._context.logit_bits) - 1)).tolist()
        return results

    def request_layout(self, operator: Operator, count: int) -> Hashable:
        """What the bytes of a request depend on: operators of equal layout accept the very same request.

        Those are operators of the same windows over the same inputs, and of output channels in the same class
        (:data:`capc.linear.bfv.encoding.tiling.CLASSES`) or for which the same layout is cheapest.
        """
        return self._layout(operator, count)

    def request_length(self, operator: Operator, count: int) -> int:
        """Bytes of ``count`` encrypted inputs."""
        return request_length(self._context, self._layout(operator, count))

    def encrypt(self, secret_key: SecretKey, operator: Operator, vectors: Sequence[Sequence[int]]) -> bytes:
        """The encryption of the inputs of a batch, times 2^h, with seeded c1.

        Args:
            secret_key: of :meth:`generate_secret_key`.
            operator: the layer.
            vectors: ``operator.inputs`` elements of Z_{2^l} for each of 1 or more queries.

        Raises:
            InputError: there is no vector, one has another length, or an element outside the ring.
        """
        key = self._own(secret_key, SecretKey)
        layout, elements = self._layout(operator, len(vectors)), self._elements(vectors, operator.inputs, "vector")
        return self._seal(key, encode_inputs(layout, elements << np.uint64(self._context.guard_bits)))

    def response_length(self, operator: Operator, count: int) -> int:
        """Bytes of ``count`` encrypted results."""
        return response_length(self._context, self._encoding(operator, count))

    def evaluate(
        self, public_key: PublicKey, prepared: EncodedWeights, request: bytes, count: int, source: RandomSource
    ) -> tuple[list[list[int]], bytes]:
        """Shares of W x for each query: this party's, and the response, which shows the key holder its own only.

        1. Read the request: lengths and ranges first, then to NTT form.
        2. For each group of signals and row of blocks: multiply and add up.
        3. Add a fresh encryption of zero; switch to the response prime; mask the coefficients of c0 that are sent.

        Args:
            public_key: the querying party's, of :meth:`read_public_key`.
            prepared: of :meth:`prepare`.
            request: the querying party's payload.
            count: its queries.
            source: 32 bytes of it are expanded to all that hides the weights.

        Returns:
            ``operator.outputs`` elements of Z_{2^T} for each query, and :meth:`response_length` bytes.

        Raises:
            InvalidPayloadError: the request has the wrong length, a coefficient that is not below its prime, or
                one seed twice.
        """
        key, weights = self._own(public_key, PublicKey), self._own(prepared, EncodedWeights)
        encoding = self._encoding(weights.operator, count)
        check_request(self._context, encoding.tiling.layout, request)
        parts = self._respond(key, weights, encoding, request, response_seed(source))
        shares = _gathered(encoding, [share for _, share in parts])
        return shares, b"".join(payload for payload, _ in parts)

    def decrypt(self, secret_key: SecretKey, operator: Operator, count: int, response: bytes) -> list[list[int]]:
        """The querying party's shares of the results.

        Args:
            secret_key: of :meth:`generate_secret_key`.
            operator: the layer.
            count: queries of the batch.
            response: the answering party's payload.

        Returns:
            ``operator.outputs`` elements of Z_{2^T} for each query. With the answering party's they add up to
            2^h W x + v, |v| <= ``ParameterSet.response_error`` for honest keys and requests.

        Raises:
            InvalidPayloadError: the length is wrong, or a coefficient is not below its prime.
        """
        key, encoding = self._own(secret_key, SecretKey), self._encoding(operator, count)
        return _gathered(encoding, self._open(key, encoding, split_response(self._context, encoding, response)))

    def _seal(self, key: SecretKey, polynomials: Iterable[Words]) -> bytes:
        return seal_inputs(key, polynomials)

    def _respond(
        self, key: PublicKey, weights: EncodedWeights, encoding: Encoding, request: bytes, seed: Seed
    ) -> list[tuple[bytes, Words]]:
        return respond(key, weights, encoding, request, seed, range(len(encoding.responses)))

    def _open(self, key: SecretKey, encoding: Encoding, payloads: Sequence[bytes]) -> Iterable[Sequence[int]]:
        for response, payload in zip(encoding.responses, payloads, strict=True):
            yield open_response(key, response.positions, payload)

    def _encoding(self, operator: Operator, count: int) -> Encoding:
        return encoding_for(self._context, operator, count)

    def _layout(self, operator: Operator, count: int) -> Layout:
        return self._encoding(operator, count).tiling.layout

    def _elements(self, rows: Sequence[Sequence[int]], length: int, what: str) -> Words:
        for row in rows:
            if len(row) != length:
                raise InputError(f"{what} of {len(row)} elements: this layer takes {length}")
        try:
            words = np.array(rows, dtype=np.uint64).reshape(-1, length)
        except OverflowError:
            words = None
        if words is None or (words >> np.uint64(self._context.logit_bits)).any():
            raise InputError(f"{what}: an element is outside Z_2^{self._context.logit_bits}: reduce it first")
        return words

    def _own(self, value: object, kind: type[_Own]) -> _Own:
        if not isinstance(value, kind):
            raise InputError(f"a {type(value).__name__} where a {kind.__name__} of this scheme is needed")
        if value.context is not self._context:
            raise ParameterError(f"a {kind.__name__} of other parameters: make it with this parameter set")
        return value


def _gathered(encoding: Encoding, carried: Iterable[Words | Sequence[int]]) -> list[list[int]]:
    """A row for each query of what the ciphertexts of a response carry."""
    tiling = encoding.tiling
    results = np.zeros(tiling.layout.count * tiling.convolution.outputs, dtype=np.uint64)
    for response, values in zip(encoding.responses, carried, strict=True):
        results[response.outputs] = values
    rows: list[list[int]] = results.reshape(tiling.layout.count, -1).tolist()
    return rows


@lru_cache(maxsize=16)
def encoding_for(context: HeContext, operator: Operator, count: int) -> Encoding:
    """The encoding of an operator for a batch of ``count`` queries, kept for the shapes used last."""
    return Encoding(tile(operator, count, context.degree, costs_for(context)))


def costs_for(context: HeContext) -> Costs:
    """Bytes and work of the pieces of a tiling."""
    work = WORK_PER_CIPHERTEXT * context.degree
    return Costs(
        request=seeded_length(context) + work,
        response=second_bytes(context) + work,
        product=context.degree // COEFFICIENTS_PER_BYTE_OF_PRODUCT,
    )
