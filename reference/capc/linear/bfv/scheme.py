"""The linear layer under BFV: requests, products, responses, each for a batch of queries.

Payloads (all words packed as :mod:`capc.linear.bfv.wire.packing` says):

| payload    | for each                            | content                                                          |
| public key | key                                 | c0 under q, 64-byte seed of c1                                   |
| request    | group of signals, column of blocks  | c0 under q, 64-byte seed of c1                                   |
| response   | group of signals, row of blocks     | the coefficients of c0 that carry outputs, all of c1; last level |

Spec: CAPC-HE-001 to CAPC-HE-007.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TypeVar

import numpy as np

from capc.foundation.errors import InputError, ParameterError
from capc.foundation.randomness import RandomSource, Seed
from capc.linear.bfv.blinding import Blinding, blind, blinding_seed
from capc.linear.bfv.circuit_privacy import distance_per_query, distance_per_response
from capc.linear.bfv.context import HeContext, context_for
from capc.linear.bfv.encoding.layout import Layout
from capc.linear.bfv.encoding.polynomials import Encoding, encode_inputs
from capc.linear.bfv.encoding.tiling import Costs, tile
from capc.linear.bfv.encoding.weights import EncodedWeights
from capc.linear.bfv.keys import PublicKey, SecretKey, generate_keys, read_public_key
from capc.linear.bfv.plaintext_product import multiply_words
from capc.linear.bfv.wire.requests import check_request, request_length, seal_inputs
from capc.linear.bfv.wire.responses import (
    finish,
    open_response,
    products,
    respond,
    response_length,
    second_bytes,
    split_response,
)
from capc.linear.bfv.wire.seal_format import Words
from capc.linear.bfv.wire.seeded import seeded_length
from capc.models.operators import Matrix, Operator, check_weights
from capc.session.parameters import ParameterSet

_Own = TypeVar("_Own", SecretKey, PublicKey, EncodedWeights, Blinding)

WORK_PER_CIPHERTEXT, COEFFICIENTS_PER_BYTE_OF_PRODUCT = 4, 6
"""Work in bytes, for the choice of a tiling: what a line of 50 Mbit/s carries in its time. A ciphertext of a request or
of a response takes 4 bytes for each of its N coefficients, a product a sixth of a byte (both named sets, measured)."""


class BfvLinear:
    """Exact encrypted evaluation of linear operators over Z_{2^l} for batches of queries; a ``LinearScheme``.

    Keys and requests use randomness that SEAL draws from the operating system; all that hides the weights in a response
    comes from the ``source`` argument.
    Blocks of weights that are all zero are skipped, so the time of :meth:`evaluate` tells how many there are.

    Memory: payloads once more in pieces; 16 bytes for each output of all queries of a batch, kept for the 16 shapes
    used last; and, however many queries there are, 16 N bytes for each prime of q and column of blocks while a request
    is evaluated, and the polynomials of :class:`capc.linear.bfv.encoding.weights.EncodedWeights`. For 784 to 128 with
    the default set these two take 7 and 161 MB for batches of 64 queries, 1 and 3 MB for one.

    Args:
        widths: the parameter set: l and the HE figures.

    Reveals:
        To the querying party: W x + addend mod 2^l and the operator, if its keys and requests are honest; the noise
        of a response is within :meth:`statistical_distance` of noise that does not depend on W. To the answering
        party: the operator, and how many queries a batch has.

    Raises:
        ParameterError: the figures fail a rule of :func:`capc.linear.bfv.context.context_for`.
    """

    def __init__(self, widths: ParameterSet) -> None:
        self._context = context_for(widths)

    def generate_keys(self) -> tuple[SecretKey, bytes]:
        """A fresh secret key, and the public key's payload for the peers."""
        return generate_keys(self._context)

    def public_key_length(self) -> int:
        """Bytes of a public key payload: those of one ciphertext of a request."""
        return seeded_length(self._context)

    def read_public_key(self, payload: bytes) -> PublicKey:
        """A peer's public key.

        Raises:
            InvalidPayloadError: the length is wrong, or a coefficient is not below its prime.
        """
        return read_public_key(self._context, payload)

    def prepare(self, operator: Operator, weights: Matrix) -> EncodedWeights:
        """The weights, checked and reduced; once per layer. The first batch of a size takes longer: it transforms them.

        Args:
            operator: the layer.
            weights: ``operator.rows`` x ``operator.columns`` signed integers, read modulo 2^l.

        Raises:
            InputError: the weights do not fit the operator, or one of its windows does not fit a polynomial.
            ParameterError: the noise of a product with these weights could exceed the flooding noise.
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
        results: list[list[int]] = (product & np.uint64((1 << self._context.plain_bits) - 1)).tolist()
        return results

    def statistical_distance(self, prepared: EncodedWeights, count: int) -> Fraction:
        """An upper bound of what one response to ``count`` queries reveals of the weights in its noise.

        See :func:`capc.linear.bfv.circuit_privacy.distance_per_response`. It depends on the weights: it is for the
        answering party only.
        """
        weights = self._own(prepared, EncodedWeights)
        return distance_per_response(weights, self._encoding(weights.operator, count).tiling)

    def distance_per_query(self, prepared: EncodedWeights) -> Fraction:
        """See :func:`capc.linear.bfv.circuit_privacy.distance_per_query`; for the answering party only, likewise."""
        return distance_per_query(self._own(prepared, EncodedWeights))

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
        """The encryption of the inputs of a batch, with seeded c1.

        Args:
            secret_key: of :meth:`generate_keys`.
            operator: the layer.
            vectors: ``operator.inputs`` elements of Z_{2^l} for each of 1 or more queries.

        Raises:
            InputError: there is no vector, one has another length, or an element outside the ring.
        """
        key = self._own(secret_key, SecretKey)
        layout = self._layout(operator, len(vectors))
        return self._seal(key, encode_inputs(layout, self._elements(vectors, operator.inputs, "vector")))

    def response_length(self, operator: Operator, count: int) -> int:
        """Bytes of ``count`` encrypted results."""
        return response_length(self._context, self._encoding(operator, count))

    def prepare_blinding(self, public_key: PublicKey, operator: Operator, count: int, source: RandomSource) -> Blinding:
        """What hides the weights in one response, made ahead of the request: the offline part of :meth:`evaluate`.

        Args:
            public_key: the querying party's, of :meth:`read_public_key`.
            operator: the layer.
            count: queries of the batch.
            source: the blinding is expanded from 32 bytes of it, which nothing else may be: two blindings of the same
                bytes cancel out between their responses.

        Returns:
            For one call of :meth:`evaluate_blinded`. For each ciphertext it holds 16 N bytes and 8 for each released
            coefficient, for each prime of q, and 8 N more.
        """
        key, seed = self._own(public_key, PublicKey), blinding_seed(source)
        carried = self._encoding(operator, count).responses
        parts = [blind(key, response.positions, seed, number) for number, response in enumerate(carried)]
        return Blinding(self._context, operator, count, parts)

    def evaluate(
        self,
        public_key: PublicKey,
        prepared: EncodedWeights,
        request: bytes,
        addends: Sequence[Sequence[int]],
        source: RandomSource,
    ) -> bytes:
        """The encryption of W x + addend mod 2^l for each query, which shows nothing else to the key holder.

        1. Read the request: lengths and ranges first, then to NTT form.
        2. For each group of signals and row of blocks: multiply and add up.
        3. Add a fresh encryption of zero, flooding noise, and the addends.
        4. Switch to the last level and pack the carrying coefficients of c0, and c1.

        Args:
            public_key: the querying party's, of :meth:`read_public_key`.
            prepared: of :meth:`prepare`.
            request: the querying party's payload, for as many queries as there are addends.
            addends: ``operator.outputs`` elements of Z_{2^l} for each query. Privacy needs a fresh uniform mask in
                each.
            source: the blinding is expanded from 32 bytes of it.

        Returns:
            :meth:`response_length` bytes.

        Raises:
            InvalidPayloadError: the request has the wrong length, a coefficient that is not below its prime, or
                one seed twice.
            InputError: an addend has another length, or an element outside the ring.
        """
        key, weights = self._own(public_key, PublicKey), self._own(prepared, EncodedWeights)
        encoding, added = self._admit(weights, request, addends)
        return self._respond(key, weights, encoding, request, added, blinding_seed(source))

    def evaluate_blinded(
        self, blinding: Blinding, prepared: EncodedWeights, request: bytes, addends: Sequence[Sequence[int]]
    ) -> bytes:
        """The online part of :meth:`evaluate`. The blinding is spent when the request is admitted.

        Args:
            blinding: of :meth:`prepare_blinding`, under the key of the request, for the same operator and count.
            prepared: of :meth:`prepare`.
            request: the querying party's payload.
            addends: as for :meth:`evaluate`.

        Raises:
            InvalidPayloadError: as :meth:`evaluate`; the blinding stays unspent.
            InputError: an addend has another length, or an element outside the ring, or the blinding is for another
                operator or count.
            StateReuseError: the blinding was used before.
        """
        weights, hidden_by = self._own(prepared, EncodedWeights), self._own(blinding, Blinding)
        wanted, given = (weights.operator, len(addends)), (hidden_by.operator, hidden_by.count)
        if given != wanted:
            raise InputError(f"a blinding for {given}, used for {wanted}: prepare one for each response")
        encoding, added = self._admit(weights, request, addends)
        carried = encoding.responses
        made = zip(hidden_by.take(), products(weights, encoding, request, carried), carried, strict=True)
        return b"".join(
            finish(self._context, part, product, response.positions, added[response.outputs])
            for part, product, response in made
        )

    def decrypt(self, secret_key: SecretKey, operator: Operator, count: int, response: bytes) -> list[list[int]]:
        """The results in a response.

        Args:
            secret_key: of :meth:`generate_keys`.
            operator: the layer.
            count: queries of the batch.
            response: the answering party's payload.

        Returns:
            ``operator.outputs`` elements of Z_{2^l} for each query.

        Raises:
            InvalidPayloadError: the length is wrong, or a coefficient is not below its prime.
        """
        key, encoding = self._own(secret_key, SecretKey), self._encoding(operator, count)
        payloads = split_response(self._context, encoding, response)
        results = np.zeros(count * operator.outputs, dtype=np.uint64)
        for carried, opened in zip(encoding.responses, self._open(key, encoding, payloads), strict=True):
            results[carried.outputs] = opened
        elements: list[list[int]] = results.reshape(count, -1).tolist()
        return elements

    def _seal(self, key: SecretKey, polynomials: Iterable[Words]) -> bytes:
        return seal_inputs(key, polynomials)

    def _respond(
        self,
        key: PublicKey,
        weights: EncodedWeights,
        encoding: Encoding,
        request: bytes,
        added: Words,
        seed: Seed,
    ) -> bytes:
        numbers = range(len(encoding.responses))
        return b"".join(respond(key, weights, encoding, request, added, seed, numbers))

    def _open(self, key: SecretKey, encoding: Encoding, payloads: Sequence[bytes]) -> Iterable[Sequence[int]]:
        for response, payload in zip(encoding.responses, payloads, strict=True):
            yield open_response(key, response.positions, payload)

    def _admit(
        self, weights: EncodedWeights, request: bytes, addends: Sequence[Sequence[int]]
    ) -> tuple[Encoding, Words]:
        """The encoding of the batch and the flattened addends, once request and addends are found in order."""
        added = self._elements(addends, weights.operator.outputs, "addend").ravel()
        encoding = self._encoding(weights.operator, len(addends))
        check_request(self._context, encoding.tiling.layout, request)
        return encoding, added

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
        if words is None or (words >> np.uint64(self._context.plain_bits)).any():
            raise InputError(f"{what}: an element is outside Z_2^{self._context.plain_bits}: reduce it first")
        return words

    def _own(self, value: object, kind: type[_Own]) -> _Own:
        if not isinstance(value, kind):
            raise InputError(f"a {type(value).__name__} where a {kind.__name__} of this scheme is needed")
        if value.context is not self._context:
            raise ParameterError(f"a {kind.__name__} of other parameters: make it with this parameter set")
        return value


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
