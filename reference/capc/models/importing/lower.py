"""From a network's operators to the stages of the protocol, with their float weights.

Every node's value has a form, which says how far its stage has come:

- Ready: an earlier value of the protocol, perhaps with an average pool that the next operator takes up;
- Sums: a linear operator whose activation is still to come; it becomes a stage when that is known;
- Pooled: the windows of a max pool over sums, whose ReLU is still to come;
- Rectified: a ReLU of sums; it becomes a stage with or without a max pool, depending on what follows;
- Scores: a softmax of the logits, which only the end of the network may have.

Spec: CAPC-PARAM-046.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from capc.foundation.errors import InputError
from capc.foundation.hidden import type_only
from capc.models.architecture import FEWEST_CLASSES, MOST_CLASSES, QUERY, Activation, Architecture, StageShape
from capc.models.importing.graph import (
    INPUT,
    Add,
    Affine,
    AveragePool,
    Conv,
    Flatten,
    Floats,
    Graph,
    Identity,
    Linear,
    MaxPool,
    Node,
    Relu,
    Shape,
    Softmax,
    refusal,
)
from capc.models.operators import OUTSIDE, Convolution, Dense, Grid, Operator, SumPool


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """One stage's real weights, with the rows and columns of its operator, and its biases."""

    weights: Floats
    biases: Floats

    __repr__ = type_only


@dataclass(frozen=True, eq=False)
class LoweredModel:
    """A network as stages.

    Attributes:
        architecture: public.
        layers: the real weights of each stage. Secret to the party.
        places: for each stage the node whose weights it has, or for which it was added.
        notes: what was left out without changing the class.
        softmax: what the network makes of the logits at its end, or None.
    """

    architecture: Architecture
    layers: tuple[FloatLayer, ...]
    places: tuple[str, ...]
    notes: tuple[str, ...]
    softmax: Softmax | None


@dataclass(frozen=True)
class StageValue:
    """A value of the protocol.

    Attributes:
        value: its number.
        pool: windows over which the next operator sums it first.
        factor: what the next operator's weights are multiplied by.
    """

    value: int
    pool: SumPool | None = None
    factor: float = 1.0


@dataclass(frozen=True, eq=False)
class Sums:
    """A stage without its activation; ``place`` is its node. Equal only to itself, so that it is emitted once."""

    place: str
    operator: Operator
    layer: FloatLayer
    source: StageValue
    skips: tuple[int, ...] = ()


@dataclass(frozen=True)
class PooledSums:
    """The largest of windows over sums."""

    sums: Sums
    grid: Grid


@dataclass(frozen=True)
class RectifiedSums:
    """The ReLU of sums."""

    sums: Sums


@dataclass(frozen=True)
class Scores:
    """A softmax of the logits."""

    logits: StageValue | Sums | RectifiedSums
    softmax: Softmax


Form = StageValue | Sums | PooledSums | RectifiedSums | Scores


def lower(graph: Graph) -> LoweredModel:
    """The stages that compute a network's logits, and their real weights.

    Raises:
        InputError: something cannot be expressed; the line names the operator, the node and the remedy.
    """
    lowering = _Lowering(graph)
    for node in graph.nodes:
        lowering.forms[node.name] = lowering.form(node)
    lowering.vote()
    try:
        architecture = Architecture(tuple(lowering.stages))
    except InputError as error:
        raise InputError(f"the model does not become stages of the protocol: {error}") from None
    last = lowering.forms[graph.output]
    softmax = last.softmax if isinstance(last, Scores) else None
    return LoweredModel(architecture, tuple(lowering.layers), tuple(lowering.places), tuple(lowering.notes), softmax)


def check_vote(name: str, shape: Shape) -> None:
    """Refuses an output that is not one logit for each class of a session.

    Args:
        name: of the node that makes it.
        shape: of the output, without the batch.

    Raises:
        InputError: it is one logit, has logits for each pixel, or too many of them.
    """
    if prod(shape[1:]) > 1:
        remedy = "average them (AdaptiveAvgPool2d(1)), or flatten them if each is the logit of a class"
        raise refusal("output", name, f"its shape is {shape}, logits for each of {prod(shape[1:])} positions", remedy)
    if not FEWEST_CLASSES <= shape[0] <= MOST_CLASSES:
        problem = f"its shape is {shape}, and a vote is over {FEWEST_CLASSES} to {MOST_CLASSES} classes"
        remedy = "give each class a logit: of one logit z make the two logits 0 and z, by a linear layer of two rows"
        raise refusal("output", name, problem, remedy if shape[0] == 1 else "choose fewer classes")


