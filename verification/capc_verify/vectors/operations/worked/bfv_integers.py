"""BFV with large integers: products with a secret key, and what a request decrypts to."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from capc.linear.bfv.context import HeContext
from capc.linear.bfv.wire.seal_format import SEED_BYTES, make_seeded_ciphertext, read_pair
from capc.linear.bfv.wire.seeded import check_seeded, seeded_length

_SLOT = 12
"""Bytes for a sum of N words below 2^60."""
LARGEST_ERROR = 43
"""Twice the bound of CAPC-HE-017 on the distance of a coefficient from q m / M."""


def uniform_rows(context: HeContext, seed: bytes) -> list[list[int]]:
    """The polynomial of a seed: a row of remainders for each prime of q."""
    shape = len(context.data_primes), context.degree
    _, uniform = read_pair(make_seeded_ciphertext(context, np.zeros(shape, np.uint64), seed), *shape)
    rows: list[list[int]] = uniform.tolist()
    return rows


def times(polynomial: Sequence[int], key: Sequence[int], prime: int) -> list[int]:
    """The product with a ternary polynomial modulo X^N + 1 and the prime, by two products of large integers."""
    whole, degree = _joined(polynomial), len(polynomial)
    total = [0] * degree
    for sign in (1, -1):
        product = whole * _joined([int(value == sign) for value in key])
        body = product.to_bytes(2 * degree * _SLOT, "little")
        words = [int.from_bytes(body[at : at + _SLOT], "little") for at in range(0, len(body), _SLOT)]
        # X^N is -1.
        total = [t + sign * (words[i] - words[i + degree]) for i, t in enumerate(total)]
    return [value % prime for value in total]


def _joined(values: Sequence[int]) -> int:
    return int.from_bytes(b"".join(value.to_bytes(_SLOT, "little") for value in values), "little")


def phases(context: HeContext, key: Sequence[int], ciphertext: bytes) -> list[int]:
    """c0 + c1 s modulo q of one ciphertext of a request.

    Raises:
        InvalidPayloadError: the length is wrong, or a remainder is not below its prime.
    """
    first = check_seeded(context, ciphertext, "a ciphertext").tolist()
    second, q = uniform_rows(context, ciphertext[-SEED_BYTES:]), prod(context.data_primes)
    total = [0] * context.degree
    for row, uniform, prime in zip(first, second, context.data_primes, strict=True):
        part = q // prime * pow(q // prime, -1, prime)
        pairs = zip(row, times(uniform, key, prime), strict=True)
        total = [value + part * (own + product) for value, (own, product) in zip(total, pairs, strict=True)]
    return [value % q for value in total]


def request_problem(
    context: HeContext, key: Sequence[int], request: bytes, polynomials: Sequence[Sequence[int]]
) -> str | None:
    """What is wrong with a request that must encrypt 2^h times these polynomials under a key; None if nothing is."""
    size, q, modulus = seeded_length(context), context.modulus, 1 << context.plain_bits
    if len(request) != size * len(polynomials):
        return f"{len(request)} bytes, and {size * len(polynomials)} are due"
    parts = [request[at : at + size] for at in range(0, len(request), size)]
    if len({part[-SEED_BYTES:] for part in parts}) < len(parts):
        return "one seed stands twice"
    for number, (part, polynomial) in enumerate(zip(parts, polynomials, strict=True)):
        for place, (phase, value) in enumerate(zip(phases(context, key, part), polynomial, strict=True)):
            off = (modulus * phase - q * (value << context.guard_bits)) % (q * modulus)
            if 2 * min(off, q * modulus - off) > LARGEST_ERROR * modulus:
                return f"ciphertext {number}: coefficient {place} is not within 43/2 of the encoding of {value}"
    return None
