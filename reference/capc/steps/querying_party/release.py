"""The querying party's part of step 3: from its shares of the votes to the released label.

Spec: CAPC-REL-002, CAPC-REL-003, CAPC-REL-008.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from capc.foundation import ring
from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.errors import InputError, blamed_on
from capc.foundation.parties import PRIVACY_GUARDIAN
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.session.envelope import MessageType
from capc.session.parameters import Charge, Parameters
from capc.steps.querying_party.inference import VoteShare
from capc.steps.querying_party.party import QueryingParty, ReleaseTurn
from capc.steps.release_circuit import check_outputs, circuit_for, read_outputs
from capc.steps.release_transfers import FIRST_BYTES, counts_ahead
from capc.steps.suite import ChosenLabels, EvaluatorTransfers


@dataclass(frozen=True, repr=False)
class AwaitingRelease(SingleUse):
    """Waiting for the guardian's circuit. Secret: its labels, and in realised mode its own threshold noise.

    Transfers that the request made for later releases are kept when the answer shows that the guardian has them.
    """

    party: QueryingParty
    query: int
    chosen: ChosenLabels
    threshold_noise: tuple[int, ...]
    made: tuple[EvaluatorTransfers, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What the querying party learns from one query.

    Attributes:
        query: the query's number in the session.
        label: the released class, or None for "no consensus".
        answered_message: in realised mode the message that tells the guardian the answered bit, else None.
    """

    query: int
    label: int | None
    answered_message: bytes | None = field(repr=False)


def querying_party_request_release(
    turn: ReleaseTurn, shares: Sequence[VoteShare], seed: Seed
) -> tuple[AwaitingRelease, bytes]:
    """Step 3: transfers the sum of its vote shares, scaled to the grid, into the release circuit.

    In realised mode it adds noise of its own to the counts that are checked, since the guardian, which will learn the
    answered bit, knows the guardian's draws.

    Where the guardian has no transfers left for it, the request makes those of this query and of later ones.

    Args:
        turn: of this query.
        shares: exactly one share of that query from every answering party.
        seed: for that noise; unused otherwise.

    Raises:
        InputError: a share is missing, double, or of another query.
    """
    ReleaseTurn.require(turn)
    words, own_noise = release_words(turn, shares, seed)
    party, query = turn.party, turn.query
    front, transfers, made = _release_transfers(party, query)
    chosen, bits = party.suite.two_party.choose(transfers, circuit_for(party.session.parameters), [words])
    spend_turn(turn, shares)
    message = party.channel(PRIVACY_GUARDIAN).seal(MessageType.CHOICE_BITS, front + bits, query)
    return AwaitingRelease(party, query, chosen, own_noise, made), message


def _release_transfers(
    party: QueryingParty, query: int
) -> tuple[bytes, EvaluatorTransfers, tuple[EvaluatorTransfers, ...]]:
    """The front of a request, the transfers of its query, and those of later ones, which it may have to make."""
    taken = party.release_transfers.take(query)
    if taken is not None:
        return taken.first.to_bytes(FIRST_BYTES, "little"), taken.transfers, ()
    party.release_transfers.ask(query)
    key, nonce = party.evaluator_keys[PRIVACY_GUARDIAN], party.channel(PRIVACY_GUARDIAN).nonce(query)
    counts = counts_ahead(party.session.parameters)
    (transfers, *made), extension = party.suite.two_party.extend_evaluator(key, nonce, counts)
    return extension, transfers, tuple(made)


def release_words(turn: ReleaseTurn, shares: Sequence[VoteShare], seed: Seed) -> tuple[list[int], tuple[int, ...]]:
    """This party's words of the release, and in realised mode its own noise of the check, a draw per class.

    Arguments and errors as of :func:`querying_party_request_release`; nothing is spent.
    """
    turn.require_unspent()
    party, query = turn.party, turn.query
    parameters, channel = party.session.parameters, party.channel(PRIVACY_GUARDIAN)
    for entry in shares:
        VoteShare.require(entry)
    peers = sorted(entry.peer.index for entry in shares)
    origins = {(entry.session_tag, entry.query) for entry in shares}
    if peers != [peer.index for peer in party.session.answering_parties] or origins != {(party.session.tag, query)}:
        raise InputError(f"release of query {query} needs exactly one vote share of it from every answering party")
    width = parameters.widths.vote_bits
    total = ring.sum_shares([entry.share for entry in shares], width)
    words = ring.scale(total, 1 << parameters.widths.grid_bits, width)
    own_noise: tuple[int, ...] = ()
    threshold_mechanism = party.suite.mechanisms.threshold
    if _adds_noise(parameters) and threshold_mechanism is not None:
        source = party.suite.expand(seed, channel.label("querying_party_request_release", query))
        own_noise = tuple(threshold_mechanism.sample(source, parameters.num_classes))
        words += ring.add(words, own_noise, width)
    return words, own_noise


def spend_turn(turn: ReleaseTurn, shares: Sequence[VoteShare]) -> None:
    """Marks a query's turn and its vote shares as used."""
    turn.spend()
    for entry in shares:
        entry.spend()


def querying_party_finish_release(state: AwaitingRelease, circuits: bytes) -> Answer:
    """Step 3: evaluates the release circuit to the label, or to "no consensus".

    Raises:
        ProtocolError: the message is malformed, or belongs to another session or query.
    """
    AwaitingRelease.require(state)
    party, channel = state.party, state.party.channel(PRIVACY_GUARDIAN)
    parameters = party.session.parameters
    circuit = circuit_for(parameters)
    length = party.suite.two_party.circuits_length(circuit, 1)
    payload = channel.open(MessageType.GARBLED_CIRCUITS, circuits, length, state.query)
    with blamed_on(PRIVACY_GUARDIAN):
        evaluation = party.suite.two_party.evaluate(
            state.chosen, payload, lambda outputs: check_outputs(parameters, outputs[0])
        )
    state.spend()
    if state.made:
        party.release_transfers.confirm(state.query, state.made)
    label = read_outputs(parameters, evaluation.outputs[0])
    returned = None
    if _adds_noise(parameters):
        # The active label of the answered bit proves the bit: the other label is unknown to this party.
        proof = evaluation.labels[0][0].to_bytes(LABEL_BYTES, "little")
        returned = channel.seal(MessageType.ANSWERED_LABEL, proof, state.query)
    return Answer(state.query, label, returned)


def _adds_noise(parameters: Parameters) -> bool:
    """Whether the querying party adds noise of its own to what is checked, and returns the answered bit."""
    return parameters.release.charge is Charge.REALISED
