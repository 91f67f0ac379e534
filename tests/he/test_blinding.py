"""Re-randomisation, flooding and masks of responses."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.he import blinding, responses
from capc.he.packing import packed_length, unpack
from capc.operators import Dense
from capc.randomness import BytesSource, RandomSource, Seed, XofSource
from he.support import Setting, altered

SHAPE = Dense(64, 32)


@pytest.mark.req("CAPC-HE-003")
@pytest.mark.parametrize("bits", [0, 1, 2, 5, 7])
def test_flooding_noise_takes_every_value_of_its_range_equally_often(bits: int) -> None:
    # One byte for each draw: every value of it once. The range has 2^(b+1) values and ends below 2^b.
    noise = blinding.flooding_noise(BytesSource(bytes(range(256))), 256, bits)
    assert Counter(noise) == dict.fromkeys(range(-(1 << bits), 1 << bits), 256 >> (bits + 1))


@pytest.mark.req("CAPC-HE-003")
@given(bits=st.integers(0, 130), count=st.integers(1, 20), seed=st.binary(min_size=32, max_size=32))
def test_flooding_noise_is_the_next_integers_of_the_source_less_half_their_range(
    bits: int, count: int, seed: bytes
) -> None:
    reader = XofSource(Seed(seed), b"noise")
    expected = [reader.bits(bits + 1) - (1 << bits) for _ in range(count)]
    assert blinding.flooding_noise(XofSource(Seed(seed), b"noise"), count, bits) == expected


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
def test_two_evaluations_of_one_request_differ_even_from_one_source(weights_bits: int | None) -> None:
    setting = altered("default")
    context = setting.scheme._context
    request = setting.scheme.encrypt(setting.secret_key, SHAPE, [[1] * SHAPE.inputs])
    weights = ((0,) * 64,) * 32 if weights_bits is None else setting.weights(SHAPE, "w", weights_bits)
    prepared = setting.prepare_dense(weights)
    first, second = (_evaluate(setting, request, prepared, "same") for _ in range(2))
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
    made = []
    real = blinding.fresh_zero
    monkeypatch.setattr(blinding, "fresh_zero", lambda key: made.append(real(key)) or made[-1])
    request = setting.scheme.encrypt(setting.secret_key, shape, [[1] * 64])
    prepared = setting.prepare_dense(setting.weights(shape, "w", 8))
    setting.scheme.evaluate(setting.public_key, prepared, request, [[0] * 130], setting.source("f"))
    assert len(made) == len(setting.scheme._encoding(shape, 1).responses) > 1
    assert len({id(ciphertext) for ciphertext in made}) == len(made)


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
