"""The privacy guardian's steps. Bytes in, bytes out; no step draws randomness or does any I/O.

Per query: sum the masked vote shares, have the account charged, add noise, garble the release circuit. Spec:
CAPC-AGG-004, CAPC-REL-004, CAPC-REL-005, CAPC-ACCT-007.

Learns: its own noise, the number of queries, the participant set; in realised mode also the answered bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from capc import ring
from capc.channel import Channel
from capc.charges import query_cost
from capc.circuits import release
from capc.errors import ErrorCode, InputError, ProtocolError, blamed_on
from capc.events import Receipt
from capc.messages import LABEL_BYTES, MessageType, VoteShares
from capc.noise.release_noise import ReleaseNoise, draw_release_noise
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.randomness import Seed
from capc.session import Session, SingleUse, following_query
from capc.suite import ChoiceState, GarblerKey, Suite
from capc.two_party import GarblerOutput, answer_at_once, request_length
from capc_spec.registry import TAGS


@dataclass(frozen=True, repr=False)
class PrivacyGuardian(SingleUse):
    """The guardian between queries. Secret: the garbler key."""

    session: Session
    suite: Suite
    garbler_key: GarblerKey
    next_query: int

    @property
    def channel(self) -> Channel:
        """The connection to the querying party."""
        return Channel(self.session.tag, PRIVACY_GUARDIAN, QUERYING_PARTY)


@dataclass(frozen=True, repr=False)
class Collecting(SingleUse):
    """Waiting for the vote shares of one query."""

    party: PrivacyGuardian
    query: int


@dataclass(frozen=True, repr=False)
class Aggregated(SingleUse):
    """All shares are in; the account must be charged next. Secret: the sum of the shares, and the digest.

    Attributes:
        party: the guardian.
        query: the query's number.
        total: C elements of Z_{2^w}, the guardian's share of the votes.
        inputs_digest: what the noise draw and the receipt are bound to: session, query and every received share. It
            hides nothing from who can form the candidates, so it leaves the guardian in a commitment only.
    """

    party: PrivacyGuardian
    query: int
    total: tuple[int, ...]
    inputs_digest: bytes


@dataclass(frozen=True, repr=False)
class Released(SingleUse):
    """The circuit left. Secret: the noise, and the output labels for the answered bit."""

    party: PrivacyGuardian
    query: int
    receipt: Receipt
    noise: ReleaseNoise
    output: GarblerOutput


@dataclass(frozen=True, repr=False)
class JoiningPrivacyGuardian(SingleUse):
    """The guardian before the set-up's last message. Secret: the OT state."""

    session: Session
    suite: Suite
    ot_state: ChoiceState


def privacy_guardian_begin_setup(session: Session, suite: Suite) -> dict[Party, bytes]:
    """A session check for every answering party: the guardian sends them nothing else in set-up.

    Raises:
        InputError: the suite is another session's.
    """
    suite.check_session(session)
    return {
        peer: Channel(session.tag, PRIVACY_GUARDIAN, peer).seal(MessageType.SESSION_CHECK, b"")
        for peer in session.answering_parties
    }


def privacy_guardian_answer_setup(
    session: Session, suite: Suite, offer: bytes, checks: Mapping[Party, bytes], seed: Seed
) -> tuple[JoiningPrivacyGuardian, bytes]:
    """Takes the querying party's OT offer and every answering party's check; answers with the OT choice.

    Raises:
        ProtocolError: a message is malformed or misdirected, or a participant's check is missing. With
            `foreign_session` its sender holds another document: :mod:`capc.handshake` finds the field.
    """
    suite.check_session(session)
    channel = Channel(session.tag, PRIVACY_GUARDIAN, QUERYING_PARTY)
    payload = channel.open(MessageType.BASE_OT_OFFER, offer, suite.two_party.offer_length())
    for peer in session.answering_parties:
        if peer not in checks:
            raise ProtocolError(ErrorCode.MISSING_PARTICIPANT, peer, "no session check from this answering party")
        Channel(session.tag, PRIVACY_GUARDIAN, peer).open(MessageType.SESSION_CHECK, checks[peer], 0)
    source = suite.expand(seed, channel.label("privacy_guardian_answer_setup"))
    with blamed_on(QUERYING_PARTY):
        state, choice = suite.two_party.garbler_choose(payload, channel.context(), source)
    return JoiningPrivacyGuardian(session, suite, state), channel.seal(MessageType.BASE_OT_CHOICE, choice)


def privacy_guardian_finish_setup(state: JoiningPrivacyGuardian, trees: bytes) -> PrivacyGuardian:
    """Takes the trees that complete the base OTs.

    Raises:
        ProtocolError: the message is malformed or misdirected.
    """
    JoiningPrivacyGuardian.require(state)
    channel = Channel(state.session.tag, PRIVACY_GUARDIAN, QUERYING_PARTY)
    payload = channel.open(MessageType.OT_TREES, trees, state.suite.two_party.trees_length())
    with blamed_on(QUERYING_PARTY):
        key = state.suite.two_party.garbler_finish(state.ot_state, payload)
    state.spend()
    return PrivacyGuardian(state.session, state.suite, key, next_query=1)


def privacy_guardian_open_query(party: PrivacyGuardian) -> tuple[PrivacyGuardian, Collecting]:
    """Takes part in the next query. The guardian before it is spent, so no query number is used twice."""
    PrivacyGuardian.require(party)
    after = party.renewed(next_query=following_query(party.next_query))
    party.spend()
    return after, Collecting(party, party.next_query)


