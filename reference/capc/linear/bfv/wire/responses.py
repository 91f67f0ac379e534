"""Responses: the products of a batch, masked by the answering party and decrypted by the querying party.

For each group of signals and each row of blocks, under the response prime: the coefficients of c0 that carry outputs,
and all of c1. Spec: CAPC-HE-002, CAPC-HE-004, CAPC-HE-005, CAPC-HE-026, CAPC-HE-027.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from tenseal import sealapi

from capc.foundation.encoding import require_length
from capc.foundation.randomness import Seed
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.encoding.axis import Indices
from capc.linear.bfv.encoding.polynomials import Encoding, Response
from capc.linear.bfv.encoding.weights import Blocks, EncodedWeights
from capc.linear.bfv.keys import PublicKey, SecretKey
from capc.linear.bfv.masks import draw_masks, fresh_zero, shares_of
from capc.linear.bfv.wire.packing import pack, packed_length, unpack
from capc.linear.bfv.wire.requests import open_group
from capc.linear.bfv.wire.seal_format import Words, make_ciphertext, read_coefficients, read_pair


def second_bytes(context: HeContext) -> int:
    """Bytes of c1 in one ciphertext of a response."""
    return packed_length(context.response_primes, context.degree)


def response_length(context: HeContext, encoding: Encoding) -> int:
    """Bytes of a response."""
    tiling = encoding.tiling
    released = packed_length(context.response_primes, tiling.layout.count * tiling.convolution.outputs)
    return tiling.responses * second_bytes(context) + released


def products(
    weights: EncodedWeights, encoding: Encoding, request: bytes, carried: Sequence[Response]
) -> Iterator[sealapi.Ciphertext | None]:
    """For some ciphertexts of a response, in order: the product of weights and a checked request.

    In the context of products, NTT form, level of requests; None where all weights are zero. One group of the request
    is held at a time.
    """
    opened, inputs = None, []
    for response in carried:
        if response.group != opened:
            inputs = open_group(weights.product_context, encoding.tiling.layout, request, response.group)
            opened = response.group
        yield inner_product(weights.product_context, inputs, weights.blocks(encoding, response.row))


def inner_product(
    context: HeContext, inputs: Sequence[sealapi.Ciphertext], blocks: Blocks
) -> sealapi.Ciphertext | None:
    """The sum of the products of one row of blocks, in NTT form; None if all its weights are zero."""
    evaluator, total, product = context.evaluator, None, sealapi.Ciphertext()
    for ciphertext, block in zip(inputs, blocks, strict=True):
        if block is None:
            continue
        if total is None:
            total = sealapi.Ciphertext()
            evaluator.multiply_plain(ciphertext, block, total)
        else:
            evaluator.multiply_plain(ciphertext, block, product)
            evaluator.add_inplace(total, product)
    return total


def respond(
    key: PublicKey, weights: EncodedWeights, encoding: Encoding, request: bytes, seed: Seed, numbers: range
) -> list[tuple[bytes, Words]]:
    """Some ciphertexts of a response; with each the answering party's shares of the outputs that it carries.

    Args:
        key: the querying party's.
        weights: of the layer.
        encoding: of the layer and batch.
        request: checked.
        seed: of the response.
        numbers: of the ciphertexts in the response.
    """
    context, carried = weights.context, encoding.responses[numbers.start : numbers.stop]
    moved, parts = key.under(weights.product_context), []
    for number, product, response in zip(numbers, products(weights, encoding, request, carried), carried, strict=True):
        first, second = _switched(moved.context, product, *fresh_zero(moved, seed, number))
        # After the switch, never before: the mask is uniform modulo the prime that is sent.
        masks = draw_masks(context, seed, number, response.positions.size)
        sent = (first[:, response.positions] + masks) % np.uint64(context.response_primes[0])
        payload = pack(sent, context.response_primes) + pack(second, context.response_primes)
        parts.append((payload, shares_of(context, masks)))
    return parts


def _switched(
    context: HeContext, product: sealapi.Ciphertext | None, zero: sealapi.Ciphertext, error: NDArray[np.int64]
) -> Words:
    """The product plus the encryption of zero, which is used up, under the response prime."""
    if product is not None:
        context.evaluator.add_inplace(zero, product)
    context.evaluator.transform_from_ntt_inplace(zero)
    words = np.zeros((2, len(context.data_primes), context.degree), dtype=np.uint64)
    negative = error >> 63
    for second, prime in zip(words[1], context.data_primes, strict=True):
        second[:] = error + (negative & prime)
    context.evaluator.add_inplace(zero, make_ciphertext(context, context.data_id, words))
    context.evaluator.mod_switch_to_inplace(zero, list(context.response_id))
    return read_pair(zero, len(context.response_primes), context.degree)


def split_response(context: HeContext, encoding: Encoding, response: bytes) -> list[bytes]:
    """The ciphertexts of a response, all of which are in order: no first one is decrypted if a later one is not.

    Raises:
        InvalidPayloadError: the length is wrong, or a coefficient is not below its prime.
    """
    require_length(response, response_length(context, encoding), "response")
    parts, start = [], 0
    for carried in encoding.responses:
        end = start + packed_length(context.response_primes, carried.positions.size) + second_bytes(context)
        parts.append(response[start:end])
        _read(context, carried.positions, parts[-1])
        start = end
    return parts


def open_response(key: SecretKey, positions: Indices, payload: bytes) -> list[int]:
    """The querying party's shares of the outputs that one ciphertext of :func:`split_response` carries."""
    context, plain = key.context, sealapi.Plaintext()
    words = _read(context, positions, payload)
    key.decryptor.decrypt(make_ciphertext(context, context.response_id, words), plain)
    return read_coefficients(plain, positions.tolist())


def _read(context: HeContext, positions: Indices, payload: bytes) -> Words:
    """c0 and c1, (2, primes, N), of one ciphertext; coefficients of c0 that were not sent are zero."""
    head = packed_length(context.response_primes, positions.size)
    words = np.zeros((2, len(context.response_primes), context.degree), dtype=np.uint64)
    words[0][:, positions] = unpack(payload[:head], context.response_primes, positions.size, "response")
    words[1] = unpack(payload[head:], context.response_primes, context.degree, "response")
    return words
