"""Re-randomisation, flooding and masks of responses."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tenseal import sealapi

from capc.foundation.randomness import BytesSource, RandomSource, Seed, XofSource
from capc.linear.bfv import blinding, keys, sampling
from capc.linear.bfv.keys import PublicKey
from capc.linear.bfv.wire import responses
from capc.linear.bfv.wire.packing import packed_length, unpack
from capc.linear.bfv.wire.seal_format import read_pair
from capc.models.operators import Dense
from linear.support import Setting, altered

SHAPE = Dense(64, 32)


@pytest.mark.req("CAPC-HE-003")
@pytest.mark.parametrize("bits", [0, 1, 2, 5, 7])
def test_flooding_noise_takes_every_value_of_its_range_equally_often(bits: int) -> None:
    # One byte for each draw: every value of it once. The range has 2^(b+1) values and ends below 2^b.
    noise = sampling.flooding_noise(BytesSource(bytes(range(256))), 256, bits)
    assert Counter(noise) == dict.fromkeys(range(-(1 << bits), 1 << bits), 256 >> (bits + 1))


@pytest.mark.req("CAPC-HE-003")
@given(bits=st.integers(0, 130), count=st.integers(1, 20), seed=st.binary(min_size=32, max_size=32))
def test_flooding_noise_is_the_next_integers_of_the_source_less_half_their_range(
    bits: int, count: int, seed: bytes
) -> None:
    reader = XofSource(Seed(seed), b"noise")
    expected = [reader.bits(bits + 1) - (1 << bits) for _ in range(count)]
    assert sampling.flooding_noise(XofSource(Seed(seed), b"noise"), count, bits) == expected


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
@pytest.mark.parametrize("name", ["default", "fast"])
def test_the_encryption_of_zero_is_the_public_key_times_a_ternary_polynomial(name: str) -> None:
    setting, seed = altered(name), Seed(bytes(range(32)))
    context, source = setting.scheme._context, XofSource(Seed(bytes(range(32))), b"ternary/" + bytes([3, 0, 0, 0]))
    zero, error = blinding.fresh_zero(setting.public_key, seed, 3)
    context.evaluator.transform_from_ntt_inplace(zero)
    primes, degree = len(context.data_primes), context.degree
    key = keys.read_public_key(context, setting.public_payload).zero
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


@pytest.mark.req("CAPC-HE-003")
@pytest.mark.parametrize("name", ["default", "test", "toy"])
def test_every_released_coefficient_is_flooded_at_the_declared_width(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting, shape, count = altered(name), Dense(64, 130), 5
    drawn: list[tuple[int, int, tuple[int, ...]]] = []
    real = blinding.flooding_noise

    def logged(source: RandomSource, count: int, bits: int) -> list[int]:
        noise = real(source, count, bits)
        drawn.append((count, bits, tuple(noise)))
        return noise

    monkeypatch.setattr(blinding, "flooding_noise", logged)
    request = setting.scheme.encrypt(setting.secret_key, shape, [[0] * 64] * count)
    prepared = setting.prepare_dense(setting.weights(shape, "weights", 8))
    setting.scheme.evaluate(setting.public_key, prepared, request, [[0] * 130] * count, setting.source("f"))
    assert sum(released for released, _, _ in drawn) == 130 * count
    assert {bits for _, bits, _ in drawn} == {setting.widths.he_flood_bits}
    # Each ciphertext has a stream of its own.
    assert len(drawn) > 1
    assert len({noise for *_, noise in drawn}) == len(drawn)


def _evaluate(setting: Setting, request: bytes, prepared: object, source_label: str) -> bytes:
    return setting.scheme.evaluate(
        setting.public_key, prepared, request, [[0] * SHAPE.outputs], setting.source(source_label)
    )


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
    assert first == again
    head = packed_length(context.response_primes, SHAPE.outputs)
    left, right = (
        unpack(response[head:], context.response_primes, context.degree, "c1") for response in (first, second)
    )
    # Uniform modulo a 48-bit prime: a coefficient in common has probability 2^-35 in all.
    assert not (left == right).any()
    outputs = [setting.scheme.decrypt(setting.secret_key, SHAPE, 1, response) for response in (first, second)]
    assert outputs[0] == outputs[1]


@pytest.mark.req("CAPC-HE-002")
def test_each_row_of_blocks_has_an_encryption_of_zero_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    setting, shape = altered("toy"), Dense(64, 130)
    primes, degree = len(setting.scheme._context.data_primes), setting.scheme._context.degree
    real, made = blinding.fresh_zero, []

    def logged(key: PublicKey, seed: Seed, number: int) -> tuple[sealapi.Ciphertext, NDArray[np.int64]]:
        zero, error = real(key, seed, number)
        made.append((read_pair(zero, primes, degree).tobytes(), error.tobytes()))
        return zero, error

    monkeypatch.setattr(blinding, "fresh_zero", logged)
    request = setting.scheme.encrypt(setting.secret_key, shape, [[1] * 64])
    prepared = setting.prepare_dense(setting.weights(shape, "w", 8))
    setting.scheme.evaluate(setting.public_key, prepared, request, [[0] * 130], setting.source("f"))
    assert len(made) == len(setting.scheme._encoding(shape, 1).responses) > 1
    assert all(len(set(kind)) == len(made) for kind in zip(*made, strict=True))


@pytest.mark.req("CAPC-HE-004")
@pytest.mark.parametrize("name", ["default", "test"])
def test_a_response_holds_c1_and_the_carrying_coefficients_of_c0(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = altered(name)
    context = setting.scheme._context
    sent = []
    real = responses.read_pair
    monkeypatch.setattr(responses, "read_pair", lambda *arguments: sent.append(real(*arguments)) or sent[-1])
    request = setting.scheme.encrypt(setting.secret_key, SHAPE, [[1] * SHAPE.inputs])
    prepared = setting.prepare_dense(setting.weights(SHAPE, "w", 8))
    response = _evaluate(setting, request, prepared, "flooding")
    (words,) = sent
    (prime,) = context.response_primes
    width = (prime.bit_length() + 7) // 8
    carrying = [63 + 64 * output for output in range(32)]
    numbers = [int.from_bytes(response[at : at + width], "little") for at in range(0, len(response), width)]
    assert numbers == [int(words[0, 0, at]) for at in carrying] + [int(value) for value in words[1, 0]]


@pytest.mark.req("CAPC-HE-004")
def test_every_output_carries_its_own_addend() -> None:
    setting = altered("test")
    weights = setting.weights(SHAPE, "w", 10)
    vector = setting.elements(SHAPE.inputs, "x")
    for index in (0, 1, 31):
        addend = [0] * SHAPE.outputs
        addend[index] = 1 << 31
        assert setting.run(weights, vector, addend) == setting.expected(weights, vector, addend)
