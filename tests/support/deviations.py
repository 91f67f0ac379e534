"""Faulty parties: for each deviation a function that gives its bytes, and the error that the receiver must raise.

At every delivery a deviation may put forgeries in front of the honest message: none where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from capc.foundation.errors import ErrorCode
from capc.foundation.parties import PRIVACY_GUARDIAN
from capc.session.envelope import MessageType
from capc.session.widths import ParameterSet
from support import oracles
from support.driver import Delivery, Place
from support.header import field, payload_of, with_field, with_payload


@dataclass(frozen=True)
class Traffic:
    """What a faulty party may have seen, and what everybody knows.

    Attributes:
        sent: every message of this session so far.
        other_session: every message of another session between the same parties.
        widths: of the session.
        before_rounds: sender's index and layer of each answer of a vote's first of two rounds: a transfer extension,
            then one byte of masked bits.
    """

    sent: Mapping[Place, bytes]
    other_session: Mapping[Place, bytes]
    widths: ParameterSet
    before_rounds: Collection[tuple[int, int]]


@dataclass(frozen=True)
class Forgery:
    """What is sent instead; None for nothing."""

    message: bytes | None
    code: ErrorCode


Deviation = Callable[[Delivery, Traffic], Iterator[Forgery]]


def sends_nothing(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Is silent where a step needs everybody's message."""
    if delivery.may_be_missing:
        yield Forgery(None, ErrorCode.MISSING_PARTICIPANT)


