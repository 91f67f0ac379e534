"""From a ``torch.nn.Module`` to a graph, by ``torch.export``; needs the extra ``capc[learning]``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import NamedTuple, cast

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from capc.models.importing import settings
from capc.models.importing.arithmetic import Place
from capc.models.importing.endings import checked
from capc.models.importing.graph import (
    INPUT,
    MAX_CONSTANTS,
    Graph,
    Shape,
    UnsupportedError,
    brief,
    named,
    plain,
    refusal,
)
from capc.models.importing.torch_modules.calls import AtenCall, Value
from capc.models.importing.torch_modules.exporting import (
    ROWS,
    constants,
    exported,
    is_pytorchs_own,
    network,
    results,
)
from capc.models.importing.torch_modules.operators import BUILDERS
from capc.models.importing.torch_modules.origin import Layer, torch_origin


def graph_from_torch(module: nn.Module, input_shape: Shape) -> Graph:
    """The operators of a module in evaluation; the module itself is not changed.

    Its code runs once in ``torch.export``, with what hooks and parametrisations add. What only depends on weights is
    computed. The module is then run in evaluation, as it is, beside what was read of it, as ``agreement.check_origin``
    says. Its code must give the same for the same rows. Whether it is in training or in evaluation, and PyTorch's
    random generator, are as before.

    Args:
        module: takes one batch of inputs and returns one batch of logits. Of a compiled module, that which it was made
            from is read.
        input_shape: (channels, height, width) or (features,), without the batch.

    Raises:
        InputError: the module cannot be exported, or an operator is not supported; the line names the operator, the
            layer and the remedy. Or the module, when it runs, fails or gives other logits than what was read; the line
            names the first layer that differs, where that can be found.
    """
    graph = Graph(input_shape)
    module = network(module)
    reader = _Reader(exported(module, input_shape), graph)
    reader.read()
    origin = torch_origin(module, input_shape, reader.layers())
    return checked(graph, origin)


class _LayerCall(NamedTuple):
    """A call of a layer: its name in the export, and the layer's path and kind."""

    call: str
    path: str
    kind: str


