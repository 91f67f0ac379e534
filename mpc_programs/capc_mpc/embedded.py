"""The embedded engine on the same inputs: half-gates garbling in this process, to stand beside MP-SPDZ in a table."""

from __future__ import annotations

import time
from collections.abc import Sequence

from capc.circuits.builder import Circuit
from capc.circuits.release import confident_release_circuit, release_circuit
from capc.circuits.vote import vote_circuit
from capc.randomness import XofSource, fresh_seed
from capc.two_party import TwoPartyScheme, answer_at_once, request_at_once
from capc_mpc.costs import Costs
from capc_mpc.encoding import Case
from capc_mpc.steps import Step

NAME = "embedded"
_SESSION = b"capc_mpc/embedded"
_ONLINE_MESSAGES = 2
_POSITION = 0


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
    if scheme is None:
        from capc.vectorised import VectorisedTwoParty  # noqa: PLC0415  # needs NumPy, and help does not

        scheme = VectorisedTwoParty()
    source = XofSource(fresh_seed(), _SESSION)
    state, offer = scheme.evaluator_offer(source)
    awaiting, choice = scheme.garbler_choose(offer, _SESSION, source)
    evaluator_key, trees = scheme.evaluator_finish(state, choice, _SESSION, source)
    garbler_key = scheme.garbler_finish(awaiting, trees)
    garbler = _words(step, 0, cases, circuit.garbler_words)
    evaluator = _words(step, 1, cases, circuit.evaluator_words)
    start = time.perf_counter()
    chosen, request = request_at_once(scheme, evaluator_key, _POSITION, circuit, evaluator)
    _, circuits = answer_at_once(scheme, garbler_key, _POSITION, circuit, garbler, request, source)
    scheme.evaluate(chosen, circuits)
    seconds = time.perf_counter() - start
    ands = {"ANDs": circuit.and_count * len(cases)}
    return Costs(seconds, len(request) + len(circuits), _ONLINE_MESSAGES, counts=ands)


def _words(step: Step, party: int, cases: Sequence[Case], count: int) -> list[list[int]]:
    """A party's inputs as the circuit's words: the programs' fields come in the circuits' order.

    The fresh shares that a program takes last are no inputs of a circuit, which makes them itself.
    """
    fields = [field for field in step.fields if field.party == party]
    return [[number for field in fields for number in case[party, field.name]][:count] for case in cases]
