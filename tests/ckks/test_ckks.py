"""The CKKS variant computes its network: against NumPy, with real bytes between the parties; and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import tenseal as ts
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError, ParameterError
from capc.foundation.randomness import Seed, fresh_seed
from capc.learning.data import load_digits
from capc.learning.training import TrainingTask
from capc.learning.training import train as train_with_relus
from capc.session.widths import ParameterSet
from capc_bench.ckks.inference import Comparison, open_comparison
from capc_bench.ckks.network import Floats, SquareNetwork
from capc_bench.ckks.parameters import CkksParameters
from capc_bench.ckks.steps import (
    Keys,
    answering_party_evaluate,
    answering_party_read_keys,
    querying_party_decrypt,
    querying_party_encrypt,
    querying_party_make_keys,
)
from capc_bench.ckks.training import train
from support.sizes import examples

WIDTHS = ParameterSet.named("default")
UNIT = 2.0**-WIDTHS.fraction_bits
SMALL = CkksParameters(8192, (49, 40, 40, 40, 49), 40, 6)
"""Three products at N = 8192: the masks are too small to hide anything, and the arithmetic is the same."""


def random_network(sizes: tuple[int, ...], seed: int) -> SquareNetwork:
    draws = np.random.default_rng(seed)
    pairs = list(pairwise(sizes))
    weights = tuple(draws.normal(0, 0.3 / np.sqrt(inputs), (outputs, inputs)) for inputs, outputs in pairs)
    return SquareNetwork(weights, tuple(draws.normal(0, 0.5, outputs) for _, outputs in pairs))


def opened(querying: list[int], answering: list[int]) -> Floats:
    """Both shares together, as reals."""
    half, modulus = 1 << (WIDTHS.logit_bits - 1), 1 << WIDTHS.logit_bits
    return np.array([(a + b + half) % modulus - half for a, b in zip(querying, answering, strict=True)]) * UNIT


@pytest.fixture(scope="module")
def public() -> tuple[Keys, bytes]:
    return querying_party_make_keys(SMALL)


@pytest.fixture(scope="module")
def keys(public: tuple[Keys, bytes]) -> tuple[Keys, Keys]:
    return public[0], answering_party_read_keys(SMALL, public[1])


@pytest.mark.slow
@settings(max_examples=examples(ordinary=8, nightly=100))
@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=3),
    seed=st.integers(0, 1 << 32),
)
def test_shares_add_up_to_the_logits(keys: tuple[Keys, Keys], sizes: list[int], seed: int) -> None:
    network = random_network(tuple(sizes), seed)
    features = np.random.default_rng(seed + 1).uniform(-1, 1, sizes[0])
    request = querying_party_encrypt(keys[0], features.tolist())
    response, mask = answering_party_evaluate(keys[1], network, request, WIDTHS, fresh_seed())
    share = querying_party_decrypt(keys[0], response, WIDTHS)
    # One unit for the two roundings of the shares, the rest for CKKS.
    assert np.abs(opened(share, mask) - network.logits(features)).max() < UNIT + 1e-4


@pytest.mark.slow
def test_hidden_biases_reach_the_replicas(keys: tuple[Keys, Keys]) -> None:
    """TenSEAL's own addition of a bias gives wrong logits here (issue 462); the homogeneous matrix does not."""
    network = random_network((24, 32, 10), 1)
    network = replace(network, biases=tuple(bias + 1 for bias in network.biases))
    features = np.random.default_rng(2).uniform(-1, 1, 24)
    plain = ts.ckks_vector(keys[0].context, features.tolist()).mm(network.weights[0].T.tolist())
    plain = (plain + network.biases[0].tolist()).square().mm(network.weights[1].T.tolist())
    naive = np.array((plain + network.biases[1].tolist()).decrypt())
    assert np.abs(naive - network.logits(features)).max() > 0.05
    request = querying_party_encrypt(keys[0], features.tolist())
    response, mask = answering_party_evaluate(keys[1], network, request, WIDTHS, fresh_seed())
    share = querying_party_decrypt(keys[0], response, WIDTHS)
    assert np.abs(opened(share, mask) - network.logits(features)).max() < UNIT + 1e-4


