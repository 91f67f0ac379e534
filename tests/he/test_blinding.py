"""Re-randomisation, flooding and masks of responses."""

from __future__ import annotations

import pytest

from capc.he import blinding, scheme
from capc.he.packing import packed_length, unpack
from capc.operators import Dense
from capc.randomness import RandomSource, Seed, XofSource
from he.support import Setting, altered

SHAPE = Dense(64, 32)


class CountingSource:
    """Gives 0, 1, 2, ... modulo the bound, and remembers the bounds."""

    def __init__(self) -> None:
        self.bounds: list[int] = []

    def below(self, bound: int) -> int:
        self.bounds.append(bound)
        return (len(self.bounds) - 1) % bound


class LoggingSource:
    """Passes a source on, and remembers what was asked of it."""

    def __init__(self, inner: RandomSource) -> None:
        self.inner = inner
        self.bounds: list[int] = []

    def below(self, bound: int) -> int:
        self.bounds.append(bound)
        return self.inner.below(bound)


@pytest.mark.req("CAPC-HE-003")
@pytest.mark.parametrize("bits", [0, 1, 2, 5])
def test_flooding_noise_takes_every_value_of_its_range_once(bits: int) -> None:
    count = (2 << bits) + 1
    source = CountingSource()
    assert blinding.flooding_noise(source, count, bits) == list(range(-(1 << bits), (1 << bits) + 1))
    assert source.bounds == [count] * count


@pytest.mark.req("CAPC-HE-003")
@pytest.mark.parametrize("name", ["default", "test", "toy"])
def test_every_released_coefficient_is_flooded_at_the_declared_width(name: str) -> None:
    setting = altered(name)
    source = LoggingSource(XofSource(Seed(bytes(32)), b"flooding"))
    request = setting.scheme.encrypt(setting.secret_key, SHAPE, [0] * SHAPE.inputs)
    prepared = setting.prepare_dense(setting.weights(SHAPE, "weights", 8))
    setting.scheme.evaluate(setting.public_key, prepared, request, [0] * SHAPE.outputs, source)
    assert source.bounds == [2 * 2**setting.widths.he_flood_bits + 1] * SHAPE.outputs


def _evaluate(setting: Setting, request: bytes, prepared: object, source_label: str) -> bytes:
    return setting.scheme.evaluate(
        setting.public_key, prepared, request, [0] * SHAPE.outputs, setting.source(source_label)
    )


@pytest.mark.req("CAPC-HE-002")
@pytest.mark.parametrize("weights_bits", [8, None])
def test_two_evaluations_of_one_request_differ_even_from_one_source(weights_bits: int | None) -> None:
    setting = altered("default")
    context = setting.scheme._context
    request = setting.scheme.encrypt(setting.secret_key, SHAPE, [1] * SHAPE.inputs)
    weights = ((0,) * 64,) * 32 if weights_bits is None else setting.weights(SHAPE, "w", weights_bits)
    prepared = setting.prepare_dense(weights)
    first, second = (_evaluate(setting, request, prepared, "same") for _ in range(2))
    head = packed_length(context.response_primes, SHAPE.outputs)
    left, right = (
        unpack(response[head:], context.response_primes, context.degree, "c1") for response in (first, second)
    )
    # Uniform modulo a 48-bit prime: a coefficient in common has probability 2^-35 in all.
    assert not (left == right).any()
    outputs = [setting.scheme.decrypt(setting.secret_key, SHAPE, response) for response in (first, second)]
    assert outputs[0] == outputs[1]


@pytest.mark.req("CAPC-HE-002")
def test_each_row_of_blocks_has_an_encryption_of_zero_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    setting, shape = altered("toy"), Dense(64, 130)
    made = []
    real = blinding.fresh_zero
    monkeypatch.setattr(blinding, "fresh_zero", lambda key: made.append(real(key)) or made[-1])
    request = setting.scheme.encrypt(setting.secret_key, shape, [1] * 64)
    prepared = setting.prepare_dense(setting.weights(shape, "w", 8))
    setting.scheme.evaluate(setting.public_key, prepared, request, [0] * 130, setting.source("f"))
    assert len(made) == 3
    assert len({id(ciphertext) for ciphertext in made}) == 3


@pytest.mark.req("CAPC-HE-004")
@pytest.mark.parametrize("name", ["default", "test"])
def test_a_response_holds_c1_and_the_carrying_coefficients_of_c0(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = altered(name)
    context = setting.scheme._context
    sent = []
    real = scheme.read_pair
    monkeypatch.setattr(scheme, "read_pair", lambda *arguments: sent.append(real(*arguments)) or sent[-1])
    request = setting.scheme.encrypt(setting.secret_key, SHAPE, [1] * SHAPE.inputs)
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
