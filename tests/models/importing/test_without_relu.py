"""What has no ReLU is read, too: sums that go on as they are, and pools of the largest of any values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from capc.models.architecture import Activation, StageShape
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.lower import lower
from support.integers import check, rows_for, torch_logits
from support.networks import Shape, conv_bn, lively, seeded

IMAGE, ROW = (2, 6, 6), (6,)
NO_RELU = 0


def ended(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(3))


class Calls(nn.Module):
    """A convolution, and functions on it."""

    def __init__(self, factors: tuple[float, float] = (1, -1)) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.register_buffer("factors", torch.tensor(factors).reshape(2, 1, 1))


class Scaled(Calls):
    def forward(self, x: Tensor) -> Tensor:
        return functional.max_pool2d(self.conv(x).relu() * self.factors - 0.125, 2)


class ScaledPool(Calls):
    def forward(self, x: Tensor) -> Tensor:
        return (functional.max_pool2d(self.conv(x), 2) * self.factors).relu()


class PoolAdded(Calls):
    def forward(self, x: Tensor) -> Tensor:
        return functional.max_pool2d(self.conv(x), 3, 1, 1) + x


NETWORKS: dict[str, tuple[nn.Module, Shape]] = {
    "two convolutions": (ended(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 2, 3, padding=1), nn.ReLU()), IMAGE),
    "depthwise and pointwise": (
        ended(nn.Conv2d(2, 4, 3, groups=2, padding=1), nn.Conv2d(4, 3, 1), nn.ReLU(), nn.MaxPool2d(2)), IMAGE,
    ),
    "linear bottlenecks": (
        ended(*conv_bn(2, 4, 1), nn.ReLU6(), *conv_bn(4, 2, 1), *conv_bn(2, 4, 1), nn.ReLU6(), *conv_bn(4, 3, 1)),
        IMAGE,
    ),
    "averages of sums": (ended(nn.Conv2d(2, 3, 3), nn.AvgPool2d(2), nn.ReLU()), IMAGE),
    "averages of averages": (ended(nn.AvgPool2d(2), nn.AvgPool2d(3)), IMAGE),
    "the largest sums": (ended(nn.Conv2d(2, 3, 3), nn.MaxPool2d(2)), IMAGE),
    "the largest at the end": (nn.Sequential(nn.Conv2d(2, 3, 3), nn.MaxPool2d(4), nn.Flatten()), IMAGE),
    "the largest of the query": (ended(nn.MaxPool2d(2)), IMAGE),
    "the largest of the largest": (ended(nn.Conv2d(2, 3, 3), nn.MaxPool2d(2, 1), nn.MaxPool2d(2, 1, 1)), IMAGE),
    "the largest, added": (ended(PoolAdded()), IMAGE),
    "the largest of negative ones": (ended(Scaled()), IMAGE),
    "the largest, made negative": (ended(ScaledPool()), IMAGE),
    "linear layers alone": (nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3)), ROW),
}  # fmt: skip


def made(module: nn.Module, shape: Shape) -> nn.Module:
    module.float()(torch.zeros(1, *shape))
    return lively(seeded(module, 3))


@pytest.mark.req("CAPC-PARAM-066")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_read_exactly(name: str) -> None:
    module, shape = NETWORKS[name]
    rows = rows_for(shape)
    check(graph_from_torch(made(module, shape), shape), rows, torch_logits(module, rows))


def stages_of(module: nn.Module) -> tuple[StageShape, ...]:
    return lower(graph_from_torch(made(ended(module), IMAGE), IMAGE)).architecture.stages


@pytest.mark.req("CAPC-ROLE-014")
@pytest.mark.parametrize("kind", [Scaled, ScaledPool])
def test_signs_of_factors_around_a_max_pool_decide_nothing_public(kind: type[Calls]) -> None:
    """Neither whether a network is read, nor its architecture."""
    found = []
    for factors in [(1.0, 1.0), (1.0, -1.0), (-0.5, -2.0)]:
        network = made(ended(kind()), IMAGE)
        network[0].factors.copy_(torch.tensor(factors).reshape(2, 1, 1))
        found.append(lower(graph_from_torch(network, IMAGE)).architecture)
    assert len(set(found)) == 1


def test_sums_go_on_in_a_stage_without_a_relu() -> None:
    first, second, _ = stages_of(nn.Sequential(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 2, 1), nn.ReLU()))
    assert (first.activation, first.leak_bits) == (Activation.RELU, NO_RELU)
    assert (second.activation, second.leak_bits) == (Activation.RELU, None)
    pooled, _ = stages_of(nn.Sequential(nn.Conv2d(2, 3, 3), nn.MaxPool2d(2)))
    assert (pooled.activation, pooled.leak_bits) == (Activation.RELU_MAX_POOL, NO_RELU)


def test_a_relu_after_the_pool_or_the_sums_makes_no_stage_of_its_own() -> None:
    for layers in ([nn.ReLU()], [nn.MaxPool2d(2), nn.ReLU()], [nn.MaxPool2d(2), nn.LeakyReLU(0.25)]):
        assert len(stages_of(nn.Sequential(nn.Conv2d(2, 3, 3), *layers))) == 2


def test_values_below_zero_are_not_lost() -> None:
    """The test of the tests: where a stage without ReLU had one, these would be 0."""
    module, shape = NETWORKS["two convolutions"]
    rows = rows_for(shape, 20)
    first = next(made(module, shape).children())
    inner = first(torch.tensor(rows)).detach().numpy()
    assert np.mean(inner < 0) > 0.1
