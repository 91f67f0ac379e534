"""The linear layer under BFV: requests, products, responses.

Payloads (all words packed as :mod:`capc.he.packing` says):

| payload    | for each                | content                                                          |
| public key | key                     | c0 at key level, 64-byte seed of c1                              |
| request    | column of blocks        | c0 under q, 64-byte seed of c1                                   |
| response   | row of blocks           | the coefficients of c0 that carry outputs, all of c1; last level |

Spec: CAPC-HE-001 to CAPC-HE-007.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from tenseal import sealapi

from capc.errors import ErrorCode, InputError, InvalidPayloadError, ParameterError
from capc.he.blinding import blinding_ciphertext
from capc.he.context import context_for
from capc.he.encoding import Tiling, encode_vector, tile
from capc.he.keys import PublicKey, SecretKey, generate_keys, public_key_length, read_public_key
from capc.he.packing import check_length, pack, packed_length, unpack
from capc.he.serialisation import (
    SEED_BYTES,
    make_ciphertext,
    make_plaintext,
    make_seeded_ciphertext,
    read_pair,
    read_plaintext,
    read_seeded,
)
from capc.he.weights import PreparedWeights, check_matrix, prepare_weights
from capc.linear import LayerShape, Matrix
from capc.parameters import ParameterSet
from capc.randomness import RandomSource

_Own = TypeVar("_Own", SecretKey, PublicKey, PreparedWeights)


class BfvLinear:
    """Exact encrypted evaluation of fully connected layers over Z_{2^l}; a ``LinearScheme``.

    Keys, requests and the fresh encryptions of zero use randomness that SEAL, or for the seed of a public key the
    ``secrets`` module, draws from the operating system; only flooding noise comes from the ``source`` argument.
    Blocks of weights that are all zero are skipped, so the time of :meth:`evaluate` tells how many there are.

    Args:
        widths: the parameter set: l and the HE figures.

    Reveals:
        To the querying party: W x + addend mod 2^l and the shape, if its keys and requests are honest; the noise
        of the response is within statistical distance |E| / 2^(b+1) per output of noise that does not depend on
        W, where E is the noise of the product. To the answering party: the shape.

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

    def prepare(self, weights: Matrix) -> object:
        """The weights as polynomials in NTT form; once per layer.

        Args:
            weights: (outputs, inputs) signed integers, read modulo 2^l.

        Raises:
            InputError: the matrix is empty or ragged.
            ParameterError: the noise of a product with these weights could exceed the flooding noise.
        """
        return prepare_weights(self._context, self._tiling(check_matrix(weights)), weights)

    def request_length(self, shape: LayerShape) -> int:
        """Bytes of an encrypted input."""
        return len(self._tiling(shape).columns) * self._request_bytes()

    def encrypt(self, secret_key: object, shape: LayerShape, vector: Sequence[int]) -> bytes:
        """The encryption of an input, with seeded c1.

        Args:
            secret_key: of :meth:`generate_keys`.
            shape: the layer.
            vector: ``shape.inputs`` elements of Z_{2^l}.

        Raises:
            InputError: the vector has another length, or an element outside the ring.
        """
        key = self._own(secret_key, SecretKey)
        context, tiling = self._context, self._tiling(shape)
        self._check_elements(vector, shape.inputs, "vector")
        parts = []
        for polynomial in encode_vector(tiling, np.array(vector, dtype=np.uint64)):
            sealed = key.encryptor.encrypt_symmetric(make_plaintext(context, polynomial))
            first, seed = read_seeded(sealed, len(context.data_primes), context.degree)
            parts += [pack(first, context.data_primes), seed]
        return b"".join(parts)

    def response_length(self, shape: LayerShape) -> int:
        """Bytes of an encrypted result."""
        rows = len(self._tiling(shape).rows)
        return rows * self._second_bytes() + packed_length(self._context.response_primes, shape.outputs)

    def evaluate(
        self,
        public_key: object,
        prepared: object,
        request: bytes,
        addend: Sequence[int],
        source: RandomSource,
    ) -> bytes:
        """The encryption of W x + addend mod 2^l, which shows nothing else to the key holder.

        1. Read the request: lengths and ranges first, then to NTT form.
        2. For each row of blocks: multiply and add up.
        3. Add a blinding ciphertext, made now and used once.
        4. Switch to the last level and pack the carrying coefficients of c0, and c1.

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
        tiling = weights.tiling
        self._check_elements(addend, tiling.shape.outputs, "addend")
        inputs = self._read_request(tiling, request)
        parts = []
        for row, blocks in zip(tiling.rows, weights.blocks, strict=True):
            positions = tiling.positions(row)
            result = blinding_ciphertext(key, positions, addend[row], source)
            product = self._product(inputs, blocks)
            if product is not None:
                self._context.evaluator.add_inplace(result, product)
            parts.append(self._pack_response(result, positions))
        return b"".join(parts)

    def decrypt(self, secret_key: object, shape: LayerShape, response: bytes) -> list[int]:
        """The result in a response.

        Args:
            secret_key: of :meth:`generate_keys`.
            shape: the layer.
            response: the answering party's payload.

        Returns:
            ``shape.outputs`` elements of Z_{2^l}.

        Raises:
            InvalidPayloadError: the length is wrong, or a coefficient is not below its prime.
        """
        key, context, tiling = self._own(secret_key, SecretKey), self._context, self._tiling(shape)
        check_length(response, self.response_length(shape), "response")
        results: list[int] = []
        offset = 0
        for row in tiling.rows:
            positions = tiling.positions(row)
            first_end = offset + packed_length(context.response_primes, len(positions))
            end = first_end + self._second_bytes()
            words = np.zeros((2, len(context.response_primes), context.degree), dtype=np.uint64)
            words[0][:, positions] = unpack(
                response[offset:first_end], context.response_primes, len(positions), "response"
            )
            words[1] = unpack(response[first_end:end], context.response_primes, context.degree, "response")
            plain = sealapi.Plaintext()
            key.decryptor.decrypt(make_ciphertext(context, context.response_id, words), plain)
            results += read_plaintext(plain, context.degree)[positions].tolist()
            offset = end
        return results

    def _read_request(self, tiling: Tiling, request: bytes) -> list[sealapi.Ciphertext]:
        context, size = self._context, self._request_bytes()
        check_length(request, len(tiling.columns) * size, "request")
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

    def _pack_response(self, result: sealapi.Ciphertext, positions: Sequence[int]) -> bytes:
        context = self._context
        context.evaluator.mod_switch_to_inplace(result, list(context.response_id))
        first, second = read_pair(result, len(context.response_primes), context.degree)
        return pack(first[:, positions], context.response_primes) + pack(second, context.response_primes)

    def _tiling(self, shape: LayerShape) -> Tiling:
        if shape.inputs < 1 or shape.outputs < 1:
            raise InputError(f"a layer of {shape.inputs} inputs and {shape.outputs} outputs: give 1 or more")
        return tile(shape, self._context.degree, self._request_bytes(), self._second_bytes())

    def _request_bytes(self) -> int:
        return packed_length(self._context.data_primes, self._context.degree) + SEED_BYTES

    def _second_bytes(self) -> int:
        return packed_length(self._context.response_primes, self._context.degree)

    def _check_elements(self, elements: Sequence[int], count: int, what: str) -> None:
        if len(elements) != count:
            raise InputError(f"{what} of {len(elements)} elements: this layer takes {count}")
        if min(elements) < 0 or max(elements) >> self._context.plain_bits:
            raise InputError(f"{what}: an element is outside Z_2^{self._context.plain_bits}: reduce it first")

    def _own(self, value: object, kind: type[_Own]) -> _Own:
        if not isinstance(value, kind):
            raise InputError(f"a {type(value).__name__} where a {kind.__name__} of this scheme is needed")
        if value.context is not self._context:
            raise ParameterError(f"a {kind.__name__} of other parameters: make it with this parameter set")
        return value
