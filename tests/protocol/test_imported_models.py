"""One collaboration of a convolutional party, a fully connected one, a residual one, and one with an ONNX file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from capc.learning.data import load_digits
from capc.linear.bfv import BfvLinear
from capc.models.figures import bounded
from capc.models.importing.from_onnx import graph_from_onnx
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.graph import Graph
from capc.models.importing.lower import lower
from capc.models.importing.quantise import quantise_graph
from capc.protocol.collaboration import Collaboration
from capc.session.parameters import NoiseName
from capc.session.widths import ParameterSet
from capc.steps.suite import reference_suite
from support.builders import make_account, make_parameters, make_policy, make_session
from support.networks import Residual
from support.onnx_files import onnx_model

IMAGE = (1, 8, 8)


def convolutional() -> nn.Module:
    block = (nn.Conv2d(1, 3, 3, stride=2, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(*block, nn.Flatten(), nn.Linear(12, 10))


def fully_connected() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))


def residual() -> nn.Module:
    block = Residual(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2)), nn.Identity())
    first = (nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.ReLU())
    return nn.Sequential(*first, block, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 10))


def trained(module: nn.Module, seed: int) -> nn.Module:
    """Good enough to vote for different classes on different digits; far from the best."""
    torch.manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.reset_parameters()
    data = load_digits()
    features = torch.tensor(data.features[:400], dtype=torch.float32).reshape(-1, *IMAGE)
    labels = torch.tensor(data.labels[:400])
    optimiser = torch.optim.Adam(module.parameters(), 0.02)
    for _ in range(30):
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(features), labels).backward()
        optimiser.step()
    return module.eval()


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> list[Graph]:
    path = Path(tmp_path_factory.mktemp("onnx")) / "model.onnx"
    onnx.save(onnx_model(trained(convolutional(), 4).double(), IMAGE), path)
    return [
        graph_from_torch(trained(convolutional(), 1), IMAGE),
        graph_from_torch(trained(fully_connected(), 2), IMAGE),
        graph_from_torch(trained(residual(), 3), IMAGE),
        graph_from_onnx(path),
    ]


@pytest.mark.slow
@pytest.mark.req("CAPC-REL-001", "CAPC-HE-010", "CAPC-HE-001")
def test_parties_with_all_kinds_of_models_label_digits_together(graphs: list[Graph]) -> None:
    """Default parameters, real HE, garbling and noise: every label is the ideal one, and they are not all the same.

    Two of the four have figures by rule, with ReLUs that saturate at 1.
    """
    widths = ParameterSet.named("default")
    fraction = widths.fraction_bits
    by_rule = [bounded(lower(graph).architecture, fraction, widths.logit_bits, fraction) for graph in graphs[2:]]
    models = [
        quantise_graph(graph, fraction, figures) for graph, figures in zip(graphs, [None, None, *by_rule], strict=True)
    ]
    policy = make_policy(Fraction(1, 4), mechanism=NoiseName.ROUNDED_GAUSSIAN)
    parameters = make_parameters(widths, policy, num_classes=10, num_features=64)
    session = make_session(parameters, [model.architecture for model in models])
    suite = reference_suite(parameters, BfvLinear(widths))
    collaboration = Collaboration(session, models, suite, make_account(parameters))
    data = load_digits()
    labels = []
    for row in (400, 401, 402, 403):
        query = [round(float(value) * (1 << widths.fraction_bits)) for value in np.ravel(data.features[row])]
        result = collaboration.label(query)
        assert result.label == result.ideal_label
        labels.append(result.label)
    assert len(set(labels)) > 1
