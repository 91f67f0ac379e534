"""Requests: the inputs of a batch, encrypted by the querying party and read by the answering party.

For each group of signals and each column of blocks: c0 under q, and the 64-byte seed of c1. Spec: CAPC-HE-005.
"""

from __future__ import annotations

from collections.abc import Iterable

from tenseal import sealapi

from capc.errors import ErrorCode, InvalidPayloadError
from capc.he.context import HeContext
from capc.he.keys import SecretKey
from capc.he.layout import Layout
from capc.he.packing import check_length, pack, packed_length, unpack
from capc.he.serialisation import SEED_BYTES, Words, make_plaintext, make_seeded_ciphertext, read_seeded


def ciphertext_bytes(context: HeContext) -> int:
    """Bytes of one ciphertext of a request."""
    return packed_length(context.data_primes, context.degree) + SEED_BYTES


def request_length(context: HeContext, layout: Layout) -> int:
    """Bytes of a request."""
    return layout.requests * ciphertext_bytes(context)


def seal_inputs(key: SecretKey, polynomials: Iterable[Words]) -> bytes:
    """The encryption of each polynomial, with seeded c1."""
    context = key.context
    parts = []
    for polynomial in polynomials:
        sealed = key.encryptor.encrypt_symmetric(make_plaintext(context, polynomial))
        first, seed = read_seeded(sealed, len(context.data_primes), context.degree)
        parts += [pack(first, context.data_primes), seed]
    return b"".join(parts)


def check_request(context: HeContext, layout: Layout, request: bytes) -> None:
    """Refuses a request out of order. Nothing of it reaches SEAL before.

    Raises:
        InvalidPayloadError: the length is wrong, a coefficient is not below its prime, or a seed occurs twice.
    """
    check_length(request, request_length(context, layout), "request")
    size = ciphertext_bytes(context)
    ends = range(size, len(request) + 1, size)
    for end in ends:
        _first(context, request[end - size : end])
    # Equal seeds could make two products cancel to a c1 of zero, at which SEAL throws.
    if len({request[end - SEED_BYTES : end] for end in ends}) != layout.requests:
        raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, "request: one seed occurs twice")


def open_group(context: HeContext, layout: Layout, request: bytes, group: int) -> list[sealapi.Ciphertext]:
    """The ciphertexts of one group of a checked request, in NTT form: 16 N bytes for each column and prime of q."""
    size, columns = ciphertext_bytes(context), len(layout.columns)
    inputs = []
    for number in range(group * columns, (group + 1) * columns):
        payload = request[number * size : (number + 1) * size]
        ciphertext = make_seeded_ciphertext(context, _first(context, payload), payload[-SEED_BYTES:])
        context.evaluator.transform_to_ntt_inplace(ciphertext)
        inputs.append(ciphertext)
    return inputs


def _first(context: HeContext, ciphertext: bytes) -> Words:
    return unpack(ciphertext[:-SEED_BYTES], context.data_primes, context.degree, "request")
