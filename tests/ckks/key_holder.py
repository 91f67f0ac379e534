"""What a querying party can read from ciphertexts with its own key, beyond what it is meant to read."""

from __future__ import annotations

import numpy as np
import tenseal as ts

from capc_bench.ckks.network import Floats
from capc_bench.ckks.steps import Keys

_SIZES = b"\x0a"
"""Tag of the field `sizes` of TenSEAL's CKKSVectorProto: number 1, packed."""


def with_size(payload: bytes, size: int) -> bytes:
    """A serialised vector with its field `sizes` edited: nothing protects it."""
    if payload[:1] != _SIZES or payload[1] > 127:
        raise AssertionError("not a serialised CKKSVector")
    varint = bytes([size & 127 | 128, size >> 7]) if size > 127 else bytes([size])
    return _SIZES + bytes([len(varint)]) + varint + payload[2 + payload[1] :]


def every_slot(keys: Keys, payload: bytes) -> Floats:
    """All N / 2 slots of a ciphertext."""
    vector = ts.ckks_vector_from(keys.context, with_size(payload, keys.parameters.slots))
    return np.array(vector.decrypt())


def weights_from_noise(keys: Keys, request: bytes, response: bytes, classes: int) -> Floats:
    """The matrix (biases last) of a one-layer network, from one query, by least squares on the slots' tiny errors.

    The request's replicas differ by the encryption's own noise, which the key holder reads. Slot t of the product is a
    linear form of the slots from t onward, so each unmasked slot gives one equation on one column of the matrix.
    """
    inputs = ts.ckks_vector_from(keys.context, request).size()
    seen, answers = every_slot(keys, request), every_slot(keys, response)
    rows = np.arange(classes, len(seen) - inputs)
    windows = rows[:, None] + (np.arange(inputs)[None, :] - rows[:, None]) % inputs
    noise, columns = seen[windows], []
    for column in range(classes):
        chosen = rows % classes == column
        left, right = noise[chosen], answers[rows[chosen]]
        columns.append(np.linalg.lstsq(left - left.mean(axis=0), right - right.mean(), rcond=None)[0])
    return np.array(columns)
