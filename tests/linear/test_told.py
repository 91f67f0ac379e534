"""Section 15 suffices: layouts, polynomials, expansions and the vectors of `he.json` from its words alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.randomness import Seed, XofSource
from capc.linear.bfv import BfvLinear
from capc.linear.bfv.context import context_for
from capc.linear.bfv.encoding.polynomials import Encoding, encode_inputs
from capc.linear.bfv.encoding.tiling import tile
from capc.linear.bfv.scheme import costs_for
from capc.linear.bfv.wire.seal_format import make_seeded_ciphertext, read_pair
from capc.models.operators import Convolution, Dense, Grid, Operator
from capc.session.widths import ParameterSet
from capc_spec.registry import TAGS
from capc_verify.vectors.operations.worked.told_expansion import expanded
from capc_verify.vectors.text.encodings import SHAPES
from linear.told_bfv import (
    Responder,
    errors,
    joined,
    largest_primes,
    nearest,
    opened_response,
    read,
    ternary,
    times,
    width,
    written,
)
from linear.told_layouts import Layout, best_layout, input_polynomial, output_places, weight_polynomial
from support.sections import rows_after, section

TEXT = section("15-encryption.md")
CONTEXT = context_for(ParameterSet.named("default"))
WIDTHS = [width(prime) for prime in CONTEXT.data_primes]
DEGREE = CONTEXT.degree


@st.composite
def operators(draw: st.DrawFn) -> Operator:
    if draw(st.booleans()):
        return Dense(draw(st.integers(1, 300)), draw(st.integers(1, 90)))
    pair = lambda least, most: (draw(st.integers(least, most)), draw(st.integers(least, most)))  # noqa: E731
    kernel, dilation, padding = pair(1, 3), pair(1, 3), pair(0, 3)
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    sizes = [max(1, span - 2 * pad) + draw(st.integers(0, 9)) for span, pad in zip(spans, padding, strict=True)]
    groups = draw(st.integers(1, 2))
    grid = Grid(groups * draw(st.integers(1, 3)), *sizes, kernel, pair(1, 3), padding, dilation)
    return Convolution(grid, groups * draw(st.integers(1, 9)), groups)


def same_layout(told: Layout, operator: Operator, count: int) -> Encoding:
    made = Encoding(tile(operator, count, DEGREE, costs_for(CONTEXT)))
    layout = made.tiling.layout
    assert (*told.tile, told.channels, told.signals) == (
        layout.tile_down,
        layout.tile_right,
        layout.block_channels,
        layout.group_signals,
    )
    return made


@pytest.mark.req("CAPC-HE-022", "CAPC-HE-023", "CAPC-HE-024", "CAPC-HE-025")
@given(operator=operators(), count=st.integers(1, 5), data=st.data())
@settings(max_examples=25, deadline=None)
def test_layouts_and_polynomials(operator: Operator, count: int, data: st.DataObject) -> None:
    told = best_layout(operator, DEGREE, count, WIDTHS)
    made = same_layout(told, operator, count)
    values = np.arange(1, count * operator.inputs + 1, dtype=np.uint64).reshape(count, -1)
    weights = np.arange(1, operator.rows * operator.columns + 1, dtype=np.uint64).reshape(operator.rows, -1)
    columns, rows = len(told.columns()), len(told.rows_of_blocks())
    inputs = list(encode_inputs(made.tiling.layout, values))
    assert len(inputs) == len(told.groups()) * columns
    group, column = data.draw(st.integers(0, len(told.groups()) - 1)), data.draw(st.integers(0, columns - 1))
    row = data.draw(st.integers(0, rows - 1))
    assert input_polynomial(told, group, column, values.tolist()) == inputs[group * columns + column].tolist()
    polynomials = list(made.encode_weights(weights, made.tiling.rows[row]))
    assert weight_polynomial(told, row, column, weights.tolist()) == polynomials[column].tolist()
    response = made.responses[group * rows + row]
    carried = list(zip(response.positions.tolist(), response.outputs.tolist(), strict=True))
    assert output_places(told, group, row) == carried


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-022")
@pytest.mark.parametrize("outputs", [4, 5, 16, 17, 24, 32, 33, 64, 65, 100, 128, 129])
def test_layouts_at_the_classes_of_outputs(outputs: int) -> None:
    for inputs in (5, 64, 300, 784):
        for count in (1, 7, 64):
            operator = Dense(inputs, outputs)
            same_layout(best_layout(operator, DEGREE, count, WIDTHS), operator, count)


@pytest.mark.req("CAPC-HE-022")
def test_layouts_that_are_printed() -> None:
    rows = rows_after(TEXT, "tilings")
    assert len(rows) == len(SHAPES)
    for row, (name, operator, count) in zip(rows, SHAPES, strict=True):
        told = best_layout(operator, DEGREE, count, WIDTHS)
        groups, blocks = len(told.groups()), told.rows_of_blocks()
        cut = f"{told.tile[0]} x {told.tile[1]}", told.channels, told.signals, told.block, len(blocks[0])
        assert row == [str(x) for x in (name, count, *cut, groups * len(told.columns()), groups * len(blocks))]


@pytest.mark.req("CAPC-HE-023", "CAPC-HE-024", "CAPC-HE-025")
def test_the_example_that_is_printed() -> None:
    shown = {what: int(at) for what, at in rows_after(TEXT, "encoding")}
    told = best_layout(Dense(2, 3), DEGREE, 2, WIDTHS)
    inputs = input_polynomial(told, 0, 0, [[1, 2], [3, 4]])
    weights = weight_polynomial(told, 0, 0, [[1, 2], [3, 4], [5, 6]])
    places = [f"{name}_{i}, of query {query}" for query, name in enumerate("xy") for i in range(2)]
    wanted = {what: inputs.index(value + 1) for value, what in enumerate(places)}
    wanted |= {f"w_{i},{j}": weights.index(2 * i + j + 1) for i in range(3) for j in range(2)}
    wanted |= {f"output {index % 3} of query {index // 3}": at for at, index in output_places(told, 0, 0)}
    assert shown == wanted


SEVERAL = ParameterSet("several", 12, 10, 1, 2, 8, 4096, (44, 24, 24, 17))
"""Three primes of q, two of them of equal bits."""


@pytest.mark.req("CAPC-HE-018")
def test_primes() -> None:
    for widths in (ParameterSet.named("default"), ParameterSet.named("conservative"), SEVERAL):
        assert list(context_for(widths).key_primes) == largest_primes(widths.he_coefficient_bits, widths.he_poly_degree)
    for degree, bits, prime, size in rows_after(TEXT, "primes"):
        assert largest_primes([int(bits)], int(degree)) == [int(prime)]
        assert width(int(prime)) == int(size)


@pytest.mark.req("CAPC-HE-020")
def test_expansions() -> None:
    rows = expanded(bytes(range(64)), CONTEXT.data_primes, DEGREE)
    for number, *values in rows_after(TEXT, "expansion"):
        assert [str(row[int(number)]) for row in rows] == values
    nothing = np.zeros((2, DEGREE), dtype=np.uint64)
    made = read_pair(make_seeded_ciphertext(CONTEXT, nothing, bytes(range(64))), 2, DEGREE)
    assert made[1].tolist() == rows


def _cases() -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    file = Path(__file__).parents[2] / "spec" / "capc_spec" / "vectors" / "he.json"
    for group in json.loads(file.read_text("utf-8"))["testGroups"]:
        for test in group["tests"]:
            for operation in test["operations"]:
                if operation["op"] != "he_round_trip":
                    yield group, test, operation


ALL = list(_cases())
CASES = [case for case in ALL if "out" in case[2]["expect"]]
REFUSED = [case for case in ALL if "error" in case[2]["expect"]]


def refused(payload: bytes, rows: list[tuple[Sequence[int], int]]) -> str | None:
    """The code for a payload of remainders: for each row of polynomials its primes and coefficients."""
    if len(payload) != sum(count * sum(map(width, primes)) for primes, count in rows):
        return "malformed_length"
    at = 0
    for primes, count in rows:
        for prime in primes:
            words = (payload[at + i * width(prime) :][: width(prime)] for i in range(count))
            if any(int.from_bytes(word, "little") >= prime for word in words):
                return "value_out_of_range"
            at += count * width(prime)
    return None


class Told:
    """One operation of the vectors, from words."""

    def __init__(self, group: dict[str, Any], given: dict[str, Any]) -> None:
        self.group, self.given, fields = group, given, group["params"]
        self.bits, self.guard = fields["logit_bits"], fields["guard_bits"]
        self.plain_bits, self.degree = self.bits + self.guard, fields["he_poly_degree"]
        self.primes = largest_primes(fields["he_coefficient_bits"], self.degree)[:-1]
        self.p = self.primes[0]

    def data(self, name: str) -> bytes:
        value = self.given[name]
        if isinstance(value, str):
            return bytes.fromhex(value)
        found, edit = bytes.fromhex(self.group["blobs"][value["blob"]]), value.get("edit")
        if edit is None:
            return found
        if "truncate" in edit or "append" in edit:
            return found[: len(found) - edit.get("truncate", 0)] + bytes.fromhex(edit.get("append", ""))
        return found[: edit["at"]] + (new := bytes.fromhex(edit["replace"])) + found[edit["at"] + len(new) :]

    def layout(self, inputs: int, outputs: int, count: int = 1) -> Layout:
        return best_layout(Dense(inputs, outputs), self.degree, count, [width(prime) for prime in self.primes])

    @property
    def secret(self) -> list[int]:
        return [(0, 1, -1)[byte >> shift & 3] for byte in self.data("secret_key") for shift in (0, 2, 4, 6)]

    def half(self) -> list[list[int]]:
        seed = hashlib.shake_256(TAGS["public-key"] + self.data("binding")).digest(64)
        return expanded(seed, self.primes, self.degree)

    def stream(self, label: bytes, length: int) -> bytes:
        seed = self.start(32)
        return hashlib.shake_256(TAGS["xof"] + b"\x20" + seed + label).digest(length)

    def start(self, length: int) -> bytes:
        return hashlib.shake_256(TAGS["xof"] + b"\x20" + self.data("seed") + b"he").digest(length)

    def refusal(self, operation: str) -> str | None:
        if operation == "he_decrypt":
            layout = self.layout(self.given["inputs"], self.given["outputs"])
            heads = [len(output_places(layout, 0, row)) for row in range(len(layout.rows_of_blocks()))]
            sizes = [size for head in heads for size in (head, self.degree)]
            return refused(self.data("response"), [([self.p], size) for size in sizes])
        layout = self.layout(len(self.given["weights"][0]), len(self.given["weights"]))
        part = self.degree * sum(map(width, self.primes)) + 64
        request = self.data("request")
        ciphertexts = [request[at : at + part] for at in range(0, part * len(layout.columns()), part)]
        rows = [(self.primes, self.degree)]
        if len(request) != part * len(ciphertexts):
            return "malformed_length"
        codes = [refused(self.data("public_key"), rows), *(refused(each[:-64], rows) for each in ciphertexts)]
        twice = len({each[-64:] for each in ciphertexts}) < len(ciphertexts)
        return next(filter(None, [*codes, "value_out_of_range" if twice else None]), None)

    def he_lengths(self) -> dict[str, Any]:
        layout = self.layout(self.given["inputs"], self.given["outputs"], self.given["count"])
        key = self.degree * sum(map(width, self.primes))
        groups, outputs = len(layout.groups()), self.given["count"] * self.given["outputs"]
        response = width(self.p) * (groups * len(layout.rows_of_blocks()) * self.degree + outputs)
        return {"public_key": key, "request": groups * len(layout.columns()) * (key + 64), "response": response}

    def he_public_key(self) -> dict[str, Any]:
        drawn = errors(self.start(6 * self.degree))
        rows = [times(row, self.secret, prime) for row, prime in zip(self.half(), self.primes, strict=True)]
        first = [
            [-(a + e) % prime for a, e in zip(row, drawn, strict=True)]
            for row, prime in zip(rows, self.primes, strict=True)
        ]
        made = written(first, self.primes)
        expected = self.group["blobs"]
        return {"public_key": next({"blob": name} for name, value in expected.items() if value == made.hex())}

    def he_masks(self) -> dict[str, Any]:
        responder = Responder(self.layout(1, 1), self.primes, self.plain_bits, (), self.stream)
        masks = responder._masks(self.given["number"].to_bytes(4, "little"), self.given["count"])
        return {"masks": list(map(str, masks)), "shares": self.shares(masks)}

    def he_shares(self) -> dict[str, Any]:
        return {"shares": self.shares(map(int, self.given["masks"]))}

    def shares(self, masks) -> list[str]:
        return [str(nearest(self.p - mask, self.p, self.plain_bits)) for mask in masks]

    def he_open(self) -> dict[str, Any]:
        evaluator, garbler = (list(map(int, self.given[name])) for name in ("evaluator", "garbler"))
        made = self.opened(evaluator, garbler)
        return {name: list(map(str, row)) for name, row in made.items()}

    def opened(self, evaluator: list[int], garbler: list[int]) -> dict[str, list[int]]:
        h, room = self.guard, 3 * 2 ** (self.guard - 2)
        theirs = [share >> h - 1 for share in evaluator]
        own = [(share + room) % 2**self.plain_bits >> h - 1 for share in garbler]
        opened = [(a + b) % 2 ** (self.bits + 1) >> 1 for a, b in zip(theirs, own, strict=True)]
        return {"evaluator_words": theirs, "garbler_words": own, "opened": opened}

    def he_decrypt(self) -> dict[str, Any]:
        layout = self.layout(self.given["inputs"], self.given["outputs"])
        made = opened_response(layout, self.data("response"), self.secret, self.p, self.plain_bits)
        return {"shares": [str(made[index]) for index in sorted(made)]}

    def he_evaluate(self) -> dict[str, Any]:
        weights = [[int(weight) for weight in row] for row in self.given["weights"]]
        layout = self.layout(len(weights[0]), len(weights))
        rows = read(self.data("public_key"), self.primes, self.degree), self.half()
        key = [joined(half, self.primes) for half in rows]
        responder = Responder(layout, self.primes, self.plain_bits, key, self.stream)
        half = 2 ** (self.bits - 1)
        signed = [[(weight + half) % (2 * half) - half for weight in row] for row in weights]
        response, own = responder.respond(self.data("request"), signed)
        theirs = opened_response(layout, response, self.secret, self.p, self.plain_bits)
        pair = [theirs[index] for index in sorted(theirs)], [own[index] for index in sorted(own)]
        opened = self.opened(*pair)["opened"]
        shown = {"evaluator": pair[0], "garbler": pair[1], "opened": opened}
        digest = hashlib.sha256(response).hexdigest()
        return {name: list(map(str, row)) for name, row in shown.items()} | {"response_digest": digest}


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-019", "CAPC-HE-020", "CAPC-HE-021", "CAPC-HE-026", "CAPC-HE-027")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[1]["name"])
def test_vectors_follow_from_the_words(case: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]) -> None:
    group, _, operation = case
    made = getattr(Told(group, operation["in"]), operation["op"])()
    assert made == operation["expect"]["out"]


@pytest.mark.req("CAPC-HE-019")
@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[1]["name"])
def test_what_is_refused_follows_from_the_words(case: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]) -> None:
    """Length first, then remainders, and of a request one seed twice."""
    group, _, operation = case
    told = Told(group, operation["in"])
    assert told.refusal(operation["op"]) == operation["expect"]["error"]["code"]


def test_all_operations_of_the_vectors_are_told() -> None:
    assert {operation["op"] for _, _, operation in CASES} == {name for name in vars(Told) if name.startswith("he_")}


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-026", "CAPC-HE-027")
@pytest.mark.parametrize("operator", [Dense(90, 60), Convolution(Grid(2, 24, 19, (3, 2), (2, 1), (1, 0)), 9)])
def test_a_response_of_several_primes_and_ciphertexts(operator: Operator) -> None:
    scheme, primes, degree = BfvLinear(SEVERAL), context_for(SEVERAL).data_primes, SEVERAL.he_poly_degree
    secret, seed, binding = scheme.generate_secret_key(), bytes(range(32)), b"binding"
    source = XofSource(Seed(seed), b"several")
    payload = scheme.public_key(secret, binding, source)
    weights = tuple(tuple((7 * i + j) % 19 - 9 for j in range(operator.columns)) for i in range(operator.rows))
    request = scheme.encrypt(secret, operator, [[(i * j) % 4096 for j in range(operator.inputs)] for i in (3, 5)])
    key = scheme.read_public_key(payload, binding)
    own, response = scheme.evaluate(key, scheme.prepare(operator, weights), request, 2, XofSource(Seed(seed), b"one"))
    response_seed = XofSource(Seed(seed), b"one").read(32)

    def stream(label: bytes, length: int) -> bytes:
        return XofSource(Seed(response_seed), label).read(length)

    half = expanded(hashlib.shake_256(TAGS["public-key"] + binding).digest(64), primes, degree)
    pair = joined(read(payload, primes, degree), primes), joined(half, primes)
    layout = best_layout(operator, degree, 2, [width(prime) for prime in primes])
    told, shares = Responder(layout, primes, SEVERAL.share_bits, pair, stream).respond(request, weights)
    assert len(layout.columns()) * len(layout.rows_of_blocks()) * len(layout.groups()) > 1
    assert told == response
    assert [shares[index] for index in sorted(shares)] == [share for row in own for share in row]


@pytest.mark.req("CAPC-HE-026")
def test_bytes_of_255_are_drawn_again() -> None:
    assert ternary(bytes([0, 255, 1, 2, 254]), 4) == [0, 1, -1, -1]
