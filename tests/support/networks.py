"""Networks as PyTorch modules: named ones, and random small ones; weights and statistics are drawn from a seed."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

Shape = tuple[int, ...]


class Residual(nn.Module):
    """relu(main(x) + shortcut(x)), with nn.Identity as the plain shortcut."""

    def __init__(self, main: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.main = main
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.main(x) + self.shortcut(x))


class Constants(nn.Module):
    """scales x + shifts, with constants of any shape that fits; positive scales where a max pool follows."""

    def __init__(self, scales: Shape, shifts: Shape, *, positive: bool = False) -> None:
        super().__init__()
        self.register_buffer("scales", torch.ones(scales))
        self.register_buffer("shifts", torch.zeros(shifts))
        self.positive = positive

    def factors(self) -> Tensor:
        return self.scales.abs() if self.positive else self.scales

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factors() + self.shifts


def away_from_zero(drawn: Tensor) -> Tensor:
    """Numbers of [-1, 1] as factors of 1/4 to 1, of the same sign: rounding loses little of what they scale."""
    return torch.copysign(0.25 + 0.75 * drawn.abs(), drawn)


class Both(nn.Module):
    """What two networks give for one value, joined by channels or added."""

    def __init__(self, one: nn.Module, other: nn.Module, *, added: bool) -> None:
        super().__init__()
        self.one = one
        self.other = other
        self.added = added

    def forward(self, x: Tensor) -> Tensor:
        one, other = self.one(x), self.other(x)
        return one + other if self.added else torch.cat([one, other], 1)


class Between(nn.Module):
    """max(low, min(x, high)), or one of these where the other is None, by functions of two tensors."""

    def __init__(self, low: float | None, high: float | None) -> None:
        super().__init__()
        self.low = low
        self.high = high

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.high is None else torch.minimum(x, torch.tensor(self.high, dtype=x.dtype))
        return x if self.low is None else torch.maximum(torch.tensor(self.low, dtype=x.dtype), x)


ACTIVATIONS: tuple[nn.Module, ...] = (
    nn.ReLU(),
    nn.ReLU(),
    nn.ReLU6(),
    nn.Hardtanh(-0.25, 0.5),
    nn.Hardsigmoid(),
    nn.LeakyReLU(0.25),
    Between(-0.125, None),
    Between(None, 0.25),
)


class MeanOfPixels(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class Squeezed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.squeeze(3).squeeze(2)


class Viewed(nn.Module):
    """A value as one column of pixels, by a size that is computed from the value's own."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], -1, 1)


def seeded(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in double precision, with weights, biases and statistics that are not those of initialisation."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            drawn = torch.rand(tensor.shape, generator=generator, dtype=torch.float64) * 2 - 1
            if name.endswith("running_var"):
                tensor.copy_(0.5 + 0.4 * drawn.abs())
            elif name.endswith("scales") or (tensor.ndim == 1 and name.endswith("weight")):
                tensor.copy_(away_from_zero(drawn))
            else:
                tensor.copy_(drawn / max(1, tensor[0].numel() if tensor.ndim > 1 else 1) ** 0.5)
    return module


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm2d(outputs)]


