"""Where every mask, share, label and noise draw comes from: a 32-byte seed, expanded by SHAKE-256.

A step never draws randomness. It is given a seed, which the runner takes from the operating system
(:func:`fresh_seed`), and expands it with a label of its own, so that no two uses see the same bytes.

Source: FIPS 202 (SHAKE-256). Spec: CAPC-PARAM-010 to CAPC-PARAM-013, CAPC-PARAM-054.
"""

from __future__ import annotations

import hashlib
import secrets
from abc import ABC, abstractmethod
from typing import NewType, Protocol

from capc.foundation.errors import InputError, RandomnessExhaustedError
from capc_spec.registry import TAGS

Seed = NewType("Seed", bytes)
"""32 uniformly random bytes."""

SEED_BYTES = 32
STREAM_LIMIT = 1 << 24
"""Bytes that one stream may give. A step of the protocol needs far less; the end is an error, not a fallback."""


def fresh_seed() -> Seed:
    """A new seed from the operating system. Only runners call this; steps are given their seed."""
    return Seed(secrets.token_bytes(SEED_BYTES))


class RandomSource(Protocol):
    """A stream of uniform values. Tests replace it with one that enumerates every value."""

    def read(self, length: int) -> bytes:
        """The next ``length`` uniform bytes."""

    def bits(self, width: int) -> int:
        """A uniform integer in [0, 2^width)."""

    def below(self, bound: int) -> int:
        """A uniform integer in [0, bound)."""


class ByteStream(ABC):
    """The rules by which bytes become integers; subclasses say where the bytes come from."""

    @abstractmethod
    def read(self, length: int) -> bytes:
        """The next ``length`` bytes of the stream.

        Raises:
            RandomnessExhaustedError: the stream is shorter.
        """

    def bits(self, width: int) -> int:
        """A uniform integer in [0, 2^width): ceil(width / 8) bytes, little-endian, excess high bits dropped."""
        return int.from_bytes(self.read((width + 7) // 8), "little") & ((1 << width) - 1)

    def below(self, bound: int) -> int:
        """A uniform integer in [0, bound), by rejection of ``bits(bit_length(bound - 1))``."""
        if bound < 1:
            raise InputError(f"below({bound}): the bound must be at least 1")
        width = (bound - 1).bit_length()
        while True:
            value = self.bits(width)
            if value < bound:
                return value


class XofSource(ByteStream):
    """SHAKE-256(domain || len(seed) || seed || label), read from its beginning.

    Args:
        seed: 32 secret bytes.
        label: public bytes that separate this use of the seed from every other.
    """

    def __init__(self, seed: Seed, label: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise InputError(f"a seed of {len(seed)} bytes: seeds have exactly {SEED_BYTES} bytes")
        self._state = hashlib.shake_256(TAGS["xof"] + bytes([len(seed)]) + seed + label)
        self._buffer = b""
        self._position = 0

    def read(self, length: int) -> bytes:
        """The next ``length`` bytes of the stream."""
        end = self._position + length
        if end > STREAM_LIMIT:
            raise RandomnessExhaustedError(f"a randomness stream ends after {STREAM_LIMIT} bytes")
        if end > len(self._buffer):
            # hashlib squeezes from the start each time: doubling keeps the work linear, and one read costs no more.
            self._buffer = self._state.digest(min(max(end, 2 * len(self._buffer), 256), STREAM_LIMIT))
        chunk = self._buffer[self._position : end]
        self._position = end
        return chunk

    def __repr__(self) -> str:
        return "XofSource(<secret>)"


class BytesSource(ByteStream):
    """A finite, given stream, as test vectors hold it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def read(self, length: int) -> bytes:
        """The next ``length`` bytes of the given stream."""
        end = self._position + length
        if end > len(self._data):
            raise RandomnessExhaustedError(f"the given stream of {len(self._data)} bytes is exhausted")
        chunk = self._data[self._position : end]
        self._position = end
        return chunk

    @property
    def consumed(self) -> int:
        """How many bytes were read so far."""
        return self._position

    def __repr__(self) -> str:
        return "BytesSource(<secret>)"
