"""One party's end of the connection to one peer: headers, and the labels that separate uses of randomness.

Spec: CAPC-NAME-003, CAPC-NAME-004, CAPC-NAME-009, CAPC-WIRE-006.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from capc.foundation.parties import ROLE_CODES, Party
from capc.session.envelope import Envelope, MessageType
from capc_spec.registry import STEP_LABELS


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

    def at(self, query: int, layer: int) -> LayerChannel:
        """The same connection, for one layer of one query or batch."""
        return LayerChannel(self, query, layer)

    def seal(self, message_type: MessageType, payload: bytes, query: int = 0, layer: int = 0) -> bytes:
        """A message to the peer."""
        return Envelope(message_type, self.session_tag, query, layer, self.me, self.peer).seal(payload)

    def open(
        self, message_type: MessageType, message: bytes, length: int | tuple[int, ...], query: int = 0, layer: int = 0
    ) -> bytes:
        """The payload of the peer's message, which has this length, or one of these.

        Raises:
            ProtocolError: the header is not exactly the expected one, or the payload has another length.
        """
        return Envelope(message_type, self.session_tag, query, layer, self.peer, self.me).open(message, length)

    def context(self, query: int = 0, layer: int = 0) -> bytes:
        """Public bytes, the same at both ends, of this pair, query and layer alone."""
        ends = sorted(_party_bytes(party) for party in (self.me, self.peer))
        return self.session_tag + b"".join(ends) + query.to_bytes(4, "little") + layer.to_bytes(1, "little")

    def key_binding(self, choice: bytes) -> bytes:
        """What the HE public key on this connection is bound to: the answering party's OT choice (CAPC-HE-016)."""
        return self.context() + choice

    def nonce(self, query: int, layer: int = 0) -> int:
        """A number below 2^64 that no other query or layer of this connection has; layers count up by 1."""
        return query << 32 | layer

    def label(self, step: str, query: int = 0, layer: int = 0, bound_to: bytes | None = None) -> bytes:
        """The label under which ``me`` expands its seed in one step: the step's own label, and the context.

        Args:
            step: its entry in the registry (section 11).
            query: the number in the header of the step's messages, or 0.
            layer: likewise.
            bound_to: what the step was sent; other bytes give another label.
        """
        digest = b"" if bound_to is None else hashlib.sha256(bound_to).digest()
        return STEP_LABELS[step] + b"/" + _party_bytes(self.me) + self.context(query, layer) + digest


@dataclass(frozen=True)
class LayerChannel:
    """The connection as one layer of one query or batch uses it: all in its headers and labels is of that layer.

    Attributes:
        channel: the connection.
        query: the number of the query, or of a batch's first.
        layer: the layer's, or the round's.
    """

    channel: Channel
    query: int
    layer: int

    def seal(self, message_type: MessageType, payload: bytes) -> bytes:
        """A message to the peer."""
        return self.channel.seal(message_type, payload, self.query, self.layer)

    def open(self, message_type: MessageType, message: bytes, length: int) -> bytes:
        """The payload of the peer's message; errors as of :meth:`Channel.open`."""
        return self.channel.open(message_type, message, length, self.query, self.layer)

    def label(self, step: str, bound_to: bytes | None = None) -> bytes:
        """The label under which ``me`` expands its seed in one step; arguments as of :meth:`Channel.label`."""
        return self.channel.label(step, self.query, self.layer, bound_to)


def _party_bytes(party: Party) -> bytes:
    return bytes([ROLE_CODES[party.role]]) + party.index.to_bytes(2, "little")
