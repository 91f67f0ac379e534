"""The answering party's part of a vote in rounds, in the place of one vote circuit.

Learns: its fresh shares of the votes. Spec: CAPC-ROUND-001 to CAPC-ROUND-008.
"""

from __future__ import annotations

from dataclasses import dataclass

from capc.answering_party import AwaitingChoice, AwaitingRequest, VoteReady, ready_votes
from capc.circuits.activation import vote_shape
from capc.errors import blamed_on
from capc.layer_modes import require_rounds
from capc.messages import MessageType
from capc.multi_round import GarblerRound
from capc.parties import QUERYING_PARTY
from capc.randomness import Seed
from capc.session import SingleUse


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
    label = channel.label("answering_party_garble_round", at.batch.first, layer, bound_to=payload)
    with blamed_on(QUERYING_PARTY):
        result, answer = rounds.garble(turn, payload, party.suite.expand(seed, label))
    state.spend()
    message = channel.seal(MessageType.GARBLED_CIRCUITS, answer, at.batch.first, layer)
    if isinstance(result, GarblerRound):
        return AwaitingRoundChoice(at, result), message
    return ready_votes(at, tuple(map(tuple, result))), message