def small_resnet() -> nn.Module:
    plain = Residual(
        nn.Sequential(*conv_bn(3, 3, 3, padding=1), nn.ReLU(), *conv_bn(3, 3, 3, padding=1)), nn.Identity()
    )
    projected = Residual(
        nn.Sequential(*conv_bn(3, 4, 3, 2, 1), nn.ReLU(), *conv_bn(4, 4, 3, padding=1)),
        nn.Sequential(*conv_bn(3, 4, 1, 2)),
    )
    return nn.Sequential(
        *conv_bn(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1), plain, projected, nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


NAMED: dict[str, tuple[nn.Module, Shape]] = {
    "mlp": (
        seeded(
            nn.Sequential(
                nn.Linear(12, 8),
                nn.BatchNorm1d(8),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(8, 6),
                nn.ReLU(),
                nn.Linear(6, 4),
            )
        ),
        (12,),
    ),
    "cryptonets_with_relu": (
        seeded(
            nn.Sequential(
                nn.Conv2d(1, 3, 5, 2, 1),
                nn.ReLU(),
                nn.AvgPool2d(2),
                nn.Flatten(),
                nn.Linear(27, 10),
                nn.ReLU(),
                nn.Linear(10, 5),
                nn.Softmax(1),
            )
        ),
        (1, 13, 13),
    ),
    "small_vgg": (
        seeded(
            nn.Sequential(
                *conv_bn(2, 3, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
                *conv_bn(3, 4, 3, padding=1),
                nn.MaxPool2d(2),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(16, 6),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(6, 3),
            )
        ),
        (2, 8, 8),
    ),
    "small_resnet": (seeded(small_resnet()), (1, 8, 8)),
    "depthwise_separable": (
        seeded(
            nn.Sequential(
                nn.Conv2d(3, 6, 3, 1, 1, groups=3),
                nn.BatchNorm2d(6),
                nn.ReLU(),
                nn.Conv2d(6, 4, 1),
                nn.ReLU(),
                nn.AvgPool2d(3, 2, 1),
                nn.Flatten(),
                nn.Linear(36, 3),
            )
        ),
        (3, 5, 5),
    ),
    "dilated": (
        seeded(
            nn.Sequential(
                nn.Conv2d(1, 3, 3, padding=2, dilation=2),
                nn.ReLU(),
                nn.Conv2d(3, 2, (2, 3), (1, 2), (1, 0), (3, 1)),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(20, 3),
            )
        ),
        (1, 6, 6),
    ),
    # The logits are averages of ReLUs.
    "ends_in_an_average": (
        seeded(nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten())),
        (1, 4, 4),
    ),
}


@st.composite
def networks(draw: st.DrawFn) -> tuple[nn.Module, Shape]:
    """A random network, and the shape of its input."""
    shape: Shape = (draw(st.integers(1, 3)), draw(st.integers(3, 6)), draw(st.integers(3, 6)))
    layers: list[nn.Module] = []
    width = shape[0]
    for _ in range(draw(st.integers(1, 3))):
        blocks = [_convolution, _pooled_convolution, _residual]
        added, width = draw(st.sampled_from(blocks))(draw, width)
        layers += added
    layers += [*draw(st.sampled_from([[nn.AdaptiveAvgPool2d(1)], []])), nn.Flatten()]
    features = nn.Sequential(*layers).double()(torch.zeros(2, *shape, dtype=torch.float64)).shape[1]
    if draw(st.booleans()):
        layers += [nn.Linear(features, 4), nn.BatchNorm1d(4), nn.ReLU()]
        features = 4
    layers.append(nn.Linear(features, draw(st.integers(2, 4)), bias=draw(st.booleans())))
    return seeded(nn.Sequential(*layers), draw(st.integers(0, 1000))), shape


def _convolution(draw: st.DrawFn, width: int) -> tuple[list[nn.Module], int]:
    groups = draw(st.sampled_from([1, width]))
    outputs = groups * draw(st.integers(1, 2)) if groups > 1 else draw(st.integers(1, 3))
    # Padding of at least the reach of the window keeps every size positive.
    kernel, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    padding = dilation * (kernel - 1) // 2 + draw(st.integers(0, 1)) + (dilation * (kernel - 1)) % 2
    conv = nn.Conv2d(width, outputs, kernel, draw(st.integers(1, 2)), padding, dilation, groups, draw(st.booleans()))
    return [conv, *([nn.BatchNorm2d(outputs)] if draw(st.booleans()) else []), nn.ReLU()], outputs


def _pooled_convolution(draw: st.DrawFn, width: int) -> tuple[list[nn.Module], int]:
    layers, outputs = _convolution(draw, width)
    pools: list[nn.Module] = [
        nn.MaxPool2d(2, 1, 1),
        nn.MaxPool2d(3, 2, 1),
        nn.AvgPool2d(2, 1, 1),
        nn.AvgPool2d(3, 2, 1),
    ]
    pool = draw(st.sampled_from(pools))
    if isinstance(pool, nn.MaxPool2d) and draw(st.booleans()):
        return [*layers[:-1], pool, nn.ReLU()], outputs
    return [*layers, pool, *([nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(1)] if draw(st.booleans()) else [])], outputs


def _residual(draw: st.DrawFn, width: int) -> tuple[list[nn.Module], int]:
    main = nn.Sequential(*conv_bn(width, width, 3, padding=1))
    shortcuts = [nn.Identity(), nn.Conv2d(width, width, 1), nn.AvgPool2d(3, 1, 1), nn.Sequential(nn.ReLU())]
    mains = [main, nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(), main), nn.Identity()]
    return [Residual(draw(st.sampled_from(mains)), draw(st.sampled_from(shortcuts)))], width


@st.composite
def folded_networks(draw: st.DrawFn) -> tuple[nn.Module, Shape]:
    """A random network of what is folded into its neighbours: constants, zeros, concatenations, reshapes."""
    shape: Shape = (draw(st.integers(1, 3)), draw(st.integers(3, 5)), draw(st.integers(3, 5)))
    layers: list[nn.Module] = [_constants(draw, shape)] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 2))):
        layers += draw(st.sampled_from(FOLDED))(draw, shape_after(layers, shape))
    if draw(st.booleans()):
        layers.append(_constants(draw, shape_after(layers, shape)))
    layers += draw(
        st.sampled_from(
            [[nn.AdaptiveAvgPool2d(1), Squeezed()], [MeanOfPixels()], [nn.Flatten()], [Viewed(), nn.Flatten()]]
        )
    )
    (features,) = shape_after(layers, shape)
    if draw(st.booleans()):
        layers.append(Constants((features,), (features,)))
    if draw(st.booleans()):
        layers.append(nn.Linear(features, 3))
        layers += [nn.ReLU(), nn.BatchNorm1d(3)] if draw(st.booleans()) else []
        features = 3
    layers += [nn.Linear(features, 4), *([Constants((), (4,))] if draw(st.booleans()) else [])]
    return lively(seeded(nn.Sequential(*layers), draw(st.integers(0, 1000)))), shape


