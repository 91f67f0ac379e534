"""The payloads of oblivious transfer."""

from __future__ import annotations

from dataclasses import dataclass

from capc.foundation.encoding import LABEL_BITS, LABEL_BYTES, OnePoint, bits_from_bytes, require_length
from capc.foundation.primitives import POINT_BYTES, Point, read_point


class BaseOtOffer(OnePoint):
    """The base OT sender's point A = aG."""


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
    """What completes the base OTs: 256 sums of tree nodes, ordered by :mod:`.ggm_tree`. Layout: 256 x 16 bytes."""

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
