"""Figures by rule: from shapes alone they fit the ring, and whatever the weights are, nobody is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from capc.foundation.errors import InputError
from capc.learning.data import load_digits
from capc.models.architecture import Activation, Architecture, StageShape, dense_architecture
from capc.models.figures import bounded, scaled, without_figures
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.lower import FloatLayer, lower
from capc.models.importing.quantise import clipped_layer, quantisation_report, quantise_graph, rounded, stating
from capc.models.model import QuantisedLayer, QuantisedModel
from capc.models.operators import Convolution, Dense, Grid, SumPool
from protocol.stages import residual_models
from support.builders import make_parameters, make_session, make_widths
from support.networks import Shape, networks, seeded
from support.sizes import examples

F, L = 12, 37
EPOCHS = 10
RELU, NONE, VOTE = Activation.RELU, Activation.NONE, Activation.VOTE


def told_rule(architecture: Architecture, f: int, l: int, k: int) -> list[tuple[int | None, int, int]]:  # noqa: E741
    """Of each layer cap, q and B by the words of CAPC-PARAM-058."""
    stages = architecture.stages

    def is_sums(value: int) -> bool:
        return value > 0 and stages[value - 1].activation is NONE

    def products(number: int) -> int:
        return 1 + sum(products(v - 1) for v in stages[number].skips if is_sums(v))

    def activations(number: int) -> int:
        return sum(activations(v - 1) if is_sums(v) else 2 ** (k if v else f) for v in stages[number].skips)

    together = [{number} for number in range(len(stages))]
    for _ in stages:
        for number, stage in enumerate(stages):
            for other in [v - 1 for v in stage.skips if is_sums(v)]:
                together[number] |= together[other]
                together[other] |= together[number]
    found = []
    for number, stage in enumerate(stages):
        p, s = max(map(products, together[number])), max(map(activations, together[number]))
        for q in range(l - 2 - k, -1, -1):
            b = max(b for b in range(l) if 2**b - 1 <= max((2 ** (l - 2) - 1 - s * 2**q) / p, 0))
            needs = []
            for each in (stages[member] for member in together[number]):
                places = [1]
                if each.sum_pool is not None:
                    places = [sum(i >= 0 for i in window) for window in each.sum_pool.grid.windows(0)]
                cap = stages[each.source - 1].cap if each.source else None
                taken = 2**f if not each.source else min([2**k - 1, *([] if cap is None else [round(cap * 2**f)])])
                taken *= max(places)
                needs.append(4 * sqrt(each.operator.columns) * 2**q * taken / max(places))
            if b >= 1 and max(needs) <= 2**b - 1:
                break
        rectifies = stage.activation in (RELU, Activation.RELU_MAX_POOL)
        found.append((k if rectifies else None, q, b))
    return found


@pytest.mark.req("CAPC-PARAM-058")
@settings(max_examples=examples(ordinary=10, nightly=30))
@given(residual_models(3, 0), st.sampled_from([(37, 12, None), (37, 12, 9), (32, 8, None), (24, 4, 5)]))
def test_figures_are_those_of_the_rule(model: QuantisedModel, widths: tuple[int, int, int | None]) -> None:
    bits, fraction, cap = widths
    found = bounded(model.architecture, fraction, bits, cap)
    assert [(stage.cap_bits, stage.weight_bits, stage.sum_bits) for stage in found.stages] == told_rule(
        without_figures(model.architecture), fraction, bits, fraction + 3 if cap is None else cap
    )
    assert without_figures(found) == without_figures(model.architecture)


@pytest.mark.req("CAPC-PARAM-058")
def test_large_pools_have_more_fraction_bits_than_their_weights_lose() -> None:
    def stage(size: int, *skips: int) -> StageShape:
        return StageShape(
            Dense(1, 2), 0, NONE if not skips else VOTE, skips, SumPool(Grid(1, size, size, (size, size)))
        )

    for size, wanted in ((1, None), (8, None), (9, 13), (64, 18), (100, 20)):
        assert (
            scaled(Architecture((StageShape(Dense(1, 2), 0, VOTE, (), stage(size).sum_pool),)), F).stages[0].weight_bits
            == wanted
        )
    plain = StageShape(Dense(4096, 2), 0, NONE)
    both = scaled(Architecture((plain, stage(64, 1))), F)
    assert [each.weight_bits for each in both.stages] == [18, 18]


@pytest.mark.req("CAPC-PARAM-056", "CAPC-PARAM-059")
@settings(max_examples=examples(ordinary=10, nightly=30))
@given(residual_models(3, 0), st.integers(0, 60), st.data())
def test_any_weights_are_admitted(model: QuantisedModel, size: int, data: st.DataObject) -> None:
    """Of one architecture, so of equal public figures: from none at all to far beyond the ring."""
    architecture = bounded(model.architecture, 3, 24)
    make_session(make_parameters(make_widths(24, fraction_bits=3), num_features=architecture.inputs), [architecture])
    layers = []
    for stage, (taken, _) in zip(architecture.stages, architecture.stated_bounds(3), strict=True):
        entries = st.integers(-(1 << size), 1 << size)
        row = data.draw(st.lists(entries, min_size=stage.operator.columns + 1, max_size=stage.operator.columns + 1))
        layer = QuantisedLayer((tuple(row[1:]),) * stage.operator.rows, (row[0],) * stage.operator.rows)
        assert taken is not None
        layers.append(clipped_layer(layer, taken, (1 << stage.sum_bits) - 1))
    admitted = QuantisedModel(architecture, tuple(layers), 3)
    admitted.check_ranges(24)
    assert max(admitted.stage_bits()) <= 24
    corner = data.draw(st.tuples(*[st.sampled_from([-8, 8])] * architecture.inputs))
    assert max(map(abs, admitted.logits(corner))) < 1 << 22


@pytest.mark.req("CAPC-PARAM-057")
@given(st.lists(st.integers(-40, 40), min_size=3, max_size=3), st.integers(-200, 200))
def test_a_row_is_refused_exactly_above_its_bound(weights: list[int], bias: int) -> None:
    """Inputs are at most 4, and sums at most 2^9 - 1."""
    stage = StageShape(Dense(3, 2), 0, VOTE, sum_bits=9)
    layer = QuantisedLayer((tuple(weights), (0, 0, 0)), (bias, 0))
    model = QuantisedModel(Architecture((stage,)), (layer,), 2)
    if 4 * sum(map(abs, weights)) + abs(bias) <= 511:
        model.check_ranges(11)
    else:
        with pytest.raises(InputError, match="layer 0 of the model has a row above its sum_bits = 9: clip"):
            model.check_ranges(60)
    clipped = clipped_layer(layer, 4, 511)
    QuantisedModel(Architecture((stage,)), (clipped,), 2).check_ranges(11)
    signs = [
        np.sign(a) * np.sign(b) for a, b in zip((*weights, bias), (*clipped.weights[0], clipped.biases[0]), strict=True)
    ]
    assert min(signs) >= 0


@pytest.mark.req("CAPC-PARAM-056")
def test_a_session_is_refused_by_what_is_stated_alone() -> None:
    """12 bits of ring: sums up to 2^10 - 1, and less what is skipped to."""
    parameters = make_parameters(make_widths(12, fraction_bits=2))

    def admit(sum_bits: int, cap_bits: int | None, *skips: int) -> None:
        hidden = StageShape(Dense(2, 3), 0, RELU, cap_bits=cap_bits)
        vote = StageShape(Dense(3, 3), 1, VOTE, skips, sum_bits=sum_bits)
        make_session(parameters, [Architecture((hidden, vote))])

    admit(10, None)
    admit(9, 7, 1)
    # Nothing is stated of what is skipped to.
    admit(10, None, 1)
    for refused in ((11, None), (9, 8, 1), (10, 1, 1)):
        with pytest.raises(
            InputError, match=r"layer 1 of the model of answering_party_1 needs 1[34] bits by what it states"
        ):
            admit(*refused)


@pytest.mark.slow
@pytest.mark.req("CAPC-PARAM-059")
@settings(max_examples=examples(ordinary=5, nightly=15), deadline=None)
@given(networks(), st.sampled_from([1e-9, 1.0, 1e3, 1e9]))
def test_any_weights_of_any_network_are_admitted(network: tuple[nn.Module, Shape], factor: float) -> None:
    """The network is read as it is, and its weights are multiplied after that: single precision has other limits."""
    lowered = lower(graph_from_torch(*network))
    layers = tuple(FloatLayer(layer.weights * factor, layer.biases * factor) for layer in lowered.layers)
    architecture = bounded(lowered.architecture, F, L)
    rounded(stating(replace(lowered, layers=layers), F, architecture), F).check_ranges(L)


@pytest.mark.req("CAPC-PARAM-059")
def test_only_its_party_is_told_what_clipping_and_rounding_change() -> None:
    """One row in three reaches beyond the bound, and another one is lost; neither is refused."""
    module = seeded(nn.Sequential(nn.Linear(6, 3)))
    with torch.no_grad():
        module[0].weight[0] = 1e9
        module[0].weight[1:] *= 1e-9
    graph = graph_from_torch(module, (6,))
    architecture = bounded(lower(graph).architecture, F, L)
    quantise_graph(graph, F, architecture).check_ranges(L)
    report = quantisation_report(graph, np.zeros((1, 6)), F, L, architecture)
    assert report.fits
    assert "stage 0 (0) has 33% of its rows scaled down to the bound it states" in report.lines()
    assert not any("refused" in line for line in report.lines())


class Residual(nn.Module):
    """A convolution with a batch normalisation, added to what it takes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.own = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels))

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.own(value) + value)


