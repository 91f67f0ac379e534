"""Edits single fields of a message's header, by the specification's layout and not by the code's."""

from __future__ import annotations

OFFSETS = {
    "type": (0, 1),
    "tag": (1, 32),
    "query": (33, 4),
    "layer": (37, 1),
    "sender_role": (38, 1),
    "sender_index": (39, 2),
    "receiver_role": (41, 1),
    "receiver_index": (42, 2),
}
"""Field: first byte, length (spec/04-messages.md)."""
HEADER_BYTES = 44


def field(message: bytes, name: str) -> bytes:
    start, length = OFFSETS[name]
    return message[start : start + length]


def with_field(message: bytes, name: str, value: bytes | int) -> bytes:
    start, length = OFFSETS[name]
    data = value.to_bytes(length, "little") if isinstance(value, int) else value
    if len(data) != length:
        raise AssertionError(f"{name} has {length} bytes")
    return message[:start] + data + message[start + length :]


def with_payload(message: bytes, payload: bytes) -> bytes:
    """The message's header before another payload."""
    return message[:HEADER_BYTES] + payload


def payload_of(message: bytes) -> bytes:
    return message[HEADER_BYTES:]
