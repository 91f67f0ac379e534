"""Small networks of which something is not supported, as PyTorch modules, and why each is refused."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from support.exporters.networks import (
    COLOURS,
    IMAGE,
    ROW,
    Applied,
    Shuffled,
    conv,
    pooled_head,
    seq,
    with_activation,
)
from support.networks import Shape

ACTIVATION = r"it is not supported: train it again with"
RECURRENT = r"use convolutions or linear layers instead of recurrent ones"
NORM = r"use a batch normalisation, which is constant in evaluation"
TWO_VALUES = r"values of the network must join by addition or concatenation"


class Excited(nn.Module):
    """Squeeze and excitation: each channel times a number made from all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = seq(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 2, 1), nn.ReLU(), nn.Conv2d(2, 4, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class LastOf(nn.Module):
    """The last step of a recurrent layer over four steps of three features."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x.reshape(x.shape[0], 4, 3))[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 1, batch_first=True)
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.reshape(x.shape[0], 3, 4)
        return self.head(self.attention(tokens, tokens, tokens, need_weights=False)[0].flatten(1))


REFUSED: dict[str, tuple[Callable[[], nn.Module], Shape, str]] = {
    "hardswish": (with_activation(nn.Hardswish()), ROW, r"HardSwish at .*: .*ReLU6 or Hardsigmoid"),
    "sigmoid": (with_activation(nn.Sigmoid()), ROW, ACTIVATION),
    "tanh": (with_activation(nn.Tanh()), ROW, ACTIVATION),
    "gelu": (with_activation(nn.GELU()), ROW, ACTIVATION),
    "gelu_tanh": (with_activation(nn.GELU("tanh")), ROW, "train it again with|use a ReLU as the activ"),
    "silu": (with_activation(nn.SiLU()), ROW, "for an activation that multiplies .* train ReLU6 in its place"),
    "elu": (with_activation(nn.ELU()), ROW, ACTIVATION),
    "leaky_relu_tenth": (with_activation(nn.LeakyReLU(0.1)), ROW, "no power of two"),
    "prelu": (with_activation(nn.PReLU()), ROW, "no power of two"),
    "softplus": (with_activation(nn.Softplus()), ROW, ACTIVATION),
    "mish": (with_activation(nn.Mish()), ROW, ACTIVATION),
    "square": (lambda: seq(nn.Linear(12, 8), Applied(nn.Linear(8, 4), lambda x: x * x)), ROW, "with itself"),
    "power": (lambda: seq(nn.Linear(12, 8), Applied(nn.Linear(8, 4), lambda x: x**2)), ROW, "use a ReLU as the"),
    "layer_norm": (with_activation(nn.LayerNorm(8)), ROW, NORM),
    "group_norm": (lambda: seq(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), pooled_head(4)), COLOURS, NORM),
    "instance_norm": (lambda: seq(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4), nn.ReLU(), pooled_head(4)), COLOURS, NORM),
    "batch_norm_of_the_batch": (
        lambda: seq(nn.Linear(12, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.ReLU(), nn.Linear(8, 4)), ROW,
        "running statistics",
    ),
    "local_response_norm": (lambda: seq(conv(3, 4), nn.LocalResponseNorm(2), pooled_head(4)), COLOURS, "normalisation"),
    "lstm": (lambda: LastOf(nn.LSTM(3, 5, batch_first=True)), ROW, RECURRENT),
    "gru": (lambda: LastOf(nn.GRU(3, 5, batch_first=True)), ROW, RECURRENT),
    "transformer": (
        lambda: seq(
            nn.Unflatten(1, (3, 4)), nn.TransformerEncoderLayer(4, 1, 8, batch_first=True), nn.Flatten(),
            nn.Linear(12, 3),
        ), ROW, NORM,
    ),
    "attention": (Attention, ROW, "is not supported|keep the batch first"),
    "transposed_convolution": (
        lambda: seq(conv(1, 2), nn.ConvTranspose2d(2, 2, 2, 2), nn.ReLU(), pooled_head(2)), IMAGE,
        "ConvTranspose at .* is not supported",
    ),
    "upsample": (lambda: seq(conv(1, 2), nn.Upsample(scale_factor=2), conv(2, 2), pooled_head(2)), IMAGE, "Resize"),
    "convolution_of_one_axis": (
        lambda: seq(nn.Unflatten(1, (1, 12)), nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 3)), ROW,
        "only two-dimensional convolutions",
    ),
    "squeeze_and_excitation": (lambda: seq(conv(3, 4), Excited(), pooled_head(4)), COLOURS, TWO_VALUES),
    "shuffle_before_groups": (
        lambda: seq(conv(3, 4), Shuffled(), conv(4, 4, groups=2), pooled_head(4)), COLOURS, "in another order",
    ),
    "pixel_shuffle": (lambda: seq(conv(3, 4), nn.PixelShuffle(2), nn.Flatten(), nn.Linear(256, 3)), COLOURS, "Depth"),
    "pool_of_the_inside": (
        lambda: seq(conv(1, 2), nn.AvgPool2d(3, 2, 1, count_include_pad=False), pooled_head(2)), IMAGE,
        "does not count",
    ),
    "pool_rounded_up": (lambda: seq(conv(1, 2), nn.MaxPool2d(3, 2, ceil_mode=True), pooled_head(2)), IMAGE, "ceil_m"),
    "softmax_inside": (lambda: seq(nn.Linear(12, 4), nn.Softmax(1), nn.Linear(4, 3)), ROW, "softmax at the end only"),
    "reflected": (lambda: seq(nn.ReflectionPad2d(1), conv(1, 2), pooled_head(2)), IMAGE, "zeros"),
    "one_logit": (lambda: seq(nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 1)), ROW, "end in a sigmoid; else give each"),
    "classes_only": (lambda: Applied(nn.Linear(12, 4), after=lambda x: x.argmax(1)), ROW, "make the logits the output"),
    "normalised_features": (
        lambda: Applied(nn.Linear(12, 4), before=lambda x: nn.functional.normalize(x, dim=1)), ROW, NORM,
    ),
    "logits_of_pixels": (lambda: seq(conv(1, 2), nn.Conv2d(2, 3, 1)), IMAGE, "average them"),
    "rows_that_are_compared": (lambda: Applied(nn.Linear(12, 4), before=lambda x: x - x.mean(0)), ROW, "of a batch"),
}  # fmt: skip
"""By name: a network, the shape of its input, and the reason, as a regular expression."""
