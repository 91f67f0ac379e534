"""One logit and a sigmoid are two classes: its sign is the label, and a logit of 0 is class 0."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from capc.foundation import fixed_point
from capc.foundation.errors import InputError
from capc.models.importing.evaluate import float_outputs
from capc.models.importing.from_onnx import graph_from_onnx
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.graph import Graph
from capc.models.importing.lower import lower
from capc.models.importing.quantise import quantisation_report, quantise_graph
from support.integers import check, onnx_graph, rows_for
from support.networks import seeded
from support.onnx_files import OnnxWriter
from support.sizes import examples

FLAT, F = (6,), 12
Ending = Callable[[Tensor], Tensor]


class Binary(nn.Module):
    """Two layers with one logit, and what is made of it."""

    def __init__(self, ending: Ending, outputs: int = 1) -> None:
        super().__init__()
        self.first = nn.Linear(6, 5)
        self.last = nn.Linear(5, outputs)
        self.ending = ending

    def logit(self, x: Tensor) -> Tensor:
        return self.last(self.first(x).relu())

    def forward(self, x: Tensor) -> Tensor:
        return self.ending(self.logit(x))


def both(likely: Tensor) -> Tensor:
    return torch.cat([1 - likely, likely], 1)


def stacked(likely: Tensor) -> Tensor:
    return torch.stack([1 - likely, likely], 1)


ENDINGS: dict[str, Ending] = {
    "a column": torch.sigmoid,
    "a squeezed column": lambda z: torch.sigmoid(z).squeeze(1),
    "a squeezed logit": lambda z: torch.sigmoid(z.squeeze(-1)),
    "one row of all": lambda z: torch.sigmoid(z).view(-1),
    "its only entry": lambda z: torch.sigmoid(z)[:, 0],
    "flattened": lambda z: torch.sigmoid(z).flatten(),
    "scaled": lambda z: torch.sigmoid(z / 2 + 0.25),
    "of both classes": lambda z: both(torch.sigmoid(z)),
    "of both, stacked": lambda z: stacked(torch.sigmoid(z[:, 0])),
    "of both, in order": lambda z: both(torch.sigmoid(z)).flatten(1),
}


def logits_of_both(module: Binary, rows: np.ndarray, *, is_scaled: bool) -> np.ndarray:
    with torch.no_grad():
        logit = module.logit(torch.tensor(rows)).numpy()
    return np.concatenate([np.zeros_like(logit), logit / 2 + 0.25 if is_scaled else logit], axis=1)


@pytest.mark.req("CAPC-PARAM-046")
@pytest.mark.parametrize("name", ENDINGS)
def test_a_probability_by_torch_is_two_classes(name: str) -> None:
    module, rows = seeded(Binary(ENDINGS[name]), 3), rows_for(FLAT)
    check(graph_from_torch(module, FLAT), rows, logits_of_both(module, rows, is_scaled=name == "scaled"))


@pytest.mark.req("CAPC-PARAM-046")
@settings(max_examples=examples(ordinary=3, nightly=60), deadline=None)
@given(st.integers(0, 10**6))
def test_labels_are_signs_as_the_framework_rounds_them(seed: int) -> None:
    module, rows = seeded(Binary(torch.sigmoid), seed), rows_for(FLAT, 20)
    graph = graph_from_torch(module, FLAT)
    model = quantise_graph(graph, 20)
    with torch.no_grad():
        likely = module(torch.tensor(rows)).numpy()[:, 0]
    for row, own in zip(rows, likely, strict=True):
        logits = model.logits(fixed_point.quantise(row.tolist(), 20))
        assert logits[0] == 0
        assert abs(own - 0.5) < 1e-4 or (logits[1] > 0) == (own > 0.5)
    report = quantisation_report(graph, rows, 20, 60)
    assert report.agreement == 1 or np.abs(likely - 0.5).min() < 1e-4
    assert report.largest_error < 1e-3


@pytest.mark.req("CAPC-PARAM-046")
def test_a_logit_of_zero_is_the_lowest_class() -> None:
    module = seeded(Binary(torch.sigmoid))
    nn.init.zeros_(module.last.weight)
    nn.init.zeros_(module.last.bias)
    logits = quantise_graph(graph_from_torch(module, FLAT), F).logits([1 << F] * 6)
    assert list(logits) == [0, 0]


def written(made: Callable[[OnnxWriter, str], str], path: Path) -> Graph:
    """A linear layer of one row, and what an exporter writes after it."""
    writer = OnnxWriter()
    product = writer.node("MatMul", "x", writer.constant(np.linspace(-1, 1, 6).reshape(6, 1)))
    logit = writer.node("Add", product, writer.constant(np.array([0.125])))
    return onnx_graph(writer.model(made(writer, logit), FLAT), path)


def of_keras(writer: OnnxWriter, logit: str) -> str:
    return writer.node("Sigmoid", logit)


def of_scikit_learn(writer: OnnxWriter, logit: str) -> str:
    likely = writer.node("Sigmoid", logit)
    return writer.node("Concat", writer.node("Sub", writer.constant(np.array(1.0)), likely), likely, axis=1)


def of_a_view(writer: OnnxWriter, logit: str) -> str:
    return writer.node("Reshape", writer.node("Sigmoid", logit), writer.constant([-1], onnx.TensorProto.INT64))


@pytest.mark.req("CAPC-PARAM-046")
@pytest.mark.parametrize("made", [of_keras, of_scikit_learn, of_a_view])
def test_a_probability_in_a_file_is_two_classes(made: Callable[[OnnxWriter, str], str], tmp_path: Path) -> None:
    rows, graph = rows_for(FLAT), written(made, tmp_path)
    logit = rows @ np.linspace(-1, 1, 6)[:, None] + 0.125
    check(graph, rows, np.concatenate([np.zeros_like(logit), logit], axis=1))
    assert lower(graph).notes[0].endswith("is left out: the class is 1 where its logit is above 0")
    likely = 1 / (1 + np.exp(-logit))
    assert np.abs(float_outputs(graph, rows) - np.concatenate([1 - likely, likely], axis=1)).max() < 1e-12


@pytest.mark.req("CAPC-PARAM-046")
@pytest.mark.parametrize(
    ("ending", "outputs", "problem"),
    [
        (lambda z: z, 1, r"output at .*: its shape is \(1,\), .*: where its sign tells the class, end in a sigmoid"),
        (lambda z: z.squeeze(1), 1, r"output at .*: its shape is \(1,\), .*: where its sign tells the class"),
        (lambda z: 1 - torch.sigmoid(z), 1, "sigmoid at .* is not supported: .*use a sigmoid at the end only"),
        (lambda z: torch.sigmoid(z) - 0.5, 1, "sigmoid at .* is not supported: .*use a sigmoid at the end only"),
        (lambda z: torch.cat([torch.sigmoid(z), 1 - torch.sigmoid(z)], 1), 1, "use a sigmoid at the end only"),
        (lambda z: both(torch.sigmoid(z.relu())) * 2, 1, "use a sigmoid at the end only"),
        (lambda z: both(torch.sigmoid(z)), 2, "sigmoid at .* is not supported"),
        (lambda z: torch.sigmoid(torch.sigmoid(z)), 1, "sigmoid at .* is not supported"),
        (lambda z: torch.sigmoid(z)[:, 1], 2, "sigmoid at .* is not supported"),
    ],
)
def test_any_other_ending_is_refused(ending: Ending, outputs: int, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        lower(graph_from_torch(seeded(Binary(ending, outputs)), FLAT))


def test_a_sigmoid_of_several_logits_keeps_their_order() -> None:
    module, rows = seeded(Binary(torch.sigmoid, 3)), rows_for(FLAT)
    graph = graph_from_torch(module, FLAT)
    with torch.no_grad():
        check(graph, rows, module.logit(torch.tensor(rows)).numpy())
        assert np.abs(float_outputs(graph, rows) - module(torch.tensor(rows)).numpy()).max() < 1e-12
    assert lower(graph).notes[0].endswith("is left out: it keeps the order of the logits")
    report = quantisation_report(graph, rows, F, 37)
    assert report.agreement == 1
    assert report.largest_error < 1e-2


def test_large_logits_do_not_leave_the_range_of_doubles(tmp_path: Path) -> None:
    graph = written(lambda writer, z: of_keras(writer, writer.node("Mul", z, writer.constant(np.array(1e4)))), tmp_path)
    assert np.isfinite(float_outputs(graph, rows_for(FLAT))).all()
    assert graph_from_onnx(next(tmp_path.glob("*.onnx"))).output == graph.output
