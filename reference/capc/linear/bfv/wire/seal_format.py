"""SEAL's file format, so that polynomials enter and leave SEAL as arrays of words.

The binding offers only ``save(path)`` and ``load(context, path)``. The paths here name anonymous memory files, so
nothing reaches a disk. Every header is written here; bytes of a peer only ever enter as words that were checked.

Source: SEAL 4.3 (``serialization.h``, ``ciphertext.cpp``, ``plaintext.cpp``, ``dynarray.h``).

Spec: CAPC-HE-019.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
import zstandard
from numpy.typing import NDArray
from tenseal import sealapi

from capc.foundation.errors import CapcError
from capc.linear.bfv.context import HeContext

Words = NDArray[np.uint64]
"""RNS polynomials as SEAL stores them: (..., primes, N), little-endian words."""

SEED_BYTES = 64
"""Length of the seed from which SEAL expands a uniform polynomial."""

_HEADER = struct.Struct("<HBBBBHQ")
_MAGIC, _HEADER_SIZE, _MAJOR, _MINOR = 0xA15E, 16, 4, 3
_PLAIN, _ZSTANDARD = 0, 2
_BLAKE2XB = 1
_CIPHERTEXT = struct.Struct("<4QBQQQdQ")
_PLAINTEXT = struct.Struct("<4QQd")
_COUNT = struct.Struct("<Q")
_DECOMPRESSED_LIMIT = 1 << 26
"""Above the largest object that SEAL can hold: two polynomials of 2^15 coefficients under 15 primes."""


class SealObject(Protocol):
    """What SEAL can write to a file."""

    def save(self, path: str, /) -> object:
        """Writes it."""


class _SealTarget(Protocol):
    def load(self, context: sealapi.SEALContext, path: str, /) -> object: ...


_T = TypeVar("_T", bound=_SealTarget)
_Piece = bytes | memoryview


def make_ciphertext(
    context: HeContext, parms_id: Sequence[int], words: Words, *, ntt: bool = False
) -> sealapi.Ciphertext:
    """A ciphertext from its words, (2, primes, N), each below its prime, in coefficient form or in NTT form."""
    fields = _ciphertext_fields(parms_id, words.shape[-2], words.shape[-1], ntt=ntt)
    return _load(sealapi.Ciphertext(), context, fields, *_array(words))


def make_seeded_ciphertext(context: HeContext, first: Words, seed: bytes) -> sealapi.Ciphertext:
    """A request-level ciphertext from c0, (primes, N), and the seed of c1."""
    fields = _ciphertext_fields(context.data_id, *first.shape, ntt=False)
    return _load(sealapi.Ciphertext(), context, fields, *_array(first), *_generator(seed))


def make_secret_key(context: HeContext, words: Words) -> sealapi.SecretKey:
    """A secret key from its polynomial in NTT form, (primes, N)."""
    fields = _PLAINTEXT.pack(*context.key_id, words.size, 1.0)
    return _load(sealapi.SecretKey(), context, fields, *_array(words))


def make_plaintext(context: HeContext, coefficients: Words) -> sealapi.Plaintext:
    """A plaintext polynomial in coefficient form, (N,), each below 2^T."""
    fields = _PLAINTEXT.pack(0, 0, 0, 0, coefficients.size, 1.0)
    return _load(sealapi.Plaintext(), context, fields, *_array(coefficients))


def make_sparse_plaintext(exponents: Sequence[int], coefficients: Sequence[int]) -> sealapi.Plaintext:
    """A plaintext polynomial in SEAL's notation: of 27 terms in a fifth of the time, of some 400 in the same.

    Args:
        exponents: the powers of X, decreasing.
        coefficients: of each, in [0, M).
    """
    terms = zip(coefficients, exponents, strict=True)
    return sealapi.Plaintext(" + ".join([f"{coefficient:X}x^{exponent}" for coefficient, exponent in terms]))


def read_pair(saved: SealObject, primes: int, degree: int) -> Words:
    """Both polynomials of a ciphertext or public key, (2, primes, N)."""
    return _words(_save(saved), _CIPHERTEXT.size, (2, primes, degree))


def read_seeded(saved: SealObject, primes: int, degree: int) -> tuple[Words, bytes]:
    """c0, (primes, N), and the seed of c1, of a ciphertext that SEAL made in seeded form."""
    body = _save(saved)
    generator = body[-_HEADER_SIZE - 1 - SEED_BYTES :]
    if generator != b"".join(_generator(generator[-SEED_BYTES:])):
        raise CapcError("SEAL saved a seed in another form than version 4.3 does: install tenseal 0.3.18")
    return _words(body[: -len(generator)], _CIPHERTEXT.size, (primes, degree)), generator[-SEED_BYTES:]


def read_secret_key(saved: SealObject, primes: int, degree: int) -> Words:
    """The secret polynomial in NTT form, (primes, N). Secret."""
    return _words(_save(saved), _PLAINTEXT.size, (primes, degree))


def read_coefficients(plaintext: sealapi.Plaintext, positions: Sequence[int]) -> list[int]:
    """Some coefficients of a plaintext, in the given order."""
    # SEAL leaves out leading zeros, and does not check an index.
    present = plaintext.coeff_count()
    return [plaintext[position] if position < present else 0 for position in positions]


def _ciphertext_fields(parms_id: Sequence[int], primes: int, degree: int, *, ntt: bool) -> bytes:
    scale, correction_factor = 1.0, 1
    return _CIPHERTEXT.pack(*parms_id, ntt, 2, degree, primes, scale, correction_factor)


def _array(words: Words) -> list[_Piece]:
    return _framed(_COUNT.pack(words.size), np.ascontiguousarray(words, dtype="<u8").data.cast("B"))


def _generator(seed: bytes) -> list[_Piece]:
    return _framed(bytes([_BLAKE2XB]), seed)


def _framed(*parts: _Piece) -> list[_Piece]:
    size = _HEADER_SIZE + sum(map(len, parts))
    return [_HEADER.pack(_MAGIC, _HEADER_SIZE, _MAJOR, _MINOR, _PLAIN, 0, size), *parts]


def _words(body: bytes, fields: int, shape: tuple[int, ...]) -> Words:
    start = fields + _HEADER_SIZE + _COUNT.size
    count = 1
    for extent in shape:
        count *= extent
    if len(body) != start + 8 * count:
        raise CapcError("SEAL saved an object of another size than version 4.3 does: install tenseal 0.3.18")
    return np.frombuffer(body, dtype="<u8", count=count, offset=start).reshape(shape)


def _load(target: _T, context: HeContext, *parts: _Piece) -> _T:
    pieces = _framed(*parts)
    descriptor = os.memfd_create("capc")
    try:
        if os.writev(descriptor, pieces) != sum(map(len, pieces)):
            raise CapcError("an anonymous memory file took less than all of a polynomial: free some memory")
        target.load(context.seal, f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return target


def _save(saved: SealObject) -> bytes:
    descriptor = os.memfd_create("capc")
    try:
        saved.save(f"/proc/self/fd/{descriptor}")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read()
    finally:
        os.close(descriptor)
    compression = _HEADER.unpack_from(data)[4]
    if compression == _PLAIN:
        return data[_HEADER_SIZE:]
    return zstandard.ZstdDecompressor().decompress(data[_HEADER_SIZE:], max_output_size=_DECOMPRESSED_LIMIT)
