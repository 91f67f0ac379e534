"""Operators of ATen, as ``torch.export`` writes them, as operators of a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

import numpy as np
import torch

from capc.models.importing import activations, arithmetic, settings
from capc.models.importing.graph import (
    Conv,
    Identity,
    Linear,
    Pad,
    Relu,
    Sigmoid,
    Softmax,
    UnsupportedError,
    Window,
)
from capc.models.importing.torch_modules.calls import AtenCall


def _linear(call: AtenCall) -> str:
    weights = arithmetic.matrix(call.constants("weight"))
    biases = call.constants("bias") if "bias" in call else np.zeros(len(weights))
    return call.place.add(Linear(weights, biases), call.value("input"))


def _product(call: AtenCall) -> str:
    return arithmetic.matrix_product(call.place, call.value("self"), call.constants(_second(call)))


def _second(call: AtenCall) -> str:
    return "mat2" if "mat2" in call else "other"


def _addmm(call: AtenCall) -> str:
    product = arithmetic.matrix_product(call.place, call.value("mat1"), call.constants("mat2"))
    alpha, beta = (call.number(name, 1) for name in ("alpha", "beta"))
    scaled = arithmetic.times(call.place, product, np.array(alpha)) if alpha != 1 else product
    return arithmetic.plus(call.place, scaled, call.operand("self"), beta)


def _convolution(call: AtenCall) -> str:
    weights, value = call.constants("weight"), call.value("input")
    shape = call.place.shape(value)
    settings.check_convolution(weights.shape, shape)
    if call.setting("transposed", default=False):
        raise UnsupportedError("it is transposed", "only ordinary convolutions are supported")
    kernel = (weights.shape[2], weights.shape[3])
    window = Window(kernel, call.pair("stride"), (0, 0), call.pair("dilation"))
    given = call.setting("padding", 0)
    if given == "same":
        rows, columns = settings.same_padding(shape[1:], window, more_below=True)
    else:
        rows, columns = ((size, size) for size in ((0, 0) if given == "valid" else call.pair("padding", (0, 0))))
    biases = call.constants("bias") if "bias" in call else np.zeros(len(weights))
    value, padding = arithmetic.padded(call.place, value, rows, columns)
    window = Window(kernel, window.stride, padding, window.dilation)
    return call.place.add(Conv(weights, biases, window, call.integer("groups", 1)), value)


def _batch_norm(call: AtenCall) -> str:
    if call.setting("training", default=False) or "running_mean" not in call or "running_var" not in call:
        raise UnsupportedError("it has no running statistics", "train it with track_running_stats=True")
    scales = 1 / np.sqrt(call.constants("running_var") + call.number("eps"))
    if "weight" in call:
        scales = scales * call.constants("weight")
    shifts = -call.constants("running_mean") * scales
    shifts = shifts + call.constants("bias") if "bias" in call else shifts
    return arithmetic.normalised(call.place, call.value("input"), scales, shifts)


def _window(call: AtenCall) -> Window:
    kernel = call.pair("kernel_size")
    return Window(kernel, call.pair("stride", kernel), call.pair("padding", (0, 0)), call.pair("dilation"))


def _max_pool(call: AtenCall) -> str:
    value = call.value("self")
    ceil_mode = bool(call.setting("ceil_mode", default=False))
    return call.place.add(settings.max_pool(call.place.shape(value), _window(call), ceil_mode=ceil_mode), value)


def _average_pool(call: AtenCall) -> str:
    value = call.value("self")
    pool = settings.average_pool(
        call.place.shape(value),
        _window(call),
        ceil_mode=bool(call.setting("ceil_mode", default=False)),
        count_include_pad=bool(call.setting("count_include_pad", default=True)),
        divisor=call.number("divisor_override") if "divisor_override" in call else None,
    )
    return call.place.add(pool, value)


def _adaptive_average_pool(call: AtenCall) -> str:
    value = call.value("self")
    return call.place.add(settings.adaptive_average_pool(call.place.shape(value), *call.pair("output_size")), value)


def _adaptive_max_pool(call: AtenCall) -> str:
    value = call.value("self")
    return call.place.add(settings.adaptive_max_pool(call.place.shape(value), *call.pair("output_size")), value)


def _reduced(call: AtenCall, reduced: Callable[..., str]) -> str:
    value, keeps = call.value("self"), bool(call.setting("keepdim", default=False))
    return reduced(call.place, value, call.integers("dim"), keeps=keeps)


def _threshold(call: AtenCall) -> str:
    if (call.number("threshold"), call.number("value")) != (0, 0):
        raise UnsupportedError("it jumps at a threshold", settings.remedy_for("threshold"))
    return call.place.add(Relu(), call.value("self"))


def _flatten(call: AtenCall) -> str:
    value = call.value("self")
    shape = call.place.shape(value)
    first, last = (
        call.integer(name, default) % (len(shape) + 1) for name, default in (("start_dim", 0), ("end_dim", -1))
    )
    if first == 0:
        if np.prod(shape[:last], dtype=int) != 1:
            raise UnsupportedError("it flattens rows of a batch into one", "use start_dim = 1")
        return call.place.reshape(value, shape[last:])
    joined = int(np.prod(shape[first - 1 : last]))
    return call.place.reshape(value, (*shape[: first - 1], joined, *shape[last:]))


def _unflatten(call: AtenCall) -> str:
    value = call.value("self")
    full = [call.place.batch, *call.place.shape(value)]
    axis = call.integer("dim") % len(full)
    sizes = [*full[:axis], *call.integers("sizes"), *full[axis + 1 :]]
    return call.place.reshape(value, settings.reshaped(call.place.shape(value), sizes, call.place.batch))


def _reshape(call: AtenCall) -> str:
    value = call.value("self")
    name = "size" if "size" in call else "shape"
    return call.place.reshape(value, settings.reshaped(call.place.shape(value), call.integers(name), call.place.batch))


def _squeeze(call: AtenCall) -> str:
    value = call.value("self")
    shape = call.place.shape(value)
    axes = call.integers("dim") if "dim" in call else None
    if axes is not None:
        axes = [axis for axis in axes if (call.place.batch, *shape)[axis % (len(shape) + 1)] == 1]
    return call.place.reshape(value, settings.without_axes(shape, axes, call.place.batch))


def _unsqueeze(call: AtenCall) -> str:
    value = call.value("self")
    return call.place.reshape(value, settings.with_axes(call.place.shape(value), call.integers("dim")))


def _permute(call: AtenCall) -> str:
    value = call.value("self")
    shape = call.place.shape(value)
    if "dims" in call:
        order = call.integers("dims")
    else:
        order = list(range(len(shape) + 1))
        one, other = (call.integer(name, default) for name, default in (("dim0", 0), ("dim1", 1)))
        order[one], order[other] = order[other], order[one]
    return arithmetic.transposed(call.place, value, order)


def _selected(call: AtenCall) -> str:
    """One entry along an axis, without the axis."""
    value = call.value("self")
    axis, size = _axis(call, value)
    made = arithmetic.taken(call.place, value, axis, [call.integer("index") % size])
    return call.place.reshape(made, settings.without_axes(call.place.shape(made), [axis], call.place.batch))


def _sliced(call: AtenCall) -> str:
    value = call.value("self")
    axis, size = _axis(call, value, 0)
    entries = range(size)[call.integer("start", 0) : call.integer("end", size) : call.integer("step", 1)]
    if axis == 0 and len(entries) == size:
        return call.place.add(Identity(), value)
    return arithmetic.taken(call.place, value, axis, entries)


def _flipped(call: AtenCall) -> str:
    value = call.value("self")
    for axis in call.integers("dims"):
        size = (call.place.batch, *call.place.shape(value))[axis]
        value = arithmetic.taken(call.place, value, axis, range(size)[::-1])
    return value


def _axis(call: AtenCall, value: str, default: int | None = None) -> tuple[int, int]:
    """The axis of a call, from 0, and how many entries are along it."""
    full = (call.place.batch, *call.place.shape(value))
    axis = call.integer("dim", default) % len(full)
    return axis, full[axis]


def _softmax(call: AtenCall, *, log: bool) -> str:
    value = call.value("self")
    settings.check_softmax(call.place.shape(value), call.integer("dim"))
    return call.place.add(Softmax(log), value)


def _dropout(call: AtenCall) -> str:
    if call.setting("train", default=False):
        raise UnsupportedError("it drops in evaluation too", "use nn.Dropout, or training=self.training")
    return call.place.add(Identity(), call.value("input"))


def _same(call: AtenCall) -> str:
    kind = call.setting("dtype")
    if isinstance(kind, torch.dtype) and not kind.is_floating_point:
        raise UnsupportedError(f"it makes {str(kind).removeprefix('torch.')} of floats", "keep floats")
    return call.place.add(Identity(), call.value("self"))


def _factor(call: AtenCall) -> float:
    return call.number("alpha", 1)


def _concatenated(call: AtenCall) -> str:
    return arithmetic.concatenated(call.place, call.values("tensors"), call.integer("dim", 0))


def _padded(call: AtenCall) -> str:
    value, sizes = call.value("self"), call.integers("pad")
    shape = call.place.shape(value)
    mode = call.setting("mode", "constant")
    if mode != "constant":
        raise UnsupportedError(f"it pads in the mode {mode}", "pad with zeros: padding_mode='zeros'")
    is_zero = call.setting("value", 0) == 0
    if len(sizes) > 4 or len(shape) != 3 or not is_zero or min(sizes) < 0:
        raise UnsupportedError("it pads with something else than zeros around height and width", "pad with zeros")
    left, right, top, bottom = (*sizes, 0, 0)[:4]
    return call.place.add(Pad((top, bottom), (left, right)), value)


def _negated(call: AtenCall) -> str:
    return arithmetic.times(call.place, call.operand("self"), np.array(-1.0))


def _difference(call: AtenCall) -> str:
    return arithmetic.plus(call.place, call.operand("self"), call.operand("other"), -_factor(call))


def _reversed_difference(call: AtenCall) -> str:
    return arithmetic.plus(call.place, call.operand("other"), call.operand("self"), -_factor(call))


def _clamp(call: AtenCall) -> str:
    low, high = (activations.one_number(call.operand(name)) if name in call else None for name in ("min", "max"))
    bounds = -inf if low is None else low, inf if high is None else high
    return activations.clamped(call.place, call.value("self"), *bounds)


def _hardtanh(call: AtenCall) -> str:
    bounds = call.number("min_val", -1), call.number("max_val", 1)
    return activations.clamped(call.place, call.value("self"), *bounds)


def _prelu(call: AtenCall) -> str:
    return activations.leaking(call.place, call.value("self"), activations.one_number(call.operand("weight")))


def _random_slope(call: AtenCall) -> str:
    if call.setting("training", default=False):
        raise UnsupportedError("it is random in evaluation too", "remove what is random")
    slope = (call.number("lower", 1 / 8) + call.number("upper", 1 / 3)) / 2
    return activations.leaking(call.place, call.value("self"), slope)


def _largest(call: AtenCall) -> str:
    if "dim" in call:
        return _reduced(call, arithmetic.largest)
    return activations.largest(call.place, call.operand("self"), call.operand("other"))


def _smallest(call: AtenCall) -> str:
    return activations.smallest(call.place, call.operand("self"), call.operand("other"))


BUILDERS: Mapping[str, Callable[[AtenCall], str]] = {
    "_adaptive_avg_pool2d": _adaptive_average_pool,
    "_log_softmax": lambda call: _softmax(call, log=True),
    "_native_batch_norm_legit_no_training": _batch_norm,
    "_softmax": lambda call: _softmax(call, log=False),
    "_to_copy": _same,
    "_unsafe_view": _reshape,
    "adaptive_avg_pool2d": _adaptive_average_pool,
    "adaptive_max_pool2d": _adaptive_max_pool,
    "add": lambda call: arithmetic.plus(call.place, call.operand("self"), call.operand("other"), _factor(call)),
    "addmm": _addmm,
    "alias": _same,
    "alpha_dropout": _dropout,
    "amax": lambda call: _reduced(call, arithmetic.largest),
    "avg_pool2d": _average_pool,
    "batch_norm": _batch_norm,
    "cat": _concatenated,
    "clamp": _clamp,
    "clamp_max": _clamp,
    "clamp_min": _clamp,
    "clip": _clamp,
    "clone": _same,
    "constant_pad_nd": _padded,
    "contiguous": _same,
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
    "convolution": _convolution,
    "detach": _same,
    "div": lambda call: arithmetic.over(call.place, call.operand("self"), call.operand("other")),
    "dropout": _dropout,
    "feature_alpha_dropout": _dropout,
    "feature_dropout": _dropout,
    "flatten": _flatten,
    "flip": _flipped,
    "hardsigmoid": lambda call: activations.hard_sigmoid(call.place, call.value("self"), 1 / 6, 1 / 2),
    "hardtanh": _hardtanh,
    "leaky_relu": lambda call: activations.leaking(call.place, call.value("self"), call.number("negative_slope", 0.01)),
    "linear": _linear,
    "log_softmax": lambda call: _softmax(call, log=True),
    "matmul": _product,
    "max": _largest,
    "max_pool2d": _max_pool,
    "maximum": _largest,
    "mean": lambda call: _reduced(call, arithmetic.mean),
    "min": _smallest,
    "minimum": _smallest,
    "mm": _product,
    "mul": lambda call: arithmetic.times(call.place, call.operand("self"), call.operand("other")),
    "neg": _negated,
    "pad": _padded,
    "permute": _permute,
    "prelu": _prelu,
    "relu": lambda call: call.place.add(Relu(), call.value("self")),
    "relu6": lambda call: activations.clamped(call.place, call.value("self"), 0, 6),
    "reshape": _reshape,
    "rrelu": _random_slope,
    "rsub": _reversed_difference,
    "select": _selected,
    "sigmoid": lambda call: call.place.add(Sigmoid(), call.value("self")),
    "slice": _sliced,
    "softmax": lambda call: _softmax(call, log=False),
    "squeeze": _squeeze,
    "threshold": _threshold,
    "stack": lambda call: arithmetic.stacked(call.place, call.values("tensors"), call.integer("dim", 0)),
    "sub": _difference,
    "sum": lambda call: _reduced(call, arithmetic.total),
    "t": _permute,
    "to": _same,
    "transpose": _permute,
    "unflatten": _unflatten,
    "unsqueeze": _unsqueeze,
    "view": _reshape,
}
"""By the name of ATen's operator."""
