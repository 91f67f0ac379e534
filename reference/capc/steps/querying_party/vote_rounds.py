"""The querying party's part of a vote in rounds, in the place of one vote circuit.

Learns: its fresh shares of the votes. Spec: CAPC-ROUND-001 to CAPC-ROUND-008.
"""

from __future__ import annotations

from dataclasses import dataclass

from capc.foundation.errors import blamed_on
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.session.envelope import MessageType
from capc.steps.layer_circuits import Ending, require_ending, vote_shape
from capc.steps.querying_party.inference import AwaitingResponse, LayerInput, VoteShare, read_sums, read_votes
from capc.steps.suite import EvaluatorTurn


@dataclass(frozen=True, repr=False)
class AwaitingRound(SingleUse):
    """Waiting for the answer of a round. Secret: its shares of the entrants, and labels."""

    layer_input: LayerInput
    turn: EvaluatorTurn


def querying_party_begin_rounds(state: AwaitingResponse, response: bytes) -> tuple[AwaitingRound, bytes]:
    """Steps 1b and 1c: decrypts its shares of the logits, and chooses labels for round 0.

    Raises:
        ProtocolError: the response is malformed, or belongs to another session, query or layer.
    """
    AwaitingResponse.require(state)
    at, party = state.layer_input, state.layer_input.party
    require_ending(party.session.parameters, at.stage, Ending.ROUNDS)
    logits = read_sums(at, response)
    shape = vote_shape(party.session.parameters, at.batch.count)
    turn, bits = party.suite.two_party.vote_rounds.begin(
        at.transfers[at.layer], party.reverse_keys[at.peer], shape, logits
    )
    state.spend()
    return AwaitingRound(at, turn), at.channel.seal(MessageType.CHOICE_BITS, bits, at.batch.first, at.layer)


def querying_party_evaluate_round(state: AwaitingRound, answer: bytes, seed: Seed) -> tuple[AwaitingRound, bytes]:
    """Step 1c: evaluates a round that is not the last, and asks for the next one.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session, query or round.
    """
    AwaitingRound.require(state)
    at, layer, payload = _open_answer(state, answer)
    # Another answer, another hash key: one key and offset never make rows for two sets of signs.
    label = at.channel.label("querying_party_evaluate_round", at.batch.first, layer, bound_to=payload)
    with blamed_on(at.peer):
        turn, request = at.party.suite.two_party.vote_rounds.evaluate(
            state.turn, payload, at.party.suite.expand(seed, label)
        )
    state.spend()
    return AwaitingRound(at, turn), at.channel.seal(MessageType.CHOICE_BITS, request, at.batch.first, layer + 1)


def querying_party_evaluate_last_round(
    state: AwaitingRound,
    answer: bytes,
    seed: Seed,  # noqa: ARG001
) -> tuple[VoteShare, ...]:
    """Step 1c: evaluates the last round to its share of the vote on each query; errors as of the rounds before.

    The seed, which every round is given, has no use here: no round follows.
    """
    AwaitingRound.require(state)
    at, _, payload = _open_answer(state, answer)
    with blamed_on(at.peer):
        shares = at.party.suite.two_party.vote_rounds.evaluate_last(state.turn, payload)
    state.spend()
    return read_votes(at, shares)


def _open_answer(state: AwaitingRound, answer: bytes) -> tuple[LayerInput, int, bytes]:
    """Where the vote is, the number that the round has as a layer, and the payload."""
    at, turn = state.layer_input, state.turn
    layer = at.layer + turn.number
    length = at.party.suite.two_party.vote_rounds.answer_length(turn.shape, turn.number)
    return at, layer, at.channel.open(MessageType.GARBLED_CIRCUITS, answer, length, at.batch.first, layer)
