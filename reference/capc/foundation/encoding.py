"""Bytes of bits, points and ring elements. All integers are little-endian; a parser refuses what is not canonical.

Spec: CAPC-PARAM-020, CAPC-WIRE-003, CAPC-WIRE-004, CAPC-WIRE-007, CAPC-ARG-021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from capc.foundation.errors import ErrorCode, InputError, InvalidPayloadError
from capc.foundation.primitives import POINT_BYTES, Point, read_point

LABEL_BITS = 128
"""Computational security of labels, seeds and oblivious transfers, in bits."""

LABEL_BYTES = LABEL_BITS // 8


def require_length(payload: bytes, length: int, what: str) -> None:
    """Raises :class:`InvalidPayloadError` (`malformed_length`) unless the payload has exactly that length."""
    if len(payload) != length:
        raise InvalidPayloadError(ErrorCode.MALFORMED_LENGTH, f"{what} of {len(payload)} bytes instead of {length}")


@dataclass(frozen=True)
class OnePoint:
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


def bits_from_bytes(data: bytes, count: int) -> int:
    """``count`` bits, bit i of the number being bit i of the bytes; refuses padding bits set (`non_canonical`)."""
    require_length(data, (count + 7) // 8, "bits")
    bits = int.from_bytes(data, "little")
    if bits >> count:
        raise InvalidPayloadError(ErrorCode.NON_CANONICAL, "padding bits set")
    return bits


def elements_to_bytes(elements: Sequence[int], width: int) -> bytes:
    """Elements of Z_{2^width}, each in ceil(width / 8) bytes."""
    return b"".join(element.to_bytes((width + 7) // 8, "little") for element in elements)


def elements_from_bytes(data: bytes, width: int) -> list[int]:
    """The inverse of :func:`elements_to_bytes`; refuses numbers outside the ring (`value_out_of_range`).

    Raises:
        InputError: the bytes are not those of whole elements. Of a message the length is checked before.
    """
    size = (width + 7) // 8
    if len(data) % size:
        raise InputError(f"{len(data)} bytes: give whole elements, of {size} bytes each")
    elements = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
    if any(element >> width for element in elements):
        raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, f"an element outside Z_2^{width}")
    return elements
