"""The HE layer part by part: layouts, polynomials, expansions, and ciphertexts that the judge opens."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from capc.foundation import ring
from capc.foundation.errors import InvalidPayloadError
from capc.foundation.randomness import Seed, XofSource
from capc.linear.bfv import BfvLinear
from capc.linear.bfv.context import context_for
from capc.linear.bfv.encoding.polynomials import Encoding, encode_inputs
from capc.linear.bfv.keys import SecretKey
from capc.linear.bfv.scheme import encoding_for
from capc.linear.bfv.wire.packing import pack
from capc.session.widths import ParameterSet
from capc_verify.vectors.figures import offered
from capc_verify.vectors.operation import Call, GroupType, Operation, Result, named
from capc_verify.vectors.operations.he import secret_key, ternary, widths_from
from capc_verify.vectors.operations.protocol.sessions import WIDTHS
from capc_verify.vectors.operations.shapes import OPERATOR, operator_from
from capc_verify.vectors.operations.worked.bfv_integers import request_problem, uniform_rows
from capc_verify.vectors.operations.worked.told_expansion import remainder, words_of
from capc_verify.vectors.values import COUNT, DATA, INTEGER, INTEGERS, TEXT, many

_LAYER = {"operator": OPERATOR, "count": COUNT}
_ROWS = many(INTEGERS)
_SHOWN_WORDS = 8
_DIGITS = 4
"""Coefficients of a secret key in a byte."""


def _encoding(call: Call, count: int) -> Encoding:
    return encoding_for(context_for(call.environment), operator_from(call["operator"]), count)


def _tiling(call: Call) -> Result:
    tiling = _encoding(call, call["count"]).tiling
    layout = tiling.layout
    return Result(
        {
            "tile": [layout.tile_down, layout.tile_right],
            "channels": layout.block_channels,
            "signals": layout.group_signals,
            "block": layout.block,
            "block_outputs": tiling.block_outputs,
            "groups": len(layout.groups),
            "columns": len(layout.columns),
            "rows": len(tiling.rows),
        }
    )


def _sparse(polynomial: Iterable[int]) -> str:
    """The coefficients that are not 0, each with its place."""
    return " ".join(f"{place}:{value}" for place, value in enumerate(polynomial) if value)


def polynomials_of(environment: ParameterSet, call: Mapping[str, Any]) -> list[list[int]]:
    """What a request encrypts, before the factor 2^h."""
    queries = call["queries"]
    encoding = encoding_for(context_for(environment), operator_from(call["operator"]), len(queries))
    encoded = encode_inputs(encoding.tiling.layout, np.array(queries, dtype=np.uint64))
    return [polynomial.tolist() for polynomial in encoded]


def _inputs(call: Call) -> Result:
    return Result({"polynomials": list(map(_sparse, polynomials_of(call.environment, call.fields)))})


def _weights(call: Call) -> Result:
    encoding = _encoding(call, call["count"])
    width = call.environment.logit_bits
    signed = [[ring.signed(ring.reduce(weight, width), width) for weight in row] for row in call["weights"]]
    words = np.array(signed, dtype=np.int64).view(np.uint64)
    rows = (encoding.encode_weights(words, row) for row in encoding.tiling.rows)
    return Result({"polynomials": [_sparse(each.view(np.int64).tolist()) for row in rows for each in row]})


def _outputs(call: Call) -> Result:
    pairs = (
        zip(response.positions.tolist(), response.outputs.tolist(), strict=True)
        for response in _encoding(call, call["count"]).responses
    )
    return Result({"ciphertexts": [" ".join(f"{place}:{output}" for place, output in each) for each in pairs]})


def _expand(call: Call) -> Result:
    context, words = context_for(call.environment), words_of(call["seed"])
    rows = uniform_rows(context, call["seed"])
    packed = pack(np.array(rows, np.uint64), context.data_primes)
    shown = {"words": [next(words) for _ in range(_SHOWN_WORDS)]}
    return Result({"rows": [row[:_SHOWN_WORDS] for row in rows], "polynomial": packed}, (), shown)


def _remainders(call: Call) -> Result:
    spare = iter(call["following"])
    found = [remainder(word, call["prime"], spare) for word in call["words"]]
    return Result({"remainders": found, "left": len(list(spare))})


def _respond(call: Call) -> Result:
    scheme, source = BfvLinear(call.environment), XofSource(Seed(call["seed"]), b"he")
    prepared = scheme.prepare(operator_from(call["operator"]), tuple(map(tuple, call["weights"])))
    public_key = scheme.read_public_key(call["public_key"], call["binding"])
    shares, response = scheme.evaluate(public_key, prepared, call["request"], call["count"], source)
    return Result({"garbler": shares, "response": response})


def _key(environment: ParameterSet, packed: bytes) -> SecretKey:
    context = context_for(environment)
    return SecretKey(context, secret_key(context, ternary(packed)))


def _decrypt(call: Call) -> Result:
    key, operator = _key(call.environment, call["secret_key"]), operator_from(call["operator"])
    return Result({"shares": BfvLinear(call.environment).decrypt(key, operator, call["count"], call["response"])})


def _encrypt(call: Call) -> Mapping[str, Any]:
    scheme, key = BfvLinear(call.environment), _key(call.environment, call["secret_key"])
    return {"request": scheme.encrypt(key, operator_from(call["operator"]), call["queries"])}


def _request_problem(call: Call, given: Mapping[str, Any]) -> str | None:
    context = context_for(call.environment)
    polynomials = polynomials_of(call.environment, call.fields)
    try:
        return request_problem(context, ternary(call["secret_key"]), given["request"], polynomials)
    except InvalidPayloadError as error:
        return f"{error.code.value}: {error}"


def _new_key(call: Call) -> Mapping[str, Any]:
    degree = context_for(call.environment).degree
    packed = bytes(sum(secrets.randbelow(3) << 2 * place for place in range(_DIGITS)) for _ in range(degree // _DIGITS))
    return {"secret_key": packed, "public_key": _public_key(call, packed)}


def _public_key(call: Call, packed: bytes) -> bytes:
    source = XofSource(Seed(call["seed"]), b"he")
    return BfvLinear(call.environment).public_key(_key(call.environment, packed), call["binding"], source)


def key_problem(degree: int, packed: bytes) -> str | None:
    """What is wrong with a secret key that must be uniform and ternary; None if nothing is."""
    digits = Counter(byte >> 2 * place & 3 for byte in packed for place in range(_DIGITS))
    if len(packed) * _DIGITS != degree or digits[3]:
        return f"secret_key is not {degree} coefficients 0, 1 or 2 of two bits each"
    # 6 deviations of the number of one value: a good key is outside once in 10^8.
    room = 6 * (2 * degree / 9) ** 0.5
    if any(abs(digits[value] - degree / 3) > room for value in range(3)):
        return f"secret_key is not uniform: {digits[0]}, {digits[1]} and {digits[2]} coefficients are 0, 1 and -1"
    return None


def _key_problem(call: Call, given: Mapping[str, Any]) -> str | None:
    packed = given["secret_key"]
    problem = key_problem(context_for(call.environment).degree, packed)
    if problem is None and given["public_key"] != _public_key(call, packed):
        problem = "public_key is not that of this secret_key, with a from the binding and the error from the seed"
    return problem


_POLYNOMIALS = {"polynomials": many(TEXT)}
_TILING = dict.fromkeys(("channels", "signals", "block", "block_outputs", "groups", "columns", "rows"), COUNT)
LAYERS = GroupType(
    "HeLayer",
    named(
        Operation("he_tiling", _tiling, _LAYER, {"tile": many(COUNT), **_TILING}),
        Operation("he_encode_inputs", _inputs, {"operator": OPERATOR, "queries": _ROWS}, _POLYNOMIALS),
        Operation("he_encode_weights", _weights, {**_LAYER, "weights": _ROWS}, _POLYNOMIALS),
        Operation("he_encode_outputs", _outputs, _LAYER, {"ciphertexts": many(TEXT)}),
        Operation("he_expand", _expand, {"seed": DATA}, {"rows": _ROWS, "polynomial": DATA}, {"words": INTEGERS}),
        Operation(
            "he_remainders",
            _remainders,
            {"words": INTEGERS, "following": INTEGERS, "prime": INTEGER},
            {"remainders": INTEGERS, "left": COUNT},
        ),
        Operation(
            "he_respond",
            _respond,
            {**_LAYER, "weights": _ROWS, "public_key": DATA, "binding": DATA, "request": DATA, "seed": DATA},
            {"garbler": _ROWS, "response": DATA},
        ),
        Operation("he_decrypt_batch", _decrypt, {**_LAYER, "secret_key": DATA, "response": DATA}, {"shares": _ROWS}),
        offered(
            "he_encrypt",
            _encrypt,
            _request_problem,
            {"operator": OPERATOR, "queries": _ROWS, "secret_key": DATA},
            {"request": DATA},
        ),
        offered(
            "he_new_key",
            _new_key,
            _key_problem,
            {"binding": DATA, "seed": DATA},
            {"secret_key": DATA, "public_key": DATA},
        ),
    ),
    WIDTHS,
    widths_from,
)
"""Parts of the HE layer."""
