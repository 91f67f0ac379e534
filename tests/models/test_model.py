"""The quantised model against numpy's unbounded integers, and a range analysis that is exactly as strict as needed."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.models.model import QuantisedLayer, QuantisedModel, dense_model
from capc.models.operators import apply
from support.builders import models, queries

SIZES = st.lists(st.integers(1, 4), min_size=2, max_size=4)


def logits_by_numpy(model: QuantisedModel, features: list[int]) -> list[int]:
    values = np.array(features, dtype=object)
    for number, layer in enumerate(model.layers):
        values = np.array(layer.weights, dtype=object) @ values + np.array(layer.biases, dtype=object)
        if number < len(model.layers) - 1:
            values = np.array([max(z, 0) // (1 << model.fraction_bits) for z in values], dtype=object)
    return [int(value) for value in values]


@pytest.mark.slow
@pytest.mark.req("CAPC-PARAM-042")
@given(st.data(), SIZES, st.integers(0, 6), st.sampled_from([12, 20, 37]))
def test_logits_are_those_of_numpy(data: st.DataObject, sizes: list[int], fraction: int, logit_bits: int) -> None:
    model = data.draw(models(sizes, fraction, logit_bits))
    features = data.draw(queries(sizes[0], fraction))
    assert model.logits(features) == logits_by_numpy(model, features)
    assert model.layer_sizes == tuple(sizes)


@pytest.mark.req("CAPC-PARAM-030")
@given(st.data(), SIZES, st.integers(0, 4), st.integers(10, 37))
def test_no_sum_of_an_admitted_model_leaves_the_range(
    data: st.DataObject, sizes: list[int], fraction: int, logit_bits: int
) -> None:
    model = data.draw(models(sizes, fraction, logit_bits))
    model.check_ranges(logit_bits)
    values = data.draw(queries(sizes[0], fraction))
    for stage, layer in zip(model.architecture.stages, model.layers, strict=True):
        sums = [
            total + bias for total, bias in zip(apply(stage.operator, layer.weights, values), layer.biases, strict=True)
        ]
        assert max(map(abs, sums)) < 1 << (logit_bits - 2)
        values = [max(z, 0) >> fraction for z in sums]


@pytest.mark.req("CAPC-PARAM-030")
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=4), st.integers(-300, 300), st.integers(0, 3))
@example([255, 0], 0, 2)
@example([-256, 0], 0, 2)
def test_range_analysis_of_a_layer_is_tight(weights: list[int], bias: int, fraction: int) -> None:
    """The bound is reached by the features +-1 with the signs of the weights: refused exactly when it is too large.

    A weight of 255 quarters is the largest that 12 bits hold, and 256 is one too many.
    """
    model = dense_model((QuantisedLayer((tuple(weights),), (bias,)),), fraction)
    one = 1 << fraction
    largest = max(abs(model.logits(list(corner))[0]) for corner in itertools.product((-one, one), repeat=len(weights)))
    for logit_bits in range(3, 20):
        if largest < 1 << (logit_bits - 2):
            model.check_ranges(logit_bits)
        else:
            needed = largest.bit_length() + 2
            with pytest.raises(InputError, match=rf"layer 0 .* needs {needed} bits .* has {logit_bits}: .* weight"):
                model.check_ranges(logit_bits)


def test_second_layer_is_named_and_its_bound_is_reached() -> None:
    """Hidden unit: 4 * 4 + 0 = 16, truncated to 4; logit: 256 * 4 = 1024 = 2^(12 - 2), one too many."""
    hidden = QuantisedLayer(((4,),), (0,))
    model = dense_model((hidden, QuantisedLayer(((256,), (0,)), (0, 0))), 2)
    assert model.logits([4]) == [1024, 0]
    with pytest.raises(InputError, match="layer 1 of the model needs 13 bits"):
        model.check_ranges(12)
    smaller = dense_model((hidden, QuantisedLayer(((255,), (0,)), (3, 0))), 2)
    assert smaller.logits([4]) == [1023, 0]
    smaller.check_ranges(12)


@pytest.mark.req("CAPC-PARAM-042")
@given(st.integers(-(1 << 20), 1 << 20), st.integers(0, 10))
def test_truncation_floors_and_cuts_negatives(z: int, fraction: int) -> None:
    model = dense_model((QuantisedLayer(((0,),), (z,)), QuantisedLayer(((1,),), (0,))), fraction)
    expected = 0 if z < 0 else Fraction(z, 1 << fraction).__floor__()
    assert model.logits([0]) == [expected]


@pytest.mark.parametrize(
    ("weights", "biases"),
    [
        pytest.param((), (), id="no outputs"),
        pytest.param(((),), (0,), id="no inputs"),
        pytest.param(((1, 2), (3,)), (0, 0), id="ragged rows"),
        pytest.param(((1, 2), (3, 4)), (0, 0, 0), id="three biases for two outputs"),
    ],
)
def test_malformed_layers_are_refused(weights: tuple[tuple[int, ...], ...], biases: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="one bias per row"):
        QuantisedLayer(weights, biases)


def test_malformed_models_are_refused() -> None:
    with pytest.raises(InputError, match="without layers"):
        dense_model((), 2)
    two_to_one, two_to_two = QuantisedLayer(((1, 1),), (0,)), QuantisedLayer(((1, 1), (1, 1)), (0, 0))
    with pytest.raises(InputError, match="layer 1: the weights do not fit the operator: give 2 rows of 1"):
        dense_model((two_to_one, two_to_two), 2)
    with pytest.raises(InputError, match="layer 0: 4 biases do not fit the operator: give 2, or 2"):
        dense_model((QuantisedLayer(((1,), (1,)), (0,) * 4),), 2)
    with pytest.raises(ValueError, match="shorter"):
        dense_model((two_to_two,), 2).logits([1])


def test_a_model_shows_its_shape_only() -> None:
    model = dense_model((QuantisedLayer(((987654, -987654),), (123456,)),), 2)
    assert "layers=(<QuantisedLayer 2->1>,), fraction_bits=2)" in repr(model)
    assert "987654" not in repr(model)
    assert "123456" not in repr(model)
