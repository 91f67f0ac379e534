"""The HE layer: given keys and ciphertexts are read, evaluated and decrypted; malformed ones are refused."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from tenseal import sealapi

from capc.foundation import guarded
from capc.foundation.randomness import Seed, XofSource
from capc.linear.bfv import BfvLinear
from capc.linear.bfv.context import HeContext, context_for
from capc.linear.bfv.keys import SecretKey
from capc.linear.bfv.masks import draw_masks, response_seed, shares_of
from capc.linear.bfv.wire.seal_format import make_plaintext
from capc.models.operators import Dense
from capc.session.widths import ParameterSet
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.protocol.sessions import WIDTHS
from capc_verify.vectors.values import COUNT, DATA, INTEGERS, many

_SHAPE = {"inputs": COUNT, "outputs": COUNT}
_LAYER = {"weights": many(INTEGERS), "binding": DATA, "seed": DATA}
_SHARES = {"garbler": INTEGERS, "evaluator": INTEGERS, "opened": INTEGERS}
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


def _public_key(call: Call) -> Result:
    source = XofSource(Seed(call["seed"]), b"he")
    return Result({"public_key": BfvLinear(call.environment).public_key(_key(call), call["binding"], source)})


def _masks(call: Call) -> Result:
    context = context_for(call.environment)
    seed = response_seed(XofSource(Seed(call["seed"]), b"he"))
    masks = draw_masks(context, seed, call["number"], call["count"])
    return Result({"masks": masks.tolist(), "shares": shares_of(context, masks).tolist()})


def _shares(call: Call) -> Result:
    context = context_for(call.environment)
    return Result({"shares": shares_of(context, np.array(call["masks"], dtype=np.uint64)).tolist()})


def _open(call: Call) -> Result:
    evaluator, garbler = call["evaluator"], call["garbler"]
    widths: ParameterSet = call.environment
    words = [guarded.evaluator_word(share, widths.guard_bits) for share in evaluator]
    others = [guarded.garbler_word(share, widths.logit_bits, widths.guard_bits) for share in garbler]
    return Result({"evaluator_words": words, "garbler_words": others, "opened": _opened(widths, evaluator, garbler)})


def _opened(widths: ParameterSet, evaluator: list[int], garbler: list[int]) -> list[int]:
    l, h = widths.logit_bits, widths.guard_bits  # noqa: E741
    return [
        guarded.opened(guarded.evaluator_word(theirs, h), guarded.garbler_word(own, l, h), l)
        for theirs, own in zip(evaluator, garbler, strict=True)
    ]


def _decrypt(call: Call) -> Result:
    (shares,) = BfvLinear(call.environment).decrypt(_key(call), _shape(call), 1, call["response"])
    return Result({"shares": shares})


def _evaluate(call: Call) -> Result:
    scheme, matrix = BfvLinear(call.environment), _matrix(call)
    shape = Dense(len(matrix[0]), len(matrix))
    public_key = scheme.read_public_key(call["public_key"], call["binding"])
    source = XofSource(Seed(call["seed"]), b"he")
    (own,), response = scheme.evaluate(public_key, scheme.prepare(shape, matrix), call["request"], 1, source)
    (theirs,) = scheme.decrypt(_key(call), shape, 1, response)
    opened = _opened(call.environment, theirs, own)
    digest = hashlib.sha256(response).digest()
    return Result({"garbler": own, "evaluator": theirs, "opened": opened, "response_digest": digest})


def _round_trip(call: Call) -> Result:
    scheme, matrix, count = BfvLinear(call.environment), _matrix(call), len(call["vectors"])
    shape = Dense(len(matrix[0]), len(matrix))
    key, source = scheme.generate_secret_key(), XofSource(Seed(call["seed"]), b"he")
    request = scheme.encrypt(key, shape, call["vectors"])
    public_key = scheme.read_public_key(scheme.public_key(key, call["binding"], source), call["binding"])
    own, response = scheme.evaluate(public_key, scheme.prepare(shape, matrix), request, count, source)
    theirs = scheme.decrypt(key, shape, count, response)
    opened = [_opened(call.environment, *rows) for rows in zip(theirs, own, strict=True)]
    return Result({"garbler": own, "results": opened})


HE = GroupType(
    "He",
    named(
        Operation(
            "he_lengths",
            _lengths,
            {**_SHAPE, "count": COUNT},
            {"public_key": COUNT, "request": COUNT, "response": COUNT},
        ),
        Operation(
            "he_public_key", _public_key, {"secret_key": DATA, "binding": DATA, "seed": DATA}, {"public_key": DATA}
        ),
        Operation(
            "he_masks",
            _masks,
            {"seed": DATA, "number": COUNT, "count": COUNT},
            {"masks": INTEGERS, "shares": INTEGERS},
        ),
        Operation("he_shares", _shares, {"masks": INTEGERS}, {"shares": INTEGERS}),
        Operation(
            "he_open",
            _open,
            {"garbler": INTEGERS, "evaluator": INTEGERS},
            {"evaluator_words": INTEGERS, "garbler_words": INTEGERS, "opened": INTEGERS},
        ),
        Operation("he_decrypt", _decrypt, {"secret_key": DATA, **_SHAPE, "response": DATA}, {"shares": INTEGERS}),
        Operation(
            "he_evaluate",
            _evaluate,
            {"secret_key": DATA, "public_key": DATA, "request": DATA, **_LAYER},
            {**_SHARES, "response_digest": DATA},
        ),
        Operation(
            "he_round_trip",
            _round_trip,
            {"vectors": many(INTEGERS), **_LAYER},
            {"garbler": many(INTEGERS), "results": many(INTEGERS)},
        ),
    ),
    WIDTHS,
    widths_from,
    {"he_decrypt": _FAULTS, "he_evaluate": _FAULTS},
)
