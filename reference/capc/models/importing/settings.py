"""What PyTorch and ONNX have in common: settings of operators, and which of them can be expressed."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from capc.models.importing.graph import AveragePool, MaxPool, Shape, UnsupportedError, Window

_ACTIVATIONS = frozenset(
    {
        "celu",
        "clip",
        "elu",
        "erf",
        "exp",
        "gelu",
        "hardsigmoid",
        "hardswish",
        "hardtanh",
        "leakyrelu",
        "mish",
        "prelu",
        "relu6",
        "selu",
        "sigmoid",
        "silu",
        "softplus",
        "softsign",
        "swish",
        "tanh",
        "thresholdedrelu",
    }
)
_BRANCHES = frozenset(["cat", "concat", "div", "matmul", "max", "min", "mul", "sub", "truediv", "where"])
_NORMS = frozenset(
    ["groupnorm", "groupnormalization", "instancenorm2d", "instancenormalization", "layernorm", "layernormalization"]
)


def remedy_for(kind: str) -> str:
    """What to do about an operator that is not supported."""
    plain_kind = kind.lower().replace("_", "")
    if plain_kind in _ACTIVATIONS:
        return "the activation must be ReLU: replace it and train again"
    if plain_kind in _BRANCHES:
        return "branches must join by addition"
    if plain_kind in _NORMS:
        return "use a batch normalisation, which is constant in evaluation"
    return "replace it by operators of the list in docs/bring-your-own-model.md"


def max_pool(shape: Shape, window: Window, *, ceil_mode: bool) -> MaxPool:
    """A max pool.

    Raises:
        UnsupportedError: rounding up adds a window that hangs over the edge.
        InputError: the window does not fit.
    """
    _check_rounding(shape, window, ceil_mode=ceil_mode)
    return MaxPool(window)


def average_pool(
    shape: Shape, window: Window, *, ceil_mode: bool, count_include_pad: bool, divisor: float | None = None
) -> AveragePool:
    """An average pool.

    Raises:
        UnsupportedError: windows are divided by different numbers, or rounding up adds one that hangs over the edge.
        InputError: the window does not fit.
    """
    _check_rounding(shape, window, ceil_mode=ceil_mode)
    if divisor is None and not count_include_pad and window.padding != (0, 0):
        raise UnsupportedError(
            "its padding does not count, so windows at the edge are divided by less",
            "set count_include_pad, or padding to 0",
        )
    return AveragePool(window, float(window.kernel[0] * window.kernel[1]) if divisor is None else divisor)


def adaptive_average_pool(shape: Shape, height: int | None, width: int | None) -> AveragePool:
    """The average pool that gives this height and width; None keeps that of the input. (1, 1) is the global one.

    Raises:
        UnsupportedError: the input is not a multiple of the output.
    """
    if len(shape) != 3:
        raise UnsupportedError(f"its input has the shape {shape}", "give it channels, height and width")
    wanted = (shape[1] if height is None else height, shape[2] if width is None else width)
    if min(wanted) < 1 or shape[1] % wanted[0] or shape[2] % wanted[1]:
        raise UnsupportedError(
            f"{shape[1]} x {shape[2]} is not a multiple of its output {wanted[0]} x {wanted[1]}",
            "choose an output that divides the input, for example 1",
        )
    kernel = (shape[1] // wanted[0], shape[2] // wanted[1])
    return AveragePool(Window(kernel, kernel), float(kernel[0] * kernel[1]))


def check_softmax(shape: Shape, axis: int) -> None:
    """Refuses a softmax that is not over the classes. The axis counts the batch.

    Raises:
        UnsupportedError: it is over another axis, or there is more than one position.
    """
    over_classes = axis % (len(shape) + 1) == 1 and all(size == 1 for size in shape[1:])
    if not -len(shape) - 1 <= axis <= len(shape) or not over_classes:
        raise UnsupportedError(f"it is over axis {axis} of a value of the shape {shape}", "use it on the logits only")


def is_flattening(shape: Shape, sizes: Sequence[int | None]) -> bool:
    """Whether a reshape to these sizes, where None or a first -1 is the batch, flattens; False if it changes nothing.

    Raises:
        UnsupportedError: it does something else.
    """
    length = prod(shape)
    rest = tuple(sizes[1:])
    free_batch = bool(sizes) and sizes[0] in {None, -1, 1}
    if free_batch and (rest == (length,) or (rest == (-1,) and sizes[0] != -1)):
        return True
    if free_batch and rest == shape:
        return False
    raise UnsupportedError(
        f"it gives a value of the shape {shape} another one", "only flattening, with the batch kept, is supported"
    )


def same_padding(sizes: Sequence[int], window: Window, *, more_below: bool) -> tuple[int, int]:
    """The padding with which the output has ceil(size / stride) rows and columns.

    Args:
        sizes: height and width of the input.
        window: its padding is ignored.
        more_below: an odd padding is larger below; for the message only.

    Raises:
        UnsupportedError: it differs on two opposite sides.
    """
    total = []
    for size, kernel, stride, dilation in zip(sizes, window.kernel, window.stride, window.dilation, strict=True):
        outputs = -(-size // stride)
        total.append(max((outputs - 1) * stride + dilation * (kernel - 1) + 1 - size, 0))
    if total[0] % 2 or total[1] % 2:
        side = "below and right" if more_below else "above and left"
        raise UnsupportedError(f"its padding is larger {side}", "choose an odd kernel with explicit padding")
    return (total[0] // 2, total[1] // 2)


def _check_rounding(shape: Shape, window: Window, *, ceil_mode: bool) -> None:
    grid = window.on(shape)
    if not ceil_mode:
        return
    for size, axis in ((grid.height, 0), (grid.width, 1)):
        reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1
        if (size + 2 * window.padding[axis] - reach) % window.stride[axis]:
            raise UnsupportedError("ceil_mode adds a window that hangs over the edge", "set ceil_mode to False")
