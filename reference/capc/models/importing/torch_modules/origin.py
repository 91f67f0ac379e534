"""Running a ``torch.nn.Module`` as it is, in evaluation, without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, count
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from capc.foundation.errors import InputError
from capc.models.importing.graph import Floats, Shape, brief, plain
from capc.models.importing.origin import NodeRun, Origin

_REMEDY = "remove what depends on the number of rows, on earlier calls, or on whether it is exported"
Call = tuple[Tensor | None, object]
"""What a layer was given, and what it gave."""


class Layer(NamedTuple):
    """A call of a layer.

    Attributes:
        node: the last node of the graph that it became.
        path: of the layer in the module.
        alone: whether there is no other, so that it is given what the layer is.
    """

    node: str
    path: str
    alone: bool


def torch_origin(module: nn.Module, input_shape: Shape, layers: Sequence[Layer]) -> Origin:
    """A module as the origin of a graph. It is run as it is: what was changed in it since counts.

    Args:
        module: the module itself, no copy.
        input_shape: without the batch.
        layers: calls in their order.
    """
    # Another state of PyTorch's generator for each run, so that what is random in a module shows.
    runs = count()

    def run(features: Floats) -> Floats:
        return _outputs(module, features, input_shape, next(runs))

    def watch(features: Floats) -> list[NodeRun]:
        return _watch(module, features, input_shape, layers, next(runs))

    spacing = float(torch.finfo(numbers(module).dtype).eps)
    return Origin(plain(type(module).__name__), run, watch, spacing, _REMEDY)


@contextmanager
def blamed_on(module: nn.Module, doing: str, remedy: str) -> Iterator[None]:
    """Turns whatever a module raises, whose code is its owner's, into one line."""
    try:
        yield
    except InputError:
        raise
    # A module's own code may raise anything.
    except Exception as error:  # noqa: BLE001
        raise InputError(f"{plain(type(module).__name__)} cannot be {doing} ({brief(error)}): {remedy}") from None


def numbers(module: nn.Module) -> Tensor:
    """A tensor of the kind, and on the device, of the module's weights."""
    tensors = chain(module.parameters(), module.buffers())
    return next((tensor for tensor in tensors if tensor.is_floating_point()), torch.empty(0))


@contextmanager
def evaluation(module: nn.Module, number: int) -> Iterator[None]:
    """The module in evaluation, without gradients; its state, and PyTorch's generator, are as before afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    generator = torch.get_rng_state()
    try:
        if any(training for _, training in modes):
            module.eval()
        torch.default_generator.manual_seed(number)
        with torch.no_grad():
            yield
    finally:
        torch.set_rng_state(generator)
        # Parents first, since a module's train() sets its children; by train(), since it may undo what eval() did.
        for part, training in modes:
            if part.training != training:
                part.train(training)
        for part, training in modes:
            part.training = training


def _outputs(module: nn.Module, features: Floats, shape: Shape, number: int) -> Floats:
    doing = f"run in evaluation on {len(features)} rows of the shape {shape}"
    with blamed_on(module, doing, "correct it, or the input shape"):
        like = numbers(module)
        rows = torch.from_numpy(features.reshape(len(features), *shape)).to(like.device, like.dtype)
        with evaluation(module, number):
            result: object = module(rows)
        if not isinstance(result, Tensor) or not result.is_floating_point() or result.shape[:1] != rows.shape[:1]:
            shown = f"{result.dtype} {tuple(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
            remedy = "return one tensor, a row of logits for each input"
            raise InputError(f"{plain(type(module).__name__)}, {doing}, returns {plain(shown)}: {remedy}")
        return _array(result)


def _array(tensor: Tensor) -> Floats:
    flat = tensor.detach().to("cpu", torch.float64).reshape(len(tensor), -1)
    return np.asarray(flat.numpy(), dtype=np.float64)


def _listen(part: nn.Module, made: list[Call]) -> list[RemovableHandle]:
    """Appends what a layer is given and gives, as copies: a later layer may change a value in place."""
    given: list[Tensor | None] = []

    def before(_part: nn.Module, inputs: tuple[object, ...]) -> None:
        first = inputs[0] if inputs else None
        given.append(first.clone() if isinstance(first, Tensor) else None)

    def after(_part: nn.Module, _inputs: tuple[object, ...], result: object) -> None:
        made.append((given.pop(), result.clone() if isinstance(result, Tensor) else result))

    return [part.register_forward_pre_hook(before), part.register_forward_hook(after)]


def _watch(module: nn.Module, features: Floats, shape: Shape, layers: Sequence[Layer], number: int) -> list[NodeRun]:
    """Runs the module with hooks of our own, which see what each layer is given and gives."""
    parts = dict(module.named_modules())
    calls: dict[str, list[Call]] = {layer.path: [] for layer in layers if layer.path in parts}
    handles: list[RemovableHandle] = []
    try:
        for path, made in calls.items():
            handles += _listen(parts[path], made)
        _outputs(module, features, shape, number)
    finally:
        for handle in handles:
            handle.remove()
    seen = []
    for layer in layers:
        if not calls.get(layer.path):
            continue
        given, result = calls[layer.path].pop(0)
        if isinstance(result, Tensor) and result.shape[:1] == (len(features),):
            shown = None if given is None or not layer.alone else _array(given)
            seen.append(NodeRun(layer.node, shown, _array(result)))
    return seen
