"""Results are exact modulo 2^l, for every shape, width and magnitude."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.randomness import RandomSource
from capc.linear.bfv import blinding
from capc.models.operators import Convolution, Dense, Grid, Matrix, Operator
from linear.strategies import convolutions
from linear.support import Rows, Setting, altered
from support.sizes import examples

NAMES = ["default", "fast", "test", "toy"]
MOST_BITS = 28


def _weights(kind: str, setting: Setting, operator: Operator, label: str) -> Matrix:
    # Wider weights could make more noise than the flooding of the fast set covers, and are refused.
    width = MOST_BITS if setting.widths.name == "fast" else setting.widths.logit_bits
    constants = {
        "lowest": -(1 << (width - 1)),
        "highest": (1 << (width - 1)) - 1,
        "minus one": -1,
        "all zero": 0,
        "beyond the ring": (3 << width) - 5,
    }
    if kind in constants:
        return ((constants[kind],) * operator.columns,) * operator.rows
    rows = setting.weights(operator, label, width)
    zeros = (0,) * operator.columns
    return tuple(zeros if kind == "zero rows" and index % 2 == 0 else row for index, row in enumerate(rows))


KINDS = ["uniform", "zero rows", "lowest", "highest", "minus one", "all zero", "beyond the ring"]


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("name", NAMES)
@given(
    shape=st.builds(Dense, st.integers(1, 90), st.integers(1, 70)),
    kind=st.sampled_from(KINDS),
    label=st.text(alphabet="abcdef", min_size=4, max_size=8),
)
@settings(max_examples=25, deadline=None)
def test_exact_for_any_shape_and_kind_of_weights(name: str, shape: Dense, kind: str, label: str) -> None:
    _check(name, shape, 1, kind, label)


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
    setting, shape = altered(name), Dense(inputs, outputs)
    weights = setting.weights(shape, "weights", setting.widths.logit_bits)
    vector, addend = setting.elements(inputs, "vector"), setting.elements(outputs, "addend")
    assert setting.run(weights, vector, addend) == setting.expected(weights, vector, addend)


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("zero_half", ["left", "right", "both"])
def test_exact_when_a_block_of_several_is_all_zero(zero_half: str) -> None:
    setting, shape = altered("test"), Dense(4200, 2)
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


@pytest.mark.req("CAPC-HE-001", "CAPC-HE-003")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("highest", [False, True])
def test_exact_under_the_largest_flooding_noise(name: str, highest: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def extreme(source: RandomSource, count: int, bits: int) -> list[int]:
        return [(1 << bits) - 1 if highest else -(1 << bits)] * count

    monkeypatch.setattr(blinding, "flooding_noise", extreme)
    setting, shape = altered(name), Dense(90, 80)
    weights = _weights("uniform", setting, shape, "weights")
    setting.check(shape, weights, setting.rows(1, 90, "vector"), setting.rows(1, 80, "addend"))


@pytest.mark.req("CAPC-HE-001")
def test_one_request_serves_several_layers_and_public_key_readers() -> None:
    setting, shape = altered("default"), Dense(20, 3)
    vector, addend = setting.elements(20, "vector"), setting.elements(3, "addend")
    request = setting.scheme.encrypt(setting.secret_key, shape, [vector])
    for party in ("first", "second"):
        weights = setting.weights(shape, party, 14)
        reader = replace(setting, public_key=setting.scheme.read_public_key(setting.public_payload))
        (result,) = reader.results(shape, weights, request, [addend], party)
        assert result == setting.expected(weights, vector, addend)


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("name", NAMES)
@given(operator=convolutions(12, 4), kind=st.sampled_from(KINDS), label=st.text(alphabet="abcdef", min_size=4))
@settings(max_examples=examples(ordinary=20, nightly=1000), deadline=None)
def test_exact_for_any_convolution_and_kind_of_weights(name: str, operator: Convolution, kind: str, label: str) -> None:
    _check(name, operator, 1, kind, label)


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("name", ["default", "fast"])
@pytest.mark.parametrize(
    "operator",
    [
        pytest.param(Convolution(Grid(3, 5, 4, (1, 1)), 2), id="single tap"),
        pytest.param(Convolution(Grid(3, 8, 8, (1, 1), stride=(2, 2)), 6), id="single tap with a stride"),
        pytest.param(Convolution(Grid(2, 7, 7, (7, 7)), 5), id="kernel as large as the image"),
        pytest.param(Convolution(Grid(2, 9, 11, (2, 2), stride=(4, 5)), 3), id="stride larger than the kernel"),
        pytest.param(Convolution(Grid(6, 8, 8, (3, 3), padding=(1, 1)), 6, 6), id="depthwise"),
        pytest.param(Convolution(Grid(4, 8, 8, (3, 3), padding=(1, 1)), 12, 4), id="depthwise with a multiplier"),
        pytest.param(Convolution(Grid(2, 3, 3, (2, 2), padding=(5, 5)), 2), id="windows in the padding only"),
        pytest.param(Convolution(Grid(1, 1, 1, (1, 1), stride=(2, 2), padding=(1, 1)), 1), id="nothing is read"),
        pytest.param(Convolution(Grid(1, 1, 9000, (1, 3), padding=(0, 1)), 2), id="longer than a polynomial"),
        pytest.param(Convolution(Grid(1, 100, 97, (3, 3), padding=(1, 1)), 2), id="larger than a polynomial"),
        pytest.param(Convolution(Grid(40, 16, 16, (3, 3), padding=(1, 1)), 3), id="channels of several ciphertexts"),
        pytest.param(Convolution(Grid(1, 28, 28, (5, 5)), 5), id="first layer of a small network"),
    ],
)
def test_exact_for_named_convolutions(name: str, operator: Convolution) -> None:
    _check(name, operator)


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("kind", ["all zero", "zero rows"])
def test_exact_when_kernels_are_all_zero(kind: str) -> None:
    _check("fast", Convolution(Grid(2, 20, 20, (3, 3), padding=(1, 1)), 11), 1, kind)


@pytest.mark.slow
@given(operator=st.one_of(convolutions(9, 3), st.builds(Dense, st.integers(1, 50), st.integers(1, 20))), data=st.data())
@settings(max_examples=100, deadline=None)
def test_products_in_the_clear_wrap_as_integers_do(operator: Operator, data: st.DataObject) -> None:
    setting = altered("default", logit_bits=data.draw(st.sampled_from([14, 31, 32, 33, 37])))
    label = data.draw(st.text(alphabet="ab", max_size=9))
    weights = setting.weights(operator, label, 40)
    vectors = setting.rows(data.draw(st.integers(1, 4)), operator.inputs, label)
    _check_in_the_clear(setting, operator, weights, vectors)


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("name", NAMES)
@given(
    operator=st.one_of(convolutions(7, 3), st.builds(Dense, st.integers(1, 90), st.integers(1, 70))),
    count=st.one_of(st.integers(1, 20), st.sampled_from([63, 64, 65])),
    kind=st.sampled_from(KINDS),
    label=st.text(alphabet="abcdef", min_size=4),
)
@settings(max_examples=examples(ordinary=8, nightly=600), deadline=None)
def test_exact_for_any_batch(name: str, operator: Operator, count: int, kind: str, label: str) -> None:
    _check(name, operator, count, kind, label)


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("name", ["default", "fast"])
@pytest.mark.parametrize(
    ("operator", "count"),
    [
        pytest.param(Dense(64, 32), 64, id="first layer of a small network"),
        pytest.param(Dense(784, 128), 5, id="several columns and rows"),
        pytest.param(Dense(3000, 3), 9, id="several groups"),
        pytest.param(Dense(1, 1), 9000, id="more queries than coefficients"),
        pytest.param(Convolution(Grid(1, 28, 28, (5, 5)), 5), 7, id="images"),
        pytest.param(Convolution(Grid(1, 70, 61, (3, 3), padding=(1, 1)), 2), 5, id="tiles of several queries"),
        pytest.param(Convolution(Grid(16, 8, 8, (3, 3), (2, 2), (1, 1)), 8, 4), 11, id="groups of channels"),
    ],
)
def test_exact_for_named_batches(name: str, operator: Operator, count: int) -> None:
    _check(name, operator, count)


def _check(name: str, operator: Operator, count: int = 1, kind: str = "uniform", label: str = "batch") -> None:
    """A batch under encryption, and its products in the clear."""
    setting = altered(name)
    weights, vectors = _weights(kind, setting, operator, label), setting.rows(count, operator.inputs, label + "/x")
    setting.check(operator, weights, vectors, setting.rows(count, operator.outputs, label + "/a"), label)
    _check_in_the_clear(setting, operator, weights, vectors)


def _check_in_the_clear(setting: Setting, operator: Operator, weights: Matrix, vectors: Rows) -> None:
    expected = [setting.expected(weights, vector, [0] * operator.outputs, operator) for vector in vectors]
    assert setting.scheme.multiply(setting.scheme.prepare(operator, weights), vectors) == expected


@pytest.mark.req("CAPC-HE-001", "CAPC-HE-013")
@pytest.mark.parametrize("count", [1, 16])
def test_a_request_serves_every_operator_of_its_layout(count: int) -> None:
    setting, operators = altered("default"), (Dense(64, 32), Dense(64, 48), Dense(64, 17))
    vectors = setting.rows(count, 64, "x")
    request = setting.scheme.encrypt(setting.secret_key, operators[0], vectors)
    for operator in operators:
        assert setting.scheme.request_layout(operator, count) == setting.scheme.request_layout(operators[0], count)
        weights, addends = setting.weights(operator, "w", 14), setting.rows(count, operator.outputs, "a")
        results = setting.results(operator, weights, request, addends, "f")
        assert results == [setting.expected(weights, *query) for query in zip(vectors, addends, strict=True)]