def lively(module: nn.Module) -> nn.Module:
    """The module with biases that are not negative, so that few ReLUs give 0 whatever comes before them."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d) and layer.bias is not None:
            layer.bias.data.abs_()
    return module


def shape_after(layers: list[nn.Module], shape: Shape) -> Shape:
    return tuple(nn.Sequential(*layers).eval()(torch.zeros(1, *shape)).shape[1:])


def _constants(draw: st.DrawFn, shape: Shape, *, positive: bool = False) -> nn.Module:
    """Factors of channels, which a convolution may take up; shifts of anything."""
    channels = (shape[0], 1, 1)
    shifts = draw(st.sampled_from([(), channels, *([] if positive else [shape, shape[1:]])]))
    return Constants(draw(st.sampled_from([(), channels])), shifts, positive=positive)


def _rectified(
    draw: st.DrawFn, shape: Shape, padding: int | None = None, kinds: tuple[nn.Module, ...] = (nn.ReLU(),)
) -> list[nn.Module]:
    """A convolution with what may stand between it and its ReLU, of one of these kinds."""
    groups = draw(st.sampled_from([1, shape[0]]))
    outputs = groups * draw(st.integers(1, 2))
    dilation = draw(st.integers(1, 2)) if padding is None else 1
    conv = nn.Conv2d(
        shape[0], outputs, 3 if padding is None else 2, 1, dilation if padding is None else padding, dilation, groups,
        draw(st.booleans()),
    )  # fmt: skip
    between = draw(st.sampled_from([[], [nn.BatchNorm2d(outputs)], [Constants((outputs, 1, 1), ())]]))
    return [conv, *between, draw(st.sampled_from(kinds))]


def _scaled_after(draw: st.DrawFn, shape: Shape) -> list[nn.Module]:
    layers = _rectified(draw, shape, kinds=ACTIVATIONS)
    made = shape_after(layers, shape)
    after = draw(st.sampled_from([[nn.BatchNorm2d(made[0])], [_constants(draw, made)]]))
    pools: list[list[nn.Module]] = [[nn.AvgPool2d(2, 1, 1)], [nn.AvgPool2d(3, 2, 1, divisor_override=5)], []]
    return [*layers, *after, *draw(st.sampled_from(pools)), *_rectified(draw, made, kinds=ACTIVATIONS)]


def _scaled_before_a_max_pool(draw: st.DrawFn, shape: Shape) -> list[nn.Module]:
    layers = _rectified(draw, shape)
    positive = _constants(draw, shape_after(layers, shape), positive=True)
    if draw(st.booleans()):
        return [*layers, positive, nn.MaxPool2d(2, 1, 1)]
    channels = shape_after(layers, shape)[0]
    return [
        *layers[:-1],
        nn.MaxPool2d(2, 1, 1),
        Constants((channels, 1, 1), (channels, 1, 1), positive=True),
        nn.ReLU(),
    ]


def _unequal_zeros(draw: st.DrawFn, shape: Shape) -> list[nn.Module]:
    sides = tuple(draw(st.integers(0, 2)) for _ in range(4))
    layers: list[nn.Module] = [nn.ZeroPad2d(sides), *_rectified(draw, shape, draw(st.integers(0, 1)), ACTIVATIONS)]
    return [_constants(draw, shape), *layers] if draw(st.booleans()) else layers


def _joined(draw: st.DrawFn, shape: Shape) -> list[nn.Module]:
    others = [nn.Identity(), nn.Sequential(*_rectified(draw, shape)), nn.Sequential(nn.ReLU(), nn.AvgPool2d(3, 1, 1))]
    both = Both(nn.Sequential(*_rectified(draw, shape, kinds=ACTIVATIONS)), draw(st.sampled_from(others)), added=False)
    made = shape_after([both], shape)
    between = draw(st.sampled_from([[], [nn.BatchNorm2d(made[0]), nn.ReLU()], [_constants(draw, made)], [nn.ReLU()]]))
    return [both, *between, nn.Conv2d(made[0], 2, draw(st.sampled_from([1, 3])), padding=1), nn.ReLU()]


def _normalised_addition(draw: st.DrawFn, shape: Shape) -> list[nn.Module]:
    layers = _rectified(draw, shape)
    made = shape_after(layers, shape)
    main = nn.Conv2d(made[0], made[0], 3, padding=1)
    other = draw(st.sampled_from([nn.Identity(), nn.Sequential(nn.Conv2d(made[0], made[0], 1), nn.ReLU())]))
    return [*layers, Both(main, other, added=True), nn.BatchNorm2d(made[0]), nn.ReLU()]


FOLDED = [_scaled_after, _scaled_before_a_max_pool, _unequal_zeros, _joined, _normalised_addition]
