"""Responses: the products of a batch, blinded by the answering party and decrypted by the querying party.

For each group of signals and each row of blocks, at the last level: the coefficients of c0 that carry outputs, and all
of c1. Spec: CAPC-HE-002 to CAPC-HE-005.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from tenseal import sealapi

from capc.foundation.encoding import require_length
from capc.foundation.randomness import Seed
from capc.linear.bfv.blinding import Part, add_noise, blind
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.encoding.axis import Indices
from capc.linear.bfv.encoding.polynomials import Encoding, Response
from capc.linear.bfv.encoding.weights import Blocks, EncodedWeights
from capc.linear.bfv.keys import PublicKey, SecretKey
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

    NTT form, level of requests; None where all weights are zero. One group of the request is held at a time.
    """
    opened, inputs = None, []
    for response in carried:
        if response.group != opened:
            inputs = open_group(weights.context, encoding.tiling.layout, request, response.group)
            opened = response.group
        yield inner_product(weights.context, inputs, weights.blocks(encoding, response.row))


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
    key: PublicKey,
    weights: EncodedWeights,
    encoding: Encoding,
    request: bytes,
    addends: Words,
    seed: Seed,
    numbers: range,
) -> list[bytes]:
    """Some ciphertexts of a response, blinded afresh.

    Args:
        key: the querying party's.
        weights: of the layer.
        encoding: of the layer and batch.
        request: checked.
        addends: for each output of all queries, flattened, an element of Z_{2^l} that holds a uniform mask.
        seed: of the response's blinding.
        numbers: of the ciphertexts in the response.
    """
    carried = encoding.responses[numbers.start : numbers.stop]
    parts = []
    for number, product, response in zip(numbers, products(weights, encoding, request, carried), carried, strict=True):
        blinding = blind(key, response.positions, seed, number)
        parts.append(finish(weights.context, blinding, product, response.positions, addends[response.outputs]))
    return parts


def finish(
    context: HeContext, blinding: Part, product: sealapi.Ciphertext | None, positions: Indices, addend: Words
) -> bytes:
    """The wire form of blinding + product + addend; the blinding is used up.

    Args:
        context: the parameters.
        blinding: of this ciphertext.
        product: of weights and request, in NTT form.
        positions: the coefficients that are released.
        addend: an element of Z_{2^l} for each of them, which holds a uniform mask.
    """
    total = blinding.zero
    if product is not None:
        context.evaluator.add_inplace(total, product)
    context.evaluator.transform_from_ntt_inplace(total)
    add_noise(context, total, blinding, positions, addend)
    return pack_response(context, total, positions)


def pack_response(context: HeContext, result: sealapi.Ciphertext, positions: Indices) -> bytes:
    """Some coefficients of c0 and all of c1, at the last level."""
    context.evaluator.mod_switch_to_inplace(result, list(context.response_id))
    first, second = read_pair(result, len(context.response_primes), context.degree)
    return pack(first[:, positions], context.response_primes) + pack(second, context.response_primes)


def split_response(context: HeContext, encoding: Encoding, response: bytes) -> list[bytes]:
    """The ciphertexts of a response.

    Raises:
        InvalidPayloadError: the length is wrong.
    """
    require_length(response, response_length(context, encoding), "response")
    parts, start = [], 0
    for carried in encoding.responses:
        end = start + packed_length(context.response_primes, carried.positions.size) + second_bytes(context)
        parts.append(response[start:end])
        start = end
    return parts


def open_response(key: SecretKey, positions: Indices, payload: bytes) -> list[int]:
    """The results that one ciphertext of a response carries.

    Raises:
        InvalidPayloadError: a coefficient is not below its prime.
    """
    context = key.context
    head = packed_length(context.response_primes, positions.size)
    words = np.zeros((2, len(context.response_primes), context.degree), dtype=np.uint64)
    words[0][:, positions] = unpack(payload[:head], context.response_primes, positions.size, "response")
    words[1] = unpack(payload[head:], context.response_primes, context.degree, "response")
    plain = sealapi.Plaintext()
    key.decryptor.decrypt(make_ciphertext(context, context.response_id, words), plain)
    return read_coefficients(plain, positions.tolist())
