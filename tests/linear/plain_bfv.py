"""BFV in plain Python: products modulo X^N + 1, phases and rounding; of SEAL nothing but the secret key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tenseal import sealapi

from capc.linear.bfv.context import HeContext
from capc.linear.bfv.wire import seal_format
from linear.support import Setting

_SLOT = 12
"""Bytes for a coefficient of a product: N factors below 2^60, one of them ternary."""


def negacyclic(polynomial: Sequence[int], ternary: Sequence[int]) -> list[int]:
    """The product of a polynomial of words and a ternary one modulo X^N + 1, by products of large integers."""
    degree = len(polynomial)
    total = [0] * degree
    for sign in (1, -1):
        product = _joined(polynomial) * _joined([int(value == sign) for value in ternary])
        body = product.to_bytes(2 * degree * _SLOT, "little")
        parts = [int.from_bytes(body[at : at + _SLOT], "little") for at in range(0, len(body), _SLOT)]
        # X^N is -1.
        total = [t + sign * (parts[i] - parts[i + degree]) for i, t in enumerate(total)]
    return total


def _joined(values: Sequence[int]) -> int:
    return int.from_bytes(b"".join(value.to_bytes(_SLOT, "little") for value in values), "little")


def secret_coefficients(setting: Setting) -> list[int]:
    """The secret polynomial in coefficients -1, 0 and 1, from its NTT form under the first prime."""
    context = setting.scheme._context
    primes = len(context.data_primes)
    words = np.zeros((2, primes, context.degree), dtype=np.uint64)
    words[0] = setting.secret_key.words()[:primes]
    words[1] = 1
    ciphertext = seal_format.make_ciphertext(context, context.data_id, words, ntt=True)
    context.evaluator.transform_from_ntt_inplace(ciphertext)
    prime = context.data_primes[0]
    row = seal_format.read_pair(ciphertext, primes, context.degree)[0, 0].tolist()
    return [value - prime if value > prime // 2 else value for value in row]


def rounded(context: HeContext, phase: int) -> int:
    """round(2^T y / p) mod 2^T for y in [0, p)."""
    (prime,) = context.response_primes
    return ((phase << context.plain_bits) + prime // 2) // prime % (1 << context.plain_bits)


def decrypted_by_seal(setting: Setting, first: Sequence[int], second: Sequence[int]) -> list[int]:
    """All coefficients of the plaintext of a ciphertext under the response prime."""
    context = setting.scheme._context
    words = np.array([[first], [second]], dtype=np.uint64)
    plain = sealapi.Plaintext()
    setting.secret_key.decryptor.decrypt(seal_format.make_ciphertext(context, context.response_id, words), plain)
    return seal_format.read_coefficients(plain, range(context.degree))
