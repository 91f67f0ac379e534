"""Attacks of an honest-but-curious key holder: each succeeds when one mitigation is off, and fails on the real build.

Most run on a parameter set with one data prime, where the modulus switch does nothing: it would hide c1 and the
noise partly by rounding, and nothing of the guarantee rests on that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from tenseal import sealapi

from capc.foundation.randomness import RandomSource, Seed
from capc.linear.bfv import blinding, keys
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.encoding.axis import Indices
from capc.linear.bfv.keys import PublicKey
from capc.linear.bfv.wire import responses, seal_format
from capc.models.operators import Convolution, Dense, Grid, Matrix
from linear.key_holder import Integers, KeyHolder, OpenSecretKey
from linear.support import Setting, altered, one_level

Switch = Callable[[], None]
"""Turns one mitigation off until the test ends."""


@pytest.fixture
def without_fresh_zero(monkeypatch: pytest.MonkeyPatch) -> Switch:
    """The blinding keeps its mask and flooding; its encryption of zero becomes (0, 1), which everybody knows."""

    def weak(public_key: PublicKey, seed: Seed, number: int) -> tuple[sealapi.Ciphertext, NDArray[np.int64]]:
        context = public_key.context
        words = np.zeros((2, len(context.data_primes), context.degree), dtype=np.uint64)
        # SEAL refuses a c1 of zero.
        words[1, :, 0] = 1
        known = seal_format.make_ciphertext(context, context.data_id, words)
        context.evaluator.transform_to_ntt_inplace(known)
        return known, np.zeros(context.degree, dtype=np.int64)

    return lambda: monkeypatch.setattr(blinding, "fresh_zero", weak)


@pytest.fixture
def without_flooding(monkeypatch: pytest.MonkeyPatch) -> Switch:
    """The blinding keeps its mask and encryption of zero, and loses its flooding noise."""

    def weak(source: RandomSource, count: int, bits: int) -> list[int]:
        return [0] * count

    return lambda: monkeypatch.setattr(blinding, "flooding_noise", weak)


@contextmanager
def sends_every_coefficient() -> Iterator[None]:
    """All of c0 is sent, as a ciphertext in SEAL's own form would."""
    real = responses.pack_response

    def weak(context: HeContext, result: sealapi.Ciphertext, positions: Indices) -> bytes:
        return real(context, result, np.arange(context.degree))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(responses, "pack_response", weak)
        yield


def _evaluate(setting: Setting, weights: Matrix, request: bytes, label: str) -> tuple[list[int], bytes]:
    addend = setting.elements(len(weights), label + "/mask")
    return addend, setting.scheme.evaluate(
        setting.public_key, setting.prepare_dense(weights), request, [addend], setting.source(label)
    )


def _recovered_by_division(setting: Setting, shape: Dense, weights: Matrix) -> float:
    """The share of weights that division of c1 by c1 returns."""
    holder = KeyHolder(setting)
    (prime,) = holder.context.data_primes
    request = setting.scheme.encrypt(setting.secret_key, shape, [setting.elements(shape.inputs, "x")])
    _, response = _evaluate(setting, weights, request, "division")
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
    _, response = _evaluate(setting, candidates[truth], request, "candidates")
    context = holder.context
    positions = setting.scheme._encoding(shape, 1).responses[0].positions.tolist()
    seen = seal_format.read_pair(holder.response_pair(response, positions), *holder.size)[1]
    matching = []
    for index, weights in enumerate(candidates):
        encoding = setting.scheme._encoding(shape, 1)
        (product,) = responses.products(setting.prepare_dense(weights), encoding, request, encoding.responses)
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
    holder, degree = KeyHolder(setting), setting.scheme._context.degree
    weights = setting.weights(shape, "secret weights", 11)
    modulus = 1 << setting.widths.logit_bits
    request = setting.scheme.encrypt(setting.secret_key, shape, [[1] + [0] * 63])

    def recovered(positions: list[int]) -> int:
        _, response = _evaluate(setting, weights, request, "unit")
        polynomial = holder.decrypted(response, positions)
        return sum(
            int(polynomial[output * 64 + 63 - j]) == weights[output][j] % modulus
            for output in range(32)
            for j in range(1, 64)
        )

    with sends_every_coefficient():
        assert recovered(list(range(degree))) == 32 * 63
    # By chance: 2016 guesses, each right with probability at most 2^-12.
    assert recovered([63 + 64 * output for output in range(32)]) < 12


