"""The HE layer part by part, under the file's own key."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from capc.foundation import ring
from capc.linear.bfv.context import context_for
from capc.linear.bfv.scheme import encoding_for
from capc.linear.bfv.wire.packing import pack
from capc.linear.bfv.wire.seal_format import SEED_BYTES
from capc.models.operators import Convolution, Dense, Grid, Operator, document, multiply
from capc.session.widths import ParameterSet
from capc_verify.vectors.build import FileBuilder, GroupBuilder
from capc_verify.vectors.cases.bfv import FixedKey
from capc_verify.vectors.cases.common import expect_equal
from capc_verify.vectors.operation import SENDER, Fault
from capc_verify.vectors.operations.worked.layers import LAYERS, polynomials_of
from capc_verify.vectors.operations.worked.told_expansion import expanded, remainder
from capc_verify.vectors.values import Edited

_BINDING = bytes(range(48))
_SMALL: tuple[tuple[str, Operator, int], ...] = (
    ("dense_2_3", Dense(2, 3), 1),
    ("dense_2_3", Dense(2, 3), 2),
    ("dense_5_4", Dense(5, 4), 3),
    ("convolution", Convolution(Grid(2, 4, 3, (2, 2), padding=(1, 1)), 2), 1),
    ("strided", Convolution(Grid(2, 5, 5, (2, 1), stride=(2, 2), dilation=(2, 1)), 4, 2), 2),
)
"""Layers whose polynomials are shown."""
_LARGE: tuple[tuple[str, Operator, int], ...] = (
    ("dense_784_128", Dense(784, 128), 1),
    ("dense_784_128", Dense(784, 128), 64),
    ("dense_128_10", Dense(128, 10), 16),
    ("dense_5000_2", Dense(5000, 2), 3),
    ("image", Convolution(Grid(1, 28, 28, (5, 5), padding=(2, 2)), 16), 1),
    ("colours", Convolution(Grid(3, 32, 32, (3, 3), padding=(1, 1)), 32), 4),
    ("stride_2", Convolution(Grid(8, 16, 16, (1, 1), stride=(2, 2)), 8), 1),
    ("dilated", Convolution(Grid(4, 20, 9, (3, 2), stride=(2, 1), dilation=(2, 2)), 6), 3),
    ("tiles", Convolution(Grid(1, 80, 70, (3, 3)), 4), 2),
)
_FEWER = Convolution(Grid(1, 1, 4300, (1, 3), stride=(1, 2)), 1)
"""Three tiles; the last has fewer outputs than the others, and an element of the image is behind its last window."""
_BATCH = Dense(96, 4), 32
"""A layer and a batch with two ciphertexts in the request, and two in the response."""


def he_layers() -> FileBuilder:
    """Layouts, encodings, expansions, ciphertexts."""
    file = FileBuilder(
        "he_layers",
        "CAPC-HE-LAYERS",
        [
            "Layouts, and what stands where: a polynomial is its coefficients that are not 0, as `place:value`,",
            "those of weights signed; inputs before the factor 2^h; polynomials of a request group by group, column",
            "by column, those of weights row by row, column by column; of a response `place:output`, output i of",
            "query j being output i + j times the layer's outputs. `he_expand` has the first coefficients of the",
            "polynomial of a seed, and all of it as words of a payload; `he_remainders` turns words into remainders",
            "modulo a prime, with words that follow for those that are drawn again, and says how many of these are",
            "left. Public key, request and response are as in `he.json`, under a key of this file. A response is a",
            "function of what is given, so it is stated in full; `he_decrypt_batch` opens a response that the",
            "reference made. `he_encrypt` and `he_new_key` have no determined result: whoever judges opens the",
            "`request` with the key, and compares every coefficient with the encoding, within CAPC-HE-017's 43/2;",
            "the `secret_key` must be ternary with about as many of each value, and the `public_key` be the one",
            "that follows from it.",
        ],
    )
    toy = ParameterSet.named("toy")
    group = file.group(LAYERS, **asdict(toy))
    for name, operator, count in (*_SMALL, *_LARGE):
        fields: dict[str, Any] = {"operator": document(operator), "count": count}
        group.case("he_tiling", f"tiling_{name}_of_{count}", "The layout.", ["CAPC-HE-022"], **fields)
    for name, operator, count in _SMALL:
        _polynomials(group, toy, f"{name}_of_{count}", operator, count)
    _tile_with_fewer_outputs(group, toy)
    _weights_beyond(group, toy)
    key = FixedKey.drawn(context_for(toy), file.source)
    _expansions(file.group(LAYERS, hashed=True, **asdict(toy)), key)
    _batch(group, key)
    _offers(group, key)
    return file


def _weights_of(group: GroupBuilder, name: str, operator: Operator, bits: int) -> tuple[tuple[int, ...], ...]:
    drawn = group.source.elements(f"{name}/weights", operator.rows * operator.columns, bits)
    signed = [ring.signed(value, bits) for value in drawn]
    return tuple(tuple(signed[row * operator.columns :][: operator.columns]) for row in range(operator.rows))


def _queries_of(group: GroupBuilder, name: str, operator: Operator, count: int, bits: int) -> list[list[int]]:
    return [group.source.elements(f"{name}/query/{query}", operator.inputs, bits) for query in range(count)]


def _polynomials(group: GroupBuilder, widths: ParameterSet, name: str, operator: Operator, count: int) -> None:
    layer: dict[str, Any] = {"operator": document(operator)}
    queries = _queries_of(group, name, operator, count, widths.logit_bits)
    weights = _weights_of(group, name, operator, 5)
    inputs, outputs = "The polynomials of a request.", "Where outputs stand."
    group.case("he_encode_inputs", f"inputs_{name}", inputs, ["CAPC-HE-023"], queries=queries, **layer)
    layer["count"] = count
    group.case("he_encode_weights", f"weights_{name}", "Of weights.", ["CAPC-HE-024"], weights=weights, **layer)
    found = group.case("he_encode_outputs", f"outputs_{name}", outputs, ["CAPC-HE-025"], **layer)["ciphertexts"]
    carried = [int(pair.partition(":")[2]) for ciphertext in found for pair in ciphertext.split()]
    expect_equal(sorted(carried), list(range(count * operator.outputs)), f"outputs_{name}")


def _tile_with_fewer_outputs(group: GroupBuilder, widths: ParameterSet) -> None:
    name, comment = "inputs_of_a_tile_with_fewer_outputs", "Its run is as long as that of the others."
    queries = _queries_of(group, name, _FEWER, 1, widths.logit_bits)
    fields: dict[str, Any] = {"operator": document(_FEWER), "queries": queries}
    polynomial = group.case("he_encode_inputs", name, comment, ["CAPC-HE-023"], **fields)["polynomials"][-1]
    expect_equal(int(polynomial.rpartition(":")[2]), queries[0][-1], "the element behind the last window")


def _weights_beyond(group: GroupBuilder, widths: ParameterSet) -> None:
    half = 1 << widths.logit_bits - 1
    fields: dict[str, Any] = {"operator": document(Dense(2, 2)), "count": 1, "weights": [[half, -half - 1], [-half, 1]]}
    name, comment = "weights_beyond_their_range", "They are reduced into it."
    polynomials = group.case("he_encode_weights", name, comment, ["CAPC-HE-024"], ["Wrap", "Extreme"], **fields)
    found = [int(pair.partition(":")[2]) for each in polynomials["polynomials"] for pair in each.split()]
    expect_equal(sorted(found), [-half, -half, 1, half - 1], name)


def _expansions(group: GroupBuilder, key: FixedKey) -> None:
    context = key.context
    for number in range(2):
        test = group.test(f"expansion_{number}", "The uniform polynomial of a seed.", ["CAPC-HE-020"])
        seed = test.draw("seed", SEED_BYTES)
        found = test.run("he_expand", seed=seed)["polynomial"]
        told = expanded(seed, context.data_primes, context.degree)
        expect_equal(found, pack(np.array(told, dtype=np.uint64), context.data_primes), test.name)
    for prime in (context.data_primes[0], context.data_primes[1], 3, (1 << 63) + 29):
        bound = 2**64 - 2 - (2**64 - 1) % prime
        words = [0, prime - 1, prime, bound - 1, bound, bound + 1, 2**64 - 1]
        following = [2**64 - 1, bound - 1, 7, bound, bound - 2, 11, 13]
        test = group.test(f"remainders_{prime}", "Words at the bound are drawn again.", ["CAPC-HE-020"], ["Rejection"])
        found = test.run("he_remainders", words=words, following=following, prime=prime)["remainders"]
        spare = iter(following)
        expect_equal(found, [remainder(word, prime, spare) for word in words], test.name)


def _batch(group: GroupBuilder, key: FixedKey) -> None:
    """A request of several ciphertexts, the response, and what it opens."""
    operator, count = _BATCH
    context, name = key.context, "batch"
    encoding = encoding_for(context, operator, count)
    expect_equal((encoding.tiling.layout.requests, len(encoding.responses)), (2, 2), "ciphertexts of the batch")
    layer: dict[str, Any] = {"operator": document(operator), "count": count}
    queries = _queries_of(group, name, operator, count, context.logit_bits)
    fields = {"operator": document(operator), "queries": queries}
    request = key.requests(polynomials_of(ParameterSet.named("toy"), fields))
    weights, public_key = _weights_of(group, name, operator, 5), key.public_key(_BINDING)
    test = group.test("respond_batch", "Two ciphertexts for two.", ["CAPC-HE-026", "CAPC-HE-024", "CAPC-HE-025"])
    given: dict[str, Any] = {**layer, "weights": weights, "public_key": public_key, "binding": _BINDING}
    made = test.run("he_respond", request=request, seed=test.seed(), **given)
    response = made["response"]
    test = group.test("decrypt_batch", "The response of the reference, opened.", ["CAPC-HE-027", "CAPC-HE-025"])
    shares = test.run("he_decrypt_batch", secret_key=key.packed(), response=response, **layer)["shares"]
    modulus, unit = 1 << context.plain_bits, 1 << context.guard_bits
    for own, theirs, query in zip(made["garbler"], shares, queries, strict=True):
        product = multiply(operator, weights, query, context.logit_bits)
        pairs = zip(own, theirs, strict=True)
        opened = [(a + b + unit // 2) % modulus // unit for a, b in pairs]
        expect_equal(opened, product, "the batch")
    group.case(
        "he_respond",
        "respond_one_seed_twice",
        "Both ciphertexts have one seed.",
        ["CAPC-HE-019", "CAPC-ERR-002"],
        ["OutOfRange"],
        request=Edited(request, {"at": len(request) - SEED_BYTES, "replace": _first_seed(request).hex()}),
        seed=group.source.step_seed("respond_one_seed_twice/0/seed"),
        fault=Fault("value_out_of_range", SENDER),
        **given,
    )


def _first_seed(request: bytes) -> bytes:
    return request[len(request) // 2 - SEED_BYTES : len(request) // 2]


def _offers(group: GroupBuilder, key: FixedKey) -> None:
    bits = key.context.logit_bits
    for name, operator, count in (*_SMALL, ("batch", *_BATCH)):
        full = f"encrypt_{name}_of_{count}"
        test = group.test(full, "A request of its own; opened by whoever judges.", ["CAPC-HE-017", "CAPC-HE-023"])
        queries = _queries_of(group, full, operator, count, bits)
        fields: dict[str, Any] = {"operator": document(operator), "queries": queries}
        expect_equal(test.run("he_encrypt", secret_key=key.packed(), **fields), {"holds": True}, full)
    test = group.test("new_key", "A secret key of its own, and the public key that follows.", ["CAPC-HE-021"])
    expect_equal(test.run("he_new_key", binding=_BINDING, seed=test.seed()), {"holds": True}, "new_key")
