"""Weights that rounding takes too much from are refused by name; weights that do not matter are not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from capc.foundation import fixed_point
from capc.foundation.errors import InputError, ParameterError
from capc.models.importing.evaluate import float_logits
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.graph import Graph
from capc.models.importing.lower import lower
from capc.models.importing.quantise import quantisation_report, quantise_graph
from capc.models.importing.rounding import MOST_LOST, stage_losses
from support.builders import make_parameters, make_policy
from support.networks import NAMED, Shape, networks, seeded
from support.sizes import examples

F = 12


def global_pool(size: int) -> tuple[nn.Module, Shape]:
    """Right on constant images: the sign of the query decides."""
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
        network[0].bias.zero_()
        network[4].weight.copy_(torch.tensor([[0.5, -0.5], [-0.5, 0.5], [0.0, 0.0]]))
        network[4].bias.copy_(torch.tensor([0.0, 0.0, 0.1]))
    return network, (1, size, size)


def normalised(scale: float, after: float = 1.0) -> tuple[nn.Module, Shape]:
    """A batch normalisation whose scales are this small, and a layer after it that multiplies by ``after``."""
    network = seeded(nn.Sequential(nn.Linear(16, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 4)))
    with torch.no_grad():
        network[1].weight.copy_(torch.full((12,), scale))
        network[1].bias.mul_(scale)
        network[3].weight.mul_(after)
    return network, (16,)


LOST: dict[str, tuple[nn.Module, Shape, str]] = {
    "normalisation": (*normalised(1e-5), "Linear at 0: .* to 12 fraction bits loses 100% of what they tell"),
    "equalised": (*normalised(1e-4, 1e4), "Linear at 0: .* to 12 fraction bits loses"),
}


@pytest.mark.slow
@pytest.mark.req("CAPC-PARAM-044")
@pytest.mark.parametrize("name", LOST)
def test_stage_that_rounds_to_nothing_is_refused(name: str) -> None:
    network, shape, message = LOST[name]
    graph = graph_from_torch(network, shape)
    with pytest.raises(InputError, match=f"{message}.*: pool less, or scale") as caught:
        quantise_graph(graph, F)
    assert str(caught.value).count("\n") == 0
    # The report does not refuse: it says what would be.
    rows = np.random.default_rng(0).uniform(-1, 1, (4, *shape))
    assert any("it would be refused" in line for line in quantisation_report(graph, rows, F, 60).lines())
    # More fraction bits are a remedy.
    assert quantise_graph(graph, 30).fraction_bits == 30


@pytest.mark.req("CAPC-PARAM-044")
def test_scaling_is_a_remedy() -> None:
    network, shape = normalised(1e-5)
    with torch.no_grad():
        network[1].weight.mul_(1e5)
        network[1].bias.mul_(1e5)
        network[3].weight.div_(1e5)
    with pytest.raises(InputError, match="Linear at 3: "):
        quantise_graph(graph_from_torch(network, shape), F)
    with torch.no_grad():
        network[3].weight.mul_(1e5)
        network[3].bias.mul_(1e5)
    quantise_graph(graph_from_torch(network, shape), F)


def pruned() -> nn.Module:
    network = seeded(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)))
    with torch.no_grad():
        weights = network[0].weight
        weights[weights.abs() < weights.abs().quantile(0.95)] = 0
    return network


def slimmed() -> nn.Module:
    """Most rows are all but zero, and nothing makes them large again."""
    network = seeded(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)))
    with torch.no_grad():
        network[0].weight[:28].mul_(1e-7)
    return network


def unused() -> nn.Module:
    """Half of the rows are tiny and no later stage takes them; the first layer's other half is whole."""
    network = seeded(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)))
    with torch.no_grad():
        network[0].weight[:16].mul_(1e-5)
        network[2].weight[:, :16] = 0
    return network


def constant() -> nn.Module:
    network = nn.Sequential(nn.Linear(64, 3))
    nn.init.zeros_(network[0].weight)
    return network


@pytest.mark.req("CAPC-PARAM-044")
@pytest.mark.parametrize("make", [pruned, slimmed, unused, constant])
def test_weights_that_do_not_matter_are_not_missed(make: type) -> None:
    network = make()
    graph = graph_from_torch(network, (64,))
    quantise_graph(graph, F)
    rows = np.random.default_rng(0).uniform(-1, 1, (100, 64))
    assert quantisation_report(graph, rows, F, 37).agreement >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
