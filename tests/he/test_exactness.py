"""Results are exact modulo 2^l, for every shape, width and magnitude."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.linear import LayerShape
from capc.randomness import RandomSource
from he.support import altered

Rows = list[list[int]]

NAMES = ["default", "test", "toy"]


def _uniform(width: int, shape: LayerShape, source: RandomSource) -> Rows:
    half = 1 << (width - 1)
    return [[source.bits(width) - half for _ in range(shape.inputs)] for _ in range(shape.outputs)]


def _rows(kind: str, width: int, shape: LayerShape, source: RandomSource) -> Rows:
    constants = {
        "lowest": -(1 << (width - 1)),
        "highest": (1 << (width - 1)) - 1,
        "minus one": -1,
        "all zero": 0,
        "beyond the ring": (3 << width) - 5,
    }
    if kind in constants:
        return [[constants[kind]] * shape.inputs for _ in range(shape.outputs)]
    rows = _uniform(width, shape, source)
    if kind == "zero rows":
        return [[0] * shape.inputs if index % 2 == 0 else row for index, row in enumerate(rows)]
    return rows


KINDS = ["uniform", "zero rows", "lowest", "highest", "minus one", "all zero", "beyond the ring"]


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("name", NAMES)
@given(
    shape=st.builds(LayerShape, st.integers(1, 90), st.integers(1, 70)),
    kind=st.sampled_from(KINDS),
    label=st.text(alphabet="abcdef", min_size=4, max_size=8),
)
@settings(max_examples=25, deadline=None)
def test_exact_for_any_shape_and_kind_of_weights(name: str, shape: LayerShape, kind: str, label: str) -> None:
    setting = altered(name)
    rows = _rows(kind, setting.widths.logit_bits, shape, setting.source(label))
    weights = tuple(tuple(row) for row in rows)
    vector, addend = setting.elements(shape.inputs, label + "/x"), setting.elements(shape.outputs, label + "/a")
    assert setting.run(weights, vector, addend, label) == setting.expected(weights, vector, addend)


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        ("default", 64, 32),
        ("default", 32, 10),
        ("default", 784, 128),
        ("default", 8193, 1),
        ("default", 1, 8193),
        ("test", 784, 128),
        ("test", 4096, 1),
        ("test", 4097, 3),
        ("test", 1, 4096),
        ("test", 64, 64),
        ("test", 64, 65),
        ("toy", 9000, 2),
        ("toy", 2, 5000),
    ],
)
def test_exact_at_block_borders_and_over_several_blocks(name: str, inputs: int, outputs: int) -> None:
    setting, shape = altered(name), LayerShape(inputs, outputs)
    weights = setting.weights(shape, "weights", setting.widths.logit_bits)
    vector, addend = setting.elements(inputs, "vector"), setting.elements(outputs, "addend")
    assert setting.run(weights, vector, addend) == setting.expected(weights, vector, addend)


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("zero_half", ["left", "right", "both"])
def test_exact_when_a_block_of_several_is_all_zero(zero_half: str) -> None:
    setting, shape = altered("test"), LayerShape(4200, 2)
    nonzero = [1000 if (index < 2100) == (zero_half == "right") else 0 for index in range(shape.inputs)]
    row = tuple(nonzero if zero_half != "both" else [0] * shape.inputs)
    vector, addend = setting.elements(shape.inputs, "vector"), [5, (1 << 32) - 1]
    assert setting.run((row, row), vector, addend) == setting.expected((row, row), vector, addend)


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize(
    ("name", "width"),
    [("default", width) for width in range(3, 38)] + [("test", width) for width in range(3, 33)],
)
def test_exact_at_every_width_with_the_largest_magnitudes(name: str, width: int) -> None:
    setting = altered(name, logit_bits=width, fraction_bits=1)
    top, bottom = (1 << width) - 1, 1 << (width - 1)
    weights = ((-bottom, bottom - 1, 1, 0, -1), (bottom - 1, -bottom, -bottom, 3, 1), (0, 0, 0, 0, 0))
    vector, addend = [top, bottom, top, 1, bottom - 1], [top, bottom, top]
    assert setting.run(weights, vector, addend) == setting.expected(weights, vector, addend)


class ExtremeSource:
    """Gives the end of every range: flooding noise of the largest magnitude on every coefficient."""

    def __init__(self, *, highest: bool) -> None:
        self.highest = highest

    def below(self, bound: int) -> int:
        return bound - 1 if self.highest else 0


@pytest.mark.req("CAPC-HE-001", "CAPC-HE-003")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("highest", [False, True])
def test_exact_under_the_largest_flooding_noise(name: str, highest: bool) -> None:
    setting, shape = altered(name), LayerShape(90, 80)
    width = setting.widths.logit_bits
    weights = setting.weights(shape, "weights", width)
    vector, addend = setting.elements(90, "vector"), setting.elements(80, "addend")
    request = setting.scheme.encrypt(setting.secret_key, shape, vector)
    prepared = setting.scheme.prepare(weights)
    response = setting.scheme.evaluate(setting.public_key, prepared, request, addend, ExtremeSource(highest=highest))
    result = setting.scheme.decrypt(setting.secret_key, shape, response)
    assert result == setting.expected(weights, vector, addend)


@pytest.mark.req("CAPC-HE-001")
def test_one_request_serves_several_layers_and_public_key_readers() -> None:
    setting, shape = altered("default"), LayerShape(20, 3)
    vector, addend = setting.elements(20, "vector"), setting.elements(3, "addend")
    request = setting.scheme.encrypt(setting.secret_key, shape, vector)
    for party in ("first", "second"):
        weights = setting.weights(shape, party, 14)
        public_key = setting.scheme.read_public_key(setting.public_payload)
        response = setting.scheme.evaluate(
            public_key, setting.scheme.prepare(weights), request, addend, setting.source(party)
        )
        result = setting.scheme.decrypt(setting.secret_key, shape, response)
        assert result == setting.expected(weights, vector, addend)
