"""The numbers of docs/two-party-circuits.md are those of the circuits."""

from __future__ import annotations

from pathlib import Path

import pytest

from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.release import confident_release_circuit, release_circuit, single_draw_release_circuit
from capc.two_party.circuits.relu import leaky_relu_circuit, relu_circuit
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.garbling.readable_vote_rounds import GarbledVote
from capc.two_party.vote_rounds import VoteShape

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "two-party-circuits.md").read_text(encoding="utf-8")
DEFAULT: dict[str, Circuit] = {
    "`vote_circuit`": vote_circuit(10, 37, 16),
    "`vote_circuit_low_depth`": vote_circuit_low_depth(10, 37, 16),
    "`relu_circuit`": relu_circuit(37, 12),
    "`relu_circuit`, window of 4": relu_circuit(37, 12, 4),
    "`relu_circuit`, cap of 15 bits": relu_circuit(37, 12, cap_bits=15),
    "`relu_circuit`, cap of 6": relu_circuit(37, 12, cap=6 << 12),
    "`relu_circuit`, cap of 1": relu_circuit(37, 12, cap=1 << 12),
    "`leaky_relu_circuit`": leaky_relu_circuit(37, 12, 3),
    "`leaky_relu_circuit`, cap of 15 bits": leaky_relu_circuit(37, 12, 3, cap_bits=15),
    "`relu_circuit`, window of 9": relu_circuit(37, 12, 9),
    "`release_circuit`": release_circuit(10, 16),
    "`single_draw_release_circuit`": single_draw_release_circuit(10, 16),
    "`confident_release_circuit`, worst case": confident_release_circuit(10, 16, evaluator_noise=False),
    "`confident_release_circuit`, realised": confident_release_circuit(10, 16, evaluator_noise=True),
}


@pytest.mark.parametrize("name", DEFAULT)
def test_costs_of_the_default_set(name: str) -> None:
    circuit = DEFAULT[name]
    assert f"| {name} | {circuit.and_count:,} | {circuit.and_depth} | {len(circuit.gates):,} |" in TEXT


@pytest.mark.parametrize("num_classes", [2, 3, 4, 5, 6, 8, 10])
def test_costs_of_both_votes(num_classes: int) -> None:
    votes = (vote_circuit(num_classes, 37, 16), vote_circuit_low_depth(num_classes, 37, 16))
    ands, depths = ([f"{getattr(vote, cost):,}" for vote in votes] for cost in ("and_count", "and_depth"))
    assert f"| {num_classes} | {' | '.join([*ands, *depths])} |" in TEXT


@pytest.mark.parametrize("logit_bits", [32, 37])
def test_costs_of_votes_in_rounds(logit_bits: int) -> None:
    """ANDs, and the bytes of all messages of a batch of 1,000, extensions included."""
    shape = VoteShape(10, logit_bits, 8, 16, 1000)
    ands = sum(shape.circuit(number).and_count for number in range(shape.rounds))
    rounds, scheme = GarbledVote(), GarbledTwoParty()
    length = scheme.extension_length(shape.all_transfers)
    length += sum(rounds.request_length(shape, n) + rounds.answer_length(shape, n) for n in range(shape.rounds))
    vote = vote_circuit(10, logit_bits, 16)
    other = scheme.extension_length(1000 * vote.evaluator_inputs)
    other += scheme.bits_length(vote, 1000) + scheme.circuits_length(vote, 1000)
    costs = f"{ands} | {vote.and_count} | {length // 1000:,} | {other // 1000:,} | {shape.rounds}"
    assert f"| 10, {logit_bits} | {costs} |" in TEXT
