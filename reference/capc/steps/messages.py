"""The payloads of set-up and aggregation that no other room has.

Spec: CAPC-WIRE-008.
"""

from __future__ import annotations

from dataclasses import dataclass

from capc.foundation.encoding import OnePoint, elements_from_bytes, elements_to_bytes, require_length
from capc.foundation.hidden import type_only


class MaskKey(OnePoint):
    """An answering party's public point for the pairwise keys of the zero-sum masks."""


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
