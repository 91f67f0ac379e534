"""Querying party and guardian, really set up, and releases of chosen votes; any role may add an offset to its share.

Every message is made by the honest step functions. A cheating party hands them another share than it should, which no
receiver can tell: shares are uniform. Zero-sum masks are left out, as they cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import cast

from capc import ring, sharing
from capc.channel import Channel
from capc.circuits.builder import Circuit
from capc.garbled_two_party import GarbledTwoParty
from capc.linear import IdealLinear
from capc.messages import MessageType, VoteShares
from capc.noise.mechanism import ReleaseMechanisms
from capc.ot_extension import EvaluatorKey, GarblerKey
from capc.parameters import Adjacency, Charge, NoiseName, Parameters, ParameterSet, ReleasePolicy
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY
from capc.privacy_guardian import (
    Aggregated,
    PrivacyGuardian,
    privacy_guardian_aggregate,
    privacy_guardian_open_query,
    privacy_guardian_read_answered,
    privacy_guardian_release,
)
from capc.querying_party import QueryingParty, ReleaseTurn, VoteShare
from capc.querying_party_release import Answer, querying_party_finish_release, querying_party_request_release
from capc.randomness import XofSource
from capc.session import Session
from capc.suite import Suite, reference_suite
from capc.vectorised import VectorisedTwoParty, extension
from support.builders import counter_seeds, make_account, make_participants
from support.header import payload_of, with_payload

NUM_CLASSES = 10
SIGMA = Fraction(40)
"""In votes, of both draws: one vote more or less is lost in it."""


@dataclass(frozen=True)
class Cheats:
    """What each role adds to its share of the votes, in votes; nothing where it is honest.

    Attributes:
        querying: of the querying party.
        answering: of the first answering party, in its message to the guardian.
        guardian: of the guardian.
        guardian_mechanisms: what the guardian draws from instead.
        querying_mechanisms: what the querying party draws from instead.
        decoding: the guardian XORs this to the label, by the decoding bits that end its circuits, a byte each.
        lies_about_the_bit: the querying party returns the other label of the answered bit; it needs Delta.
    """

    querying: Sequence[int] = (0,) * NUM_CLASSES
    answering: Sequence[int] = (0,) * NUM_CLASSES
    guardian: Sequence[int] = (0,) * NUM_CLASSES
    guardian_mechanisms: ReleaseMechanisms | None = None
    querying_mechanisms: ReleaseMechanisms | None = None
    decoding: int = 0
    lies_about_the_bit: bool = False


@dataclass(frozen=True)
class Seen:
    """What a release gave.

    Attributes:
        answer: of the querying party.
        bit: the answered bit that the guardian read, None in worst-case mode.
        words: the querying party's, of the votes.
        circuit: the release circuit.
        position: of its transfers.
        circuits: the payload of the guardian's message.
    """

    answer: Answer
    bit: bool | None
    words: list[int]
    circuit: Circuit
    position: int
    circuits: bytes


@dataclass
class Stage:
    """One session between querying party and guardian; the votes are the test's.

    Args:
        voters: K.
        charge: the mode.
        threshold: in votes, None for GNMax without a threshold.
    """

    voters: int = 20
    charge: Charge = Charge.WORST_CASE
    threshold: Fraction | None = Fraction(10)
    name: str = "stage"
    readable_key: EvaluatorKey = field(init=False)
    garbler_key: GarblerKey = field(init=False)

    def __post_init__(self) -> None:
        widths = ParameterSet.named("default")
        check = None if self.threshold is None else SIGMA
        policy = ReleasePolicy(
            NoiseName.ROUNDED_GAUSSIAN, SIGMA, self.threshold, check, self.charge, Adjacency.REPLACE_ONE,
            Fraction(10), Fraction(1, 10**5),
        )  # fmt: skip
        parameters = Parameters(widths, NUM_CLASSES, 2, policy)
        self.session = Session(parameters, bytes(range(32)), make_participants([(2, NUM_CLASSES)] * self.voters))
        self.suite = reference_suite(parameters, IdealLinear(widths.logit_bits), VectorisedTwoParty())
        self.account = make_account(parameters)
        self.draw_seed = counter_seeds(self.name)
        self.source = XofSource(self.draw_seed(), b"shares")
        self._set_up()

    @property
    def vote_bits(self) -> int:
        return self.session.parameters.widths.vote_bits

    @property
    def grid_bits(self) -> int:
        return self.session.parameters.widths.grid_bits

    def _set_up(self) -> None:
        """With the readable scheme, whose keys the attacks read; releases take the fast one."""
        scheme, expand = GarbledTwoParty(), self.suite.expand
        context = Channel(self.session.tag, QUERYING_PARTY, PRIVACY_GUARDIAN).context()
        state, offer = scheme.evaluator_offer(expand(self.draw_seed(), b"offer"))
        chosen, choice = scheme.garbler_choose(offer, context, expand(self.draw_seed(), b"choice"))
        key, trees = scheme.evaluator_finish(state, choice, context, expand(self.draw_seed(), b"trees"))
        self.readable_key = cast(EvaluatorKey, key)
        self.garbler_key = cast(GarblerKey, scheme.garbler_finish(chosen, trees))
        self.fast_key = extension.EvaluatorKey(self.readable_key)
        self.guardian = PrivacyGuardian(self.session, self.suite, extension.GarblerKey(self.garbler_key), 1)

    def release(self, votes: Sequence[int], cheats: Cheats = Cheats()) -> Seen:
        """One query on which the answering parties voted so: its label, and what was seen on the way."""
        self.guardian, collecting = privacy_guardian_open_query(self.guardian)
        messages, shares = {}, []
        for peer, vote in zip(self.session.answering_parties, votes, strict=True):
            sent = [self.source.bits(self.vote_bits) for _ in range(NUM_CLASSES)]
            one_hot = [int(c == vote) for c in range(NUM_CLASSES)]
            mine = ring.subtract(one_hot, sent, self.vote_bits)
            if peer.index == 1:
                mine = ring.add(mine, _reduced(cheats.querying, self.vote_bits), self.vote_bits)
                sent = ring.add(sent, _reduced(cheats.answering, self.vote_bits), self.vote_bits)
            shares.append(VoteShare(self.session.tag, peer, collecting.query, tuple(mine)))
            messages[peer] = Channel(self.session.tag, peer, PRIVACY_GUARDIAN).seal(
                MessageType.VOTE_SHARES, VoteShares(tuple(sent), self.vote_bits).to_bytes(), collecting.query
            )
        return self._finish(privacy_guardian_aggregate(collecting, messages), shares, cheats)

    def _finish(self, state: Aggregated, shares: list[VoteShare], cheats: Cheats) -> Seen:
        mechanisms = cheats.guardian_mechanisms or self.suite.mechanisms
        key = state.party.garbler_key
        guardian = PrivacyGuardian(self.session, self._suite(mechanisms), key, state.query)
        total = ring.add(state.total, _reduced(cheats.guardian, self.vote_bits), self.vote_bits)
        state = Aggregated(guardian, state.query, tuple(total), state.inputs_digest)
        party = self._querying_party(cheats.querying_mechanisms or self.suite.mechanisms)
        receipt = self.account.reserve(self.session.tag, state.query, state.inputs_digest)
        awaiting, request = querying_party_request_release(ReleaseTurn(party, state.query), shares, self.draw_seed())
        votes = sharing.sum_shares([entry.share for entry in shares], self.vote_bits)
        words = ring.scale(votes, 1 << self.grid_bits, self.vote_bits)
        released, circuits = privacy_guardian_release(state, receipt, request, self.draw_seed())
        circuits = self.account.dispatch(receipt, _recoded(circuits, cheats.decoding))
        answer = querying_party_finish_release(awaiting, circuits)
        bit = None
        if answer.answered_message is not None:
            bit = privacy_guardian_read_answered(released, self._returned(answer.answered_message, cheats))
            self.account.settle(receipt, answered=bit)
        return Seen(answer, bit, words, awaiting.chosen.circuit, awaiting.chosen.position, payload_of(circuits))

    def _returned(self, message: bytes, cheats: Cheats) -> bytes:
        if not cheats.lies_about_the_bit:
            return message
        label = int.from_bytes(payload_of(message), "little") ^ self.garbler_key.delta
        return with_payload(message, label.to_bytes(16, "little"))

    def _suite(self, mechanisms: ReleaseMechanisms) -> Suite:
        return replace(self.suite, mechanisms=mechanisms)

    def _querying_party(self, mechanisms: ReleaseMechanisms) -> QueryingParty:
        return QueryingParty(self.session, self._suite(mechanisms), None, {PRIVACY_GUARDIAN: self.fast_key}, 1)


def split_votes(first: int, second: int, rest: int, voters: int = 20) -> list[int]:
    """Votes of which the first two counts are for classes 2 and 3, and those that are left for ``rest``."""
    return [2] * first + [3] * second + [rest] * (voters - first - second)


def comparing(c: int, d: int, k: int, vote_bits: int, grid_bits: int = 4) -> list[int]:
    """Offsets in votes under which a query is answered exactly if v_c - v_d < k, whatever the noise is.

    Both counts are pushed to the ends of the ring, beyond what the comparisons of the maximum are made for: which of
    the two comes out is told by v_c - v_d alone, and T and its noise are too small to matter.
    """
    unit = vote_bits - grid_bits
    offsets = [-(1 << unit - 3)] * NUM_CLASSES
    for rival in _beaten_before(d, c):
        offsets[rival] = -(1 << unit - 2) - (1 << unit - 3)
    offsets[d] = -(1 << unit - 2)
    # The right one of a match must be strictly larger.
    offsets[c] = (1 << unit - 2) - (k if c < d else k - 1)
    return offsets


def _beaten_before(d: int, c: int) -> list[int]:
    """The classes that class d must beat before it meets class c in the tournament."""
    entrants = [[index] for index in range(NUM_CLASSES)]
    while True:
        pairs = list(zip(entrants[::2], entrants[1::2], strict=False))
        for left, right in pairs:
            if {c, d} <= {*left, *right}:
                return [index for index in (left if d in left else right) if index != d]
        entrants = [left + right for left, right in pairs] + entrants[2 * len(pairs) :]


def _reduced(offsets: Sequence[int], width: int) -> list[int]:
    return [ring.reduce(entry, width) for entry in offsets]


def _recoded(circuits: bytes, flips: int) -> bytes:
    count = (NUM_CLASSES - 1).bit_length()
    last = bytes(byte ^ (flips >> place & 1) for place, byte in enumerate(circuits[-count:]))
    return circuits[:-count] + last
