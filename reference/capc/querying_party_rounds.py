"""The querying party's part of a vote in rounds, in the place of one vote circuit.

Learns: its fresh shares of the votes. Spec: CAPC-ROUND-001 to CAPC-ROUND-008.
"""

from __future__ import annotations

from dataclasses import dataclass

from capc.circuits.activation import vote_shape
from capc.errors import blamed_on
from capc.layer_modes import require_at_once, require_rounds
from capc.messages import MessageType
from capc.multi_round import EvaluatorRound
from capc.querying_party import AwaitingResponse, LayerInput, VoteShare, read_sums, read_votes
from capc.randomness import Seed
from capc.session import SingleUse
from capc.two_party import Evaluation


@dataclass(frozen=True, repr=False)
class AwaitingRound(SingleUse):
    """Waiting for the answer of a round. Secret: its shares of the entrants, and labels."""

    layer_input: LayerInput
    turn: EvaluatorRound


def querying_party_begin_rounds(state: AwaitingResponse, response: bytes) -> tuple[AwaitingRound, bytes]:
    """Steps 1b and 1c: decrypts its shares of the logits, and chooses labels for round 0.

    Raises:
        ProtocolError: the response is malformed, or belongs to another session, query or layer.
    """
    AwaitingResponse.require(state)
    require_at_once(state.layer_input.kept is not None)
    require_rounds(state.layer_input.party.session.parameters, state.layer_input.stage)
    logits = read_sums(state, response)
    at, party = state.layer_input, state.layer_input.party
    shape = vote_shape(party.session.parameters, at.batch.count)
    turn, bits = party.suite.two_party.vote_rounds.begin(
        at.transfers[at.layer], party.reverse_keys[at.peer], shape, logits
    )
    state.spend()
    return AwaitingRound(at, turn), party.channel(at.peer).seal(MessageType.CHOICE_BITS, bits, at.batch.first, at.layer)


def querying_party_evaluate_round(
    state: AwaitingRound, answer: bytes, seed: Seed
) -> tuple[AwaitingRound, bytes] | tuple[tuple[VoteShare, ...], None]:
    """Step 1c: evaluates a round; then asks for the next one, or has its shares of the votes and sends nothing.

    Raises:
        ProtocolError: the message is malformed, or belongs to another session, query or round.
    """
    AwaitingRound.require(state)
    at, turn = state.layer_input, state.turn
    party, channel = at.party, at.party.channel(at.peer)
    rounds, layer = party.suite.two_party.vote_rounds, at.layer + turn.number
    length = rounds.answer_length(turn.shape, turn.number)
    payload = channel.open(MessageType.GARBLED_CIRCUITS, answer, length, at.batch.first, layer)
    # Another answer, another hash key: one key and offset never make rows for two sets of signs.
    label = channel.label("querying_party_evaluate_round", at.batch.first, layer, bound_to=payload)
    with blamed_on(at.peer):
        result = rounds.evaluate(turn, payload, party.suite.expand(seed, label))
    state.spend()
    if not isinstance(result, tuple):
        return read_votes(at, Evaluation(result, ())), None
    following, request = result
    return AwaitingRound(at, following), channel.seal(MessageType.CHOICE_BITS, request, at.batch.first, layer + 1)
