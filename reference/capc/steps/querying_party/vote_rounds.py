"""The querying party's part of a vote in rounds, in the place of one vote circuit.

Learns: its fresh shares of the votes. Spec: CAPC-ROUND-001 to CAPC-ROUND-008, CAPC-ROUND-011.
"""

from __future__ import annotations

from dataclasses import dataclass

from capc.foundation.errors import InputError, blamed_on
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.session.channel import LayerChannel
from capc.session.envelope import MessageType
from capc.steps.layer_circuits import Ending, require_ending, vote_shape
from capc.steps.querying_party.inference import AwaitingResponse, LayerInput, VoteShare, read_sums, read_votes
from capc.steps.suite import EvaluatorTurn


@dataclass(frozen=True, repr=False)
class AwaitingRound(SingleUse):
    """Waiting for the answer of a round. Secret: its shares of the entrants, and labels."""

    layer_input: LayerInput
    turn: EvaluatorTurn

    @property
    def channel(self) -> LayerChannel:
        """The connection to the answering party: a round has the number of a layer, after the vote's."""
        return self.layer_input.channel_of(self.layer_input.layer + self.turn.number)


def querying_party_begin_rounds(state: AwaitingResponse, response: bytes) -> tuple[AwaitingRound, bytes]:
    """Steps 1b and 1c: decrypts its shares of the logits, and chooses labels for round 0.

    Raises:
        InputError: the reverse set-up was left out.
        ProtocolError: the response is malformed, or belongs to another session, query or layer.
    """
    AwaitingResponse.require(state)
    layer_input, party = state.layer_input, state.layer_input.party
    require_ending(party.session.parameters, layer_input.stage, Ending.ROUNDS)
    if layer_input.peer not in party.reverse_keys:
        raise InputError("the second base transfers were not made: go through the reverse set-up first")
    logits = read_sums(layer_input, response)
    shape = vote_shape(party.session.parameters, layer_input.batch.count)
    turn, bits = party.suite.two_party.vote_rounds.begin(
        layer_input.transfers[layer_input.layer], party.reverse_keys[layer_input.peer], shape, logits
    )
    state.spend()
    return AwaitingRound(layer_input, turn), layer_input.channel.seal(MessageType.CHOICE_BITS, bits)


def querying_party_evaluate_round(state: AwaitingRound, answer: bytes, seed: Seed) -> tuple[AwaitingRound, bytes]:
    """Step 1c: evaluates a round that is not the last, and asks for the next one.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session, query or round.
    """
    AwaitingRound.require(state)
    layer_input, payload = state.layer_input, _open_answer(state, answer)
    # Another answer, another hash key: one key and offset never make rows for two sets of signs.
    label, suite = state.channel.label("querying_party_evaluate_round", bound_to=payload), layer_input.party.suite
    with blamed_on(layer_input.peer):
        turn, request = suite.two_party.vote_rounds.evaluate(state.turn, payload, suite.expand(seed, label))
    state.spend()
    following = AwaitingRound(layer_input, turn)
    return following, following.channel.seal(MessageType.CHOICE_BITS, request)


def querying_party_evaluate_last_round(
    state: AwaitingRound,
    answer: bytes,
    seed: Seed,  # noqa: ARG001
) -> tuple[VoteShare, ...]:
    """Step 1c: evaluates the last round to its share of the vote on each query; errors as of the rounds before.

    The seed, which every round is given, has no use here: no round follows.
    """
    AwaitingRound.require(state)
    layer_input, payload = state.layer_input, _open_answer(state, answer)
    with blamed_on(layer_input.peer):
        shares = layer_input.party.suite.two_party.vote_rounds.evaluate_last(state.turn, payload)
    state.spend()
    return read_votes(layer_input, shares)


def _open_answer(state: AwaitingRound, answer: bytes) -> bytes:
    turn, rounds = state.turn, state.layer_input.party.suite.two_party.vote_rounds
    return state.channel.open(MessageType.GARBLED_CIRCUITS, answer, rounds.answer_length(turn.shape, turn.number))
