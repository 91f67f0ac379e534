"""SEAL's decryption under one prime is exactly round(2^T y / p), y the phase of the ciphertext, in plain integers."""

from __future__ import annotations

import pytest

from capc.linear.bfv import BfvLinear
from capc.linear.bfv.context import HeContext
from capc.models.operators import Dense
from linear.plain_bfv import decrypted_by_seal, negacyclic, rounded, secret_coefficients
from linear.support import Setting, altered


def _largest() -> Setting:
    """Shares of 54 bits under a prime of 60: the rounding is decided by a difference of 2^-60."""
    return altered("default", logit_bits=46, he_coefficient_bits=(60, 32, 17))


SETTINGS = {name: name for name in ("conservative", "default", "test", "toy")} | {"largest": ""}


def _edges(context: HeContext) -> list[int]:
    """Phases on both sides of where the rounding turns, and at the ends of Z_p."""
    (prime,), modulus = context.response_primes, 1 << context.plain_bits
    steps = [0, 1, 2, modulus // 3, modulus // 2 - 1, modulus // 2, modulus - 2, modulus - 1]
    turns = [(2 * step + 1) * prime // (2 * modulus) for step in steps]
    near = [turn + side for turn in turns for side in (-1, 0, 1, 2)]
    # Odd multiples of p over 2^(T+1) that are closest to an integer: nothing is nearer to a half.
    closest = [(step * pow(prime, -1, 2 * modulus) % (2 * modulus)) * prime // (2 * modulus) for step in (1, 3, -1, -3)]
    return [
        phase % prime for phase in (0, 1, -1, -2, prime // 2, *near, *(c + side for c in closest for side in (0, 1)))
    ]


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("which", SETTINGS)
def test_decryption_is_the_nearest_integer_of_the_phase(which: str) -> None:
    setting = altered(SETTINGS[which]) if SETTINGS[which] else _largest()
    context, source = setting.scheme._context, setting.source("ciphertexts")
    (prime,) = context.response_primes
    secret, edges = secret_coefficients(setting), _edges(context)
    assert any(rounded(context, phase) != rounded(context, (phase + 1) % prime) for phase in edges)
    second = [source.below(prime) for _ in range(context.degree)]
    phases = edges + [source.below(prime) for _ in range(context.degree - len(edges))]
    # Plain integers say what c0 must be for these phases.
    first = [(phase - value) % prime for phase, value in zip(phases, negacyclic(second, secret), strict=True)]
    assert decrypted_by_seal(setting, first, second) == [rounded(context, phase) for phase in phases]


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("ends", ["zero", "largest"])
def test_decryption_of_extreme_ciphertexts_is_that_of_plain_integers(ends: str) -> None:
    setting = altered("default")
    context, secret = setting.scheme._context, secret_coefficients(setting)
    (prime,) = context.response_primes
    word = 0 if ends == "zero" else prime - 1
    first = second = [word] * context.degree
    phases = [(word + value) % prime for value in negacyclic(second, secret)]
    assert decrypted_by_seal(setting, first, second) == [rounded(context, phase) for phase in phases]


@pytest.mark.req("CAPC-HE-001")
def test_a_whole_product_has_the_shares_that_plain_integers_give() -> None:
    """Both shares of a response from its bytes: the querying party's by the phase of what was sent."""
    setting, shape = altered("default"), Dense(64, 32)
    scheme: BfvLinear = setting.scheme
    context = scheme._context
    (prime,) = context.response_primes
    weights, request = setting.weights(shape, "w", 14), setting.request(shape, setting.rows(1, 64, "x"))
    _, response = scheme.evaluate(setting.public_key, setting.prepare_dense(weights), request, 1, setting.source("r"))
    words = [int.from_bytes(response[at : at + 7], "little") for at in range(0, len(response), 7)]
    first, second = words[:32], words[32:]
    product = negacyclic(second, secret_coefficients(setting))
    (carried,) = scheme._encoding(shape, 1).responses
    phases = [(word + product[at]) % prime for word, at in zip(first, carried.positions, strict=True)]
    expected = [0] * 32
    for phase, output in zip(phases, carried.outputs, strict=True):
        expected[output] = rounded(context, phase)
    assert scheme.decrypt(setting.secret_key, shape, 1, response) == [expected]
