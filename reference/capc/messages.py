"""The messages on the wire: one header for all, and the payloads of no other room, one small class each.

Section 04 of the specification says where the other payloads are.

A payload class has a length, a serializer and a parser. Parsers refuse what is short, long, out of range or not
canonical, with an :class:`InvalidPayloadError`; :meth:`Envelope.open` turns it into a :class:`ProtocolError` that
names the sender. All integers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Self

from capc.errors import ErrorCode, InvalidPayloadError, ProtocolError
from capc.hidden import type_only
from capc.parameters import LABEL_BITS
from capc.parties import ROLE_CODES, Party
from capc.primitives import POINT_BYTES, Point, read_point
from capc_spec.registry import MESSAGE_TYPES

LABEL_BYTES = LABEL_BITS // 8
HEADER = struct.Struct("<B32sIBBHBH")


class MessageType(IntEnum):
    """The first byte of every message; section 11 says what follows it."""

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> int:
        return MESSAGE_TYPES[name.lower()]

    HELLO = auto()
    MASK_KEY = auto()
    HE_PUBLIC_KEY = auto()
    BASE_OT_OFFER = auto()
    BASE_OT_CHOICE = auto()
    OT_TREES = auto()
    OT_EXTENSION = auto()
    LINEAR_REQUEST = auto()
    LINEAR_RESPONSE = auto()
    CHOICE_BITS = auto()
    GARBLED_CIRCUITS = auto()
    VOTE_SHARES = auto()
    ANSWERED_LABEL = auto()
    MASKED_VALUE = auto()
    INPUT_LABELS = auto()
    SESSION_CHECK = auto()


@dataclass(frozen=True)
class Envelope:
    """The header that a message must have: to seal an outbound payload, and to check an inbound one.

    Layout (44 bytes): type u8, session tag 32 bytes, query u32, layer u8, sender role u8, sender index u16,
    receiver role u8, receiver index u16; then the payload, to the end.

    Attributes:
        message_type: what the payload is.
        session_tag: digest of parameters, participants and session id.
        query: 0 during set-up, then the query's number in this session, from 1.
        layer: the layer of the model, from 0; 0 where there is none.
        sender: the party that the transport says it came from.
        receiver: this party.
    """

    message_type: MessageType
    session_tag: bytes
    query: int
    layer: int
    sender: Party
    receiver: Party

    def header(self) -> bytes:
        """The 44 header bytes."""
        return HEADER.pack(
            self.message_type,
            self.session_tag,
            self.query,
            self.layer,
            ROLE_CODES[self.sender.role],
            self.sender.index,
            ROLE_CODES[self.receiver.role],
            self.receiver.index,
        )

    def seal(self, payload: bytes) -> bytes:
        """The message: header and payload."""
        return self.header() + payload

    def open(self, message: bytes, payload_length: int) -> bytes:
        """The payload of a message that has exactly this header.

        Args:
            message: as received from ``sender``.
            payload_length: the exact length the payload must have.

        Raises:
            ProtocolError: against the sender, with the code of the first field that differs.
        """
        self.check_header(message)
        length = len(message) - HEADER.size
        if length != payload_length:
            raise ProtocolError(
                ErrorCode.MALFORMED_LENGTH,
                self.sender,
                f"{self.message_type.name.lower()} payload of {length} bytes instead of {payload_length}",
            )
        return message[HEADER.size :]

    def check_header(self, message: bytes) -> None:
        """Refuses a message that has another header.

        Raises:
            ProtocolError: against the sender, with the code of the first field that differs.
        """
        if len(message) < HEADER.size:
            raise ProtocolError(
                ErrorCode.MALFORMED_LENGTH,
                self.sender,
                f"message of {len(message)} bytes has no {HEADER.size}-byte header",
            )
        found = HEADER.unpack_from(message)
        wanted = HEADER.unpack(self.header())
        fields = (
            (ErrorCode.WRONG_MESSAGE_TYPE, found[0], wanted[0]),
            (ErrorCode.FOREIGN_SESSION, found[1], wanted[1]),
            (ErrorCode.WRONG_QUERY, found[2], wanted[2]),
            (ErrorCode.WRONG_LAYER, found[3], wanted[3]),
            (ErrorCode.WRONG_SENDER, found[4:6], wanted[4:6]),
            (ErrorCode.WRONG_RECEIVER, found[6:8], wanted[6:8]),
        )
        for code, have, want in fields:
            if have != want:
                shown = "another session's tag" if code is ErrorCode.FOREIGN_SESSION else f"{have} instead of {want}"
                raise ProtocolError(code, self.sender, f"{self.message_type.name.lower()} message with {shown}")


def require_length(payload: bytes, length: int, what: str) -> None:
    """Raises :class:`InvalidPayloadError` (`malformed_length`) unless the payload has exactly that length."""
    if len(payload) != length:
        raise InvalidPayloadError(ErrorCode.MALFORMED_LENGTH, f"{what} of {len(payload)} bytes instead of {length}")


@dataclass(frozen=True)
class _OnePoint:
    """A payload of one point. Layout: 32 bytes."""

    point: Point

    def to_bytes(self) -> bytes:
        """The payload."""
        return self.point

    @staticmethod
    def byte_length() -> int:
        """32."""
        return POINT_BYTES

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """The payload, parsed; refuses points outside the prime-order group."""
        require_length(payload, cls.byte_length(), cls.__name__)
        return cls(read_point(payload))


class BaseOtOffer(_OnePoint):
    """The base OT sender's point A = aG."""


