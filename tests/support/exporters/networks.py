"""Small networks of the kinds that people train, as PyTorch modules: all of them are read."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from support.networks import Both, MeanOfPixels, Residual, Shape, Squeezed, Viewed, conv_bn

IMAGE: Shape = (1, 12, 12)
COLOURS: Shape = (3, 8, 8)
ROW: Shape = (12,)


class Normalised(nn.Module):
    """(x - mean) / deviation, one of each for each channel, in front of a network."""

    def __init__(self, network: nn.Module, means: list[float], deviations: list[float], axes: int) -> None:
        super().__init__()
        shape = (1, len(means), *[1] * axes)
        # No buffers: these are not weights, and drawing weights leaves them alone.
        self.means = torch.tensor(means).reshape(shape)
        self.deviations = torch.tensor(deviations).reshape(shape)
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network((x - self.means.to(x.dtype)) / self.deviations.to(x.dtype))


class Applied(nn.Module):
    """A network with some function before it, after it, or both."""

    def __init__(
        self,
        network: nn.Module,
        before: Callable[[Tensor], Tensor] | None = None,
        after: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.before = before
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        made = self.network(x if self.before is None else self.before(x))
        return made if self.after is None else self.after(made)


class Dense(nn.Module):
    """DenseNet's layer: what comes in, and a few channels made from it."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.conv(torch.relu(self.norm(x)))], 1)


class Branches(nn.Module):
    """What several networks give for one value, joined by channels."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([part(x) for part in self.parts], dim=1)


class Shuffled(nn.Module):
    """ShuffleNet's shuffle of channels among two groups."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], 2, 2, 8, 8).transpose(1, 2).reshape(x.shape[0], 4, 8, 8)


class Quantised(nn.Module):
    """A linear layer whose weights are multiples of a scale, as training for a quantised network makes them."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.fake_quantize_per_tensor_affine(self.layer.weight, 1 / 64, 0, -128, 127)
        return nn.functional.linear(x, weights, self.layer.bias)


class TwoHeads(nn.Module):
    """The logits, and the features that they are made from."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 6), nn.ReLU())
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(x)
        return self.head(features), features


def seq(*parts: nn.Module | list[nn.Module]) -> nn.Sequential:
    return nn.Sequential(*(layer for part in parts for layer in (part if isinstance(part, list) else [part])))


def conv(inputs: int, outputs: int, kernel: int = 3, **settings: object) -> list[nn.Module]:
    """A convolution that keeps the size, and its ReLU."""
    return [nn.Conv2d(inputs, outputs, kernel, **{"padding": kernel // 2, **settings}), nn.ReLU()]


def normal(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution, batch normalisation, ReLU."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU()]


def mlp(*layers: nn.Module) -> nn.Module:
    return seq(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4), list(layers))


def pooled_head(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 4)]


def lenet(pool: nn.Module) -> nn.Module:
    return seq(
        conv(1, 3, 5), pool, conv(3, 5, 3, padding=0), pool, nn.Flatten(), nn.Linear(20, 12), nn.ReLU(),
        nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 5),
    )  # fmt: skip


def vgg(block: Callable[[int, int], list[nn.Module]]) -> nn.Module:
    return seq(
        block(3, 4), block(4, 4), nn.MaxPool2d(2), block(4, 6), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 8),
        nn.ReLU(), nn.Dropout(), nn.Linear(8, 4),
    )  # fmt: skip


def rising(channels: int) -> nn.Module:
    """A batch normalisation with positive factors, as a max pool after it needs them; drawing weights leaves them."""
    return nn.BatchNorm2d(channels, affine=False)


def basic_block(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    main = seq(normal(inputs, outputs, 3, stride), conv_bn(outputs, outputs, 3, padding=1))
    is_plain = stride == 1 and inputs == outputs
    return Residual(main, nn.Identity() if is_plain else seq(conv_bn(inputs, outputs, 1, stride)))


def bottleneck(groups: int = 1) -> nn.Module:
    return Residual(seq(normal(4, 2, 1), normal(2, 2, 3, groups=groups), conv_bn(2, 4, 1)), nn.Identity())


def preactivated() -> nn.Module:
    """The first form of a block with its normalisation in front, whose sums are normalised again by the next."""
    main = seq(nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, bias=False))
    return Both(main, nn.Identity(), added=True)


