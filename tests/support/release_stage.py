"""Querying party and guardian, really set up, and releases of chosen votes; any role may add an offset to its share.

The roles' own programs release. A cheating party hands them another share than it should, which no receiver can tell,
as shares are uniform, or alters what leaves. Zero-sum masks are left out, as they cancel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, cast

from capc.foundation import ring
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.foundation.randomness import XofSource
from capc.linear.ideal import IdealLinear
from capc.noise.mechanism import ReleaseMechanisms
from capc.privacy.account import Account
from capc.privacy.events import Receipt
from capc.protocol.embedded_methods import EMBEDDED
from capc.protocol.exchange import Exchange, NoObserver
from capc.protocol.link import Link
from capc.protocol.seats import GuardianSeat, QueryingSeat
from capc.session.channel import Channel
from capc.session.envelope import MessageType
from capc.session.parameters import Adjacency, Charge, NoiseName, Parameters, ReleasePolicy, ThresholdMode
from capc.session.session import Session
from capc.session.widths import ParameterSet
from capc.steps.messages import VoteShares
from capc.steps.privacy_guardian.party import PrivacyGuardian, VoteCollection
from capc.steps.querying_party.inference import VoteShare
from capc.steps.querying_party.party import QueryingParty, ReleaseTurn
from capc.steps.querying_party.release import Answer
from capc.steps.suite import reference_suite
from capc.two_party.circuits.builder import Circuit
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.garbling.transfers.ot_extension import EvaluatorKey, GarblerKey
from capc.two_party.vectorised import VectorisedTwoParty, extension
from support.builders import counter_seeds, make_participants
from support.header import payload_of, with_payload

NUM_CLASSES = 10
VOTE_BITS = ParameterSet.named("default").vote_bits
MODES: dict[str, dict[str, Any]] = {
    "single_draw": {"mode": ThresholdMode.SINGLE_DRAW},
    "worst_case": {},
    "realised": {"charge": Charge.REALISED},
}
"""Of a release with a threshold: arguments of a stage."""
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
class RoundView:
    """What a release gave.

    Attributes:
        answer: of the querying party.
        bit: the answered bit that the guardian read, None in worst-case mode.
        words: the querying party's, of the votes.
        circuit: the release circuit.
        nonce: of its transfers.
        circuits: the payload of the guardian's message.
    """

    answer: Answer
    bit: bool | None
    words: list[int]
    circuit: Circuit
    nonce: int
    circuits: bytes


@dataclass
class Stage:
    """One session between querying party and guardian; the votes are the test's.

    Args:
        voters: K.
        charge: the mode.
        threshold: in votes, None for GNMax without a threshold.
        mode: of the threshold.
    """

    voters: int = 20
    charge: Charge = Charge.WORST_CASE
    threshold: Fraction | None = Fraction(10)
    mode: ThresholdMode = ThresholdMode.TWO_DRAWS
    name: str = "stage"
    readable_key: EvaluatorKey = field(init=False)
    garbler_key: GarblerKey = field(init=False)
    query: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        widths = ParameterSet.named("default")
        apart = self.threshold is not None and self.mode is ThresholdMode.TWO_DRAWS
        check = SIGMA if apart else None
        policy = ReleasePolicy(
            NoiseName.ROUNDED_GAUSSIAN, SIGMA, self.threshold, check, self.charge, Adjacency.REPLACE_ONE,
            Fraction(10), Fraction(1, 10**5), threshold_mode=self.mode,
        )  # fmt: skip
        parameters = Parameters(widths, NUM_CLASSES, 2, policy)
        self.session = Session(parameters, bytes(range(32)), make_participants([(2, NUM_CLASSES)] * self.voters))
        self.suite = reference_suite(parameters, IdealLinear(widths.logit_bits), VectorisedTwoParty())
        self.account = NotingAccount(policy, widths.grid_bits, Fraction(10**6))
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

    def release(self, votes: Sequence[int], cheats: Cheats = Cheats()) -> RoundView:
        """One query on which the answering parties voted so: its label, and what was seen on the way."""
        self.query += 1
        exchange, shares = Exchange(NoObserver()), []
        for peer, vote in zip(self.session.answering_parties, votes, strict=True):
            sent = [self.source.bits(self.vote_bits) for _ in range(NUM_CLASSES)]
            one_hot = [int(c == vote) for c in range(NUM_CLASSES)]
            mine = ring.subtract(one_hot, sent, self.vote_bits)
            if peer.index == 1:
                mine = ring.add(mine, _reduced(cheats.querying, self.vote_bits), self.vote_bits)
                # The guardian's offset on the sum is one on a summand.
                for offsets in (cheats.answering, cheats.guardian):
                    sent = ring.add(sent, _reduced(offsets, self.vote_bits), self.vote_bits)
            shares.append((VoteShare(self.session.tag, peer, self.query, tuple(mine)),))
            message = Channel(self.session.tag, peer, PRIVACY_GUARDIAN).seal(
                MessageType.VOTE_SHARES, VoteShares(tuple(sent), self.vote_bits).to_bytes(), self.query
            )
            exchange.box(peer, PRIVACY_GUARDIAN).put(message)
        return self._play(exchange, shares, cheats)

    def _play(self, exchange: Exchange, shares: list[tuple[VoteShare]], cheats: Cheats) -> RoundView:
        """Both programs, each with its party's own noise, and what it alters of what it sends."""
        links = exchange.link(QUERYING_PARTY), exchange.link(PRIVACY_GUARDIAN)
        returning = AlteringLink(links[0], "answered", lambda message: self._returned(message, cheats))
        releasing = AlteringLink(links[1], "circuits", lambda message: _recoded(message, cheats.decoding))
        suites = [
            replace(self.suite, mechanisms=mechanisms or self.suite.mechanisms)
            for mechanisms in (cheats.querying_mechanisms, cheats.guardian_mechanisms)
        ]
        self.account.bit = None
        asking = QueryingSeat(returning, self.session, suites[0], self.draw_seed, EMBEDDED)
        giving = GuardianSeat(releasing, self.session, suites[1], self.draw_seed, EMBEDDED, self.account)
        party = QueryingParty(self.session, suites[0], None, {PRIVACY_GUARDIAN: self.fast_key}, 1)
        guardian = PrivacyGuardian(self.session, suites[1], extension.GarblerKey(self.garbler_key), self.query)
        release, turns = EMBEDDED.release, [ReleaseTurn(party, self.query)]
        exchange.run(
            [
                (links[1], release.privacy_guardian(giving, [VoteCollection(guardian, self.query)])),
                (links[0], release.querying_party(asking, turns, shares)),
            ]
        )
        votes = ring.sum_shares([entry.share for (entry,) in shares], self.vote_bits)
        words, chosen = ring.scale(votes, 1 << self.grid_bits, self.vote_bits), asking.releasing.chosen
        ((answer, _),) = asking.answers
        return RoundView(answer, self.account.bit, words, chosen.circuit, chosen.nonce, payload_of(releasing.sent[-1]))

    def _returned(self, message: bytes, cheats: Cheats) -> bytes:
        if not cheats.lies_about_the_bit:
            return message
        label = int.from_bytes(payload_of(message), "little") ^ self.garbler_key.delta
        return with_payload(message, label.to_bytes(16, "little"))