def truncates(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends less: nothing, a part of the header, the header alone, all but the last byte."""
    for length in {0, 1, 43, 44, len(delivery.honest) - 1} - {len(delivery.honest)}:
        yield Forgery(delivery.honest[:length], ErrorCode.MALFORMED_LENGTH)


def extends(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends more: one byte, or the payload twice."""
    for more in {b"\0", payload_of(delivery.honest)} - {b""}:
        yield Forgery(delivery.honest + more, ErrorCode.MALFORMED_LENGTH)


def sends_another_type(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends the payload under every other type, known or not."""
    for kind in {0, *MessageType, max(MessageType) + 1, 255} - {delivery.place.message_type}:
        yield Forgery(with_field(delivery.honest, "type", kind), ErrorCode.WRONG_MESSAGE_TYPE)


def sends_out_of_order(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends everything that it sent to this receiver before under another type."""
    for place, message in traffic.sent.items():
        same_ends = (place.sender, place.receiver) == (delivery.place.sender, delivery.place.receiver)
        if same_ends and place.message_type is not delivery.place.message_type:
            yield Forgery(message, ErrorCode.WRONG_MESSAGE_TYPE)


def replays_another_session(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends what it sent at the same place in another session."""
    yield Forgery(traffic.other_session[delivery.place], ErrorCode.FOREIGN_SESSION)


def forges_the_tag(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends tags that differ in one bit, or that are zero."""
    tag = delivery.honest[1:33]
    flipped = (bytes([tag[0] ^ 1]) + tag[1:], tag[:31] + bytes([tag[31] ^ 0x80]))
    for other in (*flipped, b"\xff" * 32, bytes(32)):
        yield Forgery(with_field(delivery.honest, "tag", other), ErrorCode.FOREIGN_SESSION)


def replays_another_query(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends what it sent at the same place of an earlier query."""
    places = [replace(delivery.place, query=query) for query in range(1, delivery.place.query)]
    for place in places:
        if place in traffic.sent:
            yield Forgery(traffic.sent[place], ErrorCode.WRONG_QUERY)


def forges_the_query(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Names the query before, the one after, and the last there can be."""
    for query in {max(delivery.place.query - 1, 0), delivery.place.query + 1, 2**32 - 1} - {delivery.place.query}:
        yield Forgery(with_field(delivery.honest, "query", query), ErrorCode.WRONG_QUERY)


def replays_another_layer(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends what it sent for an earlier layer of the same query, and names layers that come later."""
    for layer in range(delivery.place.layer):
        yield Forgery(traffic.sent[replace(delivery.place, layer=layer)], ErrorCode.WRONG_LAYER)
    for layer in (delivery.place.layer + 1, 255):
        yield Forgery(with_field(delivery.honest, "layer", layer), ErrorCode.WRONG_LAYER)


def names_another_sender(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Says that the message is another party's: other indices and roles, known or not."""
    yield from _other_ends(delivery.honest, "sender", ErrorCode.WRONG_SENDER)


def names_another_receiver(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends what is meant for another party."""
    yield from _other_ends(delivery.honest, "receiver", ErrorCode.WRONG_RECEIVER)


def _other_ends(honest: bytes, end: str, code: ErrorCode) -> Iterator[Forgery]:
    for name, values in ((f"{end}_index", {0, 1, 2, 0xFFFF}), (f"{end}_role", {0, 1, 2, 3, 255})):
        for other in values - {int.from_bytes(field(honest, name), "little")}:
            yield Forgery(with_field(honest, name, other), code)


def passes_on_anothers_message(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Passes on what another party sent to the same receiver at the same place, and what it sent to others."""
    place = delivery.place
    for other, message in traffic.sent.items():
        if replace(other, sender=place.sender) == place and other.sender != place.sender:
            yield Forgery(message, ErrorCode.WRONG_SENDER)
        if replace(other, receiver=place.receiver) == place and other.receiver != place.receiver:
            yield Forgery(message, ErrorCode.WRONG_RECEIVER)


def reflects(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends the receiver's own message of the same type back to it."""
    back = replace(delivery.place, sender=delivery.place.receiver, receiver=delivery.place.sender)
    if back in traffic.sent:
        yield Forgery(traffic.sent[back], ErrorCode.WRONG_SENDER)


POINT_TYPES = (MessageType.MASK_KEY, MessageType.BASE_OT_OFFER, MessageType.BASE_OT_CHOICE)
TORSION = oracles.torsion_points()


def sends_points_off_the_curve(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends numbers that are no point at all: y = 2 has no x."""
    yield from _bad_points(delivery, lambda honest: [(2).to_bytes(32, "little"), b"\xff" * 32])


def sends_points_that_are_not_reduced(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends a point's second encoding: y + p for points with y < 19."""
    yield from _bad_points(delivery, lambda honest: [(oracles.P + y).to_bytes(32, "little") for y in (0, 1, 3)])


def sends_points_of_small_order(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends one of the 8 points that show the receiver's scalar mod 8, the neutral element among them."""
    yield from _bad_points(delivery, lambda honest: [oracles.curve_encode(point) for point in TORSION])


def adds_a_small_order_part(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Adds each of the 7 other points of small order to the honest point."""

    def points(honest: bytes) -> list[bytes]:
        decoded = oracles.curve_decode(honest)
        return [oracles.curve_encode(oracles.curve_add(decoded, each)) for each in TORSION if each != oracles.NEUTRAL]

    yield from _bad_points(delivery, points)


def _bad_points(delivery: Delivery, points: Callable[[bytes], list[bytes]]) -> Iterator[Forgery]:
    """Bad points in place of the first point, and one in place of the last."""
    if delivery.place.message_type in POINT_TYPES:
        payload = payload_of(delivery.honest)
        first, last = [point + payload[32:] for point in points(payload[:32])], points(payload[-32:])[-1]
        for forged in {*first, payload[:-32] + last}:
            yield Forgery(with_payload(delivery.honest, forged), ErrorCode.INVALID_POINT)


def sends_elements_out_of_range(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends numbers that the message's ring does not have, in the first and the last element.

    2^k in the ring Z_{2^k}, the largest that fits the bytes, and the honest element plus 2^k.
    """
    widths = traffic.widths
    rings = {MessageType.VOTE_SHARES: widths.vote_bits, MessageType.MASKED_VALUE: widths.logit_bits}
    if delivery.place.message_type in rings:
        width, payload = rings[delivery.place.message_type], payload_of(delivery.honest)
        size = -(-width // 8)
        for start in {0, len(payload) - size}:
            honest = int.from_bytes(payload[start : start + size], "little")
            for number in (1 << width, 256**size - 1, honest | 1 << width):
                yield _with_number(delivery.honest, start, number, size)


def sends_rows_out_of_range(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sends rows of the round before, in a request of a vote in rounds, that are no elements of the shares' ring.

    2^T in place of the first row, which follows a hash key; only a later round has no linear request.
    """
    place, bits = delivery.place, traffic.widths.share_bits
    first = replace(place, message_type=MessageType.LINEAR_REQUEST) in traffic.sent
    if place.message_type is MessageType.CHOICE_BITS and place.receiver != PRIVACY_GUARDIAN and not first:
        size = -(-bits // 8)
        for number in (1 << bits, 256**size - 1):
            yield _with_number(delivery.honest, 16, number, size)


def _with_number(honest: bytes, start: int, number: int, size: int) -> Forgery:
    payload = payload_of(honest)
    forged = payload[:start] + number.to_bytes(size, "little") + payload[start + size :]
    return Forgery(with_payload(honest, forged), ErrorCode.VALUE_OUT_OF_RANGE)


PADDED = (MessageType.CHOICE_BITS, MessageType.GARBLED_CIRCUITS)
"""Types that end in bits, or in a projection row of an answering party: a number of a ring."""


def sets_padding_bits(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Sets the highest bit of the last byte of bits; widths are chosen so that it is padding."""
    place, honest = delivery.place, delivery.honest
    if place.message_type in PADDED:
        answers = place.message_type is MessageType.GARBLED_CIRCUITS and place.sender != PRIVACY_GUARDIAN
        in_bits = (place.sender.index, place.layer) in traffic.before_rounds
        code = ErrorCode.VALUE_OUT_OF_RANGE if answers and not in_bits else ErrorCode.NON_CANONICAL
        yield Forgery(honest[:-1] + bytes([honest[-1] | 0x80]), code)
        if answers and in_bits:
            yield Forgery(honest[:-2] + bytes([honest[-2] | 0x80]) + honest[-1:], code)


def forges_the_answered_label(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Returns labels that are neither of the wire's two: one bit off, zero, an earlier query's."""
    if delivery.place.message_type is MessageType.ANSWERED_LABEL:
        label = payload_of(delivery.honest)
        forged = [bytes([label[0] ^ 1]) + label[1:], label[:15] + bytes([label[15] ^ 0x80]), bytes(16), b"\xff" * 16]
        earlier = [replace(delivery.place, query=query) for query in range(1, delivery.place.query)]
        for payload in (*forged, *(payload_of(traffic.sent[place]) for place in earlier)):
            yield Forgery(with_payload(delivery.honest, payload), ErrorCode.INVALID_OUTPUT_LABEL)


def forges_handles(delivery: Delivery, traffic: Traffic) -> Iterator[Forgery]:
    """Names results that the trusted party of the ideal linear layer did not give: beyond the last one."""
    if delivery.place.message_type in (MessageType.LINEAR_REQUEST, MessageType.LINEAR_RESPONSE):
        for handle in (10**6, 2**64 - 1):
            yield _with_number(delivery.honest, 0, handle, 8)
