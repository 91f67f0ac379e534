"""The wire form of what a key holder encrypts: c0 under q, and the 64-byte seed from which c1 is expanded.

Requests have it. A seed leaves the key holder no choice of c1. Spec: CAPC-HE-005.
"""

from __future__ import annotations

from tenseal import sealapi

from capc.foundation.encoding import require_length
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.wire.packing import pack, packed_length, unpack
from capc.linear.bfv.wire.seal_format import SEED_BYTES, SealObject, Words, make_seeded_ciphertext, read_seeded


def seeded_length(context: HeContext) -> int:
    """Bytes of one ciphertext."""
    return packed_length(context.data_primes, context.degree) + SEED_BYTES


def pack_seeded(context: HeContext, ciphertext: SealObject) -> bytes:
    """The wire form of a ciphertext that SEAL made with a seed."""
    first, seed = read_seeded(ciphertext, len(context.data_primes), context.degree)
    return pack(first, context.data_primes) + seed


def check_seeded(context: HeContext, payload: bytes, what: str) -> Words:
    """c0, (primes, N), of a peer's bytes, and refuses them if they are out of order.

    Raises:
        InvalidPayloadError: the length is wrong, or a coefficient is not below its prime.
    """
    require_length(payload, seeded_length(context), what)
    return unpack(payload[:-SEED_BYTES], context.data_primes, context.degree, what)


def open_seeded(context: HeContext, payload: bytes, what: str) -> sealapi.Ciphertext:
    """The ciphertext in a peer's bytes, in NTT form: 16 N bytes for each prime of q.

    Raises:
        InvalidPayloadError: as :func:`check_seeded`.
    """
    first = check_seeded(context, payload, what)
    ciphertext = make_seeded_ciphertext(context, first, payload[-SEED_BYTES:])
    context.evaluator.transform_to_ntt_inplace(ciphertext)
    return ciphertext
