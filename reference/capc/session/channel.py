"""One party's end of the connection to one peer: headers, and the labels that separate uses of randomness."""

from __future__ import annotations

from dataclasses import dataclass

from capc.foundation.parties import ROLE_CODES, Party
from capc.session.envelope import Envelope, MessageType

REVERSE = b"/reverse"
"""Follows the context of the second base transfers, in which the answering party offers."""


@dataclass(frozen=True)
class Channel:
    """The connection between ``me`` and ``peer`` in one session.

    Attributes:
        session_tag: the session's digest.
        me: this party.
        peer: the party at the other end, as the transport authenticates it.
    """

    session_tag: bytes
    me: Party
    peer: Party

    def seal(self, message_type: MessageType, payload: bytes, query: int = 0, layer: int = 0) -> bytes:
        """A message to the peer."""
        return Envelope(message_type, self.session_tag, query, layer, self.me, self.peer).seal(payload)

    def open(self, message_type: MessageType, message: bytes, length: int, query: int = 0, layer: int = 0) -> bytes:
        """The payload of the peer's message.

        Raises:
            ProtocolError: the header is not exactly the expected one, or the payload has another length.
        """
        return Envelope(message_type, self.session_tag, query, layer, self.peer, self.me).open(message, length)

    def context(self, query: int = 0, layer: int = 0) -> bytes:
        """Public bytes, the same at both ends, of this pair, query and layer alone."""
        ends = sorted(_party_bytes(party) for party in (self.me, self.peer))
        return self.session_tag + b"".join(ends) + query.to_bytes(4, "little") + layer.to_bytes(1, "little")

    def position(self, query: int, layer: int = 0) -> int:
        """A number below 2^64 that no other query or layer of this connection has; layers count up by 1."""
        return query << 32 | layer

    def label(self, step: str, query: int = 0, layer: int = 0) -> bytes:
        """The label under which ``me`` expands its seed in one step: the step's name and the context."""
        return step.encode("ascii") + b"/" + _party_bytes(self.me) + self.context(query, layer)


def _party_bytes(party: Party) -> bytes:
    return bytes([ROLE_CODES[party.role]]) + party.index.to_bytes(2, "little")
