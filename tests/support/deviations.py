"""Faulty parties: one class per deviation, with the bytes it sends and the error that the receiver must raise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from capc.foundation.errors import ErrorCode
from capc.foundation.parties import PRIVACY_GUARDIAN
from capc.session.envelope import MessageType
from support import oracles
from support.driver import Delivery, Place
from support.header import payload_of, with_field, with_payload


@dataclass
class Traffic:
    """What a faulty party may have seen.

    Attributes:
        sent: every message of this session so far.
        other_session: every message of another session between the same parties.
    """

    sent: Mapping[Place, bytes] = field(default_factory=dict)
    other_session: Mapping[Place, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Forgery:
    """What is sent instead; None for nothing."""

    message: bytes | None
    code: ErrorCode


class Deviation(ABC):
    """A faulty party. At every delivery it may put forgeries in front of the honest message."""

    @abstractmethod
    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """The forgeries for this delivery, none where the deviation does not apply."""


class SendsNothing(Deviation):
    """A participant that is silent where a step needs everybody's message."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """No message."""
        if delivery.may_be_missing:
            yield Forgery(None, ErrorCode.MISSING_PARTICIPANT)


class Truncates(Deviation):
    """Sends less: nothing, a part of the header, the header alone, all but the last byte."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """Prefixes of the honest message."""
        lengths = [0, 1, 43, len(delivery.honest) - 1]
        if payload_of(delivery.honest):
            lengths.append(44)
        for length in lengths:
            yield Forgery(delivery.honest[:length], ErrorCode.MALFORMED_LENGTH)


class Extends(Deviation):
    """Sends more: one byte, or the payload twice."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """The honest message and more."""
        yield Forgery(delivery.honest + b"\0", ErrorCode.MALFORMED_LENGTH)
        if payload_of(delivery.honest):
            yield Forgery(delivery.honest + payload_of(delivery.honest), ErrorCode.MALFORMED_LENGTH)


class SendsAnotherType(Deviation):
    """Sends the payload under every other type, known or not."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """The other types."""
        for kind in (0, *MessageType, max(MessageType) + 1, 255):
            if kind != delivery.place.message_type:
                yield Forgery(with_field(delivery.honest, "type", kind), ErrorCode.WRONG_MESSAGE_TYPE)


class SendsOutOfOrder(Deviation):
    """Sends an earlier message of its own that belongs to another step."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """Everything this sender sent to this receiver before under another type."""
        for place, message in traffic.sent.items():
            same_ends = (place.sender, place.receiver) == (delivery.place.sender, delivery.place.receiver)
            if same_ends and place.message_type is not delivery.place.message_type:
                yield Forgery(message, ErrorCode.WRONG_MESSAGE_TYPE)


class ReplaysAnotherSession(Deviation):
    """Sends what it sent at the same place in another session."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """The other session's message."""
        yield Forgery(traffic.other_session[delivery.place], ErrorCode.FOREIGN_SESSION)


class ForgesTheTag(Deviation):
    """Sends tags that differ in one bit, or that are zero."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """Other tags."""
        tag = delivery.honest[1:33]
        flipped = (bytes([tag[0] ^ 1]) + tag[1:], tag[:31] + bytes([tag[31] ^ 0x80]))
        for other in (*flipped, b"\xff" * 32, bytes(32)):
            yield Forgery(with_field(delivery.honest, "tag", other), ErrorCode.FOREIGN_SESSION)


class ReplaysAnotherQuery(Deviation):
    """Sends what it sent at the same place of an earlier query."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """The messages of all earlier queries."""
        for query in range(1, delivery.place.query):
            earlier = traffic.sent.get(replace(delivery.place, query=query))
            if earlier is not None:
                yield Forgery(earlier, ErrorCode.WRONG_QUERY)


class ForgesTheQuery(Deviation):
    """Names the query before, the one after, and the last there can be."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """Other query numbers."""
        for query in {max(delivery.place.query - 1, 0), delivery.place.query + 1, 2**32 - 1} - {delivery.place.query}:
            yield Forgery(with_field(delivery.honest, "query", query), ErrorCode.WRONG_QUERY)


class ReplaysAnotherLayer(Deviation):
    """Sends what it sent for an earlier layer of the same query, and names layers that come later."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """Messages of earlier layers, and later layer numbers."""
        for layer in range(delivery.place.layer):
            yield Forgery(traffic.sent[replace(delivery.place, layer=layer)], ErrorCode.WRONG_LAYER)
        for layer in (delivery.place.layer + 1, 255):
            yield Forgery(with_field(delivery.honest, "layer", layer), ErrorCode.WRONG_LAYER)


class NamesAnotherSender(Deviation):
    """Says that the message is another party's."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """Other indices and roles, known or not."""
        index = int.from_bytes(delivery.honest[39:41], "little")
        role = delivery.honest[38]
        for other in {0, 1, 2, 0xFFFF} - {index}:
            yield Forgery(with_field(delivery.honest, "sender_index", other), ErrorCode.WRONG_SENDER)
        for other in {0, 1, 2, 3, 255} - {role}:
            yield Forgery(with_field(delivery.honest, "sender_role", other), ErrorCode.WRONG_SENDER)


