"""The ways by which the embedded engine does a step, and the evaluator of each."""

from __future__ import annotations

from capc.foundation.errors import InputError
from capc.foundation.guarded import GUARD_BITS
from capc.two_party.circuits.argmax import vote_circuit_low_depth
from capc.two_party.vote_rounds import VoteShape
from capc_mpc.interface.steps import Step
from capc_mpc.measuring.embedded import circuit_of
from capc_mpc.two_processes import one_circuit, vote_rounds
from capc_mpc.two_processes.connection import Address, Parent
from capc_mpc.two_processes.one_circuit import Evaluator, Work
from capc_mpc.two_processes.vote_rounds import VoteEvaluator, VoteWork

ONE_CIRCUIT, STASH, ALL_PAIRS, ROUNDS = WAYS = ("embedded", "embedded_stash", "embedded_pairs", "embedded_rounds")
"""One circuit; the same with transfers made beforehand; a circuit that compares all pairs; one circuit a round."""
_ARGMAX_ONLY = frozenset({ALL_PAIRS, ROUNDS})


def work_of(way: str, step: Step) -> Work | VoteWork:
    """What is measured.

    Raises:
        InputError: the engine has no circuit of the step, or does it in another way only.
    """
    if way in _ARGMAX_ONLY:
        if step.program != "argmax":
            raise InputError(f"{way} is a way of argmax: choose {ONE_CIRCUIT} or {STASH} for {step.program}")
        num_classes, logit_bits, vote_bits = map(int, step.arguments[:3])
        if way == ROUNDS:
            return VoteWork(VoteShape(num_classes, logit_bits, GUARD_BITS, vote_bits, step.batch))
        return Work(vote_circuit_low_depth(num_classes, logit_bits, vote_bits), step.batch)
    circuit = circuit_of(step)
    if circuit is None:
        raise InputError("the embedded engine has no circuit for it")
    return Work(circuit, step.batch, stash=way == STASH)


def evaluator_of(work: Work | VoteWork, listen: Address | None = None) -> Parent:
    """The evaluator, which waits at an address for a garbler, or starts it itself."""
    if isinstance(work, VoteWork):
        return VoteEvaluator(work, listen)
    return Evaluator(work, listen)


def run_garbler(work: Work | VoteWork, address: Address) -> None:
    """The garbler, until its evaluator stops it."""
    if isinstance(work, VoteWork):
        vote_rounds.run_garbler(work, address)
    else:
        one_circuit.run_garbler(work, address)
