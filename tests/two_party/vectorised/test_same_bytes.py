"""Both engines send the same bytes and end with the same outputs, whichever of them is at which end."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from capc.two_party.circuits.argmax import vote_circuit
from capc.two_party.circuits.builder import Builder, Circuit, Sharing
from capc.two_party.circuits.release import release_circuit
from capc.two_party.circuits.relu import leaky_relu_circuit, relu_circuit
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.vectorised import VectorisedTwoParty
from support.computations import ENGINES, Computation, check_same_bytes, circuits, computations, set_up, uniform
from support.sizes import examples


@pytest.mark.slow
@pytest.mark.req(
    *("CAPC-GC-001", "CAPC-GC-002", "CAPC-GC-006", "CAPC-GC-007", "CAPC-GC-009", "CAPC-GC-010"),
    *("CAPC-OT-001", "CAPC-ARG-021"),
)
@settings(max_examples=examples(ordinary=30, nightly=600))
@given(computations(), st.booleans())
def test_random_circuits(job: Computation, offline: bool) -> None:
    check_same_bytes(job, offline=offline)


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-006", "CAPC-GC-007", "CAPC-GC-009", "CAPC-GC-010", "CAPC-ARG-021")
@pytest.mark.parametrize("offline", [False, True], ids=["at once", "offline"])
@pytest.mark.parametrize(
    ("circuit", "instances", "chunk"),
    [
        pytest.param(vote_circuit(10, 37, 16), 2, 256, id="vote"),
        pytest.param(vote_circuit(10, 32, 16), 3, 2, id="vote of 32 bits, ragged last chunk"),
        pytest.param(relu_circuit(37, 12), 9, 4, id="relu"),
        pytest.param(relu_circuit(13, 3, 4), 2, 1, id="max pool, chunks of one"),
        pytest.param(relu_circuit(37, 14, cap_bits=15), 9, 4, id="capped relu"),
        pytest.param(relu_circuit(37, 12, cap=6 << 12), 9, 4, id="relu6"),
        pytest.param(leaky_relu_circuit(37, 14, 3, cap_bits=15), 9, 4, id="capped leaky relu"),
        pytest.param(release_circuit(4, 9), 5, 3, id="release, bits that fill no byte"),
        pytest.param(relu_circuit(63, 0), 2, 2, id="words of 64 bits"),
    ],
)
def test_circuits_of_the_protocol(circuit: Circuit, instances: int, chunk: int, offline: bool) -> None:
    check_same_bytes(Computation(circuit, *uniform(circuit, instances), chunk, nonce=7, seed=1), offline=offline)


def words_only(name: str, garbler: int, evaluator: int, sharing: Sharing | None) -> Circuit:
    """Outputs all input wires: a circuit without any gate."""
    builder = Builder(5, garbler, evaluator)
    return builder.build(name, list(range(5 * (garbler + evaluator))), sharing)


@pytest.mark.parametrize("sharing", [None, Sharing(5, 64)], ids=["opened", "shared in 64 bits"])
@pytest.mark.parametrize(("garbler", "evaluator"), [(0, 2), (2, 0), (1, 1)])
@pytest.mark.parametrize("offline", [False, True], ids=["at once", "offline"])
def test_no_gates_and_a_party_without_inputs(
    garbler: int, evaluator: int, sharing: Sharing | None, offline: bool
) -> None:
    circuit = words_only("no gates", garbler, evaluator, sharing)
    check_same_bytes(Computation(circuit, *uniform(circuit, 3), 2, nonce=0, seed=0), offline=offline)


@pytest.mark.parametrize("value", [0, 1, (1 << 37) - 1, 1 << 37, (1 << 38) - 1], ids=hex)
def test_all_equal_and_wrap_around(value: int) -> None:
    """Sums that wrap, signs on both sides of the border; a vote in which all classes tie."""
    relu = relu_circuit(37, 12)
    inputs = [[value], [0], [(1 << 38) - 1]]
    check_same_bytes(Computation(relu, inputs, inputs[::-1], 2, nonce=1, seed=2))
    vote = vote_circuit(3, 37, 16)
    check_same_bytes(Computation(vote, [[value] * 3] * 2, [[0] * 3] * 2, 2, nonce=1, seed=2))


def test_the_largest_position() -> None:
    circuit = relu_circuit(4, 1)
    check_same_bytes(Computation(circuit, *uniform(circuit, 2), 2, nonce=(1 << 64) - 2, seed=3))


@pytest.mark.slow
def test_a_stage_of_several_blocks() -> None:
    """300 lanes are more than a block, so that each AND of a stage is garbled on its own."""
    circuit = vote_circuit(3, 6, 5)
    mine, theirs = uniform(circuit, 1300)
    check_same_bytes(Computation(circuit, mine, theirs, 1200, nonce=1, seed=4))


@pytest.mark.req("CAPC-OT-002", "CAPC-OT-006")
def test_set_up_is_the_same_between_any_ends() -> None:
    sent = {set_up(garbler(4), evaluator(4))[2] for garbler, evaluator in itertools.product(ENGINES, repeat=2)}
    assert len(sent) == 1


@given(circuits(), st.integers(1, 600), st.integers(1, 300))
@example(relu_circuit(4, 1), 1, 1)
def test_lengths_are_those_of_the_readable_engine(circuit: Circuit, instances: int, chunk: int) -> None:
    scalar, fast = GarbledTwoParty(chunk), VectorisedTwoParty(chunk)
    for length in ("bits_length", "circuits_length", "offline_length", "labels_length"):
        assert getattr(scalar, length)(circuit, instances) == getattr(fast, length)(circuit, instances)
