"""The bound of the statistical distance holds, follows its formula, and is granted or refused by the goal."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.linear.bfv import circuit_privacy, keys
from capc.linear.bfv.encoding.polynomials import Response
from capc.linear.bfv.wire import responses
from capc.models.operators import Convolution, Dense, Grid, Matrix, Operator
from linear.key_holder import KeyHolder, OpenSecretKey
from linear.support import Setting, altered, one_level

CONVOLUTION = Convolution(Grid(2, 8, 8, (3, 3), padding=(1, 1)), 3)


def _distance(setting: Setting, operator: Operator, weights: Matrix) -> Fraction:
    return setting.scheme.distance_per_query(setting.scheme.prepare(operator, weights))


@pytest.mark.req("CAPC-HE-003")
def test_the_bound_of_one_weight_is_the_formula_worked_by_hand() -> None:
    setting = altered("toy")
    # One output, weight -7: rounding 7/2; root of 21/2 * 49 = 514.5 rounded up is 23; addend and sum 1; zero: the root
    # of 21/2 * 4096 * 5/3 = 71,680 rounded up is 268.
    assert _distance(setting, Dense(1, 1), ((-7,),)) == (Fraction(7, 2) + 23 + 1 + 268) / 2**58


@pytest.mark.req("CAPC-HE-003")
def test_the_bound_counts_every_released_coefficient_and_all_weights_of_its_block() -> None:
    setting = altered("default")
    once = _distance(setting, Dense(18, 3), ((5,) * 18,) * 3)
    # 64 positions, each with the same three channels of 18 weights in one block.
    assert _distance(setting, CONVOLUTION, ((5,) * 18,) * 3) == 64 * once
    assert _distance(setting, Dense(18, 3), ((-5,) * 18,) * 3) == once
    assert _distance(setting, Dense(18, 3), (((1 << 37) + 5,) * 18,) * 3) == once
    assert _distance(setting, Dense(18, 3), ((6,) * 18,) * 3) > once


@pytest.mark.req("CAPC-HE-003")
@given(square=st.fractions(min_value=0, max_value=1 << 40))
def test_roots_are_rounded_up(square: Fraction) -> None:
    root = circuit_privacy._ceil_sqrt(square)
    assert root * root >= square
    assert max(0, root - 2) ** 2 <= square


@pytest.mark.req("CAPC-HE-003")
@pytest.mark.parametrize(("operator", "count"), [(Dense(64, 32), 1), (CONVOLUTION, 1), (Dense(64, 8), 20)])
def test_the_measured_noise_of_products_is_within_the_bound_and_not_far_below(
    operator: Operator, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "SecretKey", OpenSecretKey)
    scheme = one_level().scheme
    secret_key, payload = scheme.generate_keys()
    setting = replace(one_level(), secret_key=secret_key, public_key=scheme.read_public_key(payload))
    monkeypatch.setattr("capc.linear.bfv.blinding.flooding_noise", lambda source, count, bits: [0] * count)
    holder, weights = KeyHolder(setting), setting.weights(operator, "weights", 11)
    prepared, encoding = scheme.prepare(operator, weights), scheme._encoding(operator, count)
    total = 0.0
    rounds = max(1, 12 // count)
    for batch in range(rounds):
        vectors = setting.rows(count, operator.inputs, f"x{batch}")
        addends = setting.rows(count, operator.outputs, f"a{batch}")
        request = scheme.encrypt(secret_key, operator, vectors)
        response = scheme.evaluate(setting.public_key, prepared, request, addends, setting.source("unused"))
        expected = [setting.expected(weights, *query, operator) for query in zip(vectors, addends, strict=True)]
        payloads = responses.split_response(scheme._context, encoding, response)
        for carried, payload in zip(encoding.responses, payloads, strict=True):
            total += _noise(holder, carried, payload, [value for row in expected for value in row])
    measured = total / rounds / (1 << (setting.widths.he_flood_bits + 1))
    bound = float(scheme.statistical_distance(prepared, count))
    # A mean over at least 160 outputs is within a few per cent; the bound's slack is its worst-case rounding terms.
    assert bound / 10 < measured < bound


def _noise(holder: KeyHolder, carried: Response, payload: bytes, expected: list[int]) -> float:
    """The sum of the magnitudes of the noise of one ciphertext's released coefficients."""
    scale, q = 1 << holder.context.plain_bits, holder.context.modulus
    positions = carried.positions.tolist()
    phase = holder.phase(holder.response_pair(payload, positions))[positions]
    message = np.array([expected[output] for output in carried.outputs.tolist()], dtype=object)
    noise = ((phase * scale - q * message + q * scale // 2) % (q * scale) - q * scale // 2) / scale
    return float(np.abs(noise).sum())


@pytest.mark.parametrize("operator", [Dense(784, 128), Dense(64, 32), Dense(3, 1), CONVOLUTION])
def test_no_batch_costs_more_for_each_query_than_a_model_is_admitted_by(operator: Operator) -> None:
    """Not so for a single query: two of 784 values have larger blocks than one, and cost more each."""
    setting = altered("default")
    prepared = setting.scheme.prepare(operator, setting.weights(operator, "w", 11))
    admitted = setting.scheme.distance_per_query(prepared)
    ratios = [setting.scheme.statistical_distance(prepared, n) / (n * admitted) for n in (1, 2, 3, 7, 16, 64, 200)]
    assert all(0 < ratio <= 1 for ratio in ratios)
    if operator == Dense(784, 128):
        assert ratios[1] > ratios[0]


@pytest.mark.req("CAPC-HE-003")
@pytest.mark.parametrize("operator", [Dense(64, 32), CONVOLUTION])
def test_a_batch_is_bounded_by_its_own_blocks_and_the_queries_that_are_sent(operator: Operator) -> None:
    setting = altered("default")
    scheme = setting.scheme
    weights = setting.weights(operator, "w", 12)
    prepared = scheme.prepare(operator, weights)
    for count in (1, 2, 16, 64):
        rows = scheme._encoding(operator, count).tiling.rows
        zero = 379
        total = Fraction(0)
        for row in rows:
            block = weights[row]
            spread = circuit_privacy._ceil_sqrt(Fraction(21, 2) * sum(w * w for channel in block for w in channel))
            total += sum(Fraction(sum(map(abs, channel)), 2) + spread + 1 + zero for channel in block)
        released = count * operator.outputs // len(weights)
        assert scheme.statistical_distance(prepared, count) == released * total / 2**89
    # Fewer weights meet the errors of a request whose blocks are smaller.
    whole, cut = (len(scheme._encoding(operator, count).tiling.rows) for count in (1, 64))
    assert (cut > whole) == (64 * scheme.statistical_distance(prepared, 1) > scheme.statistical_distance(prepared, 64))
