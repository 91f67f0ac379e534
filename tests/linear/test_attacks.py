"""Attacks of an honest-but-curious key holder: each succeeds when one mitigation is off, and fails on the real build.

Some run on a parameter set with one data prime, where the modulus switch does nothing: it would hide c1 partly by
rounding, and nothing of the guarantee rests on that. Attacks of one that deviates are in ``tests/faulty_parties``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray
from tenseal import sealapi

from capc.foundation.randomness import Seed
from capc.linear.bfv.keys import PublicKey
from capc.linear.bfv.wire import responses, seal_format
from capc.linear.bfv.wire.seal_format import Words
from capc.models.operators import Convolution, Dense, Grid, Matrix
from linear.key_holder import KeyHolder
from linear.support import Setting, altered, one_level

Switch = Callable[[], None]
"""Turns one mitigation off until the test ends."""


@pytest.fixture
def without_fresh_zero(monkeypatch: pytest.MonkeyPatch) -> Switch:
    """Responses keep their masks; the encryption of zero becomes (0, 1), which everybody knows."""

    def weak(public_key: PublicKey, seed: Seed, number: int) -> tuple[sealapi.Ciphertext, NDArray[np.int64]]:
        context = public_key.context
        words = np.zeros((2, len(context.data_primes), context.degree), dtype=np.uint64)
        # SEAL refuses a c1 of zero.
        words[1, :, 0] = 1
        known = seal_format.make_ciphertext(context, context.data_id, words)
        context.evaluator.transform_to_ntt_inplace(known)
        return known, np.zeros(context.degree, dtype=np.int64)

    return lambda: monkeypatch.setattr(responses, "fresh_zero", weak)


@contextmanager
def every_coefficient() -> Iterator[list[Words]]:
    """All of c0 and c1 before masks: what a ciphertext in SEAL's own form would show where there is no output."""
    seen: list[Words] = []
    real = responses._switched

    def seeing(*arguments: object) -> Words:
        seen.append(real(*arguments))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(responses, "_switched", seeing)
        yield seen


def _evaluate(setting: Setting, weights: Matrix, request: bytes, label: str) -> bytes:
    prepared = setting.prepare_dense(weights)
    return setting.scheme.evaluate(setting.public_key, prepared, request, 1, setting.source(label))[1]


def _recovered_by_division(setting: Setting, shape: Dense, weights: Matrix) -> float:
    """The share of weights that division of c1 by c1 returns."""
    holder = KeyHolder(setting)
    (prime,) = holder.context.data_primes
    request = setting.scheme.encrypt(setting.secret_key, shape, [setting.elements(shape.inputs, "x")])
    response = _evaluate(setting, weights, request, "division")
    positions = setting.scheme._encoding(shape, 1).responses[0].positions.tolist()
    before = holder.to_ntt(holder.request_pair(request))[1, 0]
    after = holder.to_ntt(holder.response_pair(response, positions))[1, 0]
    # The polynomial 1 is 1 everywhere in NTT form.
    quotient = [(int(b) - 1) * pow(int(a), -1, prime) for a, b in zip(before, after, strict=True)]
    polynomial = holder.centred_from_ntt(np.array(quotient, dtype=object))
    found = polynomial[: shape.inputs * shape.outputs].reshape(shape.outputs, -1)[:, ::-1]
    return float((found == np.array(weights)).mean())


@pytest.mark.req("CAPC-HE-002")
def test_division_of_c1_returns_all_weights_only_without_the_fresh_encryption_of_zero(
    without_fresh_zero: Switch,
) -> None:
    setting, shape = one_level(), Dense(64, 32)
    weights = setting.weights(shape, "secret weights", 11)
    # A residue modulo a 60-bit prime equals a given weight with probability 2^-60.
    assert _recovered_by_division(setting, shape, weights) == 0
    without_fresh_zero()
    assert _recovered_by_division(setting, shape, weights) == 1


