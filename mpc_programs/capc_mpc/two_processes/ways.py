"""The ways by which the embedded engine does a step, and the evaluator of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capc.foundation.errors import InputError
from capc.foundation.guarded import GUARD_BITS
from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.release import confident_release_circuit, release_circuit, single_draw_release_circuit
from capc.two_party.vote_rounds import VoteShape
from capc_mpc.interface.steps import Step

if TYPE_CHECKING:
    from capc_mpc.two_processes.connection import Address, Parent
    from capc_mpc.two_processes.one_circuit import Work
    from capc_mpc.two_processes.vote_rounds import VoteWork

ONE_CIRCUIT, STASH, ALL_PAIRS, ROUNDS = WAYS = ("embedded", "embedded_stash", "embedded_pairs", "embedded_rounds")
"""One circuit; the same with transfers made beforehand; a circuit that compares all pairs; one circuit a round."""
_ARGMAX_ONLY = frozenset({ALL_PAIRS, ROUNDS})


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


def obstacle(way: str, step: Step) -> str | None:
    """Why a step cannot be done in a way, None if it can."""
    if circuit_of(step) is None:
        return "the embedded engine has no circuit for it"
    if way in _ARGMAX_ONLY and step.program != "argmax":
        return f"{way} is a way of argmax: choose {ONE_CIRCUIT} or {STASH} for {step.program}"
    return None


def shape_of(step: Step) -> VoteShape:
    """The vote in rounds that is an argmax."""
    num_classes, logit_bits, vote_bits = map(int, step.arguments[:3])
    return VoteShape(num_classes, logit_bits, GUARD_BITS, vote_bits, step.batch)


def messages(way: str, step: Step) -> int:
    """How many follow one another, after the set-up."""
    return 2 * shape_of(step).rounds if way == ROUNDS else 2


def ands(way: str, step: Step) -> int:
    """How many gates are garbled, in all cases.

    Raises:
        InputError: the step cannot be done in that way.
    """
    if way == ROUNDS:
        shape = shape_of(step)
        return sum(shape.circuit(number).and_count for number in range(shape.rounds))
    return step.batch * _circuit_in(way, step).and_count


def _circuit_in(way: str, step: Step) -> Circuit:
    told, circuit = obstacle(way, step), circuit_of(step)
    if told is not None or circuit is None:
        raise InputError(told or "")
    if way == ALL_PAIRS:
        num_classes, logit_bits, vote_bits = map(int, step.arguments[:3])
        return vote_circuit_low_depth(num_classes, logit_bits, vote_bits)
    return circuit


def work_of(way: str, step: Step) -> Work | VoteWork:
    """What is measured.

    Raises:
        InputError: the step cannot be done in that way.
    """
    # They need NumPy, and the table of variants does not.
    from capc_mpc.two_processes.one_circuit import Work  # noqa: PLC0415
    from capc_mpc.two_processes.vote_rounds import VoteWork  # noqa: PLC0415

    circuit = _circuit_in(way, step)
    if way == ROUNDS:
        return VoteWork(shape_of(step))
    return Work(circuit, step.batch, stash=way == STASH)


def evaluator_of(work: Work | VoteWork, listen: Address | None = None) -> Parent:
    """The evaluator, which waits at an address for a garbler, or starts it itself."""
    from capc_mpc.two_processes.one_circuit import Evaluator  # noqa: PLC0415
    from capc_mpc.two_processes.vote_rounds import VoteEvaluator, VoteWork  # noqa: PLC0415

    return VoteEvaluator(work, listen) if isinstance(work, VoteWork) else Evaluator(work, listen)


def run_garbler(work: Work | VoteWork, address: Address) -> None:
    """The garbler, until its evaluator stops it."""
    from capc_mpc.two_processes import one_circuit, vote_rounds  # noqa: PLC0415

    if isinstance(work, vote_rounds.VoteWork):
        vote_rounds.run_garbler(work, address)
    else:
        one_circuit.run_garbler(work, address)
