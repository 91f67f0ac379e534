"""The HE layer: given keys and ciphertexts are read, evaluated and decrypted; malformed ones are refused."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from tenseal import sealapi

from capc.foundation.randomness import Seed, XofSource
from capc.linear.bfv import BfvLinear
from capc.linear.bfv.context import HeContext, context_for
from capc.linear.bfv.keys import SecretKey
from capc.linear.bfv.wire.seal_format import make_plaintext
from capc.models.operators import Dense
from capc.session.parameters import ParameterSet
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.protocol.sessions import WIDTHS
from capc_verify.vectors.values import COUNT, DATA, INTEGERS, many

_SHAPE = {"inputs": COUNT, "outputs": COUNT}
_LAYER = {"weights": many(INTEGERS), "seed": DATA}
_BATCH = {"vectors": many(INTEGERS), "addends": many(INTEGERS)}
_FAULTS = frozenset({"Short", "Long", "OutOfRange"})


def widths_from(params: Mapping[str, Any]) -> ParameterSet:
    """The parameter set that a group's parameters state."""
    return ParameterSet(**{**params, "he_coefficient_bits": tuple(params["he_coefficient_bits"])})


def ternary(packed: bytes) -> list[int]:
    """The coefficients of a secret key: two bits each, low bits of a byte first; 0, 1, and 2 for -1."""
    return [(0, 1, -1)[byte >> shift & 3] for byte in packed for shift in (0, 2, 4, 6)]


def secret_key(context: HeContext, coefficients: list[int]) -> sealapi.SecretKey:
    """The key with these coefficients, as the HE library holds it."""
    reduced = np.array([value % (1 << context.plain_bits) for value in coefficients], dtype=np.uint64)
    polynomial = make_plaintext(context, reduced)
    context.evaluator.transform_to_ntt_inplace(polynomial, list(context.key_id))
    key, descriptor = sealapi.SecretKey(), os.memfd_create("capc-vectors")
    try:
        path = f"/proc/self/fd/{descriptor}"
        polynomial.save(path)
        # The library stores a secret key as the plaintext of its polynomial.
        key.load(context.seal, path)
    finally:
        os.close(descriptor)
    return key


def _shape(call: Call) -> Dense:
    return Dense(call["inputs"], call["outputs"])


def _matrix(call: Call) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, call["weights"]))


def _key(call: Call) -> SecretKey:
    context = context_for(call.environment)
    return SecretKey(context, secret_key(context, ternary(call["secret_key"])))


def _lengths(call: Call) -> Result:
    scheme, shape = BfvLinear(call.environment), _shape(call)
    return Result(
        {
            "public_key": scheme.public_key_length(),
            "request": scheme.request_length(shape, call["count"]),
            "response": scheme.response_length(shape, call["count"]),
        }
    )


def _decrypt(call: Call) -> Result:
    (results,) = BfvLinear(call.environment).decrypt(_key(call), _shape(call), 1, call["response"])
    return Result({"results": results})


def _evaluate(call: Call) -> Result:
    scheme, matrix = BfvLinear(call.environment), _matrix(call)
    shape = Dense(len(matrix[0]), len(matrix))
    public_key = scheme.read_public_key(call["public_key"])
    source, addends = XofSource(Seed(call["seed"]), b"he"), [call["addend"]]
    response = scheme.evaluate(public_key, scheme.prepare(shape, matrix), call["request"], addends, source)
    (results,) = scheme.decrypt(_key(call), shape, 1, response)
    return Result({"results": results})


def _round_trip(call: Call) -> Result:
    scheme, matrix = BfvLinear(call.environment), _matrix(call)
    shape = Dense(len(matrix[0]), len(matrix))
    key, payload = scheme.generate_keys()
    request = scheme.encrypt(key, shape, call["vectors"])
    source = XofSource(Seed(call["seed"]), b"he")
    public_key, prepared = scheme.read_public_key(payload), scheme.prepare(shape, matrix)
    response = scheme.evaluate(public_key, prepared, request, call["addends"], source)
    return Result({"results": scheme.decrypt(key, shape, len(call["vectors"]), response)})


HE = GroupType(
    "He",
    named(
        Operation(
            "he_lengths",
            _lengths,
            {**_SHAPE, "count": COUNT},
            {"public_key": COUNT, "request": COUNT, "response": COUNT},
        ),
        Operation("he_decrypt", _decrypt, {"secret_key": DATA, **_SHAPE, "response": DATA}, {"results": INTEGERS}),
        Operation(
            "he_evaluate",
            _evaluate,
            {"secret_key": DATA, "public_key": DATA, "request": DATA, "addend": INTEGERS, **_LAYER},
            {"results": INTEGERS},
        ),
        Operation("he_round_trip", _round_trip, {**_BATCH, **_LAYER}, {"results": many(INTEGERS)}),
    ),
    WIDTHS,
    widths_from,
    {"he_decrypt": _FAULTS, "he_evaluate": _FAULTS},
)
