"""Uniform polynomials from a seed (CAPC-HE-020), from words: BLAKE2Xb without a library of ring-LWE."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import count

_START = [
    0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
    0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
]  # fmt: skip
_ORDERS = [[int(digit, 16) for digit in row] for row in (
    "0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8", "905724afe1bc683d",
    "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a", "6fe9b308c2d714a5", "a2847615fb9e3cd0",
)]  # fmt: skip
_MASK = 2**64 - 1


def blake2b_block(parameters: bytes, data: bytes) -> bytes:
    """BLAKE2b (RFC 7693) of at most one block, with a parameter block of 64 bytes."""
    start = [word ^ int.from_bytes(parameters[8 * i : 8 * i + 8], "little") for i, word in enumerate(_START)]
    padded = data.ljust(128, b"\0")
    m = [int.from_bytes(padded[8 * i : 8 * i + 8], "little") for i in range(16)]
    v = [*start, *_START]
    v[12] ^= len(data)
    v[14] ^= _MASK
    columns = [(i, i + 4, i + 8, i + 12) for i in range(4)]
    diagonals = [(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4) for i in range(4)]
    for number in range(12):
        order = _ORDERS[number % 10]
        for place, (a, b, c, d) in enumerate(columns + diagonals):
            for word, first, second in ((m[order[2 * place]], 32, 24), (m[order[2 * place + 1]], 16, 63)):
                v[a] = (v[a] + v[b] + word) & _MASK
                v[d] = _turned(v[d] ^ v[a], first)
                v[c] = (v[c] + v[d]) & _MASK
                v[b] = _turned(v[b] ^ v[c], second)
    return b"".join((s ^ v[i] ^ v[i + 8]).to_bytes(8, "little") for i, s in enumerate(start))


def _turned(word: int, places: int) -> int:
    return (word >> places | word << 64 - places) & _MASK


def blake2xb(key: bytes, data: bytes, length: int = 4096) -> bytes:
    """BLAKE2Xb, of so many bytes."""
    root = hashlib.blake2b(data, key=key, node_offset=length << 32).digest()
    numbers = ((64).to_bytes(4, "little") + i.to_bytes(4, "little") for i in range(length // 64))
    ends = length.to_bytes(4, "little") + bytes([0, 64]) + bytes(46)
    return b"".join(blake2b_block(bytes([64, 0, 0, 0]) + number + ends, root) for number in numbers)


def words_of(seed: bytes) -> Iterator[int]:
    """The words of a seed's stream."""
    for j in count():
        block = blake2xb(seed, j.to_bytes(8, "little"))
        yield from (int.from_bytes(block[at : at + 8], "little") for at in range(0, len(block), 8))


def remainder(value: int, prime: int, words: Iterator[int]) -> int:
    """A word modulo a prime, drawn again from the words that follow while it is too large."""
    while value >= 2**64 - 2 - (2**64 - 1) % prime:
        value = next(words)
    return value % prime


def expanded(seed: bytes, primes: Sequence[int], degree: int) -> list[list[int]]:
    """The polynomial of a seed: a row of remainders for each prime."""
    words = words_of(seed)
    first = [next(words) for _ in range(degree * len(primes))]
    return [
        [remainder(value, prime, words) for value in first[number * degree : (number + 1) * degree]]
        for number, prime in enumerate(primes)
    ]
