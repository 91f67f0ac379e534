"""The report: the range of every stage as range analysis has it, and agreement on the rows of the party."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from capc.foundation import fixed_point
from capc.foundation.errors import InputError
from capc.models.importing.evaluate import float_logits, integer_logits
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.lower import lower
from capc.models.importing.quantise import quantisation_report, quantised_layer, rounded
from support.networks import NAMED, Shape, networks, seeded
from support.sizes import examples


@pytest.mark.slow
@settings(max_examples=examples(ordinary=10, nightly=30))
@given(networks())
def test_fast_evaluation_is_that_of_the_model(network: tuple[nn.Module, Shape]) -> None:
    module, shape = network
    model = rounded(lower(graph_from_torch(module, shape)), 8)
    features = np.random.default_rng(2).uniform(-1, 1, (2, model.architecture.inputs))
    queries = [fixed_point.quantise(row.tolist(), 8) for row in features]
    expected = [model.logits(query) for query in queries]
    assert integer_logits(model, queries, exact_in_64_bits=True).tolist() == expected
    assert integer_logits(model, queries, exact_in_64_bits=False).tolist() == expected


@pytest.mark.slow
@pytest.mark.req("CAPC-PARAM-030")
@settings(max_examples=examples(ordinary=10, nightly=30))
@given(networks())
def test_bits_are_those_of_range_analysis_and_no_corner_exceeds_them(network: tuple[nn.Module, Shape]) -> None:
    module, shape = network
    model = rounded(lower(graph_from_torch(module, shape)), 8)
    corners = np.random.default_rng(5).choice([-1 << 8, 1 << 8], (20, model.architecture.inputs))
    logits = integer_logits(model, corners.tolist(), exact_in_64_bits=False)
    assert max(abs(logit) for row in logits for logit in row) < 1 << (model.stage_bits()[-1] - 2)
    needed = max(model.stage_bits())
    model.check_ranges(needed)
    with pytest.raises(InputError, match="could wrap"):
        model.check_ranges(needed - 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
def test_float_logits_are_those_of_the_framework(name: str) -> None:
    module, shape = NAMED[name]
    rows = np.random.default_rng(3).uniform(-1, 1, (4, *shape))
    found = torch.tensor(float_logits(graph_from_torch(module, shape), rows.reshape(4, -1)))
    with torch.no_grad():
        expected = module(torch.tensor(rows))
    if name == "cryptonets_with_relu":
        found = torch.softmax(found, 1)
    torch.testing.assert_close(found, expected)


@pytest.mark.slow
def test_report_of_a_network_that_agrees() -> None:
    module, shape = NAMED["small_resnet"]
    graph = graph_from_torch(module, shape)
    rows = np.random.default_rng(4).uniform(-1, 1, (50, *shape))
    report = quantisation_report(graph, rows, 12, 37)
    assert (report.rows, report.fits) == (50, True)
    assert report.agreement >= 0.98
    assert report.largest_error < 0.01
    assert [stage.place for stage in report.stages][-1] == "8"
    assert report.lines()[2].startswith("stage 0 (0) needs ")
    assert repr(report) == "<QuantisationReport on 50 rows>"


def test_report_counts_rows_that_disagree() -> None:
    """Without fraction bits the weights 0.4 and 0.3 both become 0: the class is then 0 for every row."""
    layer = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.4], [0.3]]))
    graph = graph_from_torch(nn.Sequential(layer), (1,))
    report = quantisation_report(graph, np.array([[1.0], [0.9], [-1.0]]), 0, 12)
    assert (report.agreeing, report.rows) == (2, 3)
    assert report.largest_error == pytest.approx(0.4)
    assert report.lines()[0] == "the same class on 2 of 3 rows"


def test_report_says_which_stage_could_wrap() -> None:
    module, shape = NAMED["mlp"]
    rows = np.zeros((1, 12))
    report = quantisation_report(graph_from_torch(module, shape), rows, 12, 20)
    assert not report.fits
    assert "stage 0 (0) needs 28 of 20 bits: it could wrap" in report.lines()


def test_report_of_sums_beyond_64_bits_is_exact() -> None:
    huge = seeded(nn.Sequential(nn.Linear(2, 2)))
    with torch.no_grad():
        huge[0].weight.mul_(1e12)
    report = quantisation_report(graph_from_torch(huge, (2,)), np.array([[1.0, -1.0], [0.5, 0.25]]), 16, 37)
    assert report.stages[0].bits > 64
    assert report.agreeing == 2


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((0, 12)), "give rows of 12"),
        (np.zeros((2, 11)), "give rows of 12"),
        (np.zeros(12), "give rows of 12"),
        (np.array([[0.0] * 12, [0.0] * 11 + [1.5]]), r"row 1 has a feature outside \[-1, 1\]"),
        (np.array([[np.nan] * 12]), r"row 0 has a feature outside \[-1, 1\]"),
    ],
)
def test_rows_that_do_not_fit_are_refused(features: np.ndarray, message: str) -> None:
    module, shape = NAMED["mlp"]
    with pytest.raises(InputError, match=message):
        quantisation_report(graph_from_torch(module, shape), features, 12, 37)


@pytest.mark.req("CAPC-PARAM-040")
def test_layer_is_rounded_half_to_even() -> None:
    layer = quantised_layer(np.array([[0.125, 0.375], [-0.125, 1.0]]), np.array([0.03125, 0.09375]), 2)
    assert layer.weights == ((0, 2), (0, 4))
    assert layer.biases == (0, 2)


@pytest.mark.req("CAPC-PARAM-041")
def test_layer_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match="not a finite number"):
        quantised_layer(np.array([[np.nan]]), np.array([0.0]), 2)