def test_ordinary_networks_lose_next_to_nothing(name: str) -> None:
    module, shape = NAMED[name]
    assert max(stage_losses(lower(graph_from_torch(module, shape)), F)) < 0.01


def relative_error(graph: Graph, fraction_bits: int, stage: int, rows: np.ndarray) -> float:
    """The definition by running it: one stage rounded, all others real, on rows of which the mean squares are 1."""
    lowered = lower(graph)
    names = {node.name: node for node in graph.nodes}
    op = names[lowered.places[stage]].op
    kept = op.weights.copy()
    before = float_logits(graph, rows)
    op.weights[...] = np.rint(kept * 2.0**fraction_bits) / 2.0**fraction_bits
    change = float_logits(graph, rows) - before
    op.weights[...] = kept
    logits = before - before.mean(axis=1, keepdims=True)
    change -= change.mean(axis=1, keepdims=True)
    return float(np.sqrt((change**2).mean() / (logits**2).mean()))


def test_loss_is_about_what_running_shows() -> None:
    """Independent of squares: linear stages without biases on many rows of random signs, one of them rounded."""
    network = seeded(nn.Sequential(nn.Linear(40, 30, bias=False), nn.ReLU(), nn.Linear(30, 8, bias=False)))
    graph = graph_from_torch(network, (40,))
    rows = np.where(np.random.default_rng(0).uniform(-1, 1, (4000, 40)) < 0, -1.0, 1.0)
    for bits in (3, 5, 8):
        for stage, lost in enumerate(stage_losses(lower(graph), bits)):
            assert 0.5 < lost / relative_error(graph, bits, stage, rows) < 2


def scaled_channels(largest: float, below: list[float], undone: float, seed: int) -> nn.Module:
    """Each channel has a scale of its own, which the next layer undoes or not."""
    scales = 10.0 ** (torch.tensor(below, dtype=torch.float64) + largest)
    layers = (nn.Linear(16, 12, bias=False), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 4, bias=False))
    network = seeded(nn.Sequential(*layers), seed)
    with torch.no_grad():
        network[1].weight.copy_(scales)
        network[1].bias.zero_()
        network[1].running_mean.zero_()
        network[3].weight.mul_(scales**-undone)
    return network


@pytest.mark.slow
@pytest.mark.req("CAPC-PARAM-044")
@settings(max_examples=examples(ordinary=15, nightly=60), deadline=None)
@given(
    largest=st.floats(-6, 0),
    below=st.lists(st.floats(-3, 0), min_size=12, max_size=12),
    undone=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 100),
)
# Three channels carry nearly all, and where all three are 0 the rounded ones decide: a quarter of the labels change.
@example(largest=-2.25, below=[-2, -1.5, 0, -1, 0, -1, -1, -1, -2, -1, -2, 0], undone=0.0, seed=38)
def test_random_scales_are_refused_or_lose_what_is_said(
    largest: float, below: list[float], undone: float, seed: int
) -> None:
    """What the integers lose is what the rule says, and labels that are clearer than that are kept."""
    graph = graph_from_torch(scaled_channels(largest, below, undone, seed), (16,))
    losses = stage_losses(lower(graph), F)
    if max(losses) > MOST_LOST:
        with pytest.raises(InputError):
            quantise_graph(graph, F)
        return
    model, said = quantise_graph(graph, F), sum(lost**2 for lost in losses) ** 0.5
    # Features of mean square 1, as the rule has them; the integers know no largest feature.
    rows = np.random.default_rng(1).uniform(-1, 1, (300, 16)) * 3**0.5
    real = float_logits(graph, rows)
    got = np.array([model.logits(fixed_point.quantise(row.tolist(), F)) for row in rows], dtype=float) / 2.0 ** (2 * F)
    logits, change = (array - array.mean(axis=1, keepdims=True) for array in (real, got - real))
    size = (logits**2).mean() ** 0.5
    # Below the rule's limit, activations that are cut to f bits can take more than the rounded weights do.
    assert (change**2).mean() ** 0.5 <= 2 * said * size + 2.0**-F
    second, first = np.sort(real, axis=1)[:, -2:].T
    clear = first - second > 4 * (said * size + 2.0**-F)
    assert (real.argmax(axis=1) == got.argmax(axis=1))[clear].sum() >= 0.95 * clear.sum()


