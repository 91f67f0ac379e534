"""The embedded engine on the same inputs: half-gates garbling in this process, to stand beside MP-SPDZ in a table."""

from __future__ import annotations

import time
from collections.abc import Sequence

from capc.foundation import ring
from capc.foundation.errors import InputError
from capc.foundation.randomness import XofSource, fresh_seed
from capc.two_party.circuits.argmax import vote_circuit
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.release import confident_release_circuit, release_circuit, single_draw_release_circuit
from capc.two_party.interface import Evaluation, GarblerOutput, answer_at_once, request_at_once
from capc_mpc.interface.encoding import Case, FullCase, complete
from capc_mpc.interface.expected import expected
from capc_mpc.interface.protocols import Domain
from capc_mpc.interface.steps import Step
from capc_mpc.spdz.costs import Costs
from capc_spec.registry import TAGS

NAME = "embedded"
_ONLINE_MESSAGES = 2
_REHEARSAL, _POSITION = 0, 1


def circuit_of(step: Step) -> Circuit | None:
    """The reference's circuit of a step, None if it has none."""
    if step.program == "argmax":
        return vote_circuit(*map(int, step.arguments[:3]))
    if step.program != "label_release":
        return None
    num_classes, width, mode = int(step.arguments[0]), int(step.arguments[1]), step.arguments[3]
    if mode == "plain":
        return release_circuit(num_classes, width)
    if mode == "single_draw":
        return single_draw_release_circuit(num_classes, width)
    return confident_release_circuit(num_classes, width, evaluator_noise=mode == "realised")


def run_embedded(step: Step, cases: Sequence[FullCase]) -> tuple[bool, Costs]:
    """Whether the evaluator's outputs are the reference's, and what they cost.

    Time is that of both ends one after the other, bytes those of both messages; set-up of the connection excepted.

    Raises:
        InputError: the reference has no circuit of this step.
    """
    from capc.two_party.vectorised import VectorisedTwoParty  # noqa: PLC0415  # needs NumPy, and help does not

    circuit = circuit_of(step)
    if circuit is None:
        raise InputError("the embedded engine has no circuit for it")
    full = complete(step, Domain.RING, cases, {party: _source() for party in range(step.parties)})
    scheme, source = VectorisedTwoParty(), _source()
    state, offer = scheme.evaluator_offer(source)
    awaiting, choice = scheme.garbler_choose(offer, TAGS["mpc-embedded"], source)
    evaluator_key, trees = scheme.evaluator_finish(state, choice, TAGS["mpc-embedded"], source)
    garbler_key = scheme.garbler_finish(awaiting, trees)
    garbler = _words(step, 0, full, circuit.garbler_words)
    evaluator = _words(step, 1, full, circuit.evaluator_words)
    # The first batch also prepares the circuit, as the compiler does for MP-SPDZ, whose time does not count either.
    for position in (_REHEARSAL, _POSITION):
        start = time.perf_counter()
        chosen, request = request_at_once(scheme, evaluator_key, position, circuit, evaluator)
        kept, circuits = answer_at_once(scheme, garbler_key, position, circuit, garbler, request, source)
        evaluation = scheme.evaluate(chosen, circuits)
        seconds = time.perf_counter() - start
    equal = _outputs(evaluation) == _expected(step, full, kept)
    counts = {"ANDs": circuit.and_count * len(full)}
    sent = (len(circuits), len(request))
    return equal, Costs(seconds, sum(sent), _ONLINE_MESSAGES, counts=counts, sent=sent)


def _source() -> XofSource:
    return XofSource(fresh_seed(), TAGS["mpc-embedded"])


def _outputs(evaluation: Evaluation) -> list[list[int]]:
    return [[int(word) for word in words] for words in evaluation.outputs]


def _expected(step: Step, cases: Sequence[FullCase], kept: GarblerOutput) -> list[list[int]]:
    """The evaluator's words by the reference, given the shares that the engine drew for the garbler."""
    if step.program == "argmax":
        drawn = [[int(word) for word in words] for words in kept.shares]
        cases = [{**case, (0, "fresh_shares"): shares} for case, shares in zip(cases, drawn, strict=True)]
    told = expected(step, cases)[1]
    columns = [told[output.name] for output in step.outputs if output.party == 1]
    rows = [list(row) for row in zip(*columns, strict=True)]
    if step.program == "argmax":
        return rows
    return [[*row[:-1], *ring.to_bits(row[-1], step.outputs[-1].width)] for row in rows]


def _words(step: Step, party: int, cases: Sequence[Case], count: int) -> list[list[int]]:
    """A party's inputs as the circuit's words: the programs' fields come in the circuits' order.

    The fresh shares that a program takes last are no inputs of a circuit, which makes them itself.
    """
    if step.program == "argmax":
        return [_logit_words(party, case) for case in cases]
    fields = [field for field in step.fields if field.party == party]
    return [[number for field in fields for number in case[party, field.name]][:count] for case in cases]


def _logit_words(party: int, case: Case) -> list[int]:
    """A party's shares of logits as the vote circuit takes them: words of l + 1 bits, in half units."""
    shares, halves = ("masks", "mask_halves") if party == 0 else ("logit_shares", "logit_halves")
    return [2 * share + half for share, half in zip(case[party, shares], case[party, halves], strict=True)]
