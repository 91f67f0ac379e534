"""Mutated payloads, reproducible from a seed."""

from __future__ import annotations

from capc.foundation.randomness import RandomSource

EDGES = (b"\x00", b"\xff", b"\x7f", b"\x80")


def _position(source: RandomSource, payload: bytes) -> int:
    # Ends are where seeds, first words and lengths are: they get a third of all positions.
    edge = source.below(6)
    if edge == 0:
        return source.below(min(16, len(payload)))
    if edge == 1:
        return len(payload) - 1 - source.below(min(72, len(payload)))
    return source.below(len(payload))


def _flip(source: RandomSource, payload: bytes) -> bytes:
    changed = bytearray(payload)
    for _ in range(1 + source.below(6)):
        changed[_position(source, payload)] ^= 1 + source.below(255)
    return bytes(changed)


def _fill(source: RandomSource, payload: bytes) -> bytes:
    start = _position(source, payload)
    length = min(1 << source.below(16), len(payload) - start)
    return payload[:start] + EDGES[source.below(len(EDGES))] * length + payload[start + length :]


def _randomise(source: RandomSource, payload: bytes) -> bytes:
    start = _position(source, payload)
    length = min(1 << source.below(8), len(payload) - start)
    return payload[:start] + source.read(length) + payload[start + length :]


def _move(source: RandomSource, payload: bytes) -> bytes:
    """Copies one stretch over another: repeats, swapped halves, words out of step."""
    length = min(1 << source.below(16), len(payload))
    start, target = (source.below(len(payload) - length + 1) for _ in range(2))
    return payload[:target] + payload[start : start + length] + payload[target + length :]


def _cut(source: RandomSource, payload: bytes) -> bytes:
    return payload[: _position(source, payload)]


def _lengthen(source: RandomSource, payload: bytes) -> bytes:
    start = _position(source, payload)
    return payload[:start] + source.read(1 + source.below(64)) + payload[start:]


def _remove(source: RandomSource, payload: bytes) -> bytes:
    start = _position(source, payload)
    return payload[:start] + payload[start + 1 + source.below(64) :]


MUTATIONS = (_flip, _fill, _randomise, _move, _cut, _lengthen, _remove)


def mutated(source: RandomSource, payload: bytes) -> bytes:
    """The payload after one to three mutations; it can be as long as before, and by chance the same."""
    for _ in range(1 + source.below(3)):
        if payload:
            payload = MUTATIONS[source.below(len(MUTATIONS))](source, payload)
    return payload
