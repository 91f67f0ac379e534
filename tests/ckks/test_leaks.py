"""What the CKKS variant leaks: each test shows one leak of docs/ckks-comparison.md, by the numbers used there.

Where a leak depends on the key, the test plays a querying party that follows the protocol and then looks closer.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import tenseal as ts

from capc.foundation.randomness import fresh_seed
from capc.session.widths import ParameterSet
from capc_bench.ckks.network import Floats, SquareNetwork
from capc_bench.ckks.parameters import CkksParameters
from capc_bench.ckks.steps import (
    Keys,
    answering_party_evaluate,
    answering_party_read_keys,
    querying_party_encrypt,
    querying_party_make_keys,
)
from capc_verify.views.toy import ExactWidths
from ckks.key_holder import every_slot, weights_from_noise, with_size

WIDTHS = ParameterSet.named("default")
CLASSES = 10
FEATURES = 24
TYPICAL_LOGIT = 32.0
"""How much a mask hides depends on the size of the logits; those of trained networks are about so large."""

Both = tuple[Keys, Keys]


def make_keys(parameters: CkksParameters) -> Both:
    secret, public = querying_party_make_keys(parameters)
    return secret, answering_party_read_keys(parameters, public)


@pytest.fixture(scope="module")
def keys() -> Both:
    return make_keys(CkksParameters.for_depth(1))


@pytest.fixture(scope="module")
def network() -> SquareNetwork:
    draws = np.random.default_rng(5)
    return SquareNetwork((draws.normal(0, 0.4, (CLASSES, FEATURES)),), (draws.normal(0, 1, CLASSES),))


@pytest.fixture(scope="module")
def features() -> Floats:
    return np.random.default_rng(6).uniform(-1, 1, FEATURES)


@pytest.fixture(scope="module")
def request_bytes(keys: Both, features: Floats) -> bytes:
    return querying_party_encrypt(keys[0], features.tolist())


@pytest.fixture(scope="module")
def response(keys: Both, network: SquareNetwork, request_bytes: bytes) -> bytes:
    return answering_party_evaluate(keys[1], network, request_bytes, WIDTHS, fresh_seed())[0]


@pytest.mark.slow
def test_leak_1_slots_behind_the_output_hold_every_logit_unmasked(
    keys: Both, network: SquareNetwork, features: Floats, response: bytes
) -> None:
    slots, logits = every_slot(keys[0], response), network.logits(features)
    unmasked = slots[CLASSES : len(slots) - FEATURES - 1]
    np.testing.assert_allclose(unmasked, logits[np.arange(CLASSES, CLASSES + len(unmasked)) % CLASSES], atol=1e-4)
    assert len(unmasked) > 4000
    # The mask itself is there, in the slots where it was put: this leak is not a missing mask.
    assert np.abs(slots[:CLASSES] - logits).max() > 1000


def test_leak_1_the_last_slots_hold_partial_sums(
    keys: Both, network: SquareNetwork, features: Floats, response: bytes
) -> None:
    """Where the rotation wraps, slots are other linear forms of the weights than the logits."""
    last = every_slot(keys[0], response)[-FEATURES:]
    logits = network.logits(features)
    strangers = [value for value in last if np.abs(value - logits).min() > 1e-2]
    assert len(strangers) >= FEATURES // 2


def test_leak_2_the_key_holder_edits_the_sizes_and_decrypts_as_many_slots_as_it_likes(
    keys: Both, response: bytes
) -> None:
    own = keys[0].context
    assert len(ts.ckks_vector_from(own, response).decrypt()) == CLASSES
    for size in (CLASSES + 1, 2000, keys[0].parameters.slots):
        assert len(ts.ckks_vector_from(own, with_size(response, size)).decrypt()) == size


def test_leak_3_one_level_hides_13_to_15_bits() -> None:
    parameters = CkksParameters.for_depth(3)
    assert 13 <= parameters.hiding_bits(TYPICAL_LOGIT) <= 15


@pytest.mark.parametrize("shift", [0, 1, 3, 8])
def test_leak_3_the_distance_of_masked_logits_is_what_the_parameters_say(shift: int) -> None:
    """By counting: the law of mask + logit against the law of the mask, for a small mask of integers."""
    parameters = CkksParameters(8192, (60, 40, 60), 40, 4)
    masks = range(-(1 << 4), 1 << 4)
    moved = {mask + shift for mask in masks}
    distance = Fraction(len(moved - set(masks)), len(masks))
    assert float(distance) == pytest.approx(2 ** -parameters.hiding_bits(shift) if shift else 0)


def test_leak_3_a_larger_mask_wraps_at_one_level(keys: Both, request_bytes: bytes) -> None:
    parameters = keys[0].parameters
    room = parameters.room_bits(1)
    assert parameters.mask_bits == room - 1
    last = ts.ckks_vector_from(keys[1].context, request_bytes).mm(np.eye(FEATURES + 1).tolist())
    # In every slot, as a mask must be that closes leak 1.
    fits, wraps = ((last + 2.0**bits).serialize() for bits in (room - 1, room + 1))
    opened = [np.array(ts.ckks_vector_from(keys[0].context, payload).decrypt()) for payload in (fits, wraps)]
    assert np.abs(opened[0] - 2.0 ** (room - 1)).max() < 2
    assert np.abs(opened[1] - 2.0 ** (room + 1)).min() > 1000


@pytest.mark.slow
def test_leak_3_more_hiding_costs_a_level_and_precision(
    network: SquareNetwork, features: Floats, request_bytes: bytes, keys: Both
) -> None:
    wide = CkksParameters(8192, (60, 40, 40, 60), 40, 46)
    assert wide.hiding_bits(TYPICAL_LOGIT) >= 40
    ordinary, costly = (_error(pair, network, features) for pair in (keys, make_keys(wide)))
    assert ordinary < 1e-4
    assert costly > 1e-3


def _error(pair: Both, network: SquareNetwork, features: Floats) -> float:
    """The largest error of a logit, from shares so fine that their own rounding does not count."""
    fine = ExactWidths("fine", 58, 16, 4, 30, 1, 8192, (56, 36, 17))
    secret, public = pair
    request = querying_party_encrypt(secret, features.tolist())
    response, shares = answering_party_evaluate(public, network, request, fine, fresh_seed())
    opened = ts.ckks_vector_from(secret.context, response).decrypt()
    half, modulus = 1 << 57, 1 << 58
    both = [
        (round(value * (1 << 30)) + share + half) % modulus - half for value, share in zip(opened, shares, strict=True)
    ]
    return float(np.abs(np.array(both) / (1 << 30) - network.logits(features)).max())


def test_leak_4_the_noise_of_one_response_tells_the_weights(
    keys: Both, network: SquareNetwork, request_bytes: bytes, response: bytes
) -> None:
    weights = network.weights[0]
    found = weights_from_noise(keys[0], request_bytes, response, CLASSES)[:, :FEATURES]
    assert np.corrcoef(found.ravel(), weights.ravel())[0, 1] > 0.95


def test_leak_4_the_noise_attack_finds_nothing_in_a_foreign_response(
    keys: Both, network: SquareNetwork, features: Floats, response: bytes
) -> None:
    """The same response read with another request's noise: the attack reads noise, not the logits' values."""
    other = querying_party_encrypt(keys[0], features.tolist())
    found = weights_from_noise(keys[0], other, response, CLASSES)[:, :FEATURES]
    assert abs(np.corrcoef(found.ravel(), network.weights[0].ravel())[0, 1]) < 0.4


def test_leak_5_results_are_approximate_and_differ_from_run_to_run(
    keys: Both, network: SquareNetwork, features: Floats
) -> None:
    request = [querying_party_encrypt(keys[0], features.tolist()) for _ in range(2)]
    seed = fresh_seed()
    logits = network.logits(features)
    first, second = (
        every_slot(keys[0], answering_party_evaluate(keys[1], network, sent, WIDTHS, seed)[0])[CLASSES : 2 * CLASSES]
        for sent in request
    )
    assert 0 < np.abs(first - logits).max() < 1e-4
    assert not np.array_equal(first, second)
