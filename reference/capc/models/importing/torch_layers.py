"""Layers and functions of PyTorch as operators of a graph."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from capc.models.importing import settings
from capc.models.importing.graph import (
    Add,
    Affine,
    Conv,
    Flatten,
    Floats,
    Identity,
    Linear,
    Op,
    Relu,
    Shape,
    Softmax,
    UnsupportedError,
    Window,
)

Settings = Mapping[str, object]
FunctionBuilder = Callable[[Settings, Shape], Op]

REQUIRED = object()
"""In place of a default: the caller must give it."""


def layer(module: nn.Module, shape: Shape) -> Op | None:
    """The operator of a layer in evaluation on an input of this shape, or None if it is not supported.

    Raises:
        InputError: a setting cannot be expressed.
    """
    # The class itself, not a subclass: that could compute something else.
    kind = type(module)
    if kind is nn.Linear:
        return _linear(cast(nn.Linear, module))
    if kind is nn.Conv2d:
        return _convolution(cast(nn.Conv2d, module), shape)
    if kind in {nn.BatchNorm1d, nn.BatchNorm2d}:
        return _batch_norm(cast(nn.BatchNorm2d, module))
    if kind in _SIMPLE_LAYERS:
        names, build = _SIMPLE_LAYERS[kind]
        return build({name: getattr(module, name) for name in names}, shape)
    return None


def _array(tensor: Tensor) -> Floats:
    if tensor.is_meta:
        raise UnsupportedError("its weights are on the device meta, which holds no numbers", "load the weights first")
    return np.asarray(tensor.detach().cpu().double().numpy(), dtype=np.float64)


def _biases(bias: Tensor | None, outputs: int) -> Floats:
    return np.zeros(outputs) if bias is None else _array(bias)


def _linear(module: nn.Linear) -> Linear:
    return Linear(_array(module.weight), _biases(cast("Tensor | None", module.bias), module.out_features))


def _convolution(module: nn.Conv2d, shape: Shape) -> Conv:
    if module.padding_mode != "zeros":
        raise UnsupportedError(f"padding_mode is {module.padding_mode!r}", "use zeros")
    window = Window(_pair(module.kernel_size), _pair(module.stride), (0, 0), _pair(module.dilation))
    padding = module.padding
    if padding == "same":
        padding = settings.same_padding(shape[1:], window, more_below=True) if len(shape) == 3 else (0, 0)
    elif padding == "valid":
        padding = (0, 0)
    window = Window(window.kernel, window.stride, _pair(padding), window.dilation)
    return Conv(_array(module.weight), _biases(module.bias, module.out_channels), window, module.groups)


def _batch_norm(module: nn.BatchNorm1d | nn.BatchNorm2d) -> Affine:
    if module.running_mean is None or module.running_var is None:
        raise UnsupportedError("it has no running statistics", "train it with track_running_stats=True")
    scales = 1 / np.sqrt(_array(module.running_var) + module.eps)
    if module.affine:
        scales = scales * _array(module.weight)
    shifts = -_array(module.running_mean) * scales
    return Affine(scales, shifts + _array(module.bias) if module.affine else shifts)


def _pair(value: object) -> tuple[int, int]:
    given: list[object] = list(value) if isinstance(value, tuple | list) else [value]
    sizes = [size for size in given if isinstance(size, int)]
    if len(given) not in {1, 2} or len(sizes) != len(given):
        raise UnsupportedError("a size is not a number, or a pair of numbers", "use constants")
    return (sizes[0], sizes[-1])


def _window(given: Settings, kernel: object, dilation: object = 1) -> Window:
    stride = given["stride"]
    no_stride = stride is None or stride == []
    return Window(_pair(kernel), _pair(kernel if no_stride else stride), _pair(given["padding"]), _pair(dilation))


def _max_pool(given: Settings, shape: Shape) -> Op:
    if given["return_indices"]:
        raise UnsupportedError("return_indices is set", "set it to False")
    window = _window(given, given["kernel_size"], given["dilation"])
    return settings.max_pool(shape, window, ceil_mode=bool(given["ceil_mode"]))


def _average_pool(given: Settings, shape: Shape) -> Op:
    divisor = cast("int | None", given["divisor_override"])
    return settings.average_pool(
        shape,
        _window(given, given["kernel_size"]),
        ceil_mode=bool(given["ceil_mode"]),
        count_include_pad=bool(given["count_include_pad"]),
        divisor=None if divisor is None else float(divisor),
    )


def _adaptive_average_pool(given: Settings, shape: Shape) -> Op:
    size = given["output_size"]
    height, width = size if isinstance(size, tuple | list) else (size, size)
    for wanted in (height, width):
        if wanted is not None and not isinstance(wanted, int):
            raise UnsupportedError("its output is not a pair of numbers", "use constants")
    return settings.adaptive_average_pool(shape, height, width)


def _flatten(given: Settings, shape: Shape) -> Op:
    end = cast(int, given["end_dim"])
    if given["start_dim"] != 1 or end not in {-1, len(shape)}:
        raise UnsupportedError("it does not flatten channels, height and width", "use start_dim = 1 and end_dim = -1")
    return Flatten()


def _softmax(given: Settings, shape: Shape, *, log: bool = False) -> Op:
    if not isinstance(given["dim"], int):
        raise UnsupportedError("its dim is not given", "use dim = 1")
    settings.check_softmax(shape, given["dim"])
    return Softmax(log)


_log_softmax = partial(_softmax, log=True)


def _dropout(given: Settings, _shape: Shape) -> Op:
    if given["training"]:
        raise UnsupportedError("it drops in evaluation too", "use nn.Dropout, or training=self.training")
    return Identity()


def _add(given: Settings, _shape: Shape) -> Op:
    if given["alpha"] != 1:
        raise UnsupportedError("alpha is not 1", "scale the layer before it")
    return Add()


_POOL: dict[str, object] = {"kernel_size": REQUIRED, "stride": None, "padding": 0}
_MAX_POOL = {**_POOL, "dilation": 1, "ceil_mode": False, "return_indices": False}
_AVERAGE_POOL = {**_POOL, "ceil_mode": False, "count_include_pad": True, "divisor_override": None}
_SOFTMAX: dict[str, object] = {"dim": None, "_stacklevel": 3, "dtype": None}
_DROPOUT: dict[str, object] = {"p": 0.5, "training": True, "inplace": False}

_SIMPLE_LAYERS: dict[type[nn.Module], tuple[tuple[str, ...], FunctionBuilder]] = {
    nn.ReLU: ((), lambda _given, _shape: Relu()),
    nn.MaxPool2d: (tuple(_MAX_POOL), _max_pool),
    nn.AvgPool2d: (tuple(_AVERAGE_POOL), _average_pool),
    nn.AdaptiveAvgPool2d: (("output_size",), _adaptive_average_pool),
    nn.Flatten: (("start_dim", "end_dim"), _flatten),
    nn.Softmax: (("dim",), _softmax),
    nn.LogSoftmax: (("dim",), _log_softmax),
    nn.Identity: ((), lambda _given, _shape: Identity()),
    nn.Dropout: (("training",), _dropout),
    nn.Dropout1d: (("training",), _dropout),
    nn.Dropout2d: (("training",), _dropout),
}

FUNCTIONS: dict[object, tuple[dict[str, object], FunctionBuilder]] = {
    **dict.fromkeys(
        [torch.relu, torch.relu_, functional.relu, functional.relu_, "relu", "relu_"],
        ({"inplace": False}, lambda _given, _shape: Relu()),
    ),
    **dict.fromkeys([functional.max_pool2d, torch.max_pool2d], (_MAX_POOL, _max_pool)),
    functional.avg_pool2d: (_AVERAGE_POOL, _average_pool),
    functional.adaptive_avg_pool2d: ({"output_size": REQUIRED}, _adaptive_average_pool),
    **dict.fromkeys([torch.flatten, "flatten"], ({"start_dim": 0, "end_dim": -1}, _flatten)),
    functional.softmax: (_SOFTMAX, _softmax),
    functional.log_softmax: (_SOFTMAX, _log_softmax),
    **dict.fromkeys([torch.softmax, "softmax"], ({"dim": None, "dtype": None}, _softmax)),
    **dict.fromkeys([torch.log_softmax, "log_softmax"], ({"dim": None, "dtype": None}, _log_softmax)),
    functional.dropout: (_DROPOUT, _dropout),
    functional.dropout2d: (_DROPOUT, _dropout),
    **dict.fromkeys([operator.add, operator.iadd, torch.add, "add", "add_"], ({"other": REQUIRED, "alpha": 1}, _add)),
    "contiguous": ({}, lambda _given, _shape: Identity()),
}
"""By function, or by name of a method: the parameters after the input with their defaults, and the operator."""

IN_PLACE = frozenset([torch.relu_, functional.relu_, operator.iadd, "relu_", "add_"])
"""Functions and methods that change their input."""
