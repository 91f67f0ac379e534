"""The answering party's part of a vote in rounds, in the place of one vote circuit.

Learns: its fresh shares of the votes. Spec: CAPC-ROUND-001 to CAPC-ROUND-008.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from capc.foundation.errors import blamed_on
from capc.foundation.parties import QUERYING_PARTY
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.session.envelope import MessageType
from capc.steps.answering_party.inference import AwaitingChoice, AwaitingRequest, VoteReady, ready_votes
from capc.steps.layer_circuits import vote_shape
from capc.steps.layer_modes import require_rounds
from capc.two_party.vote_rounds import GarblerRound


@dataclass(frozen=True, repr=False)
class AwaitingRoundChoice(SingleUse):
    """Waiting for the querying party's message of a round. Secret: its shares of the entrants, and labels."""

    request: AwaitingRequest
    turn: GarblerRound


def answering_party_begin_rounds(state: AwaitingChoice) -> AwaitingRoundChoice:
    """Step 1c: its masks of the logits are its shares of the entrants."""
    AwaitingChoice.require(state)
    require_rounds(state.request.party.session.parameters, state.request.stage)
    at = state.request
    shape = vote_shape(at.party.session.parameters, at.batch.count)
    rounds = at.party.suite.two_party.vote_rounds
    turn = rounds.await_begin(at.transfers[at.layer], at.party.reverse_key, shape, state.sums)
    state.spend()
    return AwaitingRoundChoice(at, turn)


def answering_party_garble_round(
    state: AwaitingRoundChoice, request: bytes, seed: Seed
) -> tuple[AwaitingRoundChoice | tuple[VoteReady, ...], bytes]:
    """Step 1c: garbles a round.

    Returns:
        the next round's state, or its fresh vote share of each query; the answer.

    Reveals: to the querying party its own fresh shares only.

    Raises:
        ProtocolError: the request is malformed, or belongs to another session, query or round.
    """
    AwaitingRoundChoice.require(state)
    at, turn = state.request, state.turn
    party, channel = at.party, at.party.channel
    rounds, layer = party.suite.two_party.vote_rounds, at.layer + turn.number
    length = rounds.request_length(turn.shape, turn.number)
    payload = channel.open(MessageType.CHOICE_BITS, request, length, at.batch.first, layer)
    # Other bits, other labels: one hash key and offset never garble for two sets of choices.
    label = channel.label("answering_party_garble_round", at.batch.first, layer) + hashlib.sha256(payload).digest()
    with blamed_on(QUERYING_PARTY):
        result, answer = rounds.garble(turn, payload, party.suite.expand(seed, label))
    state.spend()
    message = channel.seal(MessageType.GARBLED_CIRCUITS, answer, at.batch.first, layer)
    if isinstance(result, GarblerRound):
        return AwaitingRoundChoice(at, result), message
    return ready_votes(at, tuple(map(tuple, result))), message