class _Lowering:
    """The stages so far, and the form of each node's value."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.forms: dict[str, Form] = {INPUT: StageValue(QUERY)}
        self.stages: list[StageShape] = []
        self.layers: list[FloatLayer] = []
        self.places: list[str] = []
        self.notes: list[str] = []
        self._made: dict[tuple[Sums, Activation, Grid | None], int] = {}

    def form(self, node: Node) -> Form:  # noqa: PLR0911  # one for each operator
        """The form of a node's value, from those of its inputs."""
        form, shape = self.forms[node.inputs[0]], self.graph.shape(node.inputs[0])
        match node.op:
            case Flatten() | Identity():
                return form
            case Softmax():
                self.notes.append(f"{node.kind} at {node.name} is left out: it keeps the order of the logits")
                return Scores(self._usable(node, form), node.op)
            case Relu():
                return self._rectified(node, form)
            case MaxPool(window=window):
                return self._max_pooled(node, form, window.on(shape))
            case AveragePool(window=window, divisor=divisor):
                return self._average_pooled(node, form, window.on(shape), divisor)
            case Affine(scales=scales, shifts=shifts):
                return self._affine(node, form, scales, shifts)
            case Add():
                return self._added(node)
            case Linear(weights=weights, biases=biases):
                dense = Dense(weights.shape[1], len(weights))
                return Sums(node.name, dense, FloatLayer(weights, biases), self._operand(node, form))
            case Conv(weights=weights, biases=biases, window=window, groups=groups):
                convolution = Convolution(window.on(shape), len(weights), groups)
                layer = FloatLayer(weights.reshape(len(weights), -1), biases)
                return Sums(node.name, convolution, layer, self._operand(node, form))

    def vote(self) -> None:
        """Makes the last stage, from the graph's output."""
        name = self.graph.output
        form = self.forms[name]
        check_vote(name, self.graph.shape(name))
        if isinstance(form, Scores):
            form = form.logits
        if isinstance(form, PooledSums):
            raise refusal("output", name, "the network ends in a max pool without ReLU", "end in a linear layer")
        if not isinstance(form, Sums):
            form = self._copy(name, self._value(form), self.graph.shape(name))
        self._make(form, Activation.VOTE)

    def _make(self, sums: Sums, activation: Activation, grid: Grid | None = None) -> int:
        """The number of the value of this stage, which is added unless it is there already."""
        key = (sums, activation, grid)
        if key not in self._made:
            source = sums.source
            self.stages.append(StageShape(sums.operator, source.value, activation, sums.skips, source.pool, grid))
            self.layers.append(FloatLayer(sums.layer.weights * source.factor, sums.layer.biases))
            self.places.append(sums.place)
            self._made[key] = len(self.stages)
        return self._made[key]

    def _value(self, form: StageValue | RectifiedSums) -> StageValue:
        """A value of the protocol; a ReLU becomes one now."""
        return StageValue(self._make(form.sums, Activation.RELU)) if isinstance(form, RectifiedSums) else form

    def _operand(self, node: Node, form: Form) -> StageValue:
        """The value that a linear operator or an average pool works on."""
        usable = self._usable(node, form)
        if isinstance(usable, Sums):
            remedy = "put a ReLU between them, or merge the two into one linear layer"
            raise refusal(node.kind, node.name, f"it works on the sums of {usable.place}, without a ReLU", remedy)
        return self._value(usable)

    @staticmethod
    def _usable(node: Node, form: Form) -> StageValue | RectifiedSums | Sums:
        """A form that is not a dead end."""
        if isinstance(form, PooledSums):
            remedy = "put a ReLU before or after the pool"
            raise refusal(node.kind, node.name, f"it follows a max pool of {form.sums.place} without ReLU", remedy)
        if isinstance(form, Scores):
            raise refusal(node.kind, node.name, "it follows a softmax", "use a softmax at the end only")
        return form

    def _copy(self, place: str, source: StageValue, shape: Shape) -> Sums:
        """Sums that are a value itself, pooled: each channel times 1."""
        return self._per_channel(place, source, shape, np.ones(shape[0]), np.zeros(shape[0]))

    @staticmethod
    def _per_channel(place: str, source: StageValue, shape: Shape, scales: Floats, shifts: Floats) -> Sums:
        channels, height, width = shape if len(shape) == 3 else (*shape, 1, 1)
        operator = Convolution(Grid(channels, height, width, (1, 1)), channels, channels)
        return Sums(place, operator, FloatLayer(scales[:, None], shifts), source)

    def _rectified(self, node: Node, form: Form) -> Form:
        if isinstance(form, PooledSums):
            return StageValue(self._make(form.sums, Activation.RELU_MAX_POOL, form.grid))
        usable = self._usable(node, form)
        if isinstance(usable, StageValue) and usable.value == QUERY:
            usable = self._copy(node.name, usable, node.shape)
        # No other value is negative, nor is an average of one.
        return RectifiedSums(usable) if isinstance(usable, Sums) else usable

    def _max_pooled(self, node: Node, form: Form, grid: Grid) -> Form:
        if any(all(index == OUTSIDE for index in window) for window in grid.windows(0)):
            raise refusal(node.kind, node.name, "a window lies in the padding only", "choose a smaller padding")
        usable = self._usable(node, form)
        if isinstance(usable, Sums):
            return PooledSums(usable, grid)
        if isinstance(usable, RectifiedSums):
            return StageValue(self._make(usable.sums, Activation.RELU_MAX_POOL, grid))
        if usable.value == QUERY:
            # It is computed together with a ReLU, which would change negative features.
            raise refusal(node.kind, node.name, "it works on the query", "put a convolution with ReLU before it")
        copy = self._copy(node.name, usable, (grid.channels, grid.height, grid.width))
        return StageValue(self._make(copy, Activation.RELU_MAX_POOL, grid))

    def _average_pooled(self, node: Node, form: Form, grid: Grid, divisor: float) -> StageValue:
        source = self._operand(node, form)
        if source.pool is not None and source.value == QUERY:
            raise refusal(node.kind, node.name, "it averages averages of the query", "pool once, with a larger window")
        if source.pool is not None:
            copy = self._copy(node.name, source, (grid.channels, grid.height, grid.width))
            source = StageValue(self._make(copy, Activation.RELU))
        return StageValue(source.value, SumPool(grid), 1 / divisor)

    def _affine(self, node: Node, form: Form, scales: Floats, shifts: Floats) -> Sums:
        usable = self._usable(node, form)
        if not isinstance(usable, Sums):
            return self._per_channel(node.name, self._value(usable), node.shape, scales, shifts)
        remedy = "put it right after a convolution or linear layer"
        if usable.skips:
            raise refusal(node.kind, node.name, "it follows an addition", remedy)
        if len(usable.layer.biases) != len(scales):
            raise refusal(node.kind, node.name, f"it has other channels than {usable.place}", remedy)
        folded = FloatLayer(usable.layer.weights * scales[:, None], usable.layer.biases * scales + shifts)
        return replace(usable, layer=folded)

    def _added(self, node: Node) -> Sums:
        """Sums of one operand, or a copy of it, to which the stage adds the other."""
        first, second = (self._usable(node, self.forms[name]) for name in node.inputs)
        if isinstance(second, Sums) and not isinstance(first, Sums):
            first, second = second, first
        skip = self._skip(node, second)
        sums = first if isinstance(first, Sums) else self._copy(node.name, self._value(first), node.shape)
        return replace(sums, skips=(*sums.skips, skip))

    def _skip(self, node: Node, form: StageValue | RectifiedSums | Sums) -> int:
        """The number of the value that a stage adds."""
        if isinstance(form, Sums):
            return self._make(form, Activation.NONE)
        source = self._value(form)
        if source.pool is None:
            return source.value
        return self._make(self._copy(node.name, source, node.shape), Activation.NONE)
