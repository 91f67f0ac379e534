"""Weights whose roundings reach the logits only through what a residual block adds to its own sums."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from capc.foundation.errors import InputError
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.quantise import quantise_graph
from support.networks import seeded

F = 12


class Residual(nn.Module):
    """A block that adds what it takes to layers whose weights are all zero."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(16, 12), nn.Linear(12, 4)
        self.block = nn.ModuleList(nn.Linear(12, 12) for _ in range(depth))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The logits."""
        kept = torch.relu(self.first(features))
        inner = kept
        for layer in self.block[:-1]:
            inner = torch.relu(layer(inner))
        return self.last(torch.relu(self.block[-1](inner) + kept))


@pytest.mark.req("CAPC-PARAM-044")
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_stage_that_only_a_skip_carries_on_is_refused_for_its_rounding(depth: int) -> None:
    network = seeded(Residual(depth))
    with torch.no_grad():
        for layer in network.block:
            layer.weight.zero_()
            layer.bias.zero_()
    quantise_graph(graph_from_torch(network, (16,)), F)
    with torch.no_grad():
        network.first.weight.mul_(1e-5)
        network.first.bias.mul_(1e-5)
        network.last.weight.mul_(1e4)
    with pytest.raises(InputError, match=r"^Linear at first: .* to 12 fraction bits loses"):
        quantise_graph(graph_from_torch(network, (16,)), F)