def privacy_guardian_aggregate(state: Collecting, messages: Mapping[Party, bytes]) -> Aggregated:
    """Step 2: sums the masked vote shares of exactly the session's answering parties.

    Raises:
        ProtocolError: a participant's message is missing, malformed, or of another session or query.
    """
    Collecting.require(state)
    session, parameters = state.party.session, state.party.session.parameters
    width, length = (
        parameters.widths.vote_bits,
        VoteShares.byte_length(parameters.num_classes, parameters.widths.vote_bits),
    )
    digest = hashlib.sha256(TAGS["noise-binding"] + session.tag + state.query.to_bytes(4, "little"))
    shares: list[tuple[int, ...]] = []
    for peer in session.answering_parties:
        if peer not in messages:
            raise ProtocolError(ErrorCode.MISSING_PARTICIPANT, peer, "no vote shares from this answering party")
        channel = Channel(session.tag, PRIVACY_GUARDIAN, peer)
        payload = channel.open(MessageType.VOTE_SHARES, messages[peer], length, state.query)
        with blamed_on(peer):
            shares.append(VoteShares.from_bytes(payload, parameters.num_classes, width).shares)
        digest.update(payload)
    state.spend()
    return Aggregated(state.party, state.query, tuple(ring.sum_shares(shares, width)), digest.digest())


def privacy_guardian_release(state: Aggregated, receipt: Receipt, choice: bytes, seed: Seed) -> tuple[Released, bytes]:
    """Step 3: adds noise to its share of the votes and garbles the release circuit.

    1. The receipt says that the account was charged in full for exactly these inputs; the runner has made it durable.
    2. Noise is drawn from the seed under a label that holds the digest of all inputs, the querying party's among them:
       other inputs, other noise and other labels.
    3. The garbler's words: its share plus noise; with a threshold its share, its share plus noise, and T - tau.

    Reveals: to the querying party the label or "no consensus" only.

    Raises:
        InputError: the receipt is for another session, query or set of shares.
        ProtocolError: the choice is malformed, or belong to another session or query.
    """
    Aggregated.require(state)
    party, parameters, channel = state.party, state.party.session.parameters, state.party.channel
    # 1.
    check_receipt(state, receipt)
    circuit = release.circuit_for(parameters)
    scheme = party.suite.two_party
    payload = channel.open(MessageType.CHOICE_BITS, choice, request_length(scheme, circuit, 1), state.query)
    # 2. and 3.
    label = channel.label("privacy_guardian_release", state.query, bound_to=state.inputs_digest + payload)
    noise, words = add_noise(state, seed, label)
    source = party.suite.expand(seed, label + TAGS["garble"])
    with blamed_on(QUERYING_PARTY):
        output, circuits = answer_at_once(
            scheme, party.garbler_key, channel.position(state.query), circuit, [words], payload, source
        )
    state.spend()
    message = channel.seal(MessageType.GARBLED_CIRCUITS, circuits, state.query)
    return Released(party, state.query, receipt, noise, output), message


def check_receipt(state: Aggregated, receipt: Receipt) -> None:
    """Refuses to draw noise unless the account was charged in full for exactly these shares.

    Raises:
        InputError: the receipt is for another session, query or set of shares.
    """
    parameters = state.party.session.parameters
    cost = query_cost(parameters.release, parameters.widths.grid_bits)
    wanted = Receipt(state.party.session.tag, state.query, state.inputs_digest, cost.worst_case, cost.unit)
    if receipt != wanted:
        raise InputError(
            f"the receipt for query {receipt.query} was not given for these shares of query {state.query}, or not for "
            "their full cost: reserve it with the session's own account"
        )


def add_noise(state: Aggregated, seed: Seed, label: bytes) -> tuple[ReleaseNoise, list[int]]:
    """Draws the noise of a query that was charged, and makes the guardian's words of the release.

    Args:
        state: with its share of the votes.
        seed: fresh.
        label: binds the draw to all inputs of the release.

    Returns:
        the noise; C words, its share plus noise; with a threshold its share, its share plus noise, and T - tau.
    """
    party, parameters = state.party, state.party.session.parameters
    noise_source = party.suite.expand(seed, label + TAGS["noise"])
    noise = draw_release_noise(party.suite.mechanisms, parameters.num_classes, noise_source)
    width, unit = parameters.widths.vote_bits, 1 << parameters.widths.grid_bits
    votes = ring.scale(state.total, unit, width)
    words = ring.add(votes, noise.classes, width)
    if parameters.release.threshold is not None:
        words = [*votes, *words, ring.reduce(int(parameters.release.threshold * unit) - noise.threshold, width)]
    return noise, words


def privacy_guardian_read_answered(state: Released, message: bytes) -> bool:
    """Realised mode: the answered bit, from the output label that the querying party returned.

    No return, no refund: without this message the answer stays charged.

    Raises:
        ProtocolError: the label is not one of this query's two, or the message is malformed.
    """
    Released.require(state)
    channel, output_labels = state.party.channel, state.output.labels
    if output_labels is None:
        raise InputError("the release circuit shares its outputs: there is no answered bit to read")
    payload = channel.open(MessageType.ANSWERED_LABEL, message, LABEL_BYTES, state.query)
    with blamed_on(QUERYING_PARTY):
        answered = output_labels.decode(0, 0, payload)
    state.spend()
    return bool(answered)
