"""Bits on arrays: words to wires, packed bits, and the transposition of a bit matrix.

Packed bits are in the order of the wire: bit i is bit i mod 8 of byte i / 8.

Spec: CAPC-GC-009.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from capc.foundation.encoding import require_length
from capc.foundation.errors import ErrorCode, InputError, InvalidPayloadError
from capc.two_party.circuits.builder import Circuit
from capc.two_party.vectorised.labels import WORD, Bits, Words

Inputs = Sequence[Sequence[int]] | npt.NDArray[np.integer]
"""One list of words per instance, or an array of shape (instances, words)."""

_TILE = 256
"""Columns of words that are transposed together: few enough to stay in the cache."""


def input_words(circuit: Circuit, inputs: Inputs, count: int) -> Words:
    """One party's inputs as an array of shape (instances, count).

    Raises:
        InputError: an instance has not ``count`` words, or a word does not fit the circuit; no word is printed.
    """
    try:
        words = np.asarray(inputs, WORD) if isinstance(inputs, np.ndarray) else np.array([*inputs], WORD)
        fits = words.shape == (len(inputs), count) or (count == 0 and words.size == 0)
    except (OverflowError, TypeError, ValueError):
        fits = False
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind != "u":
        fits = fits and inputs.dtype.kind == "i" and not (inputs < 0).any()
    if not fits or (words >> np.uint64(circuit.input_bits - 1) >> np.uint64(1)).any():
        raise InputError(f"circuit {circuit.name} takes {count} words of {circuit.input_bits} bits per instance")
    return words.reshape(len(inputs), count)


def wire_bits(words: Words, width: int) -> Bits:
    """The bits of all words, one byte each: wire by wire, by instance; flat."""
    places = np.arange(width, dtype=WORD)[None, :, None]
    bits: Bits = (words.T[:, None, :] >> places).astype(np.uint8)
    bits &= 1
    return bits.reshape(-1)


def pack(bits: Bits) -> bytes:
    """Bits of one byte each, packed; padding 0."""
    return np.packbits(bits, bitorder="little").tobytes()


def unpack(data: bytes, count: int) -> Bits:
    """The inverse of :func:`pack`.

    Raises:
        InvalidPayloadError: the length is not that of ``count`` bits, or padding bits are set (`non_canonical`).
    """
    require_length(data, (count + 7) // 8, "bits")
    bits: Bits = unpack_rows(np.frombuffer(data, np.uint8), 1, count)[0]
    return bits


def unpack_rows(data: Bits, rows: int, count: int) -> Bits:
    """Rows of ``count`` bits, each packed on its own; of shape (rows, count). Raises as :func:`unpack`."""
    bits = np.unpackbits(data.reshape(rows, (count + 7) // 8), axis=1, bitorder="little")
    if bits[:, count:].any():
        raise InvalidPayloadError(ErrorCode.NON_CANONICAL, "padding bits set")
    return bits[:, :count]


def transpose(columns: Words, labels: Words) -> None:
    """Labels from columns: bit j of label i is bit i of column j.

    The 64 x 64 blocks are transposed in place by exchanging quarters: of 32 bits, then 16, and so on to 1.

    Args:
        columns: shape (128, n), 64 bits in each word; may be overwritten.
        labels: shape (64 n, 2), the result.
    """
    count = columns.shape[1]
    blocks = labels.reshape(count, 64, 2)
    for start in range(0, count, _TILE):
        tile = np.ascontiguousarray(columns[:, start : start + _TILE])
        _transpose_blocks(tile)
        blocks[start : start + _TILE] = tile.reshape(2, 64, -1).transpose(2, 1, 0)


def _transpose_blocks(tile: Words) -> None:
    """Each 64 x 64 block of shape (128, n): row i's bit j becomes row j's bit i."""
    spare = np.empty((64, tile.shape[1]), WORD)
    for distance, mask in _EXCHANGES:
        pairs = tile.reshape(-1, 2, distance, tile.shape[1])
        upper, lower = pairs[:, 0], pairs[:, 1]
        moving = spare.reshape(upper.shape)
        np.right_shift(upper, np.uint64(distance), moving)
        np.bitwise_xor(moving, lower, moving)
        np.bitwise_and(moving, mask, moving)
        np.bitwise_xor(lower, moving, lower)
        np.left_shift(moving, np.uint64(distance), moving)
        np.bitwise_xor(upper, moving, upper)


_EXCHANGES = tuple((distance, np.uint64(((1 << 64) - 1) // ((1 << distance) + 1))) for distance in (32, 16, 8, 4, 2, 1))
"""Distance, and the mask of the low ``distance`` bits of every 2 ``distance``."""
