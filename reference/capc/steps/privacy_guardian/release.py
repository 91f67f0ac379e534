"""The privacy guardian's steps. Bytes in, bytes out; no step draws randomness or does any I/O.

Per query: sum the masked vote shares, have the account charged, add noise, garble the release circuit. Spec:
CAPC-AGG-004, CAPC-REL-004, CAPC-REL-005, CAPC-ACCT-007.

Learns: its own noise, the number of queries, the participant set; in realised mode also the answered bit.

Spec: CAPC-REL-006, CAPC-REL-009.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from capc.foundation import ring
from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.errors import ErrorCode, InputError, InvalidPayloadError, blamed_on
from capc.foundation.parties import QUERYING_PARTY
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.noise.release_noise import ReleaseNoise, draw_release_noise
from capc.privacy.events import Receipt
from capc.privacy.query_cost import query_cost
from capc.session.envelope import MessageType
from capc.session.parameters import Charge
from capc.steps.privacy_guardian.aggregation import AggregatedVotes
from capc.steps.privacy_guardian.party import PrivacyGuardian
from capc.steps.release_circuit import circuit_for
from capc.steps.release_transfers import FIRST_BYTES, counts_ahead, request_lengths
from capc.steps.suite import GarblerTransfers
from capc.two_party.interface import GarblerOutput
from capc_spec.registry import TAGS


@dataclass(frozen=True, repr=False)
class ReleasedQuery(SingleUse):
    """The circuit left. Secret: the noise, and the output labels for the answered bit."""

    party: PrivacyGuardian
    query: int
    receipt: Receipt
    noise: ReleaseNoise
    output: GarblerOutput


def privacy_guardian_release(
    state: AggregatedVotes, receipt: Receipt, choice: bytes, seed: Seed
) -> tuple[ReleasedQuery, bytes]:
    """Step 3: adds noise to its share of the votes and garbles the release circuit.

    1. The receipt says that the account was charged in full for exactly these inputs; the runner has made it durable.
    2. Transfers: those that an earlier request made for this query, or those that this one makes; see
       :func:`_open_request`.
    3. Noise is drawn from the seed under a label that holds the digest of all inputs, the querying party's among them:
       other inputs, other noise and other labels.
    4. The garbler's words, each with noise: see :func:`add_noise`.

    Reveals: to the querying party the label or "no consensus" only.

    Raises:
        InputError: the receipt is for another session, query or set of shares.
        ProtocolError: the choice is malformed, or belongs to another session or query; or rows are inconsistent, which
            destroys the session. The query stays charged.
    """
    AggregatedVotes.require(state)
    party, parameters, channel = state.party, state.party.session.parameters, state.party.channel
    # 1.
    check_receipt(state, receipt)
    # 2.
    with blamed_on(QUERYING_PARTY):
        transfers, bits, digest = _open_request(state, choice)
    # 3. and 4.
    label = channel.label("privacy_guardian_release", state.query, bound_to=state.inputs_digest + digest + bits)
    noise, words = add_noise(state, seed, label)
    source = party.suite.expand(seed, label + TAGS["garble"])
    output, circuits = party.suite.two_party.garble(transfers, circuit_for(parameters), [words], bits, source)
    state.spend()
    message = channel.seal(MessageType.GARBLED_CIRCUITS, circuits, state.query)
    return ReleasedQuery(party, state.query, receipt, noise, output), message


def _open_request(state: AggregatedVotes, message: bytes) -> tuple[GarblerTransfers, bytes, bytes]:
    """The transfers of a release, its choice bits, and the digest of the extension that made the transfers.

    An extension serves the queries that follow as well. All that can be refused without taking anything is refused
    before.
    """
    party, parameters, query = state.party, state.party.session.parameters, state.query
    scheme = party.suite.two_party
    rows, chosen = request_lengths(scheme, parameters)
    payload = party.channel.open(MessageType.CHOICE_BITS, message, (rows + chosen, FIRST_BYTES + chosen), query)
    split = len(payload) - chosen
    front, bits = payload[:split], payload[split:]
    scheme.check_bits(circuit_for(parameters), 1, bits)
    if split == rows:
        counts, nonce = counts_ahead(parameters), party.channel.nonce(query)
        transfers, *made = scheme.extend_garbler(party.garbler_key, nonce, counts, front)
        digest = hashlib.sha256(front).digest()
        party.release_transfers.hold(query, made, digest)
        return transfers, bits, digest
    first = int.from_bytes(front, "little")
    kept = party.release_transfers.take(query) if party.release_transfers.made_with(query) == first else None
    if kept is None:
        raise InvalidPayloadError(ErrorCode.WRONG_QUERY, f"transfers for query {query} that were not made, or are used")
    return kept.transfers, bits, kept.digest


def check_receipt(state: AggregatedVotes, receipt: Receipt) -> None:
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


def add_noise(state: AggregatedVotes, seed: Seed, label: bytes) -> tuple[ReleaseNoise, list[int]]:
    """Draws the noise of a query that was charged, and makes the guardian's words of the release.

    Args:
        state: with its share of the votes.
        seed: fresh.
        label: binds the draw to all inputs of the release.

    Returns:
        the noise; where a check has draws of its own, C words, its share plus these; C words, its share plus the
        label's noise; with a threshold T.
    """
    party, parameters = state.party, state.party.session.parameters
    noise_source = party.suite.expand(seed, label + TAGS["noise"])
    noise = draw_release_noise(party.suite.mechanisms, parameters.num_classes, noise_source)
    width, unit = parameters.widths.vote_bits, 1 << parameters.widths.grid_bits
    votes = ring.scale(state.total, unit, width)
    checked = ring.add(votes, noise.threshold, width) if noise.threshold else []
    limit = parameters.release.threshold
    limits = [] if limit is None else [ring.reduce(int(limit * unit), width)]
    return noise, [*checked, *ring.add(votes, noise.classes, width), *limits]


def privacy_guardian_read_answered(state: ReleasedQuery, message: bytes) -> bool:
    """Realised mode: the answered bit, from the output label that the querying party returned.

    No return, no refund: without this message the answer stays charged.

    Raises:
        InputError: the account charges the worst case.
        ProtocolError: the label is not one of this query's two, or the message is malformed.
    """
    ReleasedQuery.require(state)
    channel, output_labels = state.party.channel, state.output.labels
    if state.party.session.parameters.release.charge is not Charge.REALISED or output_labels is None:
        # Output 0 is a bit of the label where there is no answered bit.
        raise InputError("the account charges the worst case: no answered bit comes back")
    payload = channel.open(MessageType.ANSWERED_LABEL, message, LABEL_BYTES, state.query)
    with blamed_on(QUERYING_PARTY):
        answered = output_labels.decode(0, 0, payload)
    state.spend()
    return bool(answered)
