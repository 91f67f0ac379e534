"""The HE layer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from capc.linear.bfv.context import HeContext, context_for
from capc.linear.bfv.wire.seal_format import SEED_BYTES
from capc.models.operators import Dense, multiply
from capc.session.widths import ParameterSet
from capc_verify.vectors.build import FileBuilder, GroupBuilder
from capc_verify.vectors.cases.bfv import FixedKey
from capc_verify.vectors.cases.common import expect_equal
from capc_verify.vectors.operation import SENDER, Fault
from capc_verify.vectors.operations.he import HE
from capc_verify.vectors.values import Edited

_EXACT = ("CAPC-HE-001",)
_KEYS = ("CAPC-HE-016",)
_MASKS = ("CAPC-HE-008", "CAPC-HE-012")
_REFUSED = ("CAPC-HE-005", "CAPC-ERR-002")
_WEIGHTS = [[3, -1], [-2, 100], [0, 5]]
_VECTOR = [4, 4092]
_BINDING = bytes(range(48))
_SHAPE = {"inputs": 2, "outputs": 3}


def he() -> FileBuilder:
    """Given keys and ciphertexts, round trips, lengths, malformed payloads."""
    file = FileBuilder(
        "he",
        "CAPC-HE",
        [
            "Decode-the-given: secret key, public key, request and response come from the file's seed. The secret key",
            "is ternary, two bits per coefficient (0, 1, and 2 for -1), the low bits of a byte first; the public key",
            "of `he_evaluate` has no error, which no real key may have; its other half is expanded from `binding`.",
            "Seeds are expanded under the label `he`. `he_public_key` draws the error of the key, `he_masks` the seed",
            "of a response, of which `number` counts ciphertexts, and from it `count` masks modulo p; `he_shares` has",
            "the answering party's shares of given masks, `he_open` what enters circuits and what they open.",
            "`he_evaluate` evaluates the given request under the given public key and decrypts: both shares, the",
            "opened results, and SHA-256 of the response, which is a function of these inputs.",
            "`he_round_trip` makes keys and request itself, so it proves little: he_layers.json has some that whoever",
            "judges opens. Results are exact, so there is no tolerance.",
            "Not tested: the law of the randomness of secret keys and requests, which is the library's.",
        ],
    )
    for name in ("toy", "test", "default", "conservative"):
        widths = ParameterSet.named(name)
        _sizes(file, widths)
    toy = ParameterSet.named("toy")
    group = file.group(HE, **asdict(toy))
    key = FixedKey.drawn(context_for(toy), file.source)
    _given_keys(group, key)
    _given_masks(group, key.context)
    _given_shares(group, toy)
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


def _given_keys(group: GroupBuilder, key: FixedKey) -> None:
    test = group.test("public_key_given", "The public key for a peer, from a given secret key.", _KEYS)
    test.run("he_public_key", secret_key=key.packed(), binding=_BINDING, seed=test.seed())


def _given_masks(group: GroupBuilder, context: HeContext) -> None:
    for name, number, count in (("first", 0, 5), ("second", 1, 5), ("many", 258, 40)):
        test = group.test(f"masks_{name}", "Masks of one ciphertext of a response, and the shares.", _MASKS)
        test.run("he_masks", seed=test.seed(), number=number, count=count)
    (prime,), modulus = context.response_primes, 1 << context.plain_bits
    turn = prime // (2 * modulus)
    masks = [0, 1, turn, turn + 1, prime // 2, prime - turn - 1, prime - turn, prime - 1]
    test = group.test("shares_ends", "Shares at both ends of Z_p, and where the rounding turns.", _EXACT)
    found = test.run("he_shares", masks=masks)["shares"]
    expected = [(2 * modulus * (prime - mask) + prime) // (2 * prime) % modulus for mask in masks]
    expect_equal(found, expected, test.name)


def _given_shares(group: GroupBuilder, widths: ParameterSet) -> None:
    modulus, room = 1 << widths.share_bits, (1 << widths.guard_bits - 2) - 1
    results = [0, 1, (1 << widths.logit_bits - 1) - 1, 1 << widths.logit_bits - 1, (1 << widths.logit_bits) - 1]
    for name, error in (("exact", 0), ("lowest_error", -room - 2), ("highest_error", room)):
        test = group.test(f"open_{name}", "Words of both parties, and the result.", _EXACT)
        evaluator = group.source.elements(test.name, len(results), widths.share_bits)
        shares = zip(results, evaluator, strict=True)
        garbler = [((result << widths.guard_bits) + error - share) % modulus for result, share in shares]
        found = test.run("he_open", garbler=garbler, evaluator=evaluator)["opened"]
        expect_equal(found, results, test.name)


def _given_response(group: GroupBuilder, key: FixedKey) -> None:
    (prime,), modulus = key.context.response_primes, 1 << key.context.plain_bits
    positions = [1, 3, 5]
    first = [5, prime - 1, prime // 2]
    honest = key.response(first, positions)
    fields: dict[str, Any] = {"secret_key": key.packed(), **_SHAPE}
    turn = prime // (2 * modulus)
    for name, phases in (
        ("given", first),
        ("zeros", [0, 0, 0]),
        ("below_halves", [turn, prime - turn - 1, 3 * prime // (2 * modulus)]),
        ("above_halves", [turn + 1, prime - turn, 3 * prime // (2 * modulus) + 1]),
    ):
        test = group.test(f"decrypt_{name}", "The given response under the given key.", _EXACT)
        response = key.response(phases, positions)
        head = response[: 7 * len(positions)]
        given: bytes | Edited = honest if response == honest else Edited(honest, {"at": 0, "replace": head.hex()})
        expected = [(2 * modulus * phase + prime) // (2 * prime) % modulus for phase in phases]
        expect_equal(test.run("he_decrypt", response=given, **fields)["shares"], expected, test.name)
    for name, code, flag, edit in _faults(len(honest) - 7, "response"):
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
    # A response is under the first prime only; a request ends with coefficients under the second one.
    last = "ff" * (7 if what == "response" else 5)
    return [
        (f"{what}_short", length, "Short", {"truncate": 1}),
        (f"{what}_long", length, "Long", {"append": "00"}),
        (f"{what}_first_word", value, "OutOfRange", {"at": 0, "replace": "ff" * 7}),
        (f"{what}_last_word", value, "OutOfRange", {"at": last_word, "replace": last}),
    ]


def _given_request(group: GroupBuilder, key: FixedKey) -> None:
    request, public_key = key.request(_VECTOR, [1, -2]), key.public_key(_BINDING)
    fields: dict[str, Any] = {"secret_key": key.packed(), "public_key": public_key, "request": request}
    fields["binding"] = _BINDING
    weights = tuple(map(tuple, _WEIGHTS))
    for name, matrix in (("given", weights), ("all_weights_zero", ((0, 0), (0, 0), (0, 0)))):
        test = group.test(f"evaluate_{name}", "The given request under the given keys.", _EXACT)
        found = test.run("he_evaluate", **fields, weights=matrix, seed=test.seed())["opened"]
        expect_equal(found, multiply(Dense(2, 3), matrix, _VECTOR, key.context.logit_bits), test.name)
    # The last word of c0 is of the second prime; in a request a seed follows.
    for what, payload, seed in (("request", request, SEED_BYTES), ("public_key", public_key, 0)):
        for name, code, flag, edit in _faults(len(payload) - seed - 5, what):
            test = group.test(f"evaluate_{name}", "A malformed payload.", _REFUSED, [flag])
            faulty = {**fields, what: Edited(payload, edit)}
            test.run("he_evaluate", fault=Fault(code, SENDER), **faulty, weights=weights, seed=test.seed())


def _round_trips(group: GroupBuilder, widths: ParameterSet) -> None:
    width = widths.logit_bits
    for inputs, outputs, count in ((2, 3, 1), (1, 1, 1), (7, 5, 1), (7, 5, 3), (9, 17, 20)):
        test = group.test(f"round_trip_{inputs}_{outputs}_of_{count}", "W x mod 2^l.", _EXACT, ["Wrap"])
        drawn = group.source.elements(f"{test.name}/weights", inputs * outputs, 8)
        matrix = tuple(tuple(w - 128 for w in drawn[i * inputs : (i + 1) * inputs]) for i in range(outputs))
        vectors = [group.source.elements(f"{test.name}/vector/{query}", inputs, width) for query in range(count)]
        found = test.run("he_round_trip", weights=matrix, binding=_BINDING, vectors=vectors, seed=test.seed())
        expected = [multiply(Dense(inputs, outputs), matrix, vector, width) for vector in vectors]
        expect_equal(found["results"], expected, test.name)
