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


def seeded(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in double precision, with weights, biases and statistics that are not those of initialisation."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            drawn = torch.rand(tensor.shape, generator=generator, dtype=torch.float64) * 2 - 1
            fan_in = max(1, tensor[0].numel()) if tensor.ndim > 1 else 1
            tensor.copy_(0.5 + 0.4 * drawn.abs() if name.endswith("running_var") else drawn / fan_in**0.5)
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