class MaskKey(_OnePoint):
    """An answering party's public point for the pairwise keys of the zero-sum masks."""


@dataclass(frozen=True)
class BaseOtChoice:
    """The base OT receiver's 128 points B_j = b_j G + c_j A. Layout: 128 x 32 bytes, j ascending."""

    points: tuple[Point, ...]

    def to_bytes(self) -> bytes:
        """The payload."""
        return b"".join(self.points)

    @staticmethod
    def byte_length() -> int:
        """4096."""
        return LABEL_BITS * POINT_BYTES

    @classmethod
    def from_bytes(cls, payload: bytes) -> BaseOtChoice:
        """The payload, parsed; refuses points outside the prime-order group."""
        require_length(payload, cls.byte_length(), "base OT choice")
        return cls(tuple(read_point(payload[i : i + POINT_BYTES]) for i in range(0, len(payload), POINT_BYTES)))


@dataclass(frozen=True)
class OtTrees:
    """What completes the base OTs: 256 sums of tree nodes, ordered by `capc.puncturable`. Layout: 256 x 16 bytes."""

    sums: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """The payload."""
        return b"".join(self.sums)

    @staticmethod
    def byte_length() -> int:
        """4096."""
        return 2 * LABEL_BITS * LABEL_BYTES

    @classmethod
    def from_bytes(cls, payload: bytes) -> OtTrees:
        """The payload, parsed."""
        require_length(payload, cls.byte_length(), "OT trees")
        return cls(tuple(payload[i : i + LABEL_BYTES] for i in range(0, len(payload), LABEL_BYTES)))


OT_ROWS = 31
"""Rows of an OT extension: one for each of the 32 trees but the first."""


@dataclass(frozen=True)
class OtExtension:
    """The evaluator's 31 rows of m bits each, from which both sides have m random transfers.

    Layout: 31 x ceil(m / 8) bytes, row after row, bit i of a row is transfer i; padding bits are 0.
    """

    rows: tuple[int, ...]
    transfers: int

    def to_bytes(self) -> bytes:
        """The payload."""
        return b"".join(row.to_bytes((self.transfers + 7) // 8, "little") for row in self.rows)

    @staticmethod
    def byte_length(transfers: int) -> int:
        """31 ceil(m / 8)."""
        return OT_ROWS * ((transfers + 7) // 8)

    @classmethod
    def from_bytes(cls, payload: bytes, transfers: int) -> OtExtension:
        """The payload, parsed; refuses rows with padding bits set (`non_canonical`)."""
        require_length(payload, cls.byte_length(transfers), "OT extension")
        size = (transfers + 7) // 8
        return cls(
            tuple(bits_from_bytes(payload[i : i + size], transfers) for i in range(0, len(payload), size)), transfers
        )


def bits_from_bytes(data: bytes, count: int) -> int:
    """``count`` bits, bit i of the number being bit i of the bytes; refuses padding bits set (`non_canonical`)."""
    require_length(data, (count + 7) // 8, "bits")
    bits = int.from_bytes(data, "little")
    if bits >> count:
        raise InvalidPayloadError(ErrorCode.NON_CANONICAL, "padding bits set")
    return bits


@dataclass(frozen=True)
class VoteShares:
    """C elements of Z_{2^w}. Layout: C x ceil(w / 8) bytes."""

    shares: tuple[int, ...]
    vote_bits: int

    __repr__ = type_only

    def to_bytes(self) -> bytes:
        """The payload."""
        return elements_to_bytes(self.shares, self.vote_bits)

    @staticmethod
    def byte_length(num_classes: int, vote_bits: int) -> int:
        """C ceil(w / 8)."""
        return num_classes * ((vote_bits + 7) // 8)

    @classmethod
    def from_bytes(cls, payload: bytes, num_classes: int, vote_bits: int) -> VoteShares:
        """The payload, parsed; refuses elements of 2^w and above (`value_out_of_range`)."""
        require_length(payload, cls.byte_length(num_classes, vote_bits), "vote shares")
        return cls(tuple(elements_from_bytes(payload, vote_bits)), vote_bits)


def elements_to_bytes(elements: Sequence[int], width: int) -> bytes:
    """Elements of Z_{2^width}, each in ceil(width / 8) bytes."""
    return b"".join(element.to_bytes((width + 7) // 8, "little") for element in elements)


def elements_from_bytes(data: bytes, width: int) -> list[int]:
    """The inverse of :func:`elements_to_bytes`; refuses numbers outside the ring (`value_out_of_range`)."""
    size = (width + 7) // 8
    elements = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
    if any(element >> width for element in elements):
        raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, f"an element outside Z_2^{width}")
    return elements
