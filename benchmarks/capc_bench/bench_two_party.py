"""The two-party building blocks at the default set's widths: set-up, vote, ReLU, release."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from capc.circuits.builder import Circuit
from capc.circuits.release import release_circuit
from capc.circuits.relu import relu_circuit
from capc.circuits.vote import vote_circuit
from capc.randomness import XofSource, fresh_seed
from capc.garbled_two_party import GarbledTwoParty

CIRCUITS: dict[str, tuple[Callable[[], Circuit], int]] = {
    "vote": (lambda: vote_circuit(10, 37, 16), 1),
    "relu_32": (lambda: relu_circuit(37, 12), 32),
    "release": (lambda: release_circuit(10, 16), 1),
}


def set_up(scheme: GarbledTwoParty) -> tuple[object, object]:
    """The garbler's and the evaluator's key of one connection."""
    state, offer = scheme.evaluator_offer(XofSource(fresh_seed(), b"offer"))
    garbler_key, choice = scheme.garbler_choose(offer, b"bench", XofSource(fresh_seed(), b"choice"))
    return garbler_key, scheme.evaluator_finish(state, choice, b"bench")


def test_base_oblivious_transfers(benchmark: BenchmarkFixture) -> None:
    """Once per connection: 128 base OTs, both ends."""
    benchmark(set_up, GarbledTwoParty())


@pytest.mark.parametrize("name", CIRCUITS)
def test_both_ends_of_a_circuit(benchmark: BenchmarkFixture, name: str) -> None:
    """OT extension, garbling and evaluation, both ends in one process; bytes and ANDs beside the time."""
    make, instances = CIRCUITS[name]
    circuit, scheme = make(), GarbledTwoParty()
    garbler_key, evaluator_key = set_up(scheme)
    garbler_bits = [[0] * circuit.garbler_inputs] * instances
    evaluator_bits = [[1] * circuit.evaluator_inputs] * instances

    def run() -> None:
        source = XofSource(fresh_seed(), b"bench")
        context = source.read(16)
        chosen, columns = scheme.choose(evaluator_key, context, circuit, evaluator_bits)
        _, circuits = scheme.garble(garbler_key, context, circuit, garbler_bits, columns, source)
        scheme.evaluate(chosen, circuits)

    benchmark(run)
    benchmark.extra_info["ands"] = circuit.and_count * instances
    benchmark.extra_info["bytes"] = scheme.columns_length(circuit, instances) + scheme.circuits_length(
        circuit, instances
    )
