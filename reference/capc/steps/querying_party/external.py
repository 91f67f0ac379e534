"""The parties' steps around an outside engine, in the place of garbling and evaluating the circuits of steps 1c and 3.

Each turns a state before the step into the party's inputs of the engine, or the engine's outputs into the state after
it. States, secrets and charges are those of the embedded engine.

Spec: CAPC-ARG-005, CAPC-REL-004, CAPC-MPC-040 to CAPC-MPC-042.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capc.foundation import guarded
from capc.foundation.errors import ErrorCode, ProtocolError, blamed_on
from capc.foundation.parties import PRIVACY_GUARDIAN
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.models.architecture import Rows
from capc.steps.layer_circuits import require_vote
from capc.steps.querying_party.inference import AwaitingResponse, LayerInput, VoteShare, read_sums, read_votes
from capc.steps.querying_party.party import QueryingParty, ReleaseTurn
from capc.steps.querying_party.release import Answer, release_words, spend_turn
from capc.steps.release_circuit import check_outputs, circuit_for, read_outputs


@dataclass(frozen=True, repr=False)
class LogitEntry(SingleUse):
    """The querying party's shares of the logits are in the engine. Secret: as in the layer's input."""

    layer_input: LayerInput


@dataclass(frozen=True, repr=False)
class ReleaseEntry(SingleUse):
    """The querying party's words are in the engine. Secret: in realised mode its own threshold noise."""

    party: QueryingParty
    query: int
    threshold_noise: tuple[int, ...]


def querying_party_enter_argmax(state: AwaitingResponse, response: bytes) -> tuple[LogitEntry, Rows]:
    """Steps 1b and 1c: decrypts its shares of the logits, and gives the engine l + 1 bits of each.

    Raises:
        ProtocolError: the response is malformed, or belongs to another session, query or layer.
    """
    AwaitingResponse.require(state)
    layer_input = state.layer_input
    require_vote(layer_input.stage)
    logits, widths = read_sums(layer_input, response), layer_input.party.session.parameters.widths
    words = tuple(map(tuple, guarded.evaluator_words(logits, widths.guard_bits)))
    state.spend()
    return LogitEntry(layer_input), words


def querying_party_take_votes(state: LogitEntry, shares: Sequence[tuple[int, ...]]) -> tuple[VoteShare, ...]:
    """Step 1c: its vote shares, as the engine gave them to it.

    Args:
        state: its shares of the logits are in the engine.
        shares: for each query C elements of Z_{2^w}.

    Raises:
        ProtocolError: a share is out of range, or there are more or fewer.
    """
    LogitEntry.require(state)
    layer_input, parameters = state.layer_input, state.layer_input.party.session.parameters
    limit = 1 << parameters.widths.vote_bits
    fits = [len(row) == parameters.num_classes and all(0 <= share < limit for share in row) for row in shares]
    if len(fits) != layer_input.batch.count or not all(fits):
        raise ProtocolError(ErrorCode.VALUE_OUT_OF_RANGE, layer_input.peer, "the engine's vote shares are out of range")
    state.spend()
    return read_votes(layer_input, shares)


def querying_party_enter_release(
    turn: ReleaseTurn, shares: Sequence[VoteShare], seed: Seed
) -> tuple[ReleaseEntry, tuple[int, ...]]:
    """Step 3: its words of the release; arguments and errors as of `querying_party_request_release`."""
    ReleaseTurn.require(turn)
    words, own_noise = release_words(turn, shares, seed)
    spend_turn(turn, shares)
    return ReleaseEntry(turn.party, turn.query, own_noise), tuple(words)


def querying_party_take_label(state: ReleaseEntry, bits: Sequence[int]) -> Answer:
    """Step 3: the label or "no consensus", from the output bits that the engine gave it.

    Raises:
        ProtocolError: the bits are no outputs of the release circuit.
    """
    ReleaseEntry.require(state)
    parameters = state.party.session.parameters
    if len(bits) != len(circuit_for(parameters).outputs) or not all(bit in (0, 1) for bit in bits):
        raise ProtocolError(ErrorCode.VALUE_OUT_OF_RANGE, PRIVACY_GUARDIAN, "the engine's outputs are no output bits")
    with blamed_on(PRIVACY_GUARDIAN):
        check_outputs(parameters, bits)
    state.spend()
    return Answer(state.query, read_outputs(parameters, bits), None)
