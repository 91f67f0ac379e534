"""The HE layer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from capc.linear.bfv.context import context_for
from capc.models.operators import Dense, multiply
from capc.session.parameters import ParameterSet
from capc_verify.vectors.build import FileBuilder, GroupBuilder
from capc_verify.vectors.cases.bfv import FixedKey
from capc_verify.vectors.cases.common import expect_equal
from capc_verify.vectors.operation import SENDER, Fault
from capc_verify.vectors.operations.he import HE
from capc_verify.vectors.values import Edited

_EXACT = ("CAPC-HE-001",)
_REFUSED = ("CAPC-HE-005", "CAPC-ERR-002")
_WEIGHTS = [[3, -1], [-2, 100], [0, 5]]
_VECTOR = [4, 4092]
_ADDEND = [0, 4095, 2048]
_SHAPE = {"inputs": 2, "outputs": 3}


def he() -> FileBuilder:
    """Given keys and ciphertexts, round trips, lengths, malformed payloads."""
    file = FileBuilder(
        "he",
        "CAPC-HE",
        [
            "Decode-the-given: secret key, public key, request and response come from the file's seed. The secret key",
            "is ternary, two bits per coefficient (0, 1, and 2 for -1), the low bits of a byte first; the public key",
            "has no noise of its own, which no real key may have.",
            "`he_evaluate` evaluates the given request under the given public key, and decrypts with the secret key.",
            "`he_round_trip` makes keys and request itself. Results are exact, so there is no tolerance.",
            "Not tested: the law of the randomness of keys and requests, which is the library's; the bytes of a",
            "response; a request of several ciphertexts.",
        ],
    )
    for name in ("toy", "test", "default"):
        widths = ParameterSet.named(name)
        _sizes(file, widths)
    toy = ParameterSet.named("toy")
    group = file.group(HE, **asdict(toy))
    key = FixedKey.drawn(context_for(toy), file.source)
    _given_response(group, key)
    _given_request(group, key)
    _round_trips(group, toy)
    return file


def _sizes(file: FileBuilder, widths: ParameterSet) -> None:
    group = file.group(HE, **asdict(widths))
    for inputs, outputs, count in (
        (1, 1, 1),
        (64, 32, 1),
        (784, 64, 1),
        (5000, 2, 1),
        (64, 32, 64),
        (64, 48, 64),
        (784, 128, 64),
        (5000, 2, 3),
    ):
        name = f"lengths_{widths.name}_{inputs}_{outputs}_of_{count}"
        group.case(
            "he_lengths", name, "Bytes of payloads.", ["CAPC-WIRE-003"], inputs=inputs, outputs=outputs, count=count
        )


def _given_response(group: GroupBuilder, key: FixedKey) -> None:
    prime, bits = key.context.response_primes[0], key.context.plain_bits
    room = (prime >> (bits + 1)) - 2
    positions = [1, 3, 5]
    top = (1 << bits) - 1
    honest = key.response([5, top, 1 << (bits - 1)], [3, -7, 0], positions)
    fields: dict[str, Any] = {"secret_key": key.packed(), **_SHAPE}
    for name, message, noise in (
        ("honest", [5, top, 1 << (bits - 1)], [3, -7, 0]),
        ("zeros", [0, 0, 0], [0, 0, 0]),
        ("wrapping_ends", [top, 0, top], [1, -1, 0]),
        ("largest_noise", [7, 0, top], [room, -room, room]),
    ):
        test = group.test(f"decrypt_{name}", "The given response under the given key.", _EXACT)
        response = key.response(message, noise, positions)
        first = response[: 6 * len(positions)]
        same = Edited(honest, {"at": 0, "replace": first.hex()})
        given: bytes | Edited = honest if response == honest else same
        expect_equal(test.run("he_decrypt", response=given, **fields)["results"], message, test.name)
    for name, code, flag, edit in _faults(len(honest) - 6, "response"):
        group.case(
            "he_decrypt",
            f"decrypt_{name}",
            "A malformed response.",
            _REFUSED,
            [flag],
            response=Edited(honest, edit),
            fault=Fault(code, SENDER),
            **fields,
        )


def _faults(last_word: int, what: str) -> list[tuple[str, str, str, dict[str, Any]]]:
    length, value = "malformed_length", "value_out_of_range"
    return [
        (f"{what}_short", length, "Short", {"truncate": 1}),
        (f"{what}_long", length, "Long", {"append": "00"}),
        (f"{what}_first_word", value, "OutOfRange", {"at": 0, "replace": "ff" * 6}),
        (f"{what}_last_word", value, "OutOfRange", {"at": last_word, "replace": "ff" * 6}),
    ]


def _given_request(group: GroupBuilder, key: FixedKey) -> None:
    context = key.context
    width = context.plain_bits
    request = key.request(_VECTOR, [1, -2])
    public_key = key.public_key()
    fields: dict[str, Any] = {"secret_key": key.packed(), "public_key": public_key, "request": request}
    weights = tuple(map(tuple, _WEIGHTS))
    for name, matrix, addend in (
        ("given", weights, _ADDEND),
        ("all_weights_zero", ((0, 0), (0, 0), (0, 0)), _ADDEND),
    ):
        test = group.test(f"evaluate_{name}", "The given request under the given keys.", _EXACT)
        layer: dict[str, Any] = {"weights": matrix, "addend": addend, "seed": test.seed()}
        found = test.run("he_evaluate", **fields, **layer)["results"]
        product = zip(multiply(Dense(2, 3), matrix, _VECTOR, width), addend, strict=True)
        expect_equal(found, [(value + added) % (1 << width) for value, added in product], test.name)
    payloads = {"request": request, "public_key": public_key}
    for what, payload in payloads.items():
        # The last word of c0 stands before the seed.
        last = len(payload) - 64 - 6
        for name, code, flag, edit in _faults(last, what):
            test = group.test(f"evaluate_{name}", "A malformed payload.", _REFUSED, [flag])
            layer = {"weights": weights, "addend": _ADDEND, "seed": test.seed()}
            faulty = {**fields, what: Edited(payload, edit)}
            test.run("he_evaluate", fault=Fault(code, SENDER), **faulty, **layer)


def _round_trips(group: GroupBuilder, widths: ParameterSet) -> None:
    width = widths.logit_bits
    for inputs, outputs, count in ((2, 3, 1), (1, 1, 1), (7, 5, 1), (7, 5, 3), (9, 17, 20)):
        test = group.test(f"round_trip_{inputs}_{outputs}_of_{count}", "W x + addend mod 2^l.", _EXACT, ["Wrap"])
        drawn = group.source.elements(f"{test.name}/weights", inputs * outputs, 8)
        matrix = tuple(tuple(w - 128 for w in drawn[i * inputs : (i + 1) * inputs]) for i in range(outputs))
        vectors = [group.source.elements(f"{test.name}/vector/{query}", inputs, width) for query in range(count)]
        addends = [group.source.elements(f"{test.name}/addend/{query}", outputs, width) for query in range(count)]
        found = test.run("he_round_trip", weights=matrix, vectors=vectors, addends=addends, seed=test.seed())
        expected = [
            [(value + added) % (1 << width) for value, added in zip(row, addend, strict=True)]
            for row, addend in zip(_products(matrix, vectors, width), addends, strict=True)
        ]
        expect_equal(found["results"], expected, test.name)


def _products(matrix: tuple[tuple[int, ...], ...], vectors: list[list[int]], width: int) -> list[list[int]]:
    return [multiply(Dense(len(matrix[0]), len(matrix)), matrix, vector, width) for vector in vectors]