@pytest.mark.slow
@pytest.mark.req("CAPC-PARAM-059")
def test_a_trained_deep_network_keeps_its_labels() -> None:
    """Seven convolutions, a pool of the largest and one of averages, on handwritten digits that it has not seen."""
    data = load_digits()
    torch.manual_seed(0)
    features, labels = torch.tensor(data.features * 2 - 1, dtype=torch.float32), torch.tensor(data.labels)
    module = nn.Sequential(
        *(nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2)),
        *(Residual(12) for _ in range(6)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10)),
    )
    optimiser = torch.optim.Adam(module.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-2, total_steps=EPOCHS * 21)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for rows in (part for _ in range(EPOCHS) for part in torch.randperm(1297).split(64)):
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(features[rows].view(-1, 1, 8, 8)), labels[rows]).backward()
        optimiser.step()
        schedule.step()
    torch.set_num_threads(threads)
    module.eval()
    held_out = features[1297:].view(-1, 1, 8, 8)
    with torch.no_grad():
        assert (module(held_out).argmax(1) == labels[1297:]).float().mean() > 0.9
    graph = graph_from_torch(module, (1, 8, 8))
    lowered = lower(graph)
    assert max(rounded(lowered, F).stage_bits()) > L
    architecture = bounded(lowered.architecture, F, L)
    report = quantisation_report(graph, held_out.double().numpy(), F, L, architecture)
    assert (report.rows, report.fits) == (500, True)
    assert report.agreement >= 0.98


