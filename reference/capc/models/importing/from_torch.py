"""From a ``torch.nn.Module`` to a graph, by symbolic tracing; needs the extra ``capc[learning]``."""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping

import torch
from torch import fx, nn

from capc.foundation.errors import InputError
from capc.models.importing import settings
from capc.models.importing.agreement import check_origin
from capc.models.importing.graph import (
    INPUT,
    Add,
    Flatten,
    Graph,
    Identity,
    Op,
    Shape,
    UnsupportedError,
    named,
    plain,
    refusal,
)
from capc.models.importing.torch_layers import FUNCTIONS, IN_PLACE, REQUIRED, layer
from capc.models.importing.torch_origin import blamed_on, torch_origin

_RESHAPES = frozenset([torch.reshape, "reshape", "view"])
_MEANS = frozenset([torch.mean, "mean"])
_BATCH = None
"""The number of rows, in a reshape."""


def graph_from_torch(module: nn.Module, input_shape: Shape) -> Graph:
    """The operators of a module in evaluation; the module itself is not changed.

    Tracing does not see everything that a module does when it runs (hooks, for example), so the module is then run in
    evaluation, as it is, beside what was read of it, as ``agreement.check_origin`` says. Its code must give the same
    for the same rows. Whether it is in training or in evaluation, and PyTorch's random generator, are as before.

    Args:
        module: takes one batch of inputs and returns one batch of logits.
        input_shape: (channels, height, width) or (features,), without the batch.

    Raises:
        InputError: the module cannot be traced, or an operator is not supported; the line names the operator, the
            layer and the remedy. Or the module, when it runs, fails or gives other logits than what was read; the line
            names the first layer that differs, where that can be found.
    """
    graph = Graph(input_shape)
    _check_kind(module)
    with blamed_on(module, "traced", "remove control flow that depends on values"):
        traced = fx.symbolic_trace(copy.deepcopy(module).eval())
    reader = _Reader(traced, graph)
    for node in traced.graph.nodes:
        reader.read(node)
    graph.origin = torch_origin(module, input_shape, reader.layers)
    check_origin(graph, graph.origin)
    return graph


def _check_kind(module: object) -> None:
    kind = plain(type(module).__name__)
    if not isinstance(module, nn.Module):
        raise InputError(f"{kind} is no nn.Module: give the network itself, with its weights loaded")
    if isinstance(module, torch.jit.ScriptModule) or isinstance(getattr(module, "_orig_mod", None), nn.Module):
        raise InputError(f"{kind} is compiled and cannot be traced: give the module that it was made from")


