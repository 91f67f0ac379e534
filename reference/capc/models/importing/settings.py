"""What PyTorch and ONNX have in common: settings of operators, and which of them can be expressed."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from capc.models.importing.graph import AveragePool, MaxPool, Shape, UnsupportedError, Window

Sides = tuple[int, int]
"""Zeros before and after, along one axis."""
_RECURRENT = frozenset(["gru", "grucell", "loop", "lstm", "lstmcell", "rnn", "rnncell", "scan"])
_SMOOTH = "train it again with ReLU, ReLU6 or a LeakyReLU of slope 2**-3"
_INSTEAD = {
    **dict.fromkeys(("celu", "elu", "erf", "erfc", "exp", "gelu", "log", "mish", "rrelu", "selu", "softplus"), _SMOOTH),
    **dict.fromkeys(("silu", "swish", "thresholdedrelu", "threshold", "glu", "hardshrink", "softshrink"), _SMOOTH),
    # It multiplies two values of the network: docs/bring-your-own-model.md has what that takes.
    "hardswish": "train it again with ReLU6 or Hardsigmoid, which take a seventh of it",
    "sigmoid": "train it again with Hardsigmoid, or with ReLU6 for a SiLU; use a sigmoid at the end only",
    "softsign": "train it again with Hardtanh",
    "tanh": "train it again with Hardtanh",
}
"""By an activation that is not supported: what to train in its place."""
_BRANCHES = frozenset(["bmm", "div", "einsum", "matmul", "truediv", "where"])
_NORMS = frozenset(
    [
        "groupnorm",
        "groupnormalization",
        "instancenorm2d",
        "instancenormalization",
        "layernorm",
        "layernormalization",
        "linalgvectornorm",
        "reducel2",
        "reducesumsquare",
        "rmsnormalization",
        "rsqrt",
        "sqrt",
    ]
)


GENERAL_REMEDY = "replace it by operators of the list in docs/bring-your-own-model.md"
REMEDY_OF_SQUARES = "use a ReLU as the activation, and a batch normalisation as the normalisation, and train again"
_OF_FAMILIES = (
    (
        frozenset(["mul", "prod", "reduceprod"]),
        "values of the network must join by addition or concatenation; for an activation that multiplies "
        "(SiLU, hard swish) train ReLU6 in its place",
    ),
    (frozenset(["pow", "square"]), REMEDY_OF_SQUARES),
    (_BRANCHES, "values of the network must join by addition or concatenation"),
    (_RECURRENT, "use convolutions or linear layers instead of recurrent ones, and train again"),
    (frozenset(["convtranspose", "convtranspose2d"]), "only ordinary convolutions are supported"),
    (frozenset(["fusedmovingavgobsfqhelperfunctional"]), "give the network of floats that it was prepared from"),
    (frozenset(["argmax", "topk"]), "make the logits the output: the vote takes the largest"),
    (_NORMS, "use a batch normalisation, which is constant in evaluation"),
)


def remedy_for(*kinds: str) -> str:
    """What to do about an operator that is not supported, by its names."""
    families = {kind.lower().replace("_", "") for kind in kinds}
    for kind in sorted(families & set(_INSTEAD)):
        return _INSTEAD[kind]
    fitting = [remedy for family, remedy in _OF_FAMILIES if families & family]
    return fitting[0] if fitting else GENERAL_REMEDY


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


def adaptive_max_pool(shape: Shape, height: int | None, width: int | None) -> MaxPool:
    """The max pool that gives this height and width; arguments and errors as of ``adaptive_average_pool``."""
    return MaxPool(adaptive_average_pool(shape, height, width).window)


def check_convolution(weights: tuple[int, ...], shape: Shape) -> None:
    """Refuses a convolution that is not over height and width, by the shapes of its weights and of its input.

    Raises:
        UnsupportedError: it is over one axis, or over three.
    """
    if len(weights) != 4 or len(shape) != 3:
        raise UnsupportedError(
            f"its weights have the shape {weights}, its input {shape}",
            "only two-dimensional convolutions are supported",
        )


def check_softmax(shape: Shape, axis: int) -> None:
    """Refuses a softmax that is not over the classes. The axis counts the batch.

    Raises:
        UnsupportedError: it is over another axis, or there is more than one position.
    """
    over_classes = axis % (len(shape) + 1) == 1 and all(size == 1 for size in shape[1:])
    if not -len(shape) - 1 <= axis <= len(shape) or not over_classes:
        raise UnsupportedError(f"it is over axis {axis} of a value of the shape {shape}", "use it on the logits only")


def reshaped(shape: Shape, sizes: Sequence[int], batch: int) -> Shape:
    """The shape that a reshape to these sizes, batch first, gives each row. At most one size may be -1.

    Args:
        shape: of each row.
        sizes: of all rows together.
        batch: how many rows there are.

    Raises:
        UnsupportedError: the sizes do not fit, or rows are mixed.
    """
    total, known = batch * prod(shape), prod(size for size in sizes if size != -1)
    full = [total // known if size == -1 and known > 0 else size for size in sizes]
    if prod(full) != total or list(sizes).count(-1) > 1 or min(full, default=0) < 1:
        raise UnsupportedError(f"it gives a value of the shape {shape} the sizes {list(sizes)}", "keep its entries")
    if full[0] != batch:
        raise UnsupportedError(f"it gives rows of the shape {shape} another number", "keep the batch first")
    return tuple(full[1:])


def without_axes(shape: Shape, axes: Sequence[int] | None, batch: int) -> Shape:
    """The shape of each row after a squeeze of these axes, or of all that are 1. Axes count the batch.

    Raises:
        UnsupportedError: it takes the batch, or an axis that is not 1.
    """
    full = (batch, *shape)
    taken = {axis % len(full) for axis in axes} if axes is not None else {i for i, size in enumerate(full) if size == 1}
    if 0 in taken or any(full[axis] != 1 for axis in taken):
        raise UnsupportedError(f"it takes the axes {sorted(taken)} from rows of the shape {shape}", "use flatten(1)")
    return tuple(size for axis, size in enumerate(full) if axis not in taken and axis > 0)


def with_axes(shape: Shape, axes: Sequence[int]) -> Shape:
    """The shape of each row after an unsqueeze. Axes count the batch.

    Raises:
        UnsupportedError: one is added before the batch, or twice.
    """
    rank = len(shape) + 1 + len(axes)
    added = {axis % rank for axis in axes}
    if 0 in added or len(added) != len(axes):
        raise UnsupportedError(f"it adds the axes {list(axes)}", "keep the batch first")
    rest = iter(shape)
    return tuple(1 if axis in added else next(rest) for axis in range(1, rank))


def mean(shape: Shape, axes: Sequence[int]) -> AveragePool | None:
    """The average pool that a mean over height and width, or one of them, is; None where it is none: every size is 1.

    Raises:
        UnsupportedError: it is over other axes. Axes count the batch.
    """
    taken = {axis % (len(shape) + 1) for axis in axes}
    if all(axis > 0 and shape[axis - 1] == 1 for axis in taken):
        return None
    if len(shape) != 3 or not taken <= {2, 3}:
        problem = f"it is the mean over the axes {sorted(taken)} of rows of the shape {shape}"
        raise UnsupportedError(problem, "take it over height and width, as AdaptiveAvgPool2d(1) does")
    return adaptive_average_pool(shape, 1 if 2 in taken else None, 1 if 3 in taken else None)


def order_of_axes(shape: Shape, axes: Sequence[int]) -> list[int]:
    """The axes of each row, from 0, in the order in which a transposition puts them. Axes count the batch.

    Raises:
        UnsupportedError: it moves the batch, or leaves out an axis.
    """
    rank = len(shape) + 1
    order = [axis % rank for axis in axes]
    if sorted(order) != list(range(rank)) or order[0] != 0:
        raise UnsupportedError(f"it puts the axes in the order {order}", "keep the batch first")
    return [axis - 1 for axis in order[1:]]


def same_padding(sizes: Sequence[int], window: Window, *, more_below: bool) -> tuple[Sides, Sides]:
    """The padding, above and below and left and right, with which the output has ceil(size / stride) rows and columns.

    Args:
        sizes: height and width of the input.
        window: its padding is ignored.
        more_below: an odd padding is larger below and right, else above and left.
    """
    sides = []
    for size, kernel, stride, dilation in zip(sizes, window.kernel, window.stride, window.dilation, strict=True):
        outputs = -(-size // stride)
        total = max((outputs - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
        less, more = total // 2, total - total // 2
        sides.append((less, more) if more_below else (more, less))
    return (sides[0], sides[1])


def _check_rounding(shape: Shape, window: Window, *, ceil_mode: bool) -> None:
    grid = window.on(shape)
    if not ceil_mode:
        return
    for size, axis in ((grid.height, 0), (grid.width, 1)):
        reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1
        if (size + 2 * window.padding[axis] - reach) % window.stride[axis]:
            raise UnsupportedError("ceil_mode adds a window that hangs over the edge", "set ceil_mode to False")