class NamesAnotherReceiver(Deviation):
    """Sends what is meant for another party."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """Other indices and roles, known or not."""
        index = int.from_bytes(delivery.honest[42:44], "little")
        role = delivery.honest[41]
        for other in {0, 1, 2, 0xFFFF} - {index}:
            yield Forgery(with_field(delivery.honest, "receiver_index", other), ErrorCode.WRONG_RECEIVER)
        for other in {0, 1, 2, 3, 255} - {role}:
            yield Forgery(with_field(delivery.honest, "receiver_role", other), ErrorCode.WRONG_RECEIVER)


class PassesOnAnothersMessage(Deviation):
    """Passes on what another party sent to the same receiver at the same place, and what it sent to others."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """Others' messages, and its own messages to others."""
        place = delivery.place
        for other, message in traffic.sent.items():
            if replace(other, sender=place.sender) == place and other.sender != place.sender:
                yield Forgery(message, ErrorCode.WRONG_SENDER)
            if replace(other, receiver=place.receiver) == place and other.receiver != place.receiver:
                yield Forgery(message, ErrorCode.WRONG_RECEIVER)


class Reflects(Deviation):
    """Sends the receiver's own message back to it."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """The receiver's message of the same type."""
        place = delivery.place
        own = traffic.sent.get(replace(place, sender=place.receiver, receiver=place.sender))
        if own is not None:
            yield Forgery(own, ErrorCode.WRONG_SENDER)


POINT_TYPES = (MessageType.MASK_KEY, MessageType.BASE_OT_OFFER, MessageType.BASE_OT_CHOICE)


class _SendsBadPoints(Deviation):
    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """Bad points in place of the first point, and one in place of the last."""
        if delivery.place.message_type not in POINT_TYPES:
            return
        payload = payload_of(delivery.honest)
        last = len(payload) - 32
        places = [(0, point) for point in self.points(payload[:32])]
        if last:
            places.append((last, self.points(payload[last:])[-1]))
        for start, point in places:
            forged = payload[:start] + point + payload[start + 32 :]
            yield Forgery(with_payload(delivery.honest, forged), ErrorCode.INVALID_POINT)

    @abstractmethod
    def points(self, honest: bytes) -> list[bytes]:
        """The points to send."""


class SendsPointsOffTheCurve(_SendsBadPoints):
    """Sends numbers that are no point at all."""

    def points(self, honest: bytes) -> list[bytes]:
        """y = 2 has no x."""
        return [(2).to_bytes(32, "little"), b"\xff" * 32]


class SendsPointsThatAreNotReduced(_SendsBadPoints):
    """Sends a point's second encoding."""

    def points(self, honest: bytes) -> list[bytes]:
        """y + p for points with y < 19."""
        return [(oracles.P + y).to_bytes(32, "little") for y in (0, 1, 3)]


TORSION = oracles.torsion_points()


class SendsPointsOfSmallOrder(_SendsBadPoints):
    """Sends one of the 8 points that show the receiver's scalar mod 8, the neutral element among them."""

    def points(self, honest: bytes) -> list[bytes]:
        """All 8."""
        return [oracles.curve_encode(point) for point in TORSION]


class AddsASmallOrderPart(_SendsBadPoints):
    """Adds a point of small order to the honest point."""

    def points(self, honest: bytes) -> list[bytes]:
        """The honest point and each of the 7 others."""
        decoded = oracles.curve_decode(honest)
        return [
            oracles.curve_encode(oracles.curve_add(decoded, point)) for point in TORSION if point != oracles.NEUTRAL
        ]


