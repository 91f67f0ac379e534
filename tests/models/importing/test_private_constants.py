"""Stages, refusals and messages follow from operators and shapes alone, whatever the weights and constants are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn import functional

from capc.foundation.errors import InputError
from capc.models.importing.factors import Factors
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.graph import Affine, Conv, Graph, Linear, Op
from capc.models.importing.lower import lower
from support.networks import Both, Constants, Shape, conv_bn, folded_networks, networks, shape_after
from support.sizes import examples, some

Draw = Callable[[Generator, tuple[int, ...]], np.ndarray]
IMAGE: Shape = (2, 4, 4)
DRAWS: tuple[Draw, ...] = (
    lambda _, shape: np.ones(shape),
    lambda _, shape: np.zeros(shape),
    lambda drawn, shape: drawn.uniform(0.25, 1, shape),
    lambda _, shape: -np.ones(shape),
    lambda drawn, shape: drawn.uniform(-1, 1, shape),
    lambda drawn, shape: drawn.integers(-1, 2, shape).astype(np.float64),
)
"""Kinds of numbers on which a decision could depend: no factor at all, none that is negative, equal ones."""


def found(graph: Graph) -> object:
    """What all parties learn of a network, or why there is none."""
    try:
        lowered = lower(graph)
    except InputError as error:
        return str(error)
    return lowered.architecture, lowered.places, lowered.notes


def with_constants(graph: Graph, draw: Draw, drawn: Generator) -> Graph:
    """The same graph of other numbers, drawn for each weight and for each constant that was broadcast."""

    def changed(op: Op) -> Op:
        match op:
            case Linear() | Conv():
                return replace(op, weights=draw(drawn, op.weights.shape), biases=draw(drawn, op.biases.shape))
            case Affine(scales=scales, shifts=shifts):
                if scales is not None:
                    scales = Factors(draw(drawn, (int(scales.kinds.max()) + 1,))[scales.kinds], scales.kinds)
                return Affine(scales, None if shifts is None else draw(drawn, shifts.shape))
        return op

    made = Graph(graph.input_shape)
    for node in graph.nodes:
        made.add(node.name, node.kind, changed(node.op), *node.inputs)
    made.output = graph.output
    return made


@pytest.mark.slow
@pytest.mark.req("CAPC-PARAM-068", "CAPC-ROLE-014")
@settings(max_examples=examples(ordinary=2, nightly=200), deadline=None)
@given(st.one_of(networks(), folded_networks()), st.integers(0, 1000))
def test_any_constants_of_a_random_network_make_the_same_stages(network: tuple[nn.Module, Shape], seed: int) -> None:
    graph, drawn = graph_from_torch(*network), np.random.default_rng(seed)
    expected = found(graph)
    for draw in DRAWS:
        assert found(with_constants(graph, draw, drawn)) == expected


class Steps(nn.Module):
    """A function of a value, and of layers in their order."""

    def __init__(self, function: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.layers)


def averaged(value: Tensor) -> Tensor:
    return functional.avg_pool2d(value, 2, 1)


def conv(kernel: int = 1, outputs: int = 2) -> nn.Module:
    return nn.Conv2d(2, outputs, kernel)


SCALED, MOVED = Constants((2, 1, 1), ()), Constants((), (2, 1, 1))
OF_ENTRIES = Constants(IMAGE, ())

NETWORKS: dict[str, nn.Module] = {
    "a relu of a scaled value": Steps(lambda x, c, k: k(c(x).relu()).relu(), conv(), SCALED),
    "a relu of a normalised average": Steps(lambda x, c, n: n(averaged(c(x).relu())).relu(), *conv_bn(2, 2, 1)),
    "a relu of an average": Steps(lambda x, c: averaged(c(x).relu()).relu(), conv()),
    "a cap of a scaled value": Steps(lambda x, c, k: functional.relu6(k(c(x).relu())), conv(), SCALED),
    "a normalised addition": Steps(lambda x, c, n: n(c(x) + x).relu(), *conv_bn(2, 2, 1)),
    "an addition of moved values": Steps(lambda x, c, k: (c(x) + k(c(x).relu())).relu(), conv(), MOVED),
    "an addition of scaled values": Steps(lambda x, c, k: (c(x) + k(c(x).relu())).relu(), conv(), SCALED),
    "an average of entries that were scaled": Steps(lambda x, c, k: averaged(k(c(x).relu())), conv(), OF_ENTRIES),
    "an addition of entries that were scaled": Steps(lambda x, c, k: k(c(x).relu()) + x, conv(), OF_ENTRIES),
    "the largest of a normalised value": Steps(
        lambda x, c, n: functional.max_pool2d(n(c(x).relu()), 2), *conv_bn(2, 2, 1)
    ),
    "a convolution of entries that were scaled": Steps(lambda x, k, c: c(k(x)), OF_ENTRIES, conv(2)),
    "entries of sums that were scaled": Steps(lambda x, c, k: k(c(x)).relu(), conv(), OF_ENTRIES),
    "features that were normalised before they are an image": Steps(
        lambda x, n, c: c(n(x.flatten(1)).reshape(x.shape)), nn.BatchNorm1d(32), conv(2)
    ),
    "channels that were joined": nn.Sequential(
        Both(conv(), nn.Identity(), added=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1)
    ),
}
REFUSED = {
    "a convolution of entries that were scaled": "the factors of the value that it works on differ within a channel",
    "entries of sums that were scaled": "its factors differ within a channel of",
    "features that were normalised before they are an image": "the factors of the value that it works on differ within",
}


def drawn_anew(module: nn.Module, draw: Draw, seed: int) -> nn.Module:
    """The module with other numbers; a variance that is one stays positive."""
    drawn, module = np.random.default_rng(seed), module.double().eval()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                numbers = torch.tensor(draw(drawn, tuple(tensor.shape)))
                tensor.copy_(1 + numbers.abs() if name.endswith("running_var") else numbers)
    return module


@pytest.mark.req("CAPC-PARAM-068", "CAPC-ROLE-014")
@pytest.mark.parametrize("name", NETWORKS)
def test_any_constants_of_a_module_make_the_same_stages(name: str) -> None:
    """Read from PyTorch each time: an untrained network tells whether a trained one will be read."""
    network = nn.Sequential(NETWORKS[name], nn.Flatten())
    (features,) = shape_after([network.float()], IMAGE)
    module = nn.Sequential(*network, nn.Linear(features, 3))
    told = {
        found(graph_from_torch(drawn_anew(module, draw, seed), IMAGE))
        for seed, draw in enumerate(some(DRAWS, ordinary=2))
    }
    (only,) = told
    if name in REFUSED:
        assert REFUSED[name] in str(only)
    else:
        assert not isinstance(only, str), only


@pytest.mark.slow
def test_one_constant_for_all_is_one_in_any_shape() -> None:
    """It is broadcast, so that shapes tell: to features that become an image, and with the channels last."""

    class Bytes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv((x.permute(0, 2, 3, 1) * torch.tensor([0.5, 2.0])).permute(0, 3, 1, 2) / 4).mean((2, 3))

    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv((x.flatten(1) * 0.5).reshape(x.shape)).mean((2, 3))

    for module in (Bytes(), Flat()):
        assert len(lower(graph_from_torch(module, IMAGE)).layers) == 2
