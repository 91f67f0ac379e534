"""What a deviating querying party reads out of responses: with masks modulo p nothing, without them all weights.

Each test that names CAPC-SEC-020 is the figure of a row of section 90. Keys and requests here have the right length,
and coefficients in range.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tenseal import sealapi

from capc.foundation.randomness import RandomSource, Seed
from capc.linear.bfv import masks
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.encoding.polynomials import encode_inputs
from capc.linear.bfv.masks import draw_masks
from capc.linear.bfv.wire import responses
from capc.linear.bfv.wire.packing import pack, packed_length, unpack
from capc.linear.bfv.wire.responses import split_response
from capc.linear.bfv.wire.seal_format import SEED_BYTES, Words, make_ciphertext, read_coefficients
from capc.linear.bfv.wire.seeded import seeded_length
from capc.models.operators import Dense, Matrix
from linear.support import BINDING, Rows, Setting, altered

LAYER = Dense(16, 10)
DIGITS = 16
"""A query reads one bit of one input's weights: 256 queries all 16 bits of all 16."""
STEP = 1 << 46
"""Above the noise, and half a unit of the plaintext, which is q / 2^(l+h)."""


def off_the_grid(setting: Setting, request: bytes, count: int) -> bytes:
    """A request that adds to the encryption of zeros, in query 16 i + j, STEP >> j at input i."""
    context = setting.scheme._context
    layout, size = setting.scheme._encoding(LAYER, count).tiling.layout, seeded_length(context)
    marks = np.arange(1, count * LAYER.inputs + 1, dtype=np.uint64).reshape(count, LAYER.inputs)
    parts = []
    for number, polynomial in enumerate(encode_inputs(layout, marks)):
        body = request[number * size : (number + 1) * size]
        words = unpack(body[:-SEED_BYTES], context.data_primes, context.degree, "request").astype(object)
        for position in np.flatnonzero(polynomial):
            query, column = divmod(int(polynomial[position]) - 1, LAYER.inputs)
            if query // DIGITS == column:
                for row, prime in enumerate(context.data_primes):
                    words[row, position] = (int(words[row, position]) + (STEP >> query % DIGITS)) % prime
        parts.append(pack(words.astype(np.uint64), context.data_primes) + body[-SEED_BYTES:])
    return b"".join(parts)


def fractions_of(setting: Setting, response: bytes, count: int) -> NDArray[np.float64]:
    """What lies below the plaintext of each result, as a part of its unit q / 2^(l+h)."""
    context, bits = setting.scheme._context, 10
    encoding, (prime,) = setting.scheme._encoding(LAYER, count), setting.scheme._context.response_primes
    found = np.zeros(count * LAYER.outputs)
    for carried, payload in zip(encoding.responses, split_response(context, encoding, response), strict=True):
        words = np.zeros((2, 1, context.degree), dtype=np.uint64)
        head = packed_length(context.response_primes, carried.positions.size)
        words[0][:, carried.positions] = unpack(payload[:head], (prime,), carried.positions.size, "response")
        words[1] = unpack(payload[head:], (prime,), context.degree, "response")
        scaled = ((words.astype(object) << bits) % prime).astype(np.uint64)
        plain = sealapi.Plaintext()
        setting.secret_key.decryptor.decrypt(make_ciphertext(context, context.response_id, scaled), plain)
        values = read_coefficients(plain, carried.positions.tolist())
        found[carried.outputs] = [value % (1 << bits) / (1 << bits) for value in values]
    return found.reshape(count, LAYER.outputs)


def read_weights(found: NDArray[np.float64], unit: float) -> Rows:
    """The weights, bit after bit from the lowest."""
    weights = []
    for output in range(LAYER.outputs):
        row = []
        for column in range(LAYER.inputs):
            known = 0
            for digit in range(DIGITS):
                step = (STEP >> digit) / unit
                rest = (found[column * DIGITS + digit, output] - known * step) % 1
                known += round(rest / (STEP / unit)) % 2 << digit
            row.append(known - (1 << DIGITS) if known >> DIGITS - 1 else known)
        weights.append(row)
    return weights


