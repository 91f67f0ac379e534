"""Results are exact modulo 2^l, for every shape, width and magnitude."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from capc.foundation.guarded import evaluator_word, garbler_word
from capc.linear.bfv.context import product_context
from capc.linear.bfv.encoding import weights
from capc.models.operators import Convolution, Dense, Grid, Matrix, Operator
from linear.strategies import convolutions
from linear.support import Rows, Setting, altered
from support.sizes import examples

NAMES = ["conservative", "default", "test", "toy"]


def _weights(kind: str, setting: Setting, operator: Operator, label: str) -> Matrix:
    # Wider weights make more noise than the guard bits have room for, and are refused.
    width = setting.most_bits(operator)
    constants = {
        "lowest": -(1 << (width - 1)),
        "highest": (1 << (width - 1)) - 1,
        "minus one": -1,
        "all zero": 0,
        "beyond the ring": (3 << setting.widths.logit_bits) - 5,
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
        ("conservative", 8193, 1),
        ("conservative", 1, 8193),
        ("default", 4097, 1),
        ("default", 1, 4097),
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
    weights = setting.weights(shape, "weights", setting.most_bits(shape))
    setting.check(shape, weights, [setting.elements(inputs, "vector")])


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("zero_half", ["left", "right", "both"])
def test_exact_when_a_block_of_several_is_all_zero(zero_half: str) -> None:
    setting, shape = altered("test"), Dense(4200, 2)
    nonzero = [1000 if (index < 2100) == (zero_half == "right") else 0 for index in range(shape.inputs)]
    row = tuple(nonzero if zero_half != "both" else [0] * shape.inputs)
    setting.check(shape, (row, row), [setting.elements(shape.inputs, "vector")])


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize(
    ("name", "width"),
    [("default", width) for width in range(3, 38)] + [("test", width) for width in range(3, 33)],
)
def test_exact_at_every_width_with_the_largest_magnitudes(name: str, width: int) -> None:
    setting = altered(name, logit_bits=width, fraction_bits=1)
    top, bottom = (1 << width) - 1, 1 << (width - 1)
    weights = ((-bottom, bottom - 1, 1, 0, -1), (bottom - 1, -bottom, -bottom, 3, 1), (0, 0, 0, 0, 0))
    setting.check(Dense(5, 3), weights, [[top, bottom, top, 1, bottom - 1]])


@pytest.mark.req("CAPC-HE-001")
def test_one_request_serves_several_layers_under_public_keys_of_their_own() -> None:
    setting, shape = altered("default"), Dense(20, 3)
    vector = setting.elements(20, "vector")
    request = setting.request(shape, [vector])
    for party in ("first", "second"):
        weights, binding = setting.weights(shape, party, 14), party.encode()
        payload = setting.scheme.public_key(setting.secret_key, binding, setting.source(party))
        reader = replace(setting, public_key=setting.scheme.read_public_key(payload, binding))
        assert reader.opened(*reader.shares(shape, weights, request, 1, party)) == [setting.expected(weights, vector)]


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("name", NAMES)
@given(operator=convolutions(12, 4), kind=st.sampled_from(KINDS), label=st.text(alphabet="abcdef", min_size=4))
@settings(max_examples=examples(ordinary=20, nightly=1000), deadline=None)
def test_exact_for_any_convolution_and_kind_of_weights(name: str, operator: Convolution, kind: str, label: str) -> None:
    _check(name, operator, 1, kind, label)


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("name", ["conservative", "default"])
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
    _check("default", Convolution(Grid(2, 20, 20, (3, 3), padding=(1, 1)), 11), 1, kind)


@pytest.mark.slow
@given(operator=st.one_of(convolutions(9, 3), st.builds(Dense, st.integers(1, 50), st.integers(1, 20))), data=st.data())
@settings(max_examples=100, deadline=None)
def test_products_in_the_clear_wrap_as_integers_do(operator: Operator, data: st.DataObject) -> None:
    setting = altered("default", logit_bits=data.draw(st.sampled_from([14, 31, 32, 33, 37])))
    label = data.draw(st.text(alphabet="ab", max_size=9))
    ring = 1 << setting.widths.logit_bits
    small = setting.weights(operator, label, setting.most_bits(operator))
    # Read modulo 2^l: also what lies beyond the ring.
    weights = tuple(tuple(weight + (index % 3 - 1) * ring for index, weight in enumerate(row)) for row in small)
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
@pytest.mark.parametrize("name", ["conservative", "default"])
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
    setting.check(operator, weights, vectors, label)
    _check_in_the_clear(setting, operator, weights, vectors)


def _check_in_the_clear(setting: Setting, operator: Operator, weights: Matrix, vectors: Rows) -> None:
    expected = [setting.expected(weights, vector, operator) for vector in vectors]
    assert setting.scheme.multiply(setting.scheme.prepare(operator, weights), vectors) == expected


@pytest.mark.req("CAPC-HE-001", "CAPC-HE-013")
@pytest.mark.parametrize("count", [1, 16])
def test_a_request_serves_every_operator_of_its_layout(count: int) -> None:
    setting, operators = altered("default"), (Dense(64, 32), Dense(64, 48), Dense(64, 17))
    vectors = setting.rows(count, 64, "x")
    request = setting.request(operators[0], vectors)
    for operator in operators:
        assert setting.scheme.request_layout(operator, count) == setting.scheme.request_layout(operators[0], count)
        weights = setting.weights(operator, "w", 14)
        results = setting.opened(*setting.shares(operator, weights, request, count))
        assert results == [setting.expected(weights, vector) for vector in vectors]


LAYERS: dict[str, tuple[Operator, int, int]] = {
    "784 to 128": (Dense(784, 128), 128, 62),
    "3x3, 64 to 64 channels": (Convolution(Grid(64, 16, 16, (3, 3), padding=(1, 1)), 64), 1, 62),
    "64 to 32": (Dense(64, 32), 512, 62),
}
"""Named layers: the operator, queries of a batch, and batches that make a million outputs."""


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-001", "CAPC-HE-017")
@pytest.mark.parametrize("name", ["conservative", "default"])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("values", ["uniform", "extreme"])
def test_no_output_of_a_million_is_wrong(name: str, layer: str, values: str) -> None:
    # Half of the batches with uniform values, half with the largest magnitudes.
    setting, (operator, count, batches) = altered(name), LAYERS[layer]
    source, bits = np.random.default_rng(len(layer)), setting.widths.logit_bits
    for number in range(examples(ordinary=1, nightly=batches // 2)):
        weights = source.integers(-(1 << 14), 1 << 14, (operator.rows, operator.columns))
        vectors = source.integers(0, 1 << bits, (count, operator.inputs), dtype=np.uint64)
        if values == "extreme":
            weights = np.where(weights < 0, -(1 << 14), (1 << 14) - 1)
            vectors = np.array([0, 1, (1 << bits - 1) - 1, 1 << bits - 1, (1 << bits) - 1], np.uint64)[vectors % 5]
        _check_batch(setting, operator, weights, vectors, f"{layer}/{number}")


def _check_batch(
    setting: Setting, operator: Operator, weights: NDArray[np.int64], vectors: NDArray[np.uint64], label: str
) -> None:
    """A batch in arrays; the product in the clear is held against plain integers elsewhere."""
    scheme, widths, count = setting.scheme, setting.widths, len(vectors)
    rows = vectors.tolist()
    prepared = scheme.prepare(operator, tuple(map(tuple, weights.tolist())))
    expected = np.array(scheme.multiply(prepared, rows), dtype=np.uint64)
    request = scheme.encrypt(setting.secret_key, operator, rows)
    own, response = scheme.evaluate(setting.public_key, prepared, request, count, setting.source(label))
    garbler = np.array(own, dtype=np.uint64)
    evaluator = np.array(scheme.decrypt(setting.secret_key, operator, count, response), dtype=np.uint64)
    words = evaluator_word(evaluator, widths.guard_bits) + garbler_word(garbler, widths.logit_bits, widths.guard_bits)
    assert ((words & np.uint64((2 << widths.logit_bits) - 1)) >> np.uint64(1) == expected).all()
    # v in the high bits of 64: the sign is the machine's.
    free = 64 - widths.share_bits
    error = garbler + evaluator - (expected << np.uint64(widths.guard_bits))
    errors = (error << np.uint64(free)).view(np.int64) >> np.int64(free)
    assert int(abs(errors).max()) <= widths.response_error


@pytest.mark.req("CAPC-HE-026")
@pytest.mark.parametrize("operator", [Dense(3, 2), Convolution(Grid(2, 6, 5, (3, 3), padding=(1, 1)), 4)])
def test_ways_to_make_polynomials_of_weights_give_the_same_bytes(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Term by term or as a whole, in the context of products or in that of keys."""
    setting = altered("default")
    matrix = setting.weights(operator, "ways", 12)
    request = setting.scheme.encrypt(setting.secret_key, operator, setting.rows(2, operator.inputs, "ways"))

    def answered() -> object:
        prepared = setting.scheme.prepare(operator, matrix)
        return setting.scheme.evaluate(setting.public_key, prepared, request, 2, setting.source("ways"))

    first = answered()
    monkeypatch.setattr(weights, "FEW_TERMS", 0)
    assert answered() == first
    monkeypatch.setattr(weights, "product_context", lambda context: context)
    assert answered() == first


@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize(("off", "fits"), [(-1, True), (0, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_weights_beyond_the_context_of_products_are_exact(off: int, sign: int, fits: bool) -> None:
    setting = altered("default")
    context, l, h = setting.scheme._context, setting.widths.logit_bits, setting.widths.guard_bits  # noqa: E741
    weight = sign * ((1 << product_context(context).plain_bits - 1) + off)
    prepared = setting.prepare_dense(((weight,),))
    assert (prepared.product_context is product_context(context)) == fits
    (element,) = setting.elements(1, "beyond")
    request = setting.scheme.encrypt(setting.secret_key, Dense(1, 1), [[element]])
    shares, response = setting.scheme.evaluate(setting.public_key, prepared, request, 1, setting.source("beyond"))
    own = setting.scheme.decrypt(setting.secret_key, Dense(1, 1), 1, response)
    opened = evaluator_word(own[0][0], h) + garbler_word(shares[0][0], l, h)
    assert opened % (2 << l) >> 1 == weight * element % (1 << l)
