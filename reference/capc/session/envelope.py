"""The messages on the wire: one header for all, and the payloads of no other room, one small class each.

Section 04 of the specification says where the other payloads are.

A payload class has a length, a serializer and a parser. Parsers refuse what is short, long, out of range or not
canonical, with an :class:`InvalidPayloadError`; :meth:`Envelope.open` turns it into a :class:`ProtocolError` that
names the sender. All integers are little-endian.

Spec: CAPC-NAME-005, CAPC-ERR-004.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, auto

from capc.foundation.errors import ErrorCode, ProtocolError
from capc.foundation.parties import ROLE_CODES, Party
from capc_spec.registry import MESSAGE_TYPES

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

    def open(self, message: bytes, payload_length: int | tuple[int, ...]) -> bytes:
        """The payload of a message that has exactly this header.

        Args:
            message: as received from ``sender``.
            payload_length: the exact length the payload must have, or all that it may have.

        Raises:
            ProtocolError: against the sender, with the code of the first field that differs.
        """
        self.check_header(message)
        length = len(message) - HEADER.size
        allowed = (payload_length,) if isinstance(payload_length, int) else payload_length
        if length not in allowed:
            wanted = " or ".join(map(str, allowed))
            raise ProtocolError(
                ErrorCode.MALFORMED_LENGTH,
                self.sender,
                f"{self.message_type.name.lower()} payload of {length} bytes instead of {wanted}",
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