def weights_read(setting: Setting, weights: Matrix) -> int:
    """How many of the weights one request off the grid reads: 256 queries, 16 for each input."""
    count = LAYER.inputs * DIGITS
    honest = setting.request(LAYER, [[0] * LAYER.inputs] * count)
    request, prepared = off_the_grid(setting, honest, count), setting.prepare_dense(weights)
    _, response = setting.scheme.evaluate(setting.public_key, prepared, request, count, setting.source("answer"))
    unit = setting.scheme._context.modulus / 2**setting.widths.share_bits
    read = read_weights(fractions_of(setting, response, count), unit)
    return sum(found == weight for rows in zip(read, weights, strict=True) for found, weight in zip(*rows, strict=True))


@pytest.mark.req("CAPC-HE-004", "CAPC-HE-008")
@pytest.mark.parametrize("name", ["conservative", "default"])
def test_request_off_the_grid_reads_weights_only_without_masks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = altered(name)
    weights = setting.weights(LAYER, "secret weights", 15)
    # By chance: 160 guesses of 16 bits, of which one is right with probability 2^-8.
    assert weights_read(setting, weights) < 4

    def left_out(context: HeContext, seed: Seed, number: int, count: int) -> Words:
        return np.zeros(count, dtype=np.uint64)

    def on_the_grid(context: HeContext, seed: Seed, number: int, count: int) -> Words:
        (prime,), bits = context.response_primes, context.plain_bits
        drawn = draw_masks(context, seed, number, count)
        # As a mask of the plaintext, before the switch.
        return np.array([((int(r) % (1 << bits)) * prime >> bits) % prime for r in drawn], dtype=np.uint64)

    for weak in (left_out, on_the_grid):
        monkeypatch.setattr(responses, "draw_masks", weak)
        assert weights_read(setting, weights) == 160


def note_ternaries(patch: pytest.MonkeyPatch) -> list[NDArray[np.int64]]:
    """The secret polynomials u of all encryptions of zero, as the answering party draws them while this is patched."""
    seen: list[NDArray[np.int64]] = []
    real = masks.ternary

    def spy(source: RandomSource, count: int) -> NDArray[np.uint8]:
        drawn = real(source, count)
        seen.append(np.array([0, 1, -1])[drawn])
        return drawn

    patch.setattr(masks, "ternary", spy)
    return seen


@pytest.fixture
def ternaries(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.int64]]:
    return note_ternaries(monkeypatch)


def constant_key(context: HeContext, constant: int) -> bytes:
    """A public key whose c0 is a constant; its other half is nobody's choice."""
    words = np.zeros((len(context.data_primes), context.degree), dtype=np.uint64)
    words[:, 0] = [constant % prime for prime in context.data_primes]
    return pack(words, context.data_primes)


def without_first(setting: Setting, request: bytes) -> bytes:
    """A request with c0 = 0: the product of the weights goes into c1 alone."""
    size = seeded_length(setting.scheme._context)
    parts = (request[start : start + size] for start in range(0, len(request), size))
    return b"".join(bytes(size - SEED_BYTES) + part[-SEED_BYTES:] for part in parts)


@pytest.mark.req("CAPC-SEC-020")
def test_key_of_choice_puts_its_secret_into_the_logits(ternaries: list[NDArray[np.int64]]) -> None:
    """With a constant for c0, and c1 left out of the opening, 40 of 40 results are u, which hides the weights in c1.

    No message shows them: the results are shared, and only the vote on them leaves, with noise.
    """
    setting, count = altered("default"), 4
    context, bits = setting.scheme._context, setting.widths.share_bits
    key = setting.scheme.read_public_key(constant_key(context, context.modulus >> 10), BINDING)
    request = without_first(setting, setting.request(LAYER, [[0] * LAYER.inputs] * count))
    weights = setting.weights(LAYER, "secret weights", 15)
    prepared = setting.prepare_dense(weights)
    shares, response = setting.scheme.evaluate(key, prepared, request, count, setting.source("answer"))
    encoding = setting.scheme._encoding(LAYER, count)
    (prime,) = context.response_primes
    flat, right, total = [share for row in shares for share in row], 0, 0
    parts = split_response(context, encoding, response)
    for carried, payload, drawn in zip(encoding.responses, parts, ternaries, strict=True):
        head = packed_length(context.response_primes, carried.positions.size)
        first = unpack(payload[:head], (prime,), carried.positions.size, "response")[0]
        for word, position, output in zip(first, carried.positions, carried.outputs, strict=True):
            result = (((int(word) << bits) + prime // 2) // prime + flat[output]) % (1 << bits)
            signed = result - (1 << bits) if result >> bits - 1 else result
            right += round(signed / 2 ** (bits - 10)) == drawn[position]
            total += 1
    assert (right, total) == (40, 40)