@pytest.mark.req("CAPC-HE-004")
def test_a_unit_query_returns_the_kernels_only_when_unused_coefficients_are_sent() -> None:
    setting, operator = altered("toy"), Convolution(Grid(2, 8, 8, (3, 3)), 4)
    holder, degree = KeyHolder(setting), setting.scheme._context.degree
    weights = setting.weights(operator, "secret weights", 11)
    prepared = setting.scheme.prepare(operator, weights)
    request = setting.scheme.encrypt(setting.secret_key, operator, [[1] + [0] * (operator.inputs - 1)])
    encoding = setting.scheme._encoding(operator, 1)
    (carried,) = encoding.responses
    (kernels,) = encoding.encode_weights(prepared.words, slice(0, 4))
    hidden = [place for place in np.flatnonzero(kernels).tolist() if place not in carried.positions]
    assert len(hidden) > 60

    def recovered(positions: list[int]) -> int:
        addend = setting.elements(operator.outputs, "unit/mask")
        response = setting.scheme.evaluate(setting.public_key, prepared, request, [addend], setting.source("unit"))
        polynomial = holder.decrypted(response, positions)
        return int((polynomial[hidden] == kernels[hidden]).sum())

    with sends_every_coefficient():
        assert recovered(list(range(degree))) == len(hidden)
    # By chance: fewer than 72 guesses, each right with probability at most 2^-11.
    assert recovered(carried.positions.tolist()) < 6


def _noise(setting: Setting, phase: Integers, message: Integers) -> NDArray[np.float64]:
    """phase - q m / 2^l modulo q, the fraction included."""
    scale, q = 1 << setting.widths.logit_bits, setting.scheme._context.modulus
    scaled = (phase * scale - q * message + q * scale // 2) % (q * scale) - q * scale // 2
    return (scaled / scale).astype(np.float64)


def _noise_correlation(setting: Setting, shape: Dense, weights: Matrix, queries: int) -> tuple[float, list[float]]:
    """Correlation of the weights with their least-squares estimate from the noise of responses."""
    holder, degree = KeyHolder(setting), setting.scheme._context.degree
    unknowns = shape.inputs * shape.outputs
    positions = setting.scheme._encoding(shape, 1).responses[0].positions.tolist()
    equations, noises = [], []
    for query in range(queries):
        vector = setting.elements(shape.inputs, f"x{query}")
        request = setting.scheme.encrypt(setting.secret_key, shape, [vector])
        addend, response = _evaluate(setting, weights, request, f"noise{query}")
        message = np.zeros(degree, dtype=object)
        message[: shape.inputs] = vector
        known = _noise(setting, holder.phase(holder.request_pair(request)), message)
        (result,) = setting.scheme.decrypt(setting.secret_key, shape, 1, response)
        assert result == setting.expected(weights, vector, addend)
        phase = holder.phase(holder.response_pair(response, positions))
        noises += _noise(setting, phase[positions], np.array(result, dtype=object)).tolist()
        for position in positions:
            equations.append([known[position - k] if k <= position else -known[position - k] for k in range(unknowns)])
    estimate, *_ = np.linalg.lstsq(np.array(equations), np.array(noises), rcond=None)
    secret = [weights[k // shape.inputs][shape.inputs - 1 - k % shape.inputs] for k in range(unknowns)]
    return abs(np.corrcoef(estimate, secret)[0, 1]), noises


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-003")
def test_regression_on_the_noise_returns_the_weights_only_without_flooding(
    without_flooding: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "SecretKey", OpenSecretKey)
    shape, scheme_in_use = Dense(8, 4), one_level().scheme
    secret_key, payload = scheme_in_use.generate_keys()
    setting = replace(one_level(), secret_key=secret_key, public_key=scheme_in_use.read_public_key(payload))
    weights = setting.weights(shape, "secret weights", 11)
    correlation, noises = _noise_correlation(setting, shape, weights, 24)
    # For 32 weights a correlation of 0.8 by chance has probability below 2^-20.
    assert correlation < 0.8
    bound = 1 << setting.widths.he_flood_bits
    assert 0.9 * bound < max(abs(noise) for noise in noises) < 1.001 * bound
    without_flooding()
    correlation, noises = _noise_correlation(setting, shape, weights, 24)
    assert correlation > 0.999
    assert max(abs(noise) for noise in noises) < 1 << 20
