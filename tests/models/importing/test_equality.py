"""The integers that a network becomes, against PyTorch and ONNX's reference evaluator, within the derived error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator
from torch import nn

from capc.foundation import fixed_point
from capc.models.importing.from_onnx import graph_from_onnx
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.lower import lower
from capc.models.importing.quantise import quantise_graph
from support.integers import check, error_bound, onnx_graph, rows_for, torch_logits
from support.networks import NAMED, Shape, folded_networks, networks, seeded
from support.onnx_files import OnnxWriter, export, onnx_model
from support.sizes import examples


def without_softmax(module: nn.Module) -> nn.Module:
    layers = list(module.children())
    return nn.Sequential(*layers[:-1]) if isinstance(layers[-1], nn.Softmax) else module


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
def test_named_network_from_torch(name: str) -> None:
    module, shape = NAMED[name]
    rows = rows_for(shape)
    check(graph_from_torch(module, shape), rows, torch_logits(without_softmax(module), rows))


@pytest.mark.parametrize("variant", [False, True])
@pytest.mark.parametrize("name", NAMED)
def test_named_network_from_onnx(name: str, variant: bool, tmp_path: Path) -> None:
    module, shape = NAMED[name]
    rows = rows_for(shape)
    (expected,) = ReferenceEvaluator(onnx_model(without_softmax(module), shape, variant=variant)).run(None, {"x": rows})
    check(onnx_graph(onnx_model(module, shape, variant=variant), tmp_path), rows, expected)


@pytest.mark.parametrize("opset", [7, 9, 11, 12, 13, 18, onnx.defs.onnx_opset_version()])
def test_every_opset_and_single_precision(opset: int, tmp_path: Path) -> None:
    module, shape = NAMED["small_vgg"]
    model = onnx_model(module, shape, kind=onnx.TensorProto.FLOAT, opset=opset)
    model.ir_version = 8
    rows = rows_for(shape)
    check(onnx_graph(model, tmp_path), rows, torch_logits(module, rows), slack=1e-4)


@pytest.mark.parametrize("opset", [13, 17, 19, 21])
def test_dequantised_weights(opset: int, tmp_path: Path) -> None:
    """Integers and their scales, as quantising exporters write them, in an opset that the evaluator lacks, too."""
    integers, scale = np.arange(-6, 6).reshape(6, 2), 0.25
    writer = OnnxWriter(onnx.TensorProto.FLOAT)
    whole = writer.constant(integers, onnx.TensorProto.INT8)
    output = writer.node("MatMul", "x", writer.node("DequantizeLinear", whole, writer.constant(scale)))
    rows = rows_for((6,))
    check(onnx_graph(writer.model(output, (6,), opset=opset), tmp_path), rows, rows @ (integers * scale))


@pytest.mark.slow
@settings(max_examples=examples(ordinary=12, nightly=60))
@given(st.one_of(networks(), folded_networks()))
def test_random_network_from_torch(network: tuple[nn.Module, Shape]) -> None:
    module, shape = network
    rows = rows_for(shape, 1)
    check(graph_from_torch(module, shape), rows, torch_logits(module, rows))


@pytest.mark.slow
@settings(max_examples=examples(ordinary=20, nightly=80))
@given(network=st.one_of(networks(), folded_networks()), variant=st.booleans())
def test_random_network_from_onnx(
    tmp_path_factory: pytest.TempPathFactory, network: tuple[nn.Module, Shape], variant: bool
) -> None:
    module, shape = network
    model, rows = onnx_model(module, shape, variant=variant), rows_for(shape, 1)
    (expected,) = ReferenceEvaluator(model).run(None, {"x": rows})
    check(onnx_graph(model, tmp_path_factory.mktemp("onnx")), rows, expected)
    assert np.abs(expected - torch_logits(module, rows)).max() < 1e-9


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@settings(max_examples=examples(ordinary=2, nightly=8))
@given(network=st.one_of(networks(), folded_networks()), is_open=st.booleans())
def test_random_network_by_pytorchs_exporter(
    tmp_path_factory: pytest.TempPathFactory, network: tuple[nn.Module, Shape], is_open: bool
) -> None:
    """With the batch open, or fixed at two rows; weights lie beside the file.

    Of a pool with a divisor of its own the exporter writes another network, without a word: it forgets the divisor.
    """
    pytest.importorskip("onnxscript")
    module, shape = network
    assume(not any(isinstance(layer, nn.AvgPool2d) and layer.divisor_override for layer in module.modules()))
    path, rows = tmp_path_factory.mktemp("exported") / "model.onnx", rows_for(shape, 1)
    export(module, shape, path, is_open=is_open)
    check(graph_from_onnx(path), rows, torch_logits(module, rows))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", ["small_vgg", "small_resnet", "depthwise_separable", "ends_in_an_average"])
def test_named_network_by_pytorchs_exporter(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    module, shape = NAMED[name]
    rows = rows_for(shape)
    export(module, shape, tmp_path / "model.onnx", is_open=True)
    check(graph_from_onnx(tmp_path / "model.onnx"), rows, torch_logits(module, rows))


@pytest.mark.slow
def test_stages_of_a_residual_network() -> None:
    """Batch normalisations, the pool and the global average make no stage; the projection makes one of sums."""
    module, shape = NAMED["small_resnet"]
    lowered = lower(graph_from_torch(module, shape))
    found = [
        (place, str(stage.activation)) for place, stage in zip(lowered.places, lowered.architecture.stages, strict=True)
    ]
    assert found == [
        ("0", "relu_max_pool"),
        ("4.main.0", "relu"),
        ("4.main.3", "relu"),
        ("5.main.0", "relu"),
        ("5.shortcut.0", "none"),
        ("5.main.3", "relu"),
        ("8", "vote"),
    ]
    assert lowered.architecture.stages[2].skips == (1,)
    assert lowered.architecture.stages[-1].sum_pool is not None


@pytest.mark.slow
def test_dropped_softmax_is_said() -> None:
    module, shape = NAMED["cryptonets_with_relu"]
    assert lower(graph_from_torch(module, shape)).notes == (
        "Softmax at 7 is left out: it keeps the order of the logits",
    )


def test_importing_leaves_the_module_alone() -> None:
    module, shape = NAMED["mlp"]
    module.train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    graph_from_torch(module, shape)
    assert module.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    module.eval()


def test_bound_is_about_as_large_as_the_error() -> None:
    """At few fraction bits the error is real: the bound is not so loose that it accepts everything."""
    module, shape = NAMED["mlp"]
    graph, rows = graph_from_torch(module, shape), rows_for(shape, 20)
    model, lowered = quantise_graph(graph, 6), lower(graph)
    ratios = []
    for row, logits in zip(rows, torch_logits(module, rows), strict=True):
        got = np.array(model.logits(fixed_point.quantise(row.tolist(), 6))) / 2**12
        ratios.append(np.abs(got - logits).max() / error_bound(lowered, row.tolist(), 6))
    assert 0.02 < max(ratios) <= 1


class Additions(nn.Module):
    """Sums of more than two values: of convolutions, of the query, of a pool, and of a value with itself."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 2, 1)
        self.second = nn.Conv2d(2, 2, 3, padding=1)
        self.last = nn.Linear(32, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(x + self.first(x) + self.second(x) + x)
        pooled = nn.functional.avg_pool2d(y, 3, 1, 1)
        z = torch.relu((self.second(y) + y) + (self.first(y) + pooled))
        doubled = self.last((z + z).relu().view(x.shape[0], -1))
        return doubled + doubled


@pytest.mark.slow
def test_additions_of_many_values() -> None:
    module, shape = seeded(Additions()), (2, 4, 4)
    rows = rows_for(shape)
    check(graph_from_torch(module, shape), rows, torch_logits(module, rows))