def test_another_architecture_is_refused() -> None:
    graph = graph_from_torch(seeded(nn.Sequential(nn.Linear(6, 3))), (6,))
    with pytest.raises(InputError, match="other layers than the architecture"):
        quantise_graph(graph, F, bounded(dense_architecture((6, 4, 3)), F, L))


def residual_network(blocks: int, width: int) -> Architecture:
    """A stem, blocks of two convolutions of which every second changes its shortcut, and a vote on averages."""
    grid = Grid(width, 8, 8, (3, 3), padding=(1, 1))
    stages = [StageShape(Convolution(Grid(1, 8, 8, (3, 3), padding=(1, 1)), width), 0, RELU)]
    for number in range(blocks):
        value = len(stages)
        stages.append(StageShape(Convolution(grid, width), value, RELU))
        if number % 2:
            stages.append(StageShape(Convolution(Grid(width, 8, 8, (1, 1)), width), value, NONE))
        skip = len(stages) if number % 2 else value
        stages.append(StageShape(Convolution(grid, width), value + 1, RELU, (skip,)))
    last = StageShape(Dense(width, 10), len(stages), VOTE, sum_pool=SumPool(Grid(width, 8, 8, (8, 8))))
    return Architecture((*stages, last))


@pytest.mark.req("CAPC-PARAM-058")
@pytest.mark.parametrize(("blocks", "width"), list(product([1, 8, 40], [8, 512])))
def test_depth_needs_no_bits(blocks: int, width: int) -> None:
    """The default ring holds 100 layers as it holds four, and each has at least 8 fraction bits."""
    architecture = bounded(residual_network(blocks, width), F, L)
    totals = [total for _, total in architecture.stated_bounds(F)]
    assert all(total is not None and total < 1 << L - 2 for total in totals)
    assert min(stage.weight_bits for stage in architecture.stages) >= 8
    with pytest.raises(InputError, match="does not fit a logit ring of 20 bits with caps of 15"):
        bounded(residual_network(blocks, width), F, 20)
