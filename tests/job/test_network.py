"""The rule that chooses a vote's variant: the least time by an estimate of bytes, ANDs, depth and round trips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.protocol.network import NETWORKS, Network, NetworkName, circuit_seconds, fastest_vote, vote_seconds
from capc.session.parameters import VoteVariant
from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.relu import relu_circuit
from capc.two_party.garbling.readable_vote_rounds import GarbledVote
from capc.two_party.garbling.transfers.ot_messages import OtExtension
from capc.two_party.vote_rounds import VoteShape

LOOPBACK, LOCAL, WIDE = (NETWORKS[name] for name in NetworkName)
FAR = Network(round_trip=60.0, bandwidth=1.25e6)
FREE = Network(round_trip=0, bandwidth=1e30)


def chosen(num_classes: int, instances: int, network: Network) -> VoteVariant:
    return fastest_vote(VoteShape(num_classes, 37, 8, 16, instances), network)


def test_single_queries_take_the_low_depth() -> None:
    assert chosen(10, 1, LOOPBACK) is chosen(10, 1, LOCAL) is VoteVariant.ALL_PAIRS


def test_bytes_decide_on_a_slow_network() -> None:
    """One query: all pairs send 25 kB, or 20 ms, more than the tournament, whose 110 stages more take 3 ms."""
    assert chosen(10, 1, WIDE) is VoteVariant.TOURNAMENT


@pytest.mark.parametrize("num_classes", [2, 3, 4, 5])
@pytest.mark.parametrize("network", [LOOPBACK, LOCAL, WIDE])
def test_few_classes_take_all_pairs_before_the_tournament(num_classes: int, network: Network) -> None:
    """They have fewer ANDs and less depth."""
    assert vote_circuit_low_depth(num_classes, 37, 16).and_count < vote_circuit(num_classes, 37, 16).and_count
    for instances in (1, 1000):
        shape = VoteShape(num_classes, 37, 8, 16, instances)
        tournament = vote_seconds(VoteVariant.TOURNAMENT, shape, network)
        assert vote_seconds(VoteVariant.ALL_PAIRS, shape, network) < tournament


@given(st.integers(1, 5000), st.floats(0, 1), st.floats(1e5, 1e10))
def test_estimate_adds_up_what_it_names(instances: int, round_trip: float, bandwidth: float) -> None:
    chunks = (instances + 2047) // 2048
    length = 61 * 32 - 16 + 38 * 4.125
    expected = round_trip + instances * (length / bandwidth + 61 * 1.1e-7) + chunks * 38 * 3e-5
    assert circuit_seconds(relu_circuit(37, 12), instances, Network(round_trip, bandwidth)) == pytest.approx(expected)


@pytest.mark.slow
@given(st.integers(2, 12), st.integers(1, 600))
def test_estimates_of_one_circuit_are_its_own(num_classes: int, instances: int) -> None:
    shape = VoteShape(num_classes, 37, 8, 16, instances)
    circuits = {VoteVariant.TOURNAMENT: vote_circuit, VoteVariant.ALL_PAIRS: vote_circuit_low_depth}
    for variant, make in circuits.items():
        expected = circuit_seconds(make(num_classes, 37, 16), instances, LOCAL)
        assert vote_seconds(variant, shape, LOCAL) == expected


@pytest.mark.parametrize("instances", [1, 7, 40, 1000])
def test_the_least_estimate_is_taken_and_the_first_of_equals(instances: int) -> None:
    for num_classes, network in ((2, LOOPBACK), (10, LOOPBACK), (10, LOCAL), (10, WIDE), (10, FAR)):
        shape = VoteShape(num_classes, 37, 8, 16, instances)
        estimates = {variant: vote_seconds(variant, shape, network) for variant in VoteVariant}
        least = min(estimates.values())
        first = next(variant for variant in VoteVariant if estimates[variant] == least)
        assert chosen(num_classes, instances, network) is first


def test_rounds_are_taken_where_bytes_outweigh_round_trips() -> None:
    """On a wide network one query saves 18 kB, or 15 ms, but waits 60 ms for 3 more round trips; a batch saves more."""
    assert chosen(10, 1, WIDE) is VoteVariant.TOURNAMENT
    assert chosen(10, 1000, WIDE) is chosen(10, 1000, LOCAL) is VoteVariant.MULTI_ROUND
    assert chosen(10, 1000, FAR) is VoteVariant.TOURNAMENT


@given(st.integers(2, 20), st.integers(1, 600))
def test_estimate_of_rounds_has_their_bytes(num_classes: int, instances: int) -> None:
    """Of messages and extensions, but for rows of flags, seeds and roundings, and an eighth of a byte per transfer."""
    shape = VoteShape(num_classes, 37, 8, 16, instances)
    slow = Network(round_trip=0, bandwidth=1.0)
    scheme = GarbledVote()
    lengths = [scheme.request_length(shape, n) + scheme.answer_length(shape, n) for n in range(shape.rounds)]
    total = sum(lengths) + OtExtension.byte_length(shape.all_transfers)
    rest = 2 * num_classes * instances + 120 * shape.rounds
    estimates = [vote_seconds(VoteVariant.MULTI_ROUND, shape, network) for network in (slow, FREE)]
    assert total - rest <= estimates[0] - estimates[1] <= total + (shape.all_transfers + shape.reverse_transfers) / 8
