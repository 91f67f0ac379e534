"""What is folded into its neighbours, as random networks: module, file, what was read, and integers agree."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator
from torch import nn

from capc.models.importing.from_torch import graph_from_torch
from models.importing.test_equality import check, onnx_graph, rows_for, torch_logits
from support.networks import Shape, folded_networks
from support.onnx_files import onnx_model


@settings(max_examples=25, deadline=None)
@given(folded_networks())
def test_random_network_from_torch(network: tuple[nn.Module, Shape]) -> None:
    module, shape = network
    rows = rows_for(shape, 1)
    check(graph_from_torch(module, shape), rows, torch_logits(module, rows))


@settings(max_examples=60, deadline=None)
@given(network=folded_networks(), variant=st.booleans())
def test_random_network_from_onnx(
    tmp_path_factory: pytest.TempPathFactory, network: tuple[nn.Module, Shape], variant: bool
) -> None:
    module, shape = network
    model, rows = onnx_model(module, shape, variant=variant), rows_for(shape, 1)
    (expected,) = ReferenceEvaluator(model).run(None, {"x": rows})
    check(onnx_graph(model, tmp_path_factory.mktemp("onnx")), rows, expected)
    assert abs(expected - torch_logits(module, rows)).max() < 1e-9
