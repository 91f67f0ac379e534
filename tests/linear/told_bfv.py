"""BFV of section 15, from its words: large integers, and no library of ring-LWE."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from capc_verify.vectors.operations.worked.told_expansion import expanded
from linear.told_layouts import Layout, output_places, weight_polynomial


def largest_primes(bits: Sequence[int], degree: int) -> list[int]:
    """In the order of the words."""
    found = []
    for place, each in enumerate(bits):
        rank = bits[place:].count(each)
        value = (2**each - 1) // (2 * degree) * 2 * degree + 1
        while True:
            if value < 2**each and _is_prime(value):
                rank -= 1
                if not rank:
                    break
            value -= 2 * degree
        found.append(value)
    return found


def _is_prime(n: int) -> bool:
    """Miller and Rabin with bases that decide all numbers below 2^64."""
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
        x = pow(base, odd, n)
        if x not in (1, n - 1) and all((x := x * x % n) != n - 1 for _ in range(twos - 1)):
            return False
    return True


def width(prime: int) -> int:
    return (prime.bit_length() + 7) // 8


def read(data: bytes, primes: Sequence[int], coefficients: int) -> list[list[int]]:
    rows, at = [], 0
    for prime in primes:
        size = width(prime)
        rows.append([int.from_bytes(data[at + size * i :][:size], "little") for i in range(coefficients)])
        at += size * coefficients
        assert max(rows[-1], default=0) < prime
    assert at == len(data)
    return rows


def written(rows: Sequence[Sequence[int]], primes: Sequence[int]) -> bytes:
    pairs = zip(rows, primes, strict=True)
    return b"".join(value.to_bytes(width(prime), "little") for row, prime in pairs for value in row)


def joined(rows: Sequence[Sequence[int]], primes: Sequence[int]) -> list[int]:
    """The polynomial modulo q of its remainders."""
    q = prod(primes)
    parts = [q // prime * pow(q // prime, -1, prime) for prime in primes]
    return [
        sum(value * part for value, part in zip(column, parts, strict=True)) % q for column in zip(*rows, strict=True)
    ]


def times(left: Sequence[int], right: Sequence[int], q: int) -> list[int]:
    """The product modulo X^N + 1 and q, by a product of large integers."""
    degree, slot = len(left), 2 * width(q) + 2
    one, other = (
        int.from_bytes(b"".join((value % q).to_bytes(slot, "little") for value in side), "little")
        for side in (left, right)
    )
    body = (one * other).to_bytes(2 * degree * slot, "little")
    parts = [int.from_bytes(body[at : at + slot], "little") for at in range(0, len(body), slot)]
    return [(low - high) % q for low, high in zip(parts[:degree], parts[degree:], strict=True)]


def plus(left: Sequence[int], right: Sequence[int], q: int) -> list[int]:
    return [(a + b) % q for a, b in zip(left, right, strict=True)]


def errors(data: bytes) -> list[int]:
    return [(int.from_bytes(data[at : at + 6], "little") % 2**42).bit_count() - 21 for at in range(0, len(data), 6)]


def ternary(data: bytes, coefficients: int) -> list[int]:
    return [(0, 1, -1)[byte % 3] for byte in data if byte != 255][:coefficients]


def switched(polynomial: Sequence[int], primes: Sequence[int]) -> list[int]:
    left = prod(primes)
    for prime in reversed(primes[1:]):
        left //= prime
        polynomial = [(value + (prime - 1) // 2) // prime % left for value in polynomial]
    return list(polynomial)


def nearest(number: int, prime: int, plain_bits: int) -> int:
    """floor((M n + (p - 1) / 2) / p) mod M."""
    return ((number << plain_bits) + (prime - 1) // 2) // prime % (1 << plain_bits)


class Responder:
    """The answering party's response to one request.

    Args:
        layout: of the layer and batch.
        primes: of q.
        plain_bits: l + h.
        key: the public key's (c0, a) modulo q.
        stream: for a label, so many bytes of the stream of the response's seed.
    """

    def __init__(self, layout: Layout, primes: Sequence[int], plain_bits: int, key, stream) -> None:
        self.layout, self.primes, self.plain_bits, self.key, self.stream = layout, primes, plain_bits, key, stream

    def ciphertexts(self, request: bytes) -> list[tuple[list[int], list[int]]]:
        degree, found = self.layout.degree, []
        size = degree * sum(map(width, self.primes)) + 64
        assert len(request) == size * len(self.layout.groups()) * len(self.layout.columns())
        for at in range(0, len(request), size):
            part = request[at : at + size]
            first = joined(read(part[:-64], self.primes, degree), self.primes)
            found.append((first, joined(expanded(part[-64:], self.primes, degree), self.primes)))
        return found

    def respond(self, request: bytes, weights: Sequence[Sequence[int]]) -> tuple[bytes, dict[int, int]]:
        """The payload, and its own share of each output."""
        layout, q, p = self.layout, prod(self.primes), self.primes[0]
        opened, columns = self.ciphertexts(request), len(layout.columns())
        payload, shares = b"", {}
        places = [(group, row) for group in range(len(layout.groups())) for row in range(len(layout.rows_of_blocks()))]
        for number, (group, row) in enumerate(places):
            end = number.to_bytes(4, "little")
            u = ternary(self.stream(b"ternary/" + end, 2 * layout.degree), layout.degree)
            halves = [times(half, u, q) for half in self.key]
            halves[1] = plus(halves[1], errors(self.stream(b"error/" + end, 6 * layout.degree)), q)
            for column in range(columns):
                polynomial = weight_polynomial(layout, row, column, weights)
                for half, sent in zip((0, 1), opened[group * columns + column], strict=True):
                    halves[half] = plus(halves[half], times(sent, polynomial, q), q)
            first, second = (switched(half, self.primes) for half in halves)
            carried = output_places(layout, group, row)
            masks = self._masks(end, len(carried))
            payload += written([[(first[at] + r) % p for (at, _), r in zip(carried, masks, strict=True)]], [p])
            payload += written([second], [p])
            shares |= {index: nearest(p - r, p, self.plain_bits) for (_, index), r in zip(carried, masks, strict=True)}
        return payload, shares

    def _masks(self, end: bytes, number: int) -> list[int]:
        p = self.primes[0]
        bits, size = (p - 1).bit_length(), width(p)
        data = self.stream(b"mask/" + end, size * (2 * number + 64))
        drawn = (int.from_bytes(data[at : at + size], "little") % 2**bits for at in range(0, len(data), size))
        return [value for value in drawn if value < p][:number]


def opened_response(layout: Layout, response: bytes, secret: Sequence[int], p: int, plain_bits: int) -> dict[int, int]:
    """The querying party's share of each output."""
    shares, at, size = {}, 0, width(p)
    for group in range(len(layout.groups())):
        for row in range(len(layout.rows_of_blocks())):
            carried = output_places(layout, group, row)
            first = [0] * layout.degree
            for (place, _), value in zip(
                carried, read(response[at : at + size * len(carried)], [p], len(carried))[0], strict=True
            ):
                first[place] = value
            at += size * len(carried)
            second = read(response[at : at + size * layout.degree], [p], layout.degree)[0]
            at += size * layout.degree
            phase = plus(first, times(second, secret, p), p)
            shares |= {index: nearest(phase[place], p, plain_bits) for place, index in carried}
    assert at == len(response)
    return shares
