"""The parties' steps around an outside engine, in the place of garbling and evaluating the circuits of steps 1c and 3.

Each turns a state before the step into the party's inputs of the engine, or the engine's outputs into the state after
it. States, secrets and charges are those of the embedded engine.

Spec: CAPC-ARG-005, CAPC-REL-004, CAPC-MPC-040 to CAPC-MPC-042.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from capc import ring
from capc.answering_party import AwaitingChoice, VoteReady, ready_votes
from capc.architecture import Activation, Rows, StageShape
from capc.circuits import release
from capc.errors import ErrorCode, InputError, ProtocolError, blamed_on
from capc.events import Receipt
from capc.noise.release_noise import ReleaseNoise
from capc.parties import PRIVACY_GUARDIAN
from capc.privacy_guardian import Aggregated, PrivacyGuardian, add_noise, check_receipt
from capc.querying_party import (
    AwaitingResponse,
    LayerInput,
    QueryingParty,
    ReleaseTurn,
    VoteShare,
    read_sums,
    read_votes,
)
from capc.querying_party_release import Answer, release_words, spend_turn
from capc.randomness import Seed
from capc.session import SingleUse
from capc_spec.registry import TAGS

_BLINDING_BITS = 256


@dataclass(frozen=True, repr=False)
class EnteredLogits(SingleUse):
    """The querying party's shares of the logits are in the engine. Secret: as in the layer's input."""

    layer_input: LayerInput


@dataclass(frozen=True, repr=False)
class EnteredRelease(SingleUse):
    """The querying party's words are in the engine. Secret: in realised mode its own threshold noise."""

    party: QueryingParty
    query: int
    threshold_noise: int


@dataclass(frozen=True, repr=False)
class EnteredNoise(SingleUse):
    """The guardian's words are in the engine. Secret: the noise."""

    party: PrivacyGuardian
    query: int
    receipt: Receipt
    noise: ReleaseNoise


def _require_vote(stage: StageShape) -> None:
    """Raises :class:`InputError` unless a layer votes."""
    if stage.activation is not Activation.VOTE:
        raise InputError("this layer does not vote: use its circuits, or keep its sums")


def answering_party_enter_argmax(state: AwaitingChoice, seed: Seed) -> tuple[tuple[VoteReady, ...], Rows, Rows]:
    """Step 1c: draws fresh vote shares, which have nothing to do with the masks of the logits.

    Args:
        state: before step 1c, of the layer that votes.
        seed: for the shares.

    Returns:
        the states that hold the shares; for each query the masks m and the fresh shares s, for the engine.
    """
    AwaitingChoice.require(state)
    at = state.request
    _require_vote(at.stage)
    parameters, count = at.party.session.parameters, at.batch.count
    # Other masks, other shares: one seed never shares two votes alike.
    masks = b"".join(mask.to_bytes(8, "little") for row in state.sums for mask in row)
    label = at.party.channel.label("answering_party_enter_argmax", at.batch.first, at.layer, bound_to=masks)
    source = at.party.suite.expand(seed, label)
    width = parameters.widths.vote_bits
    fresh = tuple(tuple(ring.uniform(source, parameters.num_classes, width)) for _ in range(count))
    state.spend()
    return ready_votes(at, fresh), state.sums, fresh


def querying_party_enter_argmax(state: AwaitingResponse, response: bytes) -> tuple[EnteredLogits, Rows]:
    """Steps 1b and 1c: decrypts its shares z - m of the logits, for the engine.

    Raises:
        ProtocolError: the response is malformed, or belongs to another session, query or layer.
    """
    AwaitingResponse.require(state)
    _require_vote(state.layer_input.stage)
    logits = read_sums(state.layer_input, response)
    state.spend()
    return EnteredLogits(state.layer_input), logits


def querying_party_take_votes(state: EnteredLogits, shares: Sequence[tuple[int, ...]]) -> tuple[VoteShare, ...]:
    """Step 1c: its vote shares, as the engine gave them to it.

    Args:
        state: its shares of the logits are in the engine.
        shares: for each query C elements of Z_{2^w}.

    Raises:
        ProtocolError: a share is out of range, or there are more or fewer.
    """
    EnteredLogits.require(state)
    at, parameters = state.layer_input, state.layer_input.party.session.parameters
    limit = 1 << parameters.widths.vote_bits
    fits = [len(row) == parameters.num_classes and all(0 <= share < limit for share in row) for row in shares]
    if len(fits) != at.batch.count or not all(fits):
        raise ProtocolError(ErrorCode.VALUE_OUT_OF_RANGE, at.peer, "the engine's vote shares are out of range")
    state.spend()
    return read_votes(at, shares)


def querying_party_enter_release(
    turn: ReleaseTurn, shares: Sequence[VoteShare], seed: Seed
) -> tuple[EnteredRelease, tuple[int, ...]]:
    """Step 3: its words of the release; arguments and errors as of `querying_party_request_release`."""
    ReleaseTurn.require(turn)
    words, own_noise = release_words(turn, shares, seed)
    spend_turn(turn, shares)
    return EnteredRelease(turn.party, turn.query, own_noise), tuple(words)


def privacy_guardian_enter_release(
    state: Aggregated, receipt: Receipt, seed: Seed
) -> tuple[EnteredNoise, tuple[int, ...], bytes]:
    """Step 3: checks that the account was charged for exactly these shares, and only then draws noise.

    Returns:
        the state; its words of the release, for the engine; a hiding commitment to them, for the account to write
        down before they are entered. The commitment holds no noise to send again: a run that broke off is charged, and
        never repeated with the same noise, since the querying party could enter other shares.

    Raises:
        InputError: the receipt is for another session, query or set of shares.
    """
    Aggregated.require(state)
    check_receipt(state, receipt)
    party = state.party
    label = party.channel.label("privacy_guardian_enter_release", state.query) + state.inputs_digest
    noise, words = add_noise(state, seed, label)
    blinding = party.suite.expand(seed, label + TAGS["commitment"]).bits(_BLINDING_BITS)
    content = blinding.to_bytes(_BLINDING_BITS // 8, "little") + b"".join(word.to_bytes(8, "little") for word in words)
    commitment = hashlib.sha256(TAGS["engine-commitment"] + content).digest()
    state.spend()
    return EnteredNoise(party, state.query, receipt, noise), tuple(words), commitment


def querying_party_take_label(state: EnteredRelease, bits: Sequence[int]) -> Answer:
    """Step 3: the label or "no consensus", from the output bits that the engine gave it.

    Raises:
        ProtocolError: the bits are no outputs of the release circuit.
    """
    EnteredRelease.require(state)
    parameters = state.party.session.parameters
    if len(bits) != len(release.circuit_for(parameters).outputs) or not all(bit in (0, 1) for bit in bits):
        raise ProtocolError(ErrorCode.VALUE_OUT_OF_RANGE, PRIVACY_GUARDIAN, "the engine's outputs are no output bits")
    with blamed_on(PRIVACY_GUARDIAN):
        release.check_outputs(parameters, bits)
    state.spend()
    return Answer(state.query, release.read_outputs(parameters, bits), None)


def privacy_guardian_take_answered(state: EnteredNoise, answered: int | None) -> bool:
    """Realised mode: the answered bit, which the engine gives the guardian itself.

    Raises:
        InputError: the engine gave none, so the answer stays charged.
    """
    EnteredNoise.require(state)
    if answered not in (0, 1):
        raise InputError(f"the engine gave no answered bit of query {state.query}: its answer stays charged")
    state.spend()
    return bool(answered)