@pytest.mark.slow
def test_masks_fill_their_range_and_follow_the_seed(keys: tuple[Keys, Keys]) -> None:
    network = random_network((3, 200), 3)
    request = querying_party_encrypt(keys[0], [0.5, 0.25, -1])
    seeds = [Seed(bytes([number] * 32)) for number in (1, 1, 2)]
    first, again, other = (answering_party_evaluate(keys[1], network, request, WIDTHS, seed)[1] for seed in seeds)
    assert first == again
    assert first != other
    masks = opened(first, [0] * len(first))
    bound = 2.0**SMALL.mask_bits
    assert -bound <= masks.min() < -0.9 * bound
    assert 0.9 * bound < masks.max() <= bound


@pytest.fixture(scope="module")
def networks() -> tuple[SquareNetwork, ...]:
    digits = load_digits()
    rows, labels = digits.features[:1300], digits.labels[:1300]
    return tuple(train(rows, labels, 10, hidden, 0) for hidden in ([], [12]))


@pytest.fixture(scope="module")
def comparison(networks: tuple[SquareNetwork, ...]) -> Comparison:
    return open_comparison(WIDTHS, networks)


@pytest.mark.slow
def test_every_answering_party_shares_its_logits(comparison: Comparison, networks: tuple[SquareNetwork, ...]) -> None:
    query = load_digits().features[1500]
    request = comparison.encrypt(query.tolist())
    for index, network in enumerate(networks, start=1):
        response, mask = comparison.respond(index, request, fresh_seed())
        logits = opened(comparison.open(response), mask)
        assert np.abs(logits - network.logits(query)).max() < UNIT + 1e-3


@pytest.mark.slow
def test_squares_learn_digits_about_as_well_as_relus() -> None:
    digits = load_digits()
    rows, labels, queries, truth = (
        digits.features[:1300], digits.labels[:1300], digits.features[1300:], digits.labels[1300:],
    )  # fmt: skip
    squares = train(rows, labels, 10, [32], 0).logits(queries).argmax(axis=1)
    relus = train_with_relus(TrainingTask(rows, labels, 10, (32,), (0,), None)).predict(queries)
    accuracies = [float(np.mean(guess == truth)) for guess in (squares, relus)]
    assert accuracies[0] > 0.89
    assert abs(accuracies[0] - accuracies[1]) < 0.04


def test_a_depth_without_secure_parameters_is_refused() -> None:
    assert CkksParameters.for_depth(5).poly_degree == 16384
    with pytest.raises(ParameterError, match="a depth of 20"):
        CkksParameters.for_depth(20)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "message"),
    [
        (random_network((4, 4, 4, 4), 0), "needs 5 levels"),
        (random_network((4000, 100), 0), "needs 4101 slots"),
        (SquareNetwork((np.full((2, 3), 1e3),), (np.zeros(2),)), "a logit could reach"),
    ],
)
def test_networks_that_do_not_fit_are_refused(keys: tuple[Keys, Keys], network: SquareNetwork, message: str) -> None:
    with pytest.raises(InputError, match=message):
        answering_party_evaluate(keys[1], network, b"", replace(WIDTHS, logit_bits=22), fresh_seed())


@given(seed=st.integers(0, 1 << 32), sizes=st.lists(st.integers(1, 6), min_size=2, max_size=4))
def test_no_features_exceed_the_logit_bound(seed: int, sizes: list[int]) -> None:
    network = random_network(tuple(sizes), seed)
    corners = np.random.default_rng(seed).choice([-1.0, 1.0], (50, sizes[0]))
    assert np.abs(network.logits(corners)).max() <= network.logit_bound() * (1 + 1e-12)


@pytest.mark.slow
def test_secrets_are_not_shown(keys: tuple[Keys, Keys]) -> None:
    assert "context" not in repr(keys[0])
    assert repr(random_network((3, 2), 0)) == "<SquareNetwork 3-2>"
