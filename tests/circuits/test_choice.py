"""The rule that chooses a circuit: the least time by an estimate that follows bytes, ANDs, depth and round trips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.circuits.choice import (
    NETWORKS,
    Network,
    NetworkName,
    Variant,
    fastest,
    fastest_vote,
    rounds_seconds,
    vote_variants,
)
from capc.circuits.relu import relu_circuit
from capc.circuits.vote import vote_circuit, vote_circuit_low_depth
from capc.messages import OtExtension
from capc.multi_round import VoteShape
from capc.multi_round_vote import GarbledVote
from capc.parameters import VoteVariant

LOOPBACK, LOCAL, WIDE = (NETWORKS[name] for name in NetworkName)


def chosen(num_classes: int, instances: int, network: Network) -> object:
    return fastest(vote_variants(num_classes, 37, 16), instances, network).circuit


def test_single_queries_take_the_low_depth_and_batches_the_few_ands() -> None:
    tournament, low_depth = vote_circuit(10, 37, 16), vote_circuit_low_depth(10, 37, 16)
    assert chosen(10, 1, LOOPBACK) == chosen(10, 1, LOCAL) == low_depth
    assert chosen(10, 100, LOOPBACK) == chosen(10, 1000, LOCAL) == tournament


def test_bytes_decide_on_a_slow_network() -> None:
    assert chosen(10, 1, WIDE) == vote_circuit(10, 37, 16)


@pytest.mark.parametrize("num_classes", [2, 3, 4, 5])
@pytest.mark.parametrize("network", [LOOPBACK, LOCAL, WIDE])
def test_few_classes_always_take_all_pairs_which_have_fewer_ands(num_classes: int, network: Network) -> None:
    assert vote_circuit_low_depth(num_classes, 37, 16).and_count < vote_circuit(num_classes, 37, 16).and_count
    for instances in (1, 1000):
        assert chosen(num_classes, instances, network) == vote_circuit_low_depth(num_classes, 37, 16)


@given(st.integers(1, 5000), st.floats(0, 1), st.floats(1e5, 1e10))
def test_estimate_adds_up_what_it_names(instances: int, round_trip: float, bandwidth: float) -> None:
    circuit = relu_circuit(37, 12)
    network = Network(round_trip, bandwidth)
    one, three = (Variant(circuit, list, trips).seconds(instances, network) for trips in (1, 3))
    assert three - one == pytest.approx(2 * round_trip)
    chunks = (instances + 2047) // 2048
    length = 60 * 32 + 37 * 4.125
    expected = round_trip + instances * (length / bandwidth + 60 * 1.1e-7) + chunks * 37 * 1.8e-5
    assert one == pytest.approx(expected)


@given(st.lists(st.integers(0, 2**37 - 1), min_size=2, max_size=6))
def test_words_of_a_variant_fit_its_circuit(shares: list[int]) -> None:
    for variant in vote_variants(len(shares), 37, 16):
        words = variant.words(shares)
        assert len(words) == variant.circuit.garbler_words == variant.circuit.evaluator_words
        assert all(0 <= word < 1 << 37 for word in words)


def test_the_first_of_equals_is_chosen() -> None:
    variants = [Variant(relu_circuit(8, 2), list), Variant(relu_circuit(8, 2), list)]
    assert fastest(variants, 3, LOCAL) is variants[0]


def test_rounds_are_taken_where_bytes_outweigh_round_trips() -> None:
    """On a wide network one query saves 18 kB, or 15 ms, but waits 60 ms for 3 more round trips; a batch saves more."""
    votes = {
        (network, count): fastest_vote(10, 37, 16, count, network) for network in (LOCAL, WIDE) for count in (1, 1000)
    }
    assert votes[WIDE, 1] is VoteVariant.TOURNAMENT
    assert votes[WIDE, 1000] is votes[LOCAL, 1000] is VoteVariant.MULTI_ROUND
    far = Network(round_trip=60.0, bandwidth=1.25e6)
    assert fastest_vote(10, 37, 16, 1000, far) is VoteVariant.TOURNAMENT


@given(st.integers(2, 20), st.integers(1, 600))
def test_estimate_of_rounds_has_their_bytes(num_classes: int, instances: int) -> None:
    """Of messages and extensions, but for rows of flags, seeds and roundings, and an eighth of a byte per transfer."""
    shape = VoteShape(num_classes, 37, 16, instances)
    slow = Network(round_trip=0, bandwidth=1.0)
    fast = Network(round_trip=0, bandwidth=1e30)
    scheme = GarbledVote()
    lengths = [scheme.request_length(shape, n) + scheme.answer_length(shape, n) for n in range(shape.rounds)]
    total = sum(lengths) + OtExtension.byte_length(shape.all_transfers)
    rest = 2 * num_classes * instances + 120 * shape.rounds
    estimate = rounds_seconds(shape, slow) - rounds_seconds(shape, fast)
    assert total - rest <= estimate <= total + (shape.all_transfers + shape.reverse_transfers) / 8