@pytest.mark.slow
@settings(max_examples=examples(ordinary=10, nightly=40), deadline=None)
@given(networks())
def test_random_network_of_ordinary_weights_is_not_refused(network: tuple[nn.Module, Shape]) -> None:
    module, shape = network
    quantise_graph(graph_from_torch(module, shape), 20)


@pytest.mark.req("CAPC-PARAM-058")
@pytest.mark.parametrize(("size", "weight_bits"), [(8, None), (16, 14), (32, 16), (64, 18), (96, 20), (128, 20)])
def test_global_pool_is_read_right(size: int, weight_bits: int | None) -> None:
    """Its weights are divided by up to 2^14; their scale leaves 6 fraction bits, and the sums fit the default ring."""
    network, shape = global_pool(size)
    graph = graph_from_torch(network, shape)
    levels = np.linspace(-1, 1, 9)
    rows = np.repeat(levels, size * size).reshape(9, *shape)
    model = quantise_graph(graph, F)
    model.check_ranges(37)
    assert model.architecture.stages[1].weight_bits == weight_bits
    assert quantisation_report(graph, rows, F, 37).agreeing == 9


NO_VOTES: dict[str, tuple[nn.Module, Shape, str]] = {
    "one_logit": (nn.Sequential(nn.Linear(8, 1)), (8,), r"at 0: its shape is \(1,\), .* classes: where its sign"),
    "one_softmax": (nn.Sequential(nn.Linear(8, 1), nn.Softmax(1)), (8,), r"at 1: its shape is \(1,\)"),
    "pixels": (nn.Sequential(nn.Conv2d(1, 3, 1)), (1, 4, 4), r"at 0: its shape is \(3, 4, 4\), logits for each of 16"),
    "a_row_of_pixels": (nn.Sequential(nn.Conv2d(1, 3, 1)), (1, 1, 2), r"at 0: its shape is \(3, 1, 2\)"),
    "one_channel": (nn.Sequential(nn.Conv2d(1, 1, 1)), (1, 1, 5), r"at 0: its shape is \(1, 1, 5\)"),
    "one_pixel": (nn.Sequential(nn.Conv2d(1, 1, 4)), (1, 4, 4), r"at 0: its shape is \(1, 1, 1\), and a vote"),
    "thousands": (nn.Sequential(nn.Linear(8, 1025)), (8,), r"at 0: its shape is \(1025,\), .*: choose fewer classes"),
    "query": (nn.Sequential(nn.Flatten()), (1, 64, 64), r"at 0: its shape is \(4096,\)"),
}  # fmt: skip


@pytest.mark.req("CAPC-PARAM-046")
@pytest.mark.parametrize("name", NO_VOTES)
def test_output_that_is_no_vote_is_refused(name: str) -> None:
    network, shape, message = NO_VOTES[name]
    graph = graph_from_torch(seeded(network), shape)
    with pytest.raises(InputError, match=message) as caught:
        quantise_graph(graph, F)
    assert str(caught.value).count("\n") == 0


@pytest.mark.req("CAPC-PARAM-046")
@pytest.mark.parametrize("classes", [2, 1024])
def test_votes_of_a_session_are_taken(classes: int) -> None:
    """The bounds are those of a session: it takes as many classes, and one less or more is refused there, too."""
    assert len(quantise_graph(graph_from_torch(seeded(nn.Sequential(nn.Linear(8, classes))), (8,)), F).layers) == 1
    policy = make_policy(Fraction(1, 4))
    assert make_parameters(None, policy, num_classes=classes, num_features=8).num_classes == classes
    with pytest.raises(ParameterError):
        make_parameters(None, policy, num_classes=1 if classes == 2 else 1025, num_features=8)


@pytest.mark.req("CAPC-PARAM-046")
def test_logits_of_one_position_are_a_vote() -> None:
    network = seeded(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1)))
    assert quantise_graph(graph_from_torch(network, (1, 6, 6)), 20).architecture.outputs == 4
