"""Faults that open more than the vote share in step 1c."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from capc import protocol, querying_party, ring
from capc.answering_party import AwaitingRequest, VoteReady
from capc.circuits import vote
from capc.circuits.arithmetic import Word
from capc.circuits.arithmetic import subtract as correct_subtract
from capc.circuits.builder import ZERO, Builder, Circuit, Wire
from capc.circuits.tournament import argmax_flags as correct_flags
from capc.circuits.tournament import maximum
from capc.costs import Step
from capc.parties import QUERYING_PARTY
from capc.querying_party import LayerInput, VoteShare
from capc_verify.faults.patching import State, replace_everywhere, replace_in


def open_maximum() -> None:
    """The vote circuit also gives the largest logit to the evaluator."""
    opened = _open_more()

    def argmax_flags(builder: Builder, values: Sequence[Word]) -> list[Wire]:
        opened.extend(maximum(builder, values))
        return correct_flags(builder, values)

    replace_in(vote, "argmax_flags", argmax_flags)


def open_vote() -> None:
    """The vote is opened to both parties of step 1c."""
    opened = _open_more()

    def argmax_flags(builder: Builder, values: Sequence[Word]) -> list[Wire]:
        flags = correct_flags(builder, values)
        opened.extend(flags)
        return flags

    replace_in(vote, "argmax_flags", argmax_flags)
    infer = protocol.Collaboration._infer

    def tell_the_garbler(
        self: protocol.Collaboration, layer_input: LayerInput, awaiting_request: AwaitingRequest
    ) -> tuple[VoteShare, VoteReady]:
        share, ready = infer(self, layer_input, awaiting_request)
        width = ready.party.session.parameters.widths.vote_bits
        opened_vote = bytes(ring.add(share.share, ready.vote_share, width))
        self._hand_over(Step.ARGMAX, QUERYING_PARTY, share.peer, opened_vote)
        return share, ready

    protocol.Collaboration._infer = tell_the_garbler  # type: ignore[method-assign]


def open_before_reduction() -> None:
    """The vote share is opened as the integer flag - s: its sign bit tells the vote whenever s is 0 or the flag is."""
    opened = _open_more()

    def subtract(builder: Builder, left: Sequence[Wire], right: Sequence[Wire]) -> Word:
        *reduced, sign = correct_subtract(builder, [*left, ZERO], [*right, ZERO])
        opened.append(sign)
        return reduced

    replace_in(vote, "subtract", subtract)


def _open_more() -> list[Wire]:
    """Makes the vote circuit output, after its own outputs, the wires in the list that is returned."""
    opened: list[Wire] = []
    correct_circuit = vote.vote_circuit

    @lru_cache
    def vote_circuit(num_classes: int, logit_bits: int, vote_bits: int) -> Circuit:
        opened.clear()
        circuit = correct_circuit.__wrapped__(num_classes, logit_bits, vote_bits)
        return replace(circuit, outputs=(*circuit.outputs, *opened))

    correct_step = querying_party.querying_party_evaluate_layer

    def evaluate_layer(state: State, circuits: bytes) -> LayerInput | VoteShare:
        result = correct_step(state, circuits)
        if isinstance(result, VoteShare):
            return replace(result, share=result.share[: state.layer_input.party.session.parameters.num_classes])
        return result

    replace_everywhere(correct_circuit, vote_circuit)
    replace_everywhere(correct_step, evaluate_layer)
    return opened
