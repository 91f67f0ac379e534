"""Axes in another order: taken up by the linear layer after them, or refused where nothing can take them up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from torch import Tensor, nn

from capc.foundation.errors import InputError
from capc.models.importing.from_onnx import graph_from_onnx
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.lower import lower
from support.integers import check, rows_for, torch_logits
from support.networks import lively, seeded
from support.onnx_files import OnnxWriter

SHAPE = (2, 3, 4)


class Moving(nn.Module):
    """A convolution with ReLU, something that moves axes, and a linear layer."""

    def __init__(self, moved: Callable[[Moving, Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 1)
        self.other = nn.Conv2d(4, 4, (1, 2))
        self.norm = nn.BatchNorm1d(48)
        self.head = nn.LazyLinear(3)
        self.moved = moved

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.moved(self, self.conv(x).relu()).flatten(1))


def channels_moved(x: Tensor) -> Tensor:
    return x.view(-1, 2, 2, 3, 4).transpose(1, 2).reshape(-1, 4, 3, 4)


READ: dict[str, Callable[[Moving, Tensor], Tensor]] = {
    "channels_last": lambda m, x: x.permute(0, 2, 3, 1),
    "height_and_width": lambda m, x: x.transpose(2, 3),
    "there_and_back": lambda m, x: m.other(x.permute(0, 2, 3, 1).permute(0, 3, 1, 2)).relu(),
    "normalised_and_rectified": lambda m, x: m.norm(x.permute(0, 3, 1, 2).flatten(1)).relu(),
    "added": lambda m, x: (x.permute(0, 2, 3, 1) + x.permute(0, 2, 3, 1)).relu(),
    "channels": lambda m, x: m.other(channels_moved(x)).relu(),
    "averaged": lambda m, x: x.permute(0, 2, 3, 1).mean((1, 2)),
}


def moving(moved: Callable[[Moving, Tensor], Tensor]) -> nn.Module:
    module = Moving(moved)
    module.eval()(torch.zeros(2, *SHAPE))
    return lively(seeded(module, 3))


@pytest.mark.parametrize("name", READ)
def test_axes_in_another_order_are_read_exactly(name: str) -> None:
    module, rows = moving(READ[name]), rows_for(SHAPE)
    expected = torch_logits(module, rows)
    assert np.ptp(expected, axis=0).min() > 1e-4, "its ReLUs are dead: choose another seed"
    check(graph_from_torch(module, SHAPE), rows, expected)


REFUSED: dict[str, tuple[Callable[[Moving, Tensor], Tensor], str]] = {
    "max_pool": (
        lambda m, x: nn.functional.max_pool2d(x.transpose(2, 3), 2),
        "max_pool2d at max_pool2d: it works on a",
    ),
    "pixels_under_a_convolution": (
        lambda m, x: m.other(x.transpose(2, 3)),
        "Conv2d at other: it works on a value whose",
    ),
    "other_orders_added": (
        lambda m, x: x.permute(0, 2, 3, 1) + x.reshape(-1, 3, 4, 4),
        "add at add: it works on a value",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_else_takes_them_up(name: str) -> None:
    moved, message = REFUSED[name]
    with pytest.raises(InputError, match=f"^{message}.*: keep batch, channels, height and width"):
        lower(graph_from_torch(moving(moved), SHAPE))


def test_an_output_in_another_order_is_refused(tmp_path: Path) -> None:
    writer = OnnxWriter()
    turned = writer.node(
        "Transpose", writer.node("Reshape", "x", writer.constant([0, 2, 3], TensorProto.INT64)), perm=[0, 2, 1]
    )
    path = tmp_path / "model.onnx"
    onnx.save(writer.model(writer.node("Reshape", turned, writer.constant([0, 6], TensorProto.INT64)), (6,)), path)
    with pytest.raises(InputError, match="its axes were put in another order: end in a linear layer"):
        lower(graph_from_onnx(path))


def channels_last_file(path: Path) -> None:
    """A convolution of queries with the channels last, shifted before their axes are moved."""
    writer, generator = OnnxWriter(), np.random.default_rng(0)
    shifted = writer.node("Add", "x", writer.constant([0.25, -0.5]))
    first = writer.node("Transpose", shifted, perm=[0, 3, 1, 2])
    sums = writer.node("Conv", first, writer.constant(generator.normal(size=(3, 2, 2, 2))))
    last = writer.node("Transpose", writer.node("Relu", sums), perm=[0, 2, 3, 1])
    flat = writer.node("Reshape", last, writer.constant([0, -1], TensorProto.INT64))
    logits = writer.node("MatMul", flat, writer.constant(generator.normal(size=(18, 3))))
    onnx.save(writer.model(logits, (3, 4, 2)), path)


def test_queries_with_the_channels_last_are_read_with_them_first(tmp_path: Path) -> None:
    path, rows = tmp_path / "model.onnx", rows_for((3, 4, 2))
    channels_last_file(path)
    (expected,) = onnx.reference.ReferenceEvaluator(str(path)).run(None, {"x": rows})
    graph = graph_from_onnx(path, SHAPE)
    assert graph.input_shape == SHAPE
    check(graph, np.moveaxis(rows, 3, 1), expected)


def test_without_being_asked_for_they_are_refused(tmp_path: Path) -> None:
    channels_last_file(tmp_path / "model.onnx")
    with pytest.raises(InputError, match=r"whose axes were put in another order: .*give input_shape with them first"):
        lower(graph_from_onnx(tmp_path / "model.onnx"))
