"""The payloads of oblivious transfer.

Spec: CAPC-WIRE-008.
"""

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


TREES = 32
TAG_BYTES = 32


@dataclass(frozen=True)
class TreeCheck:
    """What shows that one tree is right. Layout: 32 bytes each.

    Attributes:
        total: the XOR of all tags.
        digest: of all tags, place after place.
    """

    total: bytes
    digest: bytes

    def to_bytes(self) -> bytes:
        """Its part of the payload."""
        return self.total + self.digest

    @staticmethod
    def byte_length() -> int:
        """64."""
        return 2 * TAG_BYTES

    @classmethod
    def from_bytes(cls, payload: bytes) -> TreeCheck:
        """Its part of the payload, parsed."""
        require_length(payload, cls.byte_length(), "check of a tree")
        return cls(payload[:TAG_BYTES], payload[TAG_BYTES:])


@dataclass(frozen=True)
class OtTrees:
    """What completes the base OTs. Layout: 256 x 16 bytes, then 32 x 64.

    Attributes:
        sums: of tree nodes, ordered by :mod:`.ggm_tree`.
        checks: one for each tree.
    """

    sums: tuple[bytes, ...]
    checks: tuple[TreeCheck, ...]

    def to_bytes(self) -> bytes:
        """The payload."""
        return b"".join(self.sums) + b"".join(check.to_bytes() for check in self.checks)

    @staticmethod
    def byte_length() -> int:
        """6144."""
        return 2 * LABEL_BITS * LABEL_BYTES + TREES * TreeCheck.byte_length()

    @classmethod
    def from_bytes(cls, payload: bytes) -> OtTrees:
        """The payload, parsed."""
        require_length(payload, cls.byte_length(), "OT trees")
        split, size = 2 * LABEL_BITS * LABEL_BYTES, TreeCheck.byte_length()
        return cls(
            tuple(payload[i : i + LABEL_BYTES] for i in range(0, split, LABEL_BYTES)),
            tuple(TreeCheck.from_bytes(payload[i : i + size]) for i in range(split, len(payload), size)),
        )


OT_ROWS = TREES - 1
"""Rows of an OT extension: one for each tree but the first."""


@dataclass(frozen=True)
class OtExtension:
    """The evaluator's 31 rows of m bits each, from which both sides have m random transfers; nothing checks them.

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


BLOCK_BYTES = 16
BLOCK_BITS = 8 * BLOCK_BYTES
DIGEST_BYTES = 32


def checked_transfers(transfers: int) -> int:
    """Transfers that are made for so many that are used: whole blocks, and one more that hides the others in h(x).

    The last block is sacrificed whole. 128 transfers at the end that begin within a block would not hide all of x:
    what they add to h(x) need not be all of the field.
    """
    return (-(-transfers // BLOCK_BITS) + 1) * BLOCK_BITS


@dataclass(frozen=True)
class ExtensionCheck:
    """What shows that rows are right: :mod:`.extension_check`. Layout: 16 bytes, 32 bytes.

    Attributes:
        bits: h(x).
        digest: of h(t_c) for all columns.
    """

    bits: bytes
    digest: bytes

    def to_bytes(self) -> bytes:
        """The end of the payload."""
        return self.bits + self.digest

    @staticmethod
    def byte_length() -> int:
        """48."""
        return BLOCK_BYTES + DIGEST_BYTES

    @classmethod
    def from_bytes(cls, payload: bytes) -> ExtensionCheck:
        """The end of the payload, parsed."""
        require_length(payload, cls.byte_length(), "check of an OT extension")
        return cls(payload[:BLOCK_BYTES], payload[BLOCK_BYTES:])


@dataclass(frozen=True)
class CheckedExtension:
    """An extension for m transfers with its check: rows of whole blocks, the last of which is sacrificed.

    Layout: 31 x 16 (ceil(m / 128) + 1) bytes, then 48. There is no padding.
    """

    extension: OtExtension
    check: ExtensionCheck

    def to_bytes(self) -> bytes:
        """The payload."""
        return self.extension.to_bytes() + self.check.to_bytes()

    @staticmethod
    def byte_length(transfers: int) -> int:
        """496 (ceil(m / 128) + 1) + 48."""
        return OtExtension.byte_length(checked_transfers(transfers)) + ExtensionCheck.byte_length()

    @classmethod
    def from_bytes(cls, payload: bytes, transfers: int) -> CheckedExtension:
        """The payload, parsed."""
        require_length(payload, cls.byte_length(transfers), "OT extension")
        split = -ExtensionCheck.byte_length()
        rows = OtExtension.from_bytes(payload[:split], checked_transfers(transfers))
        return cls(rows, ExtensionCheck.from_bytes(payload[split:]))
