"""The embedded engine on the same inputs: half-gates garbling in this process, to stand beside MP-SPDZ in a table."""

from __future__ import annotations

import time
from collections.abc import Sequence

from capc import ring
from capc.circuits.builder import Circuit
from capc.circuits.release import confident_release_circuit, release_circuit
from capc.circuits.vote import vote_circuit
from capc.randomness import XofSource, fresh_seed
from capc.two_party import GarbledTwoParty, TwoPartyScheme
from capc_mpc.costs import Costs
from capc_mpc.encoding import Case
from capc_mpc.steps import Step

NAME = "embedded"
_SESSION = b"capc_mpc/embedded"
_ONLINE_MESSAGES = 2


def circuit_of(step: Step) -> Circuit | None:
    """The reference's circuit of a step, None if it has none."""
    if step.program == "argmax":
        return vote_circuit(*map(int, step.arguments[:3]))
    if step.program != "label_release":
        return None
    num_classes, width, mode = int(step.arguments[0]), int(step.arguments[1]), step.arguments[3]
    if mode == "plain":
        return release_circuit(num_classes, width)
    return confident_release_circuit(num_classes, width, evaluator_noise=mode == "realised")


def run_embedded(step: Step, circuit: Circuit, cases: Sequence[Case], scheme: TwoPartyScheme | None = None) -> Costs:
    """Time of both ends and bytes of both messages, set-up of the connection excepted."""
    scheme = scheme or GarbledTwoParty()
    source = XofSource(fresh_seed(), _SESSION)
    state, offer = scheme.evaluator_offer(source)
    garbler_key, choice = scheme.garbler_choose(offer, _SESSION, source)
    evaluator_key = scheme.evaluator_finish(state, choice, _SESSION)
    garbler, evaluator = (_bits(step, party, cases) for party in (0, 1))
    start = time.perf_counter()
    chosen, columns = scheme.choose(evaluator_key, _SESSION, circuit, evaluator)
    _, circuits = scheme.garble(garbler_key, _SESSION, circuit, garbler, columns, source)
    scheme.evaluate(chosen, circuits)
    seconds = time.perf_counter() - start
    ands = {"ANDs": circuit.and_count * len(cases)}
    return Costs(seconds, len(columns) + len(circuits), _ONLINE_MESSAGES, counts=ands)


def _bits(step: Step, party: int, cases: Sequence[Case]) -> list[list[int]]:
    """A party's inputs as the circuit's bits: the programs' fields come in the circuits' order."""
    fields = [field for field in step.fields if field.party == party]
    return [
        [bit for field in fields for number in case[party, field.name] for bit in ring.to_bits(number, field.width)]
        for case in cases
    ]