class _Reader:
    """Translates exported nodes in their order; those that the output does not need are left out."""

    def __init__(self, program: ExportedProgram, graph: Graph) -> None:
        self._nodes = list(program.graph.nodes)
        self._graph = graph
        self._known: dict[fx.Node, object] = {}
        """By node: a :class:`Value` of the graph, or what does not depend on the query."""
        self._constants = constants(program)
        self._results = results(program)
        """What the module returns, without the buffers that it changes."""
        self._calls: list[tuple[str, str, str]] = []
        """Nodes of the graph, each with the call of a layer it is part of, and the layer's path."""

    def read(self) -> None:
        """Adds all nodes that the output needs to the graph."""
        needed = _needed(self._nodes, self._results)
        for node in self._nodes:
            if node.op == "placeholder":
                self._known[node] = self._constants.get(node.name, Value(INPUT))
            elif node.op == "output":
                self._read_output(node)
            elif node in needed:
                self._read_call(node)

    def layers(self) -> list[Layer]:
        """The calls of layers of PyTorch's own, each with the last of its nodes."""
        made = []
        for (_, path), group in groupby(self._calls, key=lambda call: call[1:]):
            nodes = [name for name, _, _ in group]
            made.append(Layer(nodes[-1], path, len(nodes) == 1))
        return made

    def _read_output(self, node: fx.Node) -> None:
        if len(self._results) != 1:
            raise refusal("output", node.name, "it is not one tensor", "return the logits only")
        result = self._known.get(self._results[0])
        if not isinstance(result, Value):
            raise refusal("output", node.name, "it does not depend on the query", "return the logits")
        self._graph.output = result.name

    def _read_call(self, node: fx.Node) -> None:
        layer = self._layer(node)
        kind = _name(node) if layer is None else layer.kind
        name = self._unused(node, layer)
        with named(kind, name):
            known = cast(Callable[[fx.Node], fx.node.Argument], self._known.__getitem__)
            args, kwargs = fx.map_arg(node.args, known), fx.map_arg(node.kwargs, known)
            is_known = settings.remedy_for(kind, _name(node)) != settings.GENERAL_REMEDY
            # Recurrent layers can drop out, so that PyTorch counts them as random.
            if _is_random(node.target) and _name(node) not in BUILDERS and not is_known:
                raise UnsupportedError("it is random in evaluation too", "remove what is random")
            if not any(isinstance(self._known[source], Value) for source in node.all_input_nodes):
                self._known[node] = self._computed(node, args, kwargs)
                return
            if node.target is operator.getitem:
                if node.args[1] != 0:
                    raise UnsupportedError("it takes another result than the first", "use values, not their places")
                self._known[node] = self._known[node.all_input_nodes[0]]
                return
            if not isinstance(node.target, torch._ops.OpOverload) or _name(node) not in BUILDERS:
                raise _unsupported(kind, _name(node))
            place = Place(self._graph, name, kind, ROWS)
            before = len(self._graph.nodes)
            call = AtenCall(place, _bound(node.target, args, kwargs))
            self._known[node] = Value(BUILDERS[_name(node)](call))
        if layer is not None:
            self._calls += [(added.name, layer.call, layer.path) for added in self._graph.nodes[before:]]

    def _computed(self, node: fx.Node, args: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
        """What a node gives that depends on weights only."""
        shown = node.meta.get("val")
        if isinstance(shown, Tensor) and shown.numel() > MAX_CONSTANTS:
            raise UnsupportedError(f"it makes {shown.numel()} numbers of weights", f"make at most {MAX_CONSTANTS}")
        if not callable(node.target):
            raise UnsupportedError("a part of its code runs in another mode", "remove torch.autocast from it")
        try:
            with torch.no_grad():
                return node.target(*args, **kwargs)
        # PyTorch raises whatever fits.
        except Exception as error:  # noqa: BLE001
            raise UnsupportedError(f"it cannot be computed ({brief(error)})", "correct it") from None

    def _layer(self, node: fx.Node) -> _LayerCall | None:
        """The call of a layer of PyTorch's own that a node is part of."""
        stack = list((node.meta.get("nn_module_stack") or {}).items())
        if not stack:
            return None
        call, (path, kind) = stack[-1]
        shown = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
        return _LayerCall(str(call), str(path), shown.rpartition(".")[2]) if is_pytorchs_own(shown) else None

    def _unused(self, node: fx.Node, layer: _LayerCall | None) -> str:
        """A name that no node of the graph has: the layer's path, if there is one."""
        if layer is None or not layer.path:
            return plain(node.name)
        path = plain(layer.path)
        return path if path not in self._graph else f"{path} ({plain(node.name)})"


def _unsupported(kind: str, name: str) -> UnsupportedError:
    """An operator that is not supported; one inside of a layer may be that of a hook."""
    is_own = kind.lower() == name.replace("_", "")
    problem = "it is not supported" if is_own or kind == name else f"it runs {plain(name)}, which is not supported"
    return UnsupportedError(problem, settings.remedy_for(kind, name))


def _needed(nodes: list[fx.Node], results: list[fx.Node]) -> set[fx.Node]:
    needed = set(results)
    for node in reversed(nodes):
        if node in needed:
            needed.update(node.all_input_nodes)
    return needed


def _name(node: fx.Node) -> str:
    target = node.target
    if isinstance(target, torch._ops.OpOverload):
        # A change in place is that of a value that nothing else sees, once torch.export has written it.
        return str(target.overloadpacket.__name__)
    return str(getattr(target, "__name__", target))


def _is_random(target: object) -> bool:
    return isinstance(target, torch._ops.OpOverload) and torch.Tag.nondeterministic_seeded in target.tags


def _bound(target: torch._ops.OpOverload, args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, object]:
    """The arguments of a call by name, with their defaults."""
    found: dict[str, object] = {}
    for number, argument in enumerate(target._schema.arguments):
        if number < len(args):
            found[argument.name] = args[number]
        elif argument.has_default_value():
            found[argument.name] = kwargs.get(argument.name, argument.default_value)
        else:
            found[argument.name] = kwargs.get(argument.name)
    return found
