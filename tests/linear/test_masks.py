"""Masks and re-randomisation of responses."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tenseal import sealapi

from capc.foundation.randomness import BytesSource, Seed, XofSource
from capc.linear.bfv import keys, masks, sampling
from capc.linear.bfv.keys import PublicKey
from capc.linear.bfv.masks import shares_of
from capc.linear.bfv.wire import responses
from capc.linear.bfv.wire.packing import packed_length, unpack
from capc.linear.bfv.wire.seal_format import read_pair
from capc.models.operators import Dense
from linear.support import BINDING, Setting, altered

NAMES = ["conservative", "default", "test", "toy"]
SHAPE = Dense(64, 32)


@pytest.mark.req("CAPC-HE-008")
@given(bound=st.integers(2, (1 << 60) - 1), count=st.integers(0, 20), seed=st.binary(min_size=32, max_size=32))
def test_masks_are_as_many_calls_of_below(bound: int, count: int, seed: bytes) -> None:
    reader, source = XofSource(Seed(seed), b"mask"), XofSource(Seed(seed), b"mask")
    assert sampling.below(source, count, bound).tolist() == [reader.below(bound) for _ in range(count)]
    # No byte more is used: what is drawn next is the same.
    assert source.read(8) == reader.read(8)


@pytest.mark.req("CAPC-HE-008")
@given(
    data=st.binary(max_size=300), count=st.integers(1, 40), bound=st.sampled_from([2, 3, 129, 200, 256, 257, 40_000])
)
def test_masks_of_any_bytes_leave_out_what_is_not_below_the_bound(data: bytes, count: int, bound: int) -> None:
    # Streams of high bytes, all of which are rejected, before those that never are.
    stream = b"\xff" * (len(data) % 50) + data + bytes(200)
    reader, source = BytesSource(stream), BytesSource(stream)
    assert sampling.below(source, count, bound).tolist() == [reader.below(bound) for _ in range(count)]
    assert source.consumed == reader.consumed


@pytest.mark.req("CAPC-HE-001", "CAPC-HE-008")
@pytest.mark.parametrize("name", NAMES)
@given(masks=st.lists(st.integers(0, (1 << 55) - 1), max_size=40))
def test_the_answering_partys_shares_are_the_nearest_integers(name: str, masks: list[int]) -> None:
    context = altered(name).scheme._context
    (prime,) = context.response_primes
    modulus = 1 << context.plain_bits
    # Also those next to where the rounding turns.
    turns = [prime - (2 * step + 1) * prime // (2 * modulus) for step in (0, 1, modulus // 2, modulus - 1)]
    edges = [0, 1, prime - 1, prime // 2, *(turn + side for turn in turns for side in (-1, 0, 1))]
    every = [mask % prime for mask in masks + edges]
    expected = [round(Fraction(modulus * (prime - mask), prime)) % modulus for mask in every]
    assert shares_of(context, np.array(every, dtype=np.uint64)).tolist() == expected


@pytest.mark.req("CAPC-HE-014")
def test_each_byte_below_255_is_a_ternary_value_and_each_value_has_as_many() -> None:
    # 255 is left out, and one more byte is read in its place.
    drawn = sampling.ternary(BytesSource(bytes([255, *range(255), 7])), 256)
    assert drawn.tolist() == [*(byte % 3 for byte in range(255)), 7 % 3]
    assert Counter(drawn[:255].tolist()) == dict.fromkeys(range(3), 85)


@pytest.mark.req("CAPC-HE-014")
@given(data=st.binary(max_size=200), count=st.integers(1, 60))
def test_ternary_values_use_the_stream_up_to_the_last_one_and_no_further(data: bytes, count: int) -> None:
    stream = data + bytes(60)
    source = BytesSource(stream)
    drawn = sampling.ternary(source, count)
    used = stream[: source.consumed]
    assert drawn.tolist() == [byte % 3 for byte in used if byte != 255]
    assert len(drawn) == count
    assert not used.endswith(b"\xff")


@pytest.mark.req("CAPC-HE-014")
@given(values=st.lists(st.integers(0, (1 << 48) - 1), max_size=20))
def test_an_error_is_the_heads_among_42_coins_less_21(values: list[int]) -> None:
    stream = b"".join(value.to_bytes(6, "little") for value in values)
    expected = [(value % (1 << 42)).bit_count() - 21 for value in values]
    assert sampling.centred_binomial(BytesSource(stream), len(values)).tolist() == expected


@pytest.mark.req("CAPC-HE-002", "CAPC-HE-014")
@pytest.mark.parametrize("name", ["conservative", "default"])
def test_the_encryption_of_zero_is_the_public_key_times_a_ternary_polynomial(name: str) -> None:
    setting, seed = altered(name), Seed(bytes(range(32)))
    context, source = setting.scheme._context, XofSource(Seed(bytes(range(32))), b"ternary/" + bytes([3, 0, 0, 0]))
    zero, error = masks.fresh_zero(setting.public_key, seed, 3)
    context.evaluator.transform_from_ntt_inplace(zero)
    primes, degree = len(context.data_primes), context.degree
    key = keys.read_public_key(context, setting.public_payload, BINDING).zero
    context.evaluator.transform_from_ntt_inplace(key)
    # Independent: a product in integers, of which one coefficient is compared.
    secret = [(0, 1, -1)[value] for value in sampling.ternary(source, degree)]
    found, given_key = read_pair(zero, primes, degree), read_pair(key, primes, degree)
    for half in range(2):
        for row, prime in enumerate(context.data_primes):
            polynomial = given_key[half, row].tolist()
            last = sum(a * b for a, b in zip(polynomial, reversed(secret), strict=True)) % prime
            assert found[half, row, -1] == last
    assert (
        error.tolist() == sampling.centred_binomial(XofSource(seed, b"error/" + bytes([3, 0, 0, 0])), degree).tolist()
    )


@pytest.mark.req("CAPC-HE-004", "CAPC-HE-008", "CAPC-HE-012")
@pytest.mark.parametrize("name", ["default", "test"])
def test_a_response_is_the_switched_sum_plus_masks_of_the_seed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    setting, shape, count = altered(name), Dense(64, 130), 5
    context, switched = setting.scheme._context, []
    (prime,) = context.response_primes
    real = responses._switched
    monkeypatch.setattr(responses, "_switched", lambda *given: switched.append(real(*given)) or switched[-1])
    prepared = setting.prepare_dense(setting.weights(shape, "w", 8))
    request = setting.request(shape, setting.rows(count, 64, "x"))
    shares, response = setting.scheme.evaluate(setting.public_key, prepared, request, count, setting.source("f"))
    seed = Seed(setting.source("f").read(32))
    carried = setting.scheme._encoding(shape, count).responses
    assert len(switched) == len(carried) > 1
    numbers = [int.from_bytes(response[at : at + 7], "little") for at in range(0, len(response), 7)]
    expected, flat, drawn = [], {}, []
    for number, (words, part) in enumerate(zip(switched, carried, strict=True)):
        stream = XofSource(seed, b"mask/" + number.to_bytes(4, "little"))
        each = [stream.below(prime) for _ in part.positions]
        drawn.append(tuple(each))
        expected += [(int(words[0, 0, at]) + mask) % prime for at, mask in zip(part.positions, each, strict=True)]
        expected += words[1, 0].tolist()
        flat |= dict(zip(part.outputs.tolist(), each, strict=True))
    # Nothing else is sent, and no two ciphertexts have a mask in common.
    assert numbers == expected
    assert len({mask for masks_of_one in drawn for mask in masks_of_one}) == 130 * count
    bits = context.plain_bits
    own = [round(Fraction(prime - flat[output] << bits, prime)) % (1 << bits) for output in range(130 * count)]
    assert [share for row in shares for share in row] == own


def _evaluate(setting: Setting, request: bytes, prepared: object, source_label: str) -> bytes:
    return setting.scheme.evaluate(setting.public_key, prepared, request, 1, setting.source(source_label))[1]


@pytest.mark.req("CAPC-HE-002")
@pytest.mark.parametrize("weights_bits", [8, None])
def test_evaluations_of_one_request_have_nothing_in_common_but_from_one_seed(weights_bits: int | None) -> None:
    setting = altered("default")
    context = setting.scheme._context
    request = setting.scheme.encrypt(setting.secret_key, SHAPE, [[1] * SHAPE.inputs])
    weights = ((0,) * 64,) * 32 if weights_bits is None else setting.weights(SHAPE, "w", weights_bits)
    prepared = setting.prepare_dense(weights)
    first, again, second = (_evaluate(setting, request, prepared, label) for label in ("one", "one", "other"))
    # A response is a function of its request and of a seed.
    assert first == again != second
    head = packed_length(context.response_primes, SHAPE.outputs)
    left, right = (
        unpack(response[head:], context.response_primes, context.degree, "c1") for response in (first, second)
    )
    # Uniform modulo a 56-bit prime: a coefficient in common has probability 2^-43 in all.
    assert not (left == right).any()


@pytest.mark.req("CAPC-HE-012")
def test_responses_of_one_source_have_seeds_of_their_own() -> None:
    setting = altered("toy")
    prepared, source = setting.prepare_dense(setting.weights(SHAPE, "w", 8)), setting.source("f")
    request = setting.request(SHAPE, [[1] * SHAPE.inputs])
    given = [setting.scheme.evaluate(setting.public_key, prepared, request, 1, source) for _ in range(2)]
    one, two = (set(shares[0]) for shares, _ in given)
    # Shares have 20 bits: of 32 a few may meet.
    assert len(one & two) < 4
    assert given[0][1] != given[1][1]


@pytest.mark.req("CAPC-HE-002")
def test_each_row_of_blocks_has_an_encryption_of_zero_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    setting, shape = altered("toy"), Dense(64, 130)
    primes, degree = len(setting.scheme._context.data_primes), setting.scheme._context.degree
    real, made = responses.fresh_zero, []

    def logged(key: PublicKey, seed: Seed, number: int) -> tuple[sealapi.Ciphertext, NDArray[np.int64]]:
        zero, error = real(key, seed, number)
        made.append((read_pair(zero, primes, degree).tobytes(), error.tobytes()))
        return zero, error

    monkeypatch.setattr(responses, "fresh_zero", logged)
    request = setting.scheme.encrypt(setting.secret_key, shape, [[1] * 64])
    prepared = setting.prepare_dense(setting.weights(shape, "w", 8))
    setting.scheme.evaluate(setting.public_key, prepared, request, 1, setting.source("f"))
    assert len(made) == len(setting.scheme._encoding(shape, 1).responses) > 1
    assert all(len(set(kind)) == len(made) for kind in zip(*made, strict=True))
