"""The wire form of RNS polynomials: packed words, checked before anything reaches SEAL.

A polynomial travels prime by prime; each coefficient takes exactly ceil(bits / 8) bytes of its prime, little-endian.
Spec: CAPC-HE-005, CAPC-HE-019.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from capc.foundation.encoding import require_length
from capc.foundation.errors import ErrorCode, InvalidPayloadError
from capc.linear.bfv.wire.seal_format import Words


def packed_length(primes: Sequence[int], count: int) -> int:
    """Bytes of ``count`` coefficients under ``primes``."""
    return count * sum(_width(prime) for prime in primes)


def pack(words: Words, primes: Sequence[int]) -> bytes:
    """The wire form of words (primes, count), each below its prime."""
    return b"".join(
        np.ascontiguousarray(row, dtype="<u8").view(_low_bytes(_width(prime)))["low"].tobytes()
        for row, prime in zip(words, primes, strict=True)
    )


def unpack(payload: bytes, primes: Sequence[int], count: int, what: str) -> Words:
    """The words (primes, count) of a wire form.

    Args:
        payload: the bytes.
        primes: the modulus of each row.
        count: coefficients per row.
        what: the name of the payload, for the error.

    Raises:
        InvalidPayloadError: MALFORMED_LENGTH, or VALUE_OUT_OF_RANGE for a coefficient that is not below its prime.
    """
    require_length(payload, packed_length(primes, count), what)
    words = np.zeros((len(primes), count), dtype="<u8")
    position = 0
    for row, prime in zip(words, primes, strict=True):
        width = _width(prime)
        widen(np.frombuffer(payload, f"V{width}", count, position), row)
        position += count * width
        if row.max(initial=0) >= prime:
            raise InvalidPayloadError(
                ErrorCode.VALUE_OUT_OF_RANGE, f"{what}: a coefficient is not below its {width}-byte prime"
            )
    return words


def widen(narrow: NDArray[np.void], words: Words) -> None:
    """Writes integers of 1 to 8 little-endian bytes to words, (count,), that hold zeros."""
    words.view(_low_bytes(narrow.itemsize))["low"] = narrow


def _low_bytes(width: int) -> np.dtype[np.void]:
    """A word of which the ``width`` low bytes have a name: numpy moves them as one piece."""
    return np.dtype({"names": ["low"], "formats": [f"V{width}"], "offsets": [0], "itemsize": 8})


def _width(prime: int) -> int:
    return (prime.bit_length() + 7) // 8
