"""Requests: the inputs of a batch, encrypted by the querying party and read by the answering party.

One ciphertext of :mod:`capc.linear.bfv.wire.seeded` for each group of signals and each column of blocks. Spec:
CAPC-HE-005.
"""

from __future__ import annotations

from collections.abc import Iterable

from tenseal import sealapi

from capc.foundation.encoding import require_length
from capc.foundation.errors import ErrorCode, InvalidPayloadError
from capc.linear.bfv.context import HeContext
from capc.linear.bfv.encoding.layout import Layout
from capc.linear.bfv.keys import SecretKey
from capc.linear.bfv.wire.seal_format import SEED_BYTES, Words, make_plaintext
from capc.linear.bfv.wire.seeded import check_seeded, open_seeded, pack_seeded, seeded_length


def request_length(context: HeContext, layout: Layout) -> int:
    """Bytes of a request."""
    return layout.requests * seeded_length(context)


def seal_inputs(key: SecretKey, polynomials: Iterable[Words]) -> bytes:
    """The encryption of each polynomial, with seeded c1."""
    context, encrypt = key.context, key.encryptor.encrypt_symmetric
    return b"".join(pack_seeded(context, encrypt(make_plaintext(context, each))) for each in polynomials)


def check_request(context: HeContext, layout: Layout, request: bytes) -> None:
    """Refuses a request out of order. Nothing of it reaches SEAL before.

    Raises:
        InvalidPayloadError: the length is wrong, a coefficient is not below its prime, or a seed occurs twice.
    """
    require_length(request, request_length(context, layout), "request")
    payloads = [_payload(context, request, number) for number in range(layout.requests)]
    for payload in payloads:
        check_seeded(context, payload, "request")
    # Equal seeds could make two products cancel to a c1 of zero, at which SEAL throws.
    if len({payload[-SEED_BYTES:] for payload in payloads}) != layout.requests:
        raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, "request: one seed occurs twice")


def open_group(context: HeContext, layout: Layout, request: bytes, group: int) -> list[sealapi.Ciphertext]:
    """The ciphertexts of one group of a checked request, in NTT form: 16 N bytes for each column and prime of q."""
    columns = len(layout.columns)
    numbers = range(group * columns, (group + 1) * columns)
    return [open_seeded(context, _payload(context, request, number), "request") for number in numbers]


def _payload(context: HeContext, request: bytes, number: int) -> bytes:
    size = seeded_length(context)
    return request[number * size : (number + 1) * size]