@dataclass(frozen=True)
class SendsElementsOutOfRange(Deviation):
    """Sends numbers that the message's ring does not have, in the first and the last element."""

    vote_bits: int
    logit_bits: int

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """2^k in the ring Z_{2^k}, the largest that fits the bytes, and the honest element plus 2^k."""
        widths = {MessageType.VOTE_SHARES: self.vote_bits, MessageType.MASKED_VALUE: self.logit_bits}
        width = widths.get(delivery.place.message_type)
        if width is None:
            return
        payload, size = payload_of(delivery.honest), -(-width // 8)
        for start in {0, len(payload) - size}:
            honest = int.from_bytes(payload[start : start + size], "little")
            for number in (1 << width, 256**size - 1, honest | 1 << width):
                forged = payload[:start] + number.to_bytes(size, "little") + payload[start + size :]
                yield Forgery(with_payload(delivery.honest, forged), ErrorCode.VALUE_OUT_OF_RANGE)


PADDED = (MessageType.OT_EXTENSION, MessageType.CHOICE_BITS, MessageType.GARBLED_CIRCUITS)
"""Types that end in bits, or in a projection row of an answering party: a number of a ring."""


@dataclass(frozen=True)
class SetsPaddingBits(Deviation):
    """Sets the highest bit of the last byte of rows or bits; widths are chosen so that it is padding.

    Attributes:
        before_rounds: sender's index and layer of each answer of a vote's first of two rounds: a transfer extension,
            then one byte of masked bits.
    """

    before_rounds: frozenset[tuple[int, int]] = frozenset()

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """One padding bit set."""
        place, honest = delivery.place, delivery.honest
        if place.message_type not in PADDED:
            return
        answers = place.message_type is MessageType.GARBLED_CIRCUITS and place.sender != PRIVACY_GUARDIAN
        in_bits = (place.sender.index, place.layer) in self.before_rounds
        code = ErrorCode.VALUE_OUT_OF_RANGE if answers and not in_bits else ErrorCode.NON_CANONICAL
        yield Forgery(honest[:-1] + bytes([honest[-1] | 0x80]), code)
        if answers and in_bits:
            yield Forgery(honest[:-2] + bytes([honest[-2] | 0x80]) + honest[-1:], code)


@dataclass(frozen=True)
class SendsRowsOutOfRange(Deviation):
    """Sends rows of the round before, in a request of a vote in rounds, that are no elements of the logits' ring."""

    logit_bits: int

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """2^l in place of the first row, which follows a hash key; only a later round has no linear request."""
        place = delivery.place
        first = replace(place, message_type=MessageType.LINEAR_REQUEST) in traffic.sent
        if place.message_type is not MessageType.CHOICE_BITS or place.receiver == PRIVACY_GUARDIAN or first:
            return
        payload, size = payload_of(delivery.honest), -(-self.logit_bits // 8)
        for number in (1 << self.logit_bits, 256**size - 1):
            forged = payload[:16] + number.to_bytes(size, "little") + payload[16 + size :]
            yield Forgery(with_payload(delivery.honest, forged), ErrorCode.VALUE_OUT_OF_RANGE)


class ForgesTheAnsweredLabel(Deviation):
    """Returns labels that it was not given: one bit off, zero, an earlier query's."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """Labels that are neither of the wire's two."""
        if delivery.place.message_type is not MessageType.ANSWERED_LABEL:
            return
        label = payload_of(delivery.honest)
        forged = [bytes([label[0] ^ 1]) + label[1:], label[:15] + bytes([label[15] ^ 0x80]), bytes(16), b"\xff" * 16]
        for query in range(1, delivery.place.query):
            forged.append(payload_of(traffic.sent[replace(delivery.place, query=query)]))
        for payload in forged:
            yield Forgery(with_payload(delivery.honest, payload), ErrorCode.INVALID_OUTPUT_LABEL)


class ForgesHandles(Deviation):
    """Names results that the trusted party of the ideal linear layer did not give."""

    def forge(self, delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
        """Handles beyond the last one."""
        if delivery.place.message_type in (MessageType.LINEAR_REQUEST, MessageType.LINEAR_RESPONSE):
            for handle in (10**6, 2**64 - 1):
                forged = with_payload(delivery.honest, handle.to_bytes(8, "little"))
                yield Forgery(forged, ErrorCode.VALUE_OUT_OF_RANGE)