def fire(inputs: int, squeezed: int, expanded: int) -> nn.Module:
    return seq(conv(inputs, squeezed, 1), Branches(seq(conv(squeezed, expanded, 1)), seq(conv(squeezed, expanded, 3))))


def inception() -> nn.Module:
    return Branches(
        seq(conv(4, 2, 1)), seq(conv(4, 2, 1), conv(2, 3, 3)), seq(conv(4, 2, 1), conv(2, 2, 5)),
        seq(nn.MaxPool2d(3, 1, 1), conv(4, 2, 1)),
    )  # fmt: skip


def separable(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    return [*normal(inputs, inputs, 3, stride, inputs), *normal(inputs, outputs, 1)]


def inverted_residual() -> nn.Module:
    """MobileNet's second block with ReLU, whose narrow end is linear and is added to."""
    main = seq(normal(4, 8, 1), normal(8, 8, 3, groups=8), conv_bn(8, 4, 1))
    return seq(Residual(main, nn.Identity()))


def weight_normed() -> nn.Module:
    network = mlp()
    parametrizations.weight_norm(network[0])
    return network


def pruned() -> nn.Module:
    network = mlp()
    prune.random_unstructured(network[0], "weight", 0.5)
    return network


def ensemble() -> nn.Module:
    return Applied(Both(mlp(), seq(nn.Linear(12, 4)), added=True), after=lambda logits: logits / 2)


def with_activation(layer: nn.Module) -> Callable[[], nn.Module]:
    return lambda: seq(nn.Linear(12, 8), layer, nn.Linear(8, 4))


TRAINED: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "logistic": (lambda: nn.Linear(12, 4), ROW),
    "mlp": (mlp, ROW),
    "mlp_deep": (lambda: seq(*[[nn.Linear(12, 12), nn.ReLU()] for _ in range(4)], nn.Linear(12, 3)), ROW),
    "mlp_without_biases": (
        lambda: seq(nn.Linear(12, 8, bias=False), nn.ReLU(), nn.Linear(8, 4, bias=False)), ROW,
    ),
    "mlp_batchnorm_dropout": (
        lambda: seq(nn.Linear(12, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 4)), ROW,
    ),
    "mlp_batchnorm_after_relu": (
        lambda: seq(nn.Linear(12, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 4)), ROW,
    ),
    "mlp_batchnorm_first": (lambda: seq(nn.BatchNorm1d(12), mlp()), ROW),
    "mlp_batchnorm_last": (lambda: seq(mlp(), nn.BatchNorm1d(4)), ROW),
    "mlp_batchnorm_fixed": (
        lambda: seq(nn.Linear(12, 8), nn.BatchNorm1d(8, affine=False), nn.ReLU(), nn.Linear(8, 4)), ROW,
    ),
    "mlp_of_an_image": (lambda: seq(nn.Flatten(), nn.Linear(144, 8), nn.ReLU(), nn.Linear(8, 4)), IMAGE),
    "mlp_softmax": (lambda: mlp(nn.Softmax(dim=1)), ROW),
    "mlp_logsoftmax": (lambda: mlp(nn.LogSoftmax(dim=-1)), ROW),
    "one_probability": (lambda: seq(nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 1), nn.Sigmoid()), ROW),
    "one_probability_in_a_row": (
        lambda: Applied(seq(nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 1)), after=lambda z: z.sigmoid().squeeze(1)), ROW,
    ),
    "one_probability_of_an_image": (lambda: seq(conv(1, 2), nn.Conv2d(2, 1, 12), nn.Flatten(), nn.Sigmoid()), IMAGE),
    "probabilities_one_by_one": (lambda: mlp(nn.Sigmoid()), ROW),
    "mlp_temperature": (lambda: Applied(mlp(), after=lambda logits: logits * 0.5 + 1.0), ROW),
    "mlp_two_linear_in_a_row": (lambda: seq(nn.Linear(12, 3), nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4)), ROW),
    "mlp_skip": (
        lambda: seq(nn.Linear(12, 8), nn.ReLU(), Residual(seq(nn.Linear(8, 8)), nn.Identity()), nn.Linear(8, 4)), ROW,
    ),
    "mlp_wide_and_deep": (lambda: Both(mlp(), nn.Linear(12, 4), added=True), ROW),
    "mlp_branches": (
        lambda: seq(
            Branches(seq(nn.Linear(12, 4), nn.ReLU()), seq(nn.Linear(12, 3), nn.ReLU()), nn.Identity()),
            nn.Linear(19, 4),
        ), ROW,
    ),
    "mlp_weight_norm": (weight_normed, ROW),
    "mlp_pruned": (pruned, ROW),
    "mlp_quantised_weights": (
        lambda: seq(Quantised(nn.Linear(12, 8)), nn.ReLU(), Quantised(nn.Linear(8, 4))), ROW,
    ),
    "mlp_normalised": (lambda: Normalised(mlp(), [0.1 * n for n in range(12)], [0.5 + n for n in range(12)], 0), ROW),
    "mlp_of_bytes": (lambda: Applied(mlp(), before=lambda x: x * 127.5 / 255.0 + 0.5), ROW),
    "ensemble": (ensemble, ROW),
    "two_heads": (TwoHeads, ROW),
    "lenet": (lambda: lenet(nn.MaxPool2d(2)), IMAGE),
    "lenet_average": (lambda: lenet(nn.AvgPool2d(2)), IMAGE),
    "vgg": (lambda: vgg(conv), COLOURS),
    "vgg_batchnorm": (lambda: vgg(normal), COLOURS),
    "vgg_batchnorm_after_relu": (lambda: vgg(lambda i, o: [*conv(i, o), rising(o)]), COLOURS),
    "vgg_normalised": (
        lambda: Normalised(vgg(normal), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225], 2), COLOURS,
    ),
    "pool_before_relu": (
        lambda: seq(*conv_bn(1, 3, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(75, 4)), IMAGE,
    ),
    "alexnet": (
        lambda: seq(
            conv(3, 4, 5, stride=2, padding=2), nn.MaxPool2d(3, 2, 1), conv(4, 6), nn.MaxPool2d(2), nn.Flatten(),
            nn.Dropout(), nn.Linear(6, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 4),
        ), COLOURS,
    ),
    "resnet_basic": (
        lambda: seq(normal(3, 4), nn.MaxPool2d(3, 2, 1), basic_block(4, 4), basic_block(4, 6, 2), pooled_head(6)),
        COLOURS,
    ),
    "resnet_bottleneck": (lambda: seq(normal(3, 4), bottleneck(), bottleneck(), pooled_head(4)), COLOURS),
    "resnext": (lambda: seq(normal(3, 4), bottleneck(2), pooled_head(4)), COLOURS),
    "resnet_preactivated": (
        lambda: seq(conv(3, 4), preactivated(), nn.BatchNorm2d(4), nn.ReLU(), pooled_head(4)), COLOURS,
    ),
    "resnet_averaged_shortcut": (
        lambda: seq(
            normal(3, 4),
            Residual(
                seq(normal(4, 4, 3, 2), conv_bn(4, 4, 3, padding=1)), seq(nn.AvgPool2d(2), conv_bn(4, 4, 1))
            ),
            pooled_head(4),
        ), COLOURS,
    ),
    "mobilenet": (lambda: seq(normal(3, 4, 3, 2), separable(4, 6), separable(6, 8, 2), pooled_head(8)), COLOURS),
    "mobilenet_inverted": (lambda: seq(normal(3, 4), inverted_residual(), pooled_head(4)), COLOURS),
    "squeezenet": (
        lambda: seq(
            conv(3, 4), nn.MaxPool2d(2), fire(4, 2, 3), fire(6, 2, 4), nn.Dropout(), conv(8, 4, 1),
            nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
        ), COLOURS,
    ),
    "densenet": (
        lambda: seq(
            conv(3, 4), Dense(4, 2), Dense(6, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.ReLU(),
            nn.AvgPool2d(2), pooled_head(4),
        ), COLOURS,
    ),
    "inception": (lambda: seq(conv(3, 4), inception(), pooled_head(9)), COLOURS),
    "all_convolutional": (
        lambda: seq(conv(3, 4), conv(4, 4, 3, stride=2), conv(4, 4, 1), MeanOfPixels()), COLOURS,
    ),
    "convolutional_head": (lambda: seq(conv(3, 4), nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 5, 1)), COLOURS),
    "shuffle": (lambda: seq(conv(3, 4), Shuffled(), conv(4, 4), pooled_head(4)), COLOURS),
    "channels_last": (
        lambda: seq(
            conv(3, 4), nn.MaxPool2d(2), Applied(nn.Flatten(), lambda x: x.permute(0, 2, 3, 1)), nn.Linear(64, 4)
        ), COLOURS,
    ),
    "leaky_relu": (with_activation(nn.LeakyReLU(0.125)), ROW),
    "relu6": (lambda: seq(normal(3, 4)[:-1], nn.ReLU6(), pooled_head(4)), COLOURS),
    "hardtanh": (with_activation(nn.Hardtanh(0.0, 4.0)), ROW),
    "hardsigmoid": (with_activation(nn.Hardsigmoid()), ROW),
    "max_with_a_constant": (
        lambda: seq(nn.Linear(12, 8), Applied(nn.Linear(8, 4), lambda x: torch.maximum(x, torch.tensor(0.5).to(x)))),
        ROW,
    ),
    "dilated": (
        lambda: seq(conv(1, 3, 3, padding=2, dilation=2), conv(3, 2, 3, dilation=3), nn.Flatten(), nn.Linear(128, 3)),
        IMAGE,
    ),
    "same_padding": (
        lambda: seq(conv(1, 2, 4, padding="same"), conv(2, 3, 2, padding="same"), pooled_head(3)), IMAGE,
    ),
    "zero_padded": (lambda: seq(nn.ZeroPad2d((0, 1, 0, 1)), conv(1, 3, 3, stride=2, padding=0), pooled_head(3)), IMAGE),
    "viewed": (lambda: seq(conv(1, 2), nn.MaxPool2d(4), Viewed(), nn.Flatten(), nn.Linear(18, 3)), IMAGE),
    "squeezed": (lambda: seq(conv(1, 4), nn.AdaptiveAvgPool2d(1), Squeezed(), nn.Linear(4, 3)), IMAGE),
    "unflattened": (lambda: seq(nn.Unflatten(1, (1, 3, 4)), conv(1, 3), nn.Flatten(), nn.Linear(36, 3)), ROW),
    "adaptive_pool": (lambda: seq(conv(1, 3), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(27, 3)), IMAGE),
    "adaptive_max_pool": (lambda: seq(conv(1, 3), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(3, 3)), IMAGE),
    "largest_of_pixels": (lambda: seq(conv(1, 3), Applied(nn.Linear(3, 3), before=lambda x: x.amax((2, 3)))), IMAGE),
    "two_pools": (
        lambda: seq(
            conv(1, 4), Branches(nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)), nn.Flatten(), nn.Linear(8, 3)
        ), IMAGE,
    ),
    "two_convolutions": (lambda: seq(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1), nn.ReLU(), pooled_head(4)), COLOURS),
    "inverted_twice": (lambda: seq(normal(3, 4), nn.Conv2d(4, 2, 1), normal(2, 4, 1), pooled_head(4)), COLOURS),
    "averages_of_linear": (
        lambda: seq(nn.Conv2d(1, 2, 3), nn.AvgPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(50, 3)), IMAGE,
    ),
    "negative_factors_before_a_max_pool": (
        lambda: seq(
            conv(3, 4), Applied(nn.MaxPool2d(2), lambda x: x * torch.tensor([1, 1, -1, 1]).view(4, 1, 1)), conv(4, 4),
            pooled_head(4),
        ), COLOURS,
    ),
    "max_pool_of_the_query": (lambda: seq(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3)), IMAGE),
    "max_pool_alone": (lambda: seq(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(50, 3)), IMAGE),
}  # fmt: skip
"""By name: a network, and the shape of its input."""
