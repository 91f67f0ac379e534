"""The answering party's part of a vote in rounds, in the place of one vote circuit.

Learns: its fresh shares of the votes. Spec: CAPC-ROUND-001 to CAPC-ROUND-008.
"""

from __future__ import annotations

from dataclasses import dataclass

from capc.foundation.errors import InputError, blamed_on
from capc.foundation.parties import QUERYING_PARTY
from capc.foundation.randomness import RandomSource, Seed
from capc.foundation.single_use import SingleUse
from capc.session.channel import LayerChannel
from capc.session.envelope import MessageType
from capc.steps.answering_party.inference import (
    AnsweringVoteShare,
    AwaitingChoice,
    AwaitingRequest,
    answering_vote_shares,
)
from capc.steps.layer_circuits import Ending, require_ending, vote_shape
from capc.steps.suite import GarblerTurn


@dataclass(frozen=True, repr=False)
class AwaitingRoundChoice(SingleUse):
    """Waiting for the querying party's message of a round. Secret: its shares of the entrants, and labels."""

    request: AwaitingRequest
    turn: GarblerTurn

    @property
    def channel(self) -> LayerChannel:
        """The connection to the querying party: a round has the number of a layer, after the vote's."""
        return self.request.channel_of(self.request.layer + self.turn.number)


def answering_party_begin_rounds(state: AwaitingChoice) -> AwaitingRoundChoice:
    """Step 1c: its shares of the logits are those of the entrants."""
    AwaitingChoice.require(state)
    require_ending(state.request.party.session.parameters, state.request.stage, Ending.ROUNDS)
    request = state.request
    if not request.party.reverse_keys:
        raise InputError("the second base transfers were not made: go through the reverse set-up first")
    shape = vote_shape(request.party.session.parameters, request.batch.count)
    rounds = request.party.suite.two_party.vote_rounds
    turn = rounds.await_begin(request.transfers[request.layer], request.party.reverse_keys[0], shape, state.sums)
    state.spend()
    return AwaitingRoundChoice(request, turn)


def answering_party_garble_round(
    state: AwaitingRoundChoice, request: bytes, seed: Seed
) -> tuple[AwaitingRoundChoice, bytes]:
    """Step 1c: garbles a round that is not the last.

    Reveals: to the querying party its own fresh shares only.

    Raises:
        ProtocolError: the request is malformed, or belongs to another session, query or round.
    """
    payload, source = _open_request(state, request, seed)
    with blamed_on(QUERYING_PARTY):
        turn, answer = state.request.party.suite.two_party.vote_rounds.garble(state.turn, payload, source)
    return AwaitingRoundChoice(state.request, turn), _seal_answer(state, answer)


def answering_party_garble_last_round(
    state: AwaitingRoundChoice, request: bytes, seed: Seed
) -> tuple[tuple[AnsweringVoteShare, ...], bytes]:
    """Step 1c: garbles the last round, to its fresh vote share of each query; all else as of the rounds before."""
    payload, source = _open_request(state, request, seed)
    with blamed_on(QUERYING_PARTY):
        shares, answer = state.request.party.suite.two_party.vote_rounds.garble_last(state.turn, payload, source)
    return answering_vote_shares(state.request, tuple(map(tuple, shares))), _seal_answer(state, answer)


def _open_request(state: AwaitingRoundChoice, request: bytes, seed: Seed) -> tuple[bytes, RandomSource]:
    """The payload, and the step's randomness."""
    AwaitingRoundChoice.require(state)
    turn, suite = state.turn, state.request.party.suite
    length = suite.two_party.vote_rounds.request_length(turn.shape, turn.number)
    payload = state.channel.open(MessageType.CHOICE_BITS, request, length)
    # Other bits, other labels: one hash key and offset never garble for two sets of choices.
    return payload, suite.expand(seed, state.channel.label("answering_party_garble_round", bound_to=payload))


def _seal_answer(state: AwaitingRoundChoice, answer: bytes) -> bytes:
    """The message of a round, which is over."""
    state.spend()
    return state.channel.seal(MessageType.GARBLED_CIRCUITS, answer)
