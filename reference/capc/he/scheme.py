"""The linear layer under BFV: requests, products, responses.

Payloads (all words packed as :mod:`capc.he.packing` says):

| payload    | for each                | content                                                          |
| public key | key                     | c0 at key level, 64-byte seed of c1                              |
| request    | tile, column of blocks  | c0 under q, 64-byte seed of c1                                   |
| response   | tile, row of blocks     | the coefficients of c0 that carry outputs, all of c1; last level |

Spec: CAPC-HE-001 to CAPC-HE-007.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TypeVar

import numpy as np
from tenseal import sealapi

from capc.errors import ErrorCode, InputError, InvalidPayloadError, ParameterError
from capc.he.axis import Indices
from capc.he.blinding import Blinding, BlindingPart, make_blinding, offset
from capc.he.circuit_privacy import distance_per_response
from capc.he.clear import multiply_words
from capc.he.context import HeContext, context_for
from capc.he.encoding import Encoding
from capc.he.keys import PublicKey, SecretKey, generate_keys, public_key_length, read_public_key
from capc.he.packing import check_length, pack, packed_length, unpack
from capc.he.serialisation import (
    SEED_BYTES,
    Words,
    make_ciphertext,
    make_plaintext,
    make_seeded_ciphertext,
    read_coefficients,
    read_pair,
    read_seeded,
)
from capc.he.tiling import tile
from capc.he.weights import PreparedWeights, prepare_weights
from capc.operators import Matrix, Operator, check_weights
from capc.parameters import ParameterSet
from capc.randomness import RandomSource

_Own = TypeVar("_Own", SecretKey, PublicKey, PreparedWeights, Blinding)


class BfvLinear:
    """Exact encrypted evaluation of linear operators over Z_{2^l}; a ``LinearScheme``.

    Keys, requests and the fresh encryptions of zero use randomness that SEAL, or for the seed of a public key the
    ``secrets`` module, draws from the operating system; only flooding noise comes from the ``source`` argument.
    While a request is evaluated, each of its ciphertexts takes 16 N bytes for each prime of q.
    Blocks of weights that are all zero are skipped, so the time of :meth:`evaluate` tells how many there are.

    Args:
        widths: the parameter set: l and the HE figures.

    Reveals:
        To the querying party: W x + addend mod 2^l and the operator, if its keys and requests are honest; the noise
        of a response is within :meth:`statistical_distance` of noise that does not depend on W. To the answering
        party: the operator.

    Raises:
        ParameterError: the figures fail a rule of :func:`capc.he.context.context_for`.
    """

    def __init__(self, widths: ParameterSet) -> None:
        self._context = context_for(widths)

    def generate_keys(self) -> tuple[object, bytes]:
        """A fresh secret key, and the public key's payload for the peers."""
        return generate_keys(self._context)

    def public_key_length(self) -> int:
        """Bytes of a public key payload."""
        return public_key_length(self._context)

    def read_public_key(self, payload: bytes) -> object:
        """A peer's public key.

        Raises:
            InvalidPayloadError: the length is wrong, or a coefficient is not below its prime.
        """
        return read_public_key(self._context, payload)

    def prepare(self, operator: Operator, weights: Matrix) -> object:
        """The weights as polynomials in NTT form; once per layer.

        Args:
            operator: the layer.
            weights: ``operator.rows`` x ``operator.columns`` signed integers, read modulo 2^l.

        Raises:
            InputError: the weights do not fit the operator, or one of its windows does not fit a polynomial.
            ParameterError: the noise of a product with these weights could exceed the flooding noise.
        """
        check_weights(operator, weights)
        return prepare_weights(self._context, operator, self._encoding(operator), weights)

    def multiply(self, prepared: object, values: Sequence[int]) -> list[int]:
        """W x in Z_{2^l} in the clear.

        Args:
            prepared: of :meth:`prepare`.
            values: ``operator.inputs`` elements of Z_{2^l}.

        Raises:
            InputError: there are more or fewer values, or one is outside the ring.
        """
        weights = self._own(prepared, PreparedWeights)
        product = multiply_words(weights.operator, weights.words, self._elements(values, weights.operator.inputs, "x"))
        results: list[int] = (product & np.uint64((1 << self._context.plain_bits) - 1)).tolist()
        return results

    def statistical_distance(self, prepared: object) -> Fraction:
        """An upper bound of what one response of this layer reveals of its weights in its noise.

        See :func:`capc.he.circuit_privacy.distance_per_response`. It depends on the weights: it is for the answering
        party only.
        """
        return distance_per_response(self._own(prepared, PreparedWeights))

    def request_length(self, operator: Operator) -> int:
        """Bytes of an encrypted input."""
        return self._encoding(operator).tiling.requests * self._request_bytes()

    def encrypt(self, secret_key: object, operator: Operator, vector: Sequence[int]) -> bytes:
        """The encryption of an input, with seeded c1.

        Args:
            secret_key: of :meth:`generate_keys`.
            operator: the layer.
            vector: ``operator.inputs`` elements of Z_{2^l}.

        Raises:
            InputError: the vector has another length, or an element outside the ring.
        """
        key = self._own(secret_key, SecretKey)
        context = self._context
        values = self._elements(vector, operator.inputs, "vector")
        parts = []
        for polynomial in self._encoding(operator).encode_input(values):
            sealed = key.encryptor.encrypt_symmetric(make_plaintext(context, polynomial))
            first, seed = read_seeded(sealed, len(context.data_primes), context.degree)
            parts += [pack(first, context.data_primes), seed]
        return b"".join(parts)

    def response_length(self, operator: Operator) -> int:
        """Bytes of an encrypted result."""
        released = packed_length(self._context.response_primes, operator.outputs)
        return self._encoding(operator).tiling.responses * self._second_bytes() + released

    def prepare_blinding(self, public_key: object, operator: Operator, source: RandomSource) -> object:
        """What hides the weights in one response, made ahead of the request: the offline part of :meth:`evaluate`.

        Args:
            public_key: the querying party's, of :meth:`read_public_key`.
            operator: the layer.
            source: flooding noise is read from it.

        Returns:
            For one call of :meth:`evaluate_blinded`. It holds 16 N bytes for each prime of q and ciphertext.
        """
        return make_blinding(self._own(public_key, PublicKey), operator, self._encoding(operator), source)

    def evaluate(
        self,
        public_key: object,
        prepared: object,
        request: bytes,
        addend: Sequence[int],
        source: RandomSource,
    ) -> bytes:
        """The encryption of W x + addend mod 2^l, which shows nothing else to the key holder.

        Args:
            public_key: the querying party's, of :meth:`read_public_key`.
            prepared: of :meth:`prepare`.
            request: the querying party's payload.
            addend: ``outputs`` elements of Z_{2^l}. Privacy needs a fresh uniform mask in each.
            source: flooding noise is read from it.

        Returns:
            :meth:`response_length` bytes.

        Raises:
            InvalidPayloadError: the request has the wrong length, a coefficient that is not below its prime, or
                one seed twice.
            InputError: the addend has another length, or an element outside the ring.
        """
        key, weights = self._own(public_key, PublicKey), self._own(prepared, PreparedWeights)
        added = self._elements(addend, weights.operator.outputs, "addend")
        inputs = self._read_request(weights.operator, request)
        blinding = make_blinding(key, weights.operator, weights.encoding, source)
        return self._respond(weights, inputs, added, blinding)

    def evaluate_blinded(self, blinding: object, prepared: object, request: bytes, addend: Sequence[int]) -> bytes:
        """The online part of :meth:`evaluate`. The blinding is spent when the request is admitted.

        1. Read the request: lengths and ranges first, then to NTT form.
        2. For each tile and row of blocks: multiply and add up.
        3. Add the blinding and the addend.
        4. Switch to the last level and pack the carrying coefficients of c0, and c1.

        Args:
            blinding: of :meth:`prepare_blinding`, under the key of the request, for the same operator.
            prepared: of :meth:`prepare`.
            request: the querying party's payload.
            addend: ``outputs`` elements of Z_{2^l}. Privacy needs a fresh uniform mask in each.

        Raises:
            InvalidPayloadError: as :meth:`evaluate`; the blinding stays unspent.
            InputError: the addend has another length, or an element outside the ring, or the blinding is for another
                operator.
            StateReuseError: the blinding was used before.
        """
        weights, hidden_by = self._own(prepared, PreparedWeights), self._own(blinding, Blinding)
        operator = weights.operator
        if hidden_by.operator != operator:
            raise InputError(f"a blinding for {hidden_by.operator}, used for {operator}: prepare one for each response")
        added = self._elements(addend, operator.outputs, "addend")
        return self._respond(weights, self._read_request(operator, request), added, hidden_by)

    def _respond(
        self, weights: PreparedWeights, inputs: Sequence[sealapi.Ciphertext], added: Words, blinding: Blinding
    ) -> bytes:
        columns = len(weights.encoding.tiling.columns)
        parts = []
        for response, part in zip(weights.encoding.responses, blinding.take(), strict=True):
            of_tile = inputs[response.tile * columns : (response.tile + 1) * columns]
            product = self._product(of_tile, weights.blocks[response.row])
            known = offset(self._context, response.positions, added[response.outputs], part.noise)
            parts.append(self._pack_response(self._sum(product, part, known), response.positions))
        return b"".join(parts)

    def decrypt(self, secret_key: object, operator: Operator, response: bytes) -> list[int]:
        """The result in a response.

        Args:
            secret_key: of :meth:`generate_keys`.
            operator: the layer.
            response: the answering party's payload.

        Returns:
            ``operator.outputs`` elements of Z_{2^l}.

        Raises:
            InvalidPayloadError: the length is wrong, or a coefficient is not below its prime.
        """
        key, context = self._own(secret_key, SecretKey), self._context
        check_length(response, self.response_length(operator), "response")
        results = np.zeros(operator.outputs, dtype=np.uint64)
        start = 0
        for carried in self._encoding(operator).responses:
            positions = carried.positions
            first_end = start + packed_length(context.response_primes, positions.size)
            end = first_end + self._second_bytes()
            words = np.zeros((2, len(context.response_primes), context.degree), dtype=np.uint64)
            words[0][:, positions] = unpack(
                response[start:first_end], context.response_primes, positions.size, "response"
            )
            words[1] = unpack(response[first_end:end], context.response_primes, context.degree, "response")
            plain = sealapi.Plaintext()
            key.decryptor.decrypt(make_ciphertext(context, context.response_id, words), plain)
            results[carried.outputs] = read_coefficients(plain, positions.tolist())
            start = end
        elements: list[int] = results.tolist()
        return elements

    def _read_request(self, operator: Operator, request: bytes) -> list[sealapi.Ciphertext]:
        """The ciphertexts in NTT form; nothing reaches SEAL before all of the request is found in order."""
        context, size = self._context, self._request_bytes()
        check_length(request, self.request_length(operator), "request")
        firsts, seeds = [], []
        for start in range(0, len(request), size):
            firsts.append(
                unpack(request[start : start + size - SEED_BYTES], context.data_primes, context.degree, "request")
            )
            seeds.append(request[start + size - SEED_BYTES : start + size])
        # Equal seeds could make two products cancel to a c1 of zero, at which SEAL throws.
        if len(set(seeds)) != len(seeds):
            raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, "request: one seed occurs twice")
        inputs = []
        for first, seed in zip(firsts, seeds, strict=True):
            ciphertext = make_seeded_ciphertext(context, first, seed)
            context.evaluator.transform_to_ntt_inplace(ciphertext)
            inputs.append(ciphertext)
        return inputs

    def _product(
        self, inputs: Sequence[sealapi.Ciphertext], blocks: Sequence[sealapi.Plaintext | None]
    ) -> sealapi.Ciphertext | None:
        """The sum of the products of one row of blocks, in coefficient form; None if all its weights are zero."""
        evaluator, total = self._context.evaluator, None
        for ciphertext, block in zip(inputs, blocks, strict=True):
            if block is None:
                continue
            product = sealapi.Ciphertext()
            evaluator.multiply_plain(ciphertext, block, product)
            if total is None:
                total = product
            else:
                evaluator.add_inplace(total, product)
        if total is not None:
            evaluator.transform_from_ntt_inplace(total)
        return total

    def _sum(
        self, product: sealapi.Ciphertext | None, part: BlindingPart, known: sealapi.Ciphertext
    ) -> sealapi.Ciphertext:
        result = part.zero
        if product is not None:
            self._context.evaluator.add_inplace(result, product)
        self._context.evaluator.add_inplace(result, known)
        return result

    def _pack_response(self, result: sealapi.Ciphertext, positions: Indices) -> bytes:
        context = self._context
        context.evaluator.mod_switch_to_inplace(result, list(context.response_id))
        first, second = read_pair(result, len(context.response_primes), context.degree)
        return pack(first[:, positions], context.response_primes) + pack(second, context.response_primes)

    def _encoding(self, operator: Operator) -> Encoding:
        return _encoding(self._context, operator, self._request_bytes(), self._second_bytes())

    def _request_bytes(self) -> int:
        return packed_length(self._context.data_primes, self._context.degree) + SEED_BYTES

    def _second_bytes(self) -> int:
        return packed_length(self._context.response_primes, self._context.degree)

    def _elements(self, elements: Sequence[int], count: int, what: str) -> Words:
        if len(elements) != count:
            raise InputError(f"{what} of {len(elements)} elements: this layer takes {count}")
        if min(elements) < 0 or max(elements) >> self._context.plain_bits:
            raise InputError(f"{what}: an element is outside Z_2^{self._context.plain_bits}: reduce it first")
        return np.array(elements, dtype=np.uint64)

    def _own(self, value: object, kind: type[_Own]) -> _Own:
        if not isinstance(value, kind):
            raise InputError(f"a {type(value).__name__} where a {kind.__name__} of this scheme is needed")
        if value.context is not self._context:
            raise ParameterError(f"a {kind.__name__} of other parameters: make it with this parameter set")
        return value


@lru_cache(maxsize=256)
def _encoding(context: HeContext, operator: Operator, request_bytes: int, response_bytes: int) -> Encoding:
    return Encoding(tile(operator, context.degree, request_bytes, response_bytes))