class NotingAccount(Account):
    """An account that remembers the last answered bit."""

    bit: bool | None = None

    def settle(self, receipt: Receipt, answered: bool) -> None:
        """As of every account."""
        super().settle(receipt, answered)
        self.bit = answered


class AlteringLink:
    """A party's link, on which one flight leaves altered."""

    def __init__(self, link: Link, flight: str, alter: Callable[[bytes], bytes]) -> None:
        self._link, self._flight, self._alter = link, flight, alter
        self.step = link.step
        self.sent: list[bytes] = []
        self.receive, self.together, self.outside = link.receive, link.together, link.outside

    async def send(self, peer: Party, message: bytes, flight: str | None = None) -> None:
        """Sends it, and keeps what was sent."""
        self.sent.append(self._alter(message) if flight == self._flight else message)
        await self._link.send(peer, self.sent[-1], flight)


def split_votes(first: int, second: int, rest: int, voters: int = 20) -> list[int]:
    """Votes of which the first two counts are for classes 2 and 3, and those that are left for ``rest``."""
    return [2] * first + [3] * second + [rest] * (voters - first - second)


def comparing(c: int, d: int, k: int, vote_bits: int, grid_bits: int = 4) -> list[int]:
    """Offsets in votes under which a query would be answered exactly if v_c - v_d < k, were un-noised counts compared.

    And by the sign of a difference that wraps. Both counts are pushed to the ends of the ring, so that which of the two
    comes out is told by v_c - v_d alone, and T and its noise are too small to matter.
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