class _Reader:
    """Translates traced nodes in their order."""

    def __init__(self, traced: fx.GraphModule, graph: Graph) -> None:
        self._modules = dict(traced.named_modules())
        self._graph = graph
        self._order = {node: number for number, node in enumerate(traced.graph.nodes)}
        self._names: dict[fx.Node, str] = {}
        """The graph's name of each traced value."""
        self._storage: dict[fx.Node, fx.Node] = {}
        """The first node whose memory a value shares."""
        self._shapes: set[fx.Node] = set()
        """Nodes that stand for the shape of a value."""
        self._batches: set[fx.Node] = set()
        """Nodes that stand for the number of rows."""
        self.layers: list[tuple[str, str]] = []
        """For each call of a layer the name of its node, and its path in the module."""

    def read(self, node: fx.Node) -> None:
        """Adds a node to the graph, or remembers what it stands for."""
        if node.op == "placeholder":
            self._read_input(node)
        elif node.op == "output":
            self._read_output(node)
        elif node.op == "get_attr":
            raise refusal("tensor", str(node.target), "it is used outside of a layer", "only layers may have weights")
        elif not self._is_size(node):
            self._read_value(node)

    def _read_input(self, node: fx.Node) -> None:
        if self._names:
            raise refusal("input", node.name, "it is the second input", "give the module one input")
        self._names[node] = INPUT
        self._storage[node] = node

    def _read_output(self, node: fx.Node) -> None:
        result = node.args[0]
        if not isinstance(result, fx.Node) or result not in self._names:
            raise refusal("output", node.name, "it is not one tensor", "return the logits only")
        self._graph.output = self._names[result]

    def _is_size(self, node: fx.Node) -> bool:
        """Whether a node is a shape or the number of rows, as they occur in ``x.view(x.size(0), -1)``."""
        source, rest = (node.args[0] if node.args else None), node.args[1:]
        if node.target == "size" or (node.target is getattr and rest == ("shape",)):
            (self._batches if rest == (0,) else self._shapes).add(node)
            return node.target is getattr or rest in {(), (0,)}
        if node.target is operator.getitem and source in self._shapes and rest == (0,):
            self._batches.add(node)
            return True
        return False

    def _read_value(self, node: fx.Node) -> None:
        kind, place = self._kind(node), self._place(node)
        with named(kind, place):
            given = self._bound(node)
            inputs = [given.pop("input")]
            first = self._value(inputs[0])
            ops = self._ops(node, given, self._graph.shape(self._names[first]))
            if isinstance(ops[0], Add):
                inputs.append(given["other"])
            sources = [self._value(source) for source in inputs]
            self._share(node, first, ops, in_place=self._is_in_place(node, given))
        names = [self._names[source] for source in sources]
        if node.op == "call_module":
            self.layers.append((place, str(node.target)))
        for number, op in enumerate(ops):
            name = place if number == 0 else f"{place} ({number})"
            self._graph.add(name, kind, op, *names)
            names = [name]
        self._names[node] = names[0]

    def _value(self, source: object) -> fx.Node:
        if not isinstance(source, fx.Node) or source not in self._names:
            raise UnsupportedError("an input of it is not a value of the network", "use only what layers compute")
        return source

    def _bound(self, node: fx.Node) -> dict[str, object]:
        """The settings of a call by name, and its input."""
        if node.op == "call_module":
            parameters: Mapping[str, object] = {}
        elif node.target in _RESHAPES:
            return {"input": node.args[0], "sizes": node.args[1:]}
        elif node.target in _MEANS:
            parameters = {"dim": None, "keepdim": False, "dtype": None}
        elif node.target in FUNCTIONS:
            parameters = FUNCTIONS[node.target][0]
        else:
            raise UnsupportedError("it is not supported", settings.remedy_for(self._kind(node)))
        names = ("input", *parameters)
        given = {"input": REQUIRED, **parameters, **dict(zip(names, node.args, strict=False)), **node.kwargs}
        if len(node.args) > len(names) or set(given) != set(names) or REQUIRED in given.values():
            raise UnsupportedError(f"it is called with {len(node.args)} arguments", "call it as its documentation says")
        return given

    def _ops(self, node: fx.Node, given: Mapping[str, object], shape: Shape) -> list[Op]:
        if node.op == "call_module":
            return [self._layer(node, shape)]
        if node.target in _RESHAPES:
            return [self._reshape(given, shape)]
        if node.target in _MEANS:
            return _mean(given, shape)
        return [FUNCTIONS[node.target][1](given, shape)]

    def _layer(self, node: fx.Node, shape: Shape) -> Op:
        module = self._modules[str(node.target)]
        if module._forward_hooks or module._forward_pre_hooks:
            raise UnsupportedError("it has hooks, which tracing leaves out", "remove the hooks first")
        op = layer(module, shape)
        if op is None:
            raise UnsupportedError("it is not supported", settings.remedy_for(self._kind(node)))
        return op

    def _reshape(self, given: Mapping[str, object], shape: Shape) -> Op:
        sizes = given["sizes"]
        if isinstance(sizes, tuple) and len(sizes) == 1 and isinstance(sizes[0], tuple | list):
            sizes = tuple(sizes[0])
        known = [_BATCH if size in self._batches else size for size in sizes] if isinstance(sizes, tuple) else []
        if not all(size is _BATCH or type(size) is int for size in known) or _BATCH in known[1:]:
            raise UnsupportedError("its sizes are not constants", "use flatten(1)")
        return Flatten() if settings.is_flattening(shape, known) else Identity()

    def _is_in_place(self, node: fx.Node, given: Mapping[str, object]) -> bool:
        if node.op == "call_module":
            return bool(getattr(self._modules[str(node.target)], "inplace", False))
        return node.target in IN_PLACE or bool(given.get("inplace", False))

    def _share(self, node: fx.Node, source: fx.Node, ops: list[Op], *, in_place: bool) -> None:
        """Notes whose memory a value shares, and refuses a change of a value that is used afterwards."""
        root = self._storage[source]
        is_view = isinstance(ops[-1], Flatten | Identity)
        self._storage[node] = root if in_place or is_view else node
        if not in_place:
            return
        sharing = [other for other, first in self._storage.items() if first is root and other is not node]
        if any(self._order[user] > self._order[node] for other in sharing for user in other.users):
            raise UnsupportedError("it changes a value in place that is used again", "set inplace to False")

    def _kind(self, node: fx.Node) -> str:
        if node.op == "call_module":
            return type(self._modules[str(node.target)]).__name__
        return str(getattr(node.target, "__name__", node.target))

    def _place(self, node: fx.Node) -> str:
        if node.op == "call_module" and str(node.target) not in self._names.values():
            return str(node.target)
        return node.name if node.op != "call_module" else f"{node.target} ({node.name})"


def _mean(given: Mapping[str, object], shape: Shape) -> list[Op]:
    dims = given["dim"]
    numbers = {dim % 4 for dim in dims if isinstance(dim, int)} if isinstance(dims, tuple | list) else set()
    if len(shape) != 3 or numbers != {2, 3}:
        raise UnsupportedError("it is not the mean over height and width", "use nn.AdaptiveAvgPool2d(1)")
    pool = settings.adaptive_average_pool(shape, 1, 1)
    return [pool] if given["keepdim"] else [pool, Flatten()]
