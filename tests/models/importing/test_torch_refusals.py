"""What a PyTorch module must not be is refused in one line: the operator, the layer, the reason and the remedy."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from capc.foundation.errors import InputError
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.graph import Graph
from capc.models.importing.lower import lower
from capc.models.importing.quantise import quantise_graph
from support.networks import Shape, seeded

IMAGE: Shape = (2, 6, 6)
FLAT: Shape = (6,)


class Calls(nn.Module):
    """A module whose forward method is a function of the module and its input."""

    def __init__(self, forward: Callable[..., object]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.linear = nn.Linear(6, 6)
        self.table = nn.Parameter(torch.ones(6))
        self._forward = forward

    def forward(self, x: Tensor) -> object:
        return self._forward(self, x)


class TwoInputs(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


def nan_linear() -> nn.Module:
    layer = nn.Linear(6, 2)
    nn.init.constant_(layer.weight, float("nan"))
    return layer


def hooked() -> nn.Module:
    layer = nn.Linear(6, 2)
    layer.register_forward_pre_hook(lambda _module, inputs: (inputs[0].roll(1, 1),))
    return nn.Sequential(layer)


def conv(**settings: object) -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 2, 3, **settings), nn.ReLU())  # type: ignore[arg-type]


def after(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 2, 3), *layers)


def slopes(*each: float) -> nn.PReLU:
    layer = nn.PReLU(len(each))
    layer.weight.data = torch.tensor(each)
    return layer


def added_sums(module: Calls, x: Tensor) -> Tensor:
    return module.conv(x) + module.conv(module.conv(x).relu())


CONTROL_FLOW = "Calls cannot be read: its code branches on numbers of the query, .*: remove control flow"
REFUSALS: dict[str, tuple[nn.Module, Shape, str]] = {
    "activation": (
        nn.Sequential(nn.Linear(6, 4), nn.Sigmoid(), nn.Linear(4, 2)), FLAT,
        "Sigmoid at 1: it is not supported: train it again with Hardsigmoid",
    ),
    "hardswish": (after(nn.Hardswish()), IMAGE, "Hardswish at 1: .*: train it again with ReLU6 or Hardsigmoid"),
    "silu": (after(nn.SiLU()), IMAGE, "SiLU at 1: .*: train it again with ReLU, ReLU6 or a LeakyReLU of slope 2"),
    "slope": (after(nn.LeakyReLU()), IMAGE, "LeakyReLU at 1: its slope 0.01 is no power of two below 1: use .*-7"),
    "random_slope": (after(nn.RReLU()), IMAGE, "RReLU at 1: its slope 0.229167 is no power of two below 1: use .*-2"),
    "slopes": (after(slopes(0.25, 0.5)), IMAGE, "PReLU at 1: its constants differ from entry to entry: use one"),
    "crossed": (Calls(lambda m, x: m.linear(x).clamp(2, 1)), FLAT, "clamp at clamp: nothing lies between its bounds 2"),
    "larger_of_two": (
        Calls(lambda m, x: torch.maximum(m.linear(x), m.linear(x).relu())),
        FLAT,
        "maximum at maximum: it compares two values of the network: values of the network must join by",
    ),
    "functional_activation": (Calls(lambda m, x: torch.tanh(m.linear(x))), FLAT, "tanh at tanh: .* with Hardtanh"),
    "layer_norm": (nn.Sequential(nn.LayerNorm(6)), FLAT, "LayerNorm at 0: .* use a batch normalisation"),
    "transposed": (nn.Sequential(nn.ConvTranspose2d(2, 2, 3)), IMAGE, "ConvTranspose2d at 0: .*: only ordinary"),
    "joined_rows": (
        Calls(lambda m, x: torch.cat([x, x], 0)), FLAT, "cat at cat: it is along axis 0: concatenate channels",
    ),
    "joined_constants": (
        Calls(lambda m, x: torch.cat([x, m.table.expand(3, 6)], 1)), FLAT,
        "cat at cat: it joins constants with a value",
    ),
    "product": (
        Calls(lambda m, x: x * m.linear(x)), FLAT, "mul at mul: it combines two values .* must join by addition",
    ),
    "product_of_values": (
        Calls(lambda m, x: x @ m.linear(x).t()), FLAT, r"t at t: it puts the axes in the order \[1, 0\]",
    ),
    "divided": (Calls(lambda m, x: 1 / m.linear(x)), FLAT, "reciprocal at reciprocal: it is not supported"),
    "divided_by_nothing": (Calls(lambda m, x: m.linear(x) / 0), FLAT, "div at div: it divides by 0: correct the model"),
    "sum_that_is_not_finite": (
        Calls(lambda m, x: x + m.table * float("inf")), FLAT, "add at add: a weight is not a finite number",
    ),
    "sum_of_rows": (
        Calls(lambda m, x: x + torch.ones(3, 1)), FLAT, r"add at add: constants of the shape \(3, 1\) do not fit rows",
    ),
    "random": (Calls(lambda m, x: x + torch.rand_like(x)), FLAT, "rand_like at rand_like: it is random in evaluation"),
    "two_inputs": (TwoInputs(), FLAT, r"TwoInputs takes 2 inputs \(x, y\): let its forward take one, the query"),
    "two_outputs": (Calls(lambda m, x: (m.linear(x), x)), FLAT, "output at output: it is not one tensor"),
    "control_flow": (Calls(lambda m, x: x if x.sum() > 0 else -x), FLAT, CONTROL_FLOW),
    "number_of_the_query": (Calls(lambda m, x: sum([x] * int(x.view(-1).relu().mean()))), FLAT, CONTROL_FLOW),
    "numpy": (
        Calls(lambda m, x: torch.from_numpy(x.numpy() * 2)), FLAT,
        r"Calls cannot be read by torch.export \(.*\): use operators",
    ),
    "constant_output": (Calls(lambda m, x: 3), FLAT, "output at output: it is not one tensor"),
    "hook": (hooked(), FLAT, "Linear at 0: it runs roll, which is not supported"),
    "not_finite": (nn.Sequential(nan_linear()), FLAT, "Linear at 0: a weight is not a finite number"),
    "not_flattened": (nn.Sequential(nn.Linear(6, 2)), IMAGE, r"Linear at 0: .* \(2, 6, 6\) and is not flattened"),
    "wrong_width": (nn.Sequential(nn.Linear(5, 2)), FLAT, r"Linear at 0: it cannot be run on rows of the shape \(6,\)"),
    "wrong_channels": (nn.Sequential(nn.Conv2d(3, 2, 3)), IMAGE, "Conv2d at 0: it cannot be run .* correct it"),
    "window_too_large": (nn.Sequential(nn.Conv2d(2, 2, 7)), IMAGE, "Conv2d at 0: it cannot be run .* Kernel size"),
    "pool_too_large": (nn.Sequential(nn.AvgPool2d(7)), IMAGE, "AvgPool2d at 0: it cannot be run .* too small"),
    "pool_of_features": (nn.Sequential(nn.MaxPool2d(2)), FLAT, r"MaxPool2d at 0: it cannot be run .*\(6,\)"),
    "reflection": (
        conv(padding_mode="reflect", padding=1), IMAGE, "Conv2d at 0: it pads in the mode reflect: pad with",
    ),
    "circular": (
        conv(padding_mode="circular", padding=1), IMAGE, "Conv2d at 0: it pads in the mode circular: pad with",
    ),
    "padded_by_ones": (
        Calls(lambda m, x: functional.pad(x, (1, 1), value=1)), IMAGE, "pad at pad: it pads with something",
    ),
    "cropped": (Calls(lambda m, x: functional.pad(x, (-1, 0))), IMAGE, "pad at pad: it pads with something else"),
    "no_statistics": (
        nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6, track_running_stats=False)), FLAT,
        "BatchNorm1d at 1: it has no running statistics",
    ),
    "indices": (
        Calls(lambda m, x: functional.max_pool2d_with_indices(m.conv(x), 2)[0]), IMAGE, "at max_pool2d_with_indices:",
    ),
    "ceil_mode": (after(nn.ReLU(), nn.AvgPool2d(3, ceil_mode=True)), IMAGE, "AvgPool2d at 2: ceil_mode adds a window"),
    "padding_not_counted": (
        after(nn.ReLU(), nn.AvgPool2d(2, padding=1, count_include_pad=False)), IMAGE,
        "AvgPool2d at 2: its padding does not count, .*: set count_include_pad",
    ),
    "uneven_adaptive": (
        nn.Sequential(nn.AdaptiveAvgPool2d(4)), IMAGE, "AdaptiveAvgPool2d at 0: 6 x 6 is not a multiple of its output",
    ),
    "flattened_batch": (Calls(lambda m, x: torch.flatten(x)), IMAGE, "flatten at flatten: .* use start_dim = 1"),
    "reshape_of_the_batch": (
        Calls(lambda m, x: x.reshape(6, -1)), IMAGE, "reshape at reshape: .* keep the batch first",
    ),
    "squeezed_batch": (
        Calls(lambda m, x: x.permute(1, 0, 2, 3)), IMAGE, "permute at permute: it puts the axes in the order",
    ),
    "mean_of_channels": (
        Calls(lambda m, x: x.mean(1)), IMAGE, r"mean at mean: it is the mean over the axes \[1\] of rows",
    ),
    "mean_of_rows": (Calls(lambda m, x: x - x.mean(0)), FLAT, "mean at mean: it is a mean over the rows of a batch"),
    "softmax_of_pixels": (nn.Sequential(nn.Softmax(2)), IMAGE, "Softmax at 0: it is over axis 2"),
    "live_dropout": (Calls(lambda m, x: functional.dropout(x, 0.5)), FLAT, "dropout at dropout: it drops in"),
    "shapes_that_differ": (
        Calls(lambda m, x: m.conv(x) + m.conv(x).mean((2, 3), keepdim=True)), IMAGE, "add at add: it adds values",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_module_is_refused(name: str) -> None:
    module, shape, message = REFUSALS[name]
    with pytest.raises(InputError, match=message) as caught:
        graph_from_torch(module, shape)
    assert str(caught.value).count("\n") == 0
    assert str(caught.value).count(": ") >= 1


LOWERING: dict[str, tuple[nn.Module, Shape, str]] = {
    "factors_within_a_channel": (
        seeded(after(nn.Flatten(), nn.BatchNorm1d(32))).float(), IMAGE,
        "BatchNorm1d at 2: its factors differ within a channel",
    ),
    "groups_of_a_concatenation": (
        nn.Sequential(Calls(lambda m, x: torch.cat([x, m.conv(x).relu()], 1)), nn.Conv2d(4, 4, 1, groups=2)), IMAGE,
        "Conv2d at 1: it works in groups on a concatenation",
    ),
    "channels_mixed": (
        nn.Sequential(Calls(lambda m, x: torch.cat([x, m.conv(x).relu(), x], 1).view(-1, 4, 9, 6)), nn.Conv2d(4, 2, 1)),
        IMAGE, "view at view: it mixes channels of a concatenation",
    ),
    "zeros_around_sums": (
        Calls(lambda m, x: functional.pad(m.conv(x), (1, 1)) + 1), IMAGE,
        "add at add: it works on a value with zeros around",
    ),
    "uneven_padding_with_dilation": (
        nn.Sequential(nn.ZeroPad2d((1, 0, 0, 0)), nn.Conv2d(2, 2, 2, dilation=2)), IMAGE,
        "Conv2d at 1: its padding is 1 and 0 on opposite sides, with dilation 2",
    ),
    "layer_after_softmax": (
        nn.Sequential(nn.Softmax(1), nn.Linear(6, 2)), FLAT, "Linear at 1: it follows a softmax",
    ),
    "two_softmaxes": (nn.Sequential(nn.Softmax(1), nn.Softmax(1)), FLAT, "Softmax at 1: it follows a softmax"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOWERING)
def test_network_is_refused(name: str) -> None:
    module, shape, message = LOWERING[name]
    graph = graph_from_torch(module, shape)
    with pytest.raises(InputError, match=message) as caught:
        lower(graph)
    assert str(caught.value).count("\n") == 0


@pytest.mark.slow
def test_too_many_layers_are_refused() -> None:
    deep = nn.Sequential(*(layer for _ in range(256) for layer in (nn.Linear(2, 2), nn.ReLU())))
    with pytest.raises(InputError, match=r"does not become stages .*: choose 1 to 255"):
        lower(graph_from_torch(deep, (2,)))


@pytest.mark.parametrize("shape", [(), (0,), (2, 3), (1, 2, 3, 4), (1 << 30,), (1 << 12, 1 << 12, 1)])
def test_impossible_input_shape_is_refused(shape: Shape) -> None:
    with pytest.raises(InputError, match="input shape"):
        Graph(shape)


def test_too_many_windows_are_refused() -> None:
    with pytest.raises(InputError, match=r"Conv2d at 0: .* windows of"):
        graph_from_torch(nn.Sequential(nn.Conv2d(1, 1, 999, padding=999)), (1, 1024, 1024))


@pytest.mark.slow
def test_numbers_made_of_weights_are_limited() -> None:
    """A wide layer beside an activation in place, which PyTorch transposes; and one that is made to be huge."""
    wide = nn.Sequential(nn.Linear(2050, 2050), nn.ReLU(inplace=True), nn.Linear(2050, 2))
    assert len(graph_from_torch(wide, (2050,)).nodes) >= 3
    huge = Calls(lambda m, x: x + m.table.expand(1 << 23, 6).sum())
    with pytest.raises(InputError, match="it makes 50331648 numbers of weights: make at most 16777216"):
        graph_from_torch(huge, FLAT)


@pytest.mark.req("CAPC-PARAM-030")
def test_model_that_could_wrap_is_refused() -> None:
    model = quantise_graph(graph_from_torch(seeded(nn.Sequential(nn.Linear(6, 2))), FLAT), 12)
    model.check_ranges(37)
    with pytest.raises(InputError, match=r"0 of the model needs [0-9]+ bits and the logit ring has 20"):
        model.check_ranges(20)