def _matching_candidates(setting: Setting, shape: Dense, candidates: list[Matrix], truth: int) -> list[int]:
    """The candidates whose product with the request has the c1 of the response."""
    holder = KeyHolder(setting)
    request = setting.scheme.encrypt(setting.secret_key, shape, [setting.elements(shape.inputs, "x")])
    response = _evaluate(setting, candidates[truth], request, "candidates")
    positions = setting.scheme._encoding(shape, 1).responses[0].positions.tolist()
    seen = seal_format.read_pair(holder.response_pair(response, positions), *holder.size)[1]
    matching = []
    for index, weights in enumerate(candidates):
        encoding = setting.scheme._encoding(shape, 1)
        prepared = setting.prepare_dense(weights)
        (product,) = responses.products(prepared, encoding, request, encoding.responses)
        context = prepared.product_context
        context.evaluator.transform_from_ntt_inplace(product)
        context.evaluator.mod_switch_to_inplace(product, list(context.response_id))
        # The first coefficient has what stands for the encryption of zero.
        if (seal_format.read_pair(product, *holder.size)[1, :, 1:] == seen[:, 1:]).all():
            matching.append(index)
    return matching


@pytest.mark.req("CAPC-HE-002")
@pytest.mark.parametrize("name", ["default", "test"])
def test_candidate_models_are_told_apart_only_without_the_fresh_encryption_of_zero(
    without_fresh_zero: Switch, name: str
) -> None:
    setting, shape = altered(name), Dense(16, 4)
    candidates = [setting.weights(shape, f"model {index}", 14) for index in range(3)]
    assert _matching_candidates(setting, shape, candidates, 1) == []
    without_fresh_zero()
    assert _matching_candidates(setting, shape, candidates, 1) == [1]


@pytest.mark.req("CAPC-HE-004")
@pytest.mark.parametrize("name", ["default", "toy"])
def test_a_unit_query_returns_the_matrix_only_when_unused_coefficients_are_sent(name: str) -> None:
    setting, shape = altered(name), Dense(64, 32)
    holder, weights = KeyHolder(setting), setting.weights(shape, "secret weights", 11)
    unit, modulus = 1 << setting.widths.guard_bits, 1 << setting.widths.logit_bits
    request = setting.request(shape, [[1] + [0] * 63])

    def recovered(polynomial: Words) -> int:
        return sum(
            round(int(polynomial[output * 64 + 63 - j]) / unit) % modulus == weights[output][j] % modulus
            for output in range(32)
            for j in range(1, 64)
        )

    with every_coefficient() as seen:
        response = _evaluate(setting, weights, request, "unit")
    assert recovered(holder.decrypted_words(seen[0])) == 32 * 63
    # By chance: 2016 guesses, each right with probability at most 2^-12.
    assert recovered(holder.decrypted(response, [63 + 64 * output for output in range(32)])) < 12


@pytest.mark.req("CAPC-HE-004")
def test_a_unit_query_returns_the_kernels_only_when_unused_coefficients_are_sent() -> None:
    setting, operator = altered("toy"), Convolution(Grid(2, 8, 8, (3, 3)), 4)
    holder, unit = KeyHolder(setting), 1 << setting.widths.guard_bits
    weights = setting.weights(operator, "secret weights", 11)
    prepared = setting.scheme.prepare(operator, weights)
    request = setting.request(operator, [[1] + [0] * (operator.inputs - 1)])
    encoding = setting.scheme._encoding(operator, 1)
    (carried,) = encoding.responses
    (kernels,) = encoding.encode_weights(prepared.words, slice(0, 4))
    hidden = [place for place in np.flatnonzero(kernels).tolist() if place not in carried.positions]
    assert len(hidden) > 60

    def recovered(polynomial: Words) -> int:
        modulus = 1 << setting.widths.logit_bits
        return sum(round(int(polynomial[at]) / unit) % modulus == int(kernels[at]) % modulus for at in hidden)

    with every_coefficient() as seen:
        _, response = setting.scheme.evaluate(setting.public_key, prepared, request, 1, setting.source("unit"))
    assert recovered(holder.decrypted_words(seen[0])) == len(hidden)
    # By chance: fewer than 72 guesses, each right with probability at most 2^-11.
    assert recovered(holder.decrypted(response, carried.positions.tolist())) < 6
