"""Parts of a value, its sums and its largest entries, by both frameworks; and what is refused of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn
from torch.nn import functional

from capc.foundation.errors import InputError
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.lower import lower
from support.integers import check, onnx_graph, rows_for, torch_logits
from support.networks import Shape, lively, seeded, shape_after
from support.onnx_files import OnnxWriter

IMAGE: Shape = (2, 4, 6)
INT64 = onnx.TensorProto.INT64


class Of(nn.Module):
    """A convolution with its ReLU, a function of that, and a linear layer."""

    def __init__(self, function: Callable[[Tensor], Tensor], channels: int = 3) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(2, channels, 3, padding=1), nn.ReLU())
        self.function = function
        (features,) = shape_after([self.conv, Called(function)], IMAGE)
        self.last = nn.Linear(features, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.function(self.conv(x)).flatten(1))


class Called(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x).flatten(1)


PARTS: dict[str, Callable[[Tensor], Tensor]] = {
    "sums of pixels": lambda x: x.sum((2, 3)),
    "sums of rows": lambda x: x.sum(-1, keepdim=True),
    "means of means": lambda x: x.mean(-1).mean(-1),
    "the largest of the largest": lambda x: x.max(-1)[0].max(-1)[0],
    "the largest pixels": lambda x: x.amax((2, 3)),
    "the largest of each row": lambda x: x.amax(3),
    "an adaptive max pool": lambda x: functional.adaptive_max_pool2d(x, (2, 3)),
    "turned round": lambda x: x.flip(3),
    "turned upside down": lambda x: x.flip((2, 1)),
    "some features": lambda x: x.flatten(1)[:, 3:-4:2],
    "one feature": lambda x: x.flatten(1)[:, 5].unsqueeze(1),
    "a threshold at 0": lambda x: functional.threshold(x - 0.25, 0, 0),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_read_exactly(name: str) -> None:
    module, rows = lively(seeded(Of(PARTS[name]), 2)), rows_for(IMAGE)
    check(graph_from_torch(module, IMAGE), rows, torch_logits(module, rows))


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (lambda x: x[:, :2], "slice at .*: it takes some of the channels or pixels: use all of them"),
        (lambda x: x[:, :, 1:-1], "slice at .*: it takes some of the channels or pixels"),
        (lambda x: x[:, :, 0], "select at .*: it takes some of the channels or pixels"),
        (lambda x: x.max(-1)[1] * 1.0, "getitem at .*: it takes another result than the first"),
        (lambda x: functional.threshold(x, 0.5, 0), "threshold at .*: it jumps at a threshold: train it again with"),
        (lambda x: functional.adaptive_max_pool2d(x, 3), "is not a multiple of its output"),
    ],
)
def test_another_part_is_refused(function: Callable[[Tensor], Tensor], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        graph_from_torch(seeded(Of(function)), IMAGE)


def of_all(writer: OnnxWriter, name: str, *inputs: str, **settings: object) -> str:
    conv = writer.node("Relu", writer.node("Conv", "x", writer.constant(np.linspace(-1, 1, 6).reshape(3, 2, 1, 1))))
    return writer.node(name, conv, *inputs, **settings)


def numbers(writer: OnnxWriter, *given: int) -> str:
    return writer.constant(np.array(given), INT64)


NODES: dict[str, tuple[Callable[[OnnxWriter], str], int]] = {
    "sums": (lambda w: of_all(w, "ReduceSum", numbers(w, 2, 3)), 3),
    "sums of rows": (lambda w: of_all(w, "ReduceSum", numbers(w, -1), keepdims=0), 12),
    "all of it": (lambda w: of_all(w, "Slice", numbers(w, 0), numbers(w, 2**31), numbers(w, 1)), 72),
    "backwards": (
        lambda w: of_all(w, "Slice", numbers(w, -1), numbers(w, -(2**31)), numbers(w, 3), numbers(w, -1)), 72,
    ),
    "in another order": (lambda w: of_all(w, "Gather", numbers(w, 2, 0, 1), axis=1), 72),
    "some features": (
        lambda w: w.node("Gather", w.node("Flatten", of_all(w, "Identity")), numbers(w, 5, -1, 5), axis=1), 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NODES)
def test_a_part_in_a_file_is_read_exactly(name: str, tmp_path: Path) -> None:
    build, features = NODES[name]
    writer, rows = OnnxWriter(), rows_for(IMAGE)
    flat = writer.node("Flatten", build(writer))
    weights = writer.constant(np.random.default_rng(1).normal(size=(features, 3)))
    model = writer.model(writer.node("MatMul", flat, weights), IMAGE)
    (expected,) = ReferenceEvaluator(model).run(None, {"x": rows})
    check(onnx_graph(model, tmp_path), rows, expected)


class Counts(nn.Module):
    """It counts its calls, which changes nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(6, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.last(x)


class Cast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            made = self.first(x)
        return self.last(made.float().relu())


class Recurrent(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.last = layer, nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(x.reshape(-1, 2, 3))[0][:, -1])


@pytest.mark.slow
def test_what_a_module_keeps_for_later_is_no_output() -> None:
    assert len(lower(graph_from_torch(Counts(), (6,))).layers) == 1


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Recurrent(nn.GRU(3, 5, batch_first=True)), "GRU at layer: .*instead of recurrent ones"),
        (Recurrent(nn.LSTM(3, 5, batch_first=True)), "LSTM at layer: .*instead of recurrent ones"),
        (Cast(), "a part of its code runs in another mode: remove torch.autocast"),
        (nn.Sequential(nn.LazyLinear(3)), "0.weight of Sequential is not made yet: run the module once"),
        (nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 2, 3)), "only two-dimensional convolutions"),
    ],
)
def test_the_reason_is_the_true_one(module: nn.Module, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        graph_from_torch(module, (6,))
