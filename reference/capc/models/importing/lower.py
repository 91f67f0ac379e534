"""From a network's operators to the stages of the protocol, with their float weights.

Every node's value has a form, of those in ``forms``, which says how far its stage has come. What is linear is folded
into the next stage, or into the one before it.

Spec: CAPC-PARAM-046, CAPC-PARAM-068.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import inf, prod

import numpy as np

from capc.foundation.errors import InputError
from capc.foundation.hidden import type_only
from capc.models.architecture import FEWEST_CLASSES, MOST_CLASSES, QUERY, Activation, Architecture
from capc.models.importing.evaluate import gather
from capc.models.importing.factors import Factors
from capc.models.importing.graph import (
    INPUT,
    Add,
    Affine,
    AveragePool,
    Clamp,
    Concat,
    Conv,
    Floats,
    Graph,
    Identity,
    LeakyRelu,
    Linear,
    MaxPool,
    Node,
    Pad,
    Relu,
    Reorder,
    Reshape,
    Shape,
    Sigmoid,
    Softmax,
    UnsupportedError,
    Window,
    named,
    refusal,
)
from capc.models.importing.lowering import folding
from capc.models.importing.lowering.forms import (
    FloatLayer,
    Form,
    Joined,
    Padded,
    RectifiedSums,
    Scores,
    StageValue,
    Sums,
    each_part,
    parts_of,
    reshaped,
    unchanged,
    usable,
)
from capc.models.importing.lowering.reordering import in_order
from capc.models.importing.lowering.stages import Stages
from capc.models.operators import OUTSIDE, Dense, SumPool


@dataclass(frozen=True, eq=False)
class LoweredModel:
    """A network as stages.

    Attributes:
        architecture: public.
        layers: the real weights of each stage. Secret to the party.
        places: for each stage the node whose weights it has, or for which it was added.
        notes: what was left out without changing the class.
        ending: what the network makes of the logits at its end, or None.
    """

    architecture: Architecture
    layers: tuple[FloatLayer, ...]
    places: tuple[str, ...]
    notes: tuple[str, ...]
    ending: Softmax | Sigmoid | None

    __repr__ = type_only


def lower(graph: Graph) -> LoweredModel:
    """The stages that compute a network's logits, and their real weights.

    Raises:
        InputError: something cannot be expressed; the line names the operator, the node and the remedy.
    """
    graph = in_order(graph)
    lowering = _Lowering(graph)
    for node in graph.nodes:
        with named(node.kind, node.name):
            lowering.forms[node.name] = lowering.form(node)
    lowering.vote()
    try:
        architecture = Architecture(tuple(lowering.stages.shapes))
    except InputError as error:
        raise InputError(f"the model does not become stages of the protocol: {error}") from None
    last = lowering.forms[graph.output]
    ending = last.ending if isinstance(last, Scores) else None
    stages = lowering.stages
    return LoweredModel(architecture, tuple(stages.layers), tuple(stages.places), tuple(lowering.notes), ending)


def check_vote(name: str, shape: Shape) -> None:
    """Refuses an output that is not one logit for each class of a session.

    Args:
        name: of the node that makes it.
        shape: of the output, without the batch.

    Raises:
        InputError: it is one logit, has logits for each pixel, or too many of them.
    """
    shape = shape or (1,)
    if prod(shape[1:]) > 1:
        remedy = "average them (AdaptiveAvgPool2d(1)), or flatten them if each is the logit of a class"
        raise refusal("output", name, f"its shape is {shape}, logits for each of {prod(shape[1:])} positions", remedy)
    if not FEWEST_CLASSES <= shape[0] <= MOST_CLASSES:
        problem = f"its shape is {shape}, and a vote is over {FEWEST_CLASSES} to {MOST_CLASSES} classes"
        remedy = (
            "where its sign tells the class, end in a sigmoid; else give each class a logit: of one logit z make the "
            "two logits 0 and z, by a linear layer of two rows"
        )
        raise refusal("output", name, problem, remedy if shape[0] == 1 else "choose fewer classes")


class _Lowering:
    """The stages so far, and the form of each node's value."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.stages = Stages()
        self.forms: dict[str, Form] = {INPUT: StageValue(QUERY, is_signed=True)}
        self.notes: list[str] = []

    def form(self, node: Node) -> Form:  # noqa: PLR0911  # one for each operator
        """The form of a node's value, from those of its inputs."""
        form, shape = self.forms[node.inputs[0]], self.graph.shape(node.inputs[0])
        match node.op:
            case Reshape(shape=wanted) | Reorder(shape=wanted):  # No Reorder is left.
                return reshaped(form, shape, wanted)
            case Identity():
                return form
            case Softmax() | Sigmoid():
                is_of_one = isinstance(node.op, Softmax) and node.op.of_one
                why = "the class is 1 where its logit is above 0" if is_of_one else "it keeps the order of the logits"
                self.notes.append(f"{node.kind} at {node.name} is left out: {why}")
                return Scores(form if isinstance(form, Joined) else usable(form), node.op)
            case Relu() | Clamp() | LeakyRelu():
                return each_part(form, shape, node.shape, partial(self._rectified, node))
            case MaxPool(window=window):
                return each_part(form, shape, node.shape, partial(self._max_pooled, node, window))
            case AveragePool(window=window, divisor=divisor):
                return each_part(form, shape, node.shape, partial(self._average_pooled, node, window, divisor))
            case Affine(scales=scales, shifts=shifts):
                return self._affine(node, form, shape, scales, shifts)
            case Pad():
                return self._padded(form, shape, node.op)
            case Concat():
                parts = ((self.forms[name], self.graph.shape(name)) for name in node.inputs)
                return Joined(tuple(part for each in parts for part in parts_of(*each)))
            case Add():
                return self._added(node)
            case Linear():
                return self._dense(node.name, form, shape, node.op)
            case Conv():
                return self._convolution(node.name, form, shape, node.op)

    def vote(self) -> None:
        """Makes the last stage, from the graph's output."""
        name = self.graph.output
        form, shape = self.forms[name], self.graph.shape(name)
        check_vote(name, shape)
        if isinstance(form, Scores):
            form = form.logits
        with named("output", name):
            if isinstance(form, Joined):
                form = self._dense(name, form, shape, Linear(np.eye(shape[0]), np.zeros(shape[0])))
            sums = form if isinstance(form, Sums) else self.stages.copy(name, self.stages.value(usable(form)), shape)
        self.stages.make(sums, Activation.VOTE)

    def _dense(self, place: str, form: Form, shape: Shape, op: Linear) -> Sums:
        def one(part: Form, first: int, size: Shape, biases: Floats) -> Sums:
            weights = op.weights[:, first : first + prod(size)]
            source = usable(part)
            if isinstance(source, Sums) and isinstance(source.operator, Dense) and not source.skips:
                layer = FloatLayer(weights @ source.layer.weights, weights @ source.layer.biases + biases)
                return Sums(place, Dense(layer.weights.shape[1], len(layer.weights)), layer, source.source)
            given = self.stages.value(source)
            folded = folding.dense(weights, biases, given)
            return Sums(place, folded.operator, folded.layer, given)

        return self._summed(form, shape, op.biases, one)

    def _convolution(self, place: str, form: Form, shape: Shape, op: Conv) -> Sums:
        if isinstance(form, Padded):
            padded = form
            form, shape, op = padded.form, padded.shape, folding.padded_convolution(op, padded.pad)
        if isinstance(form, Joined) and op.groups != 1:
            raise UnsupportedError("it works in groups on a concatenation", "put a convolution of one group before it")

        def one(part: Form, first: int, size: Shape, biases: Floats) -> Sums:
            channels = first // prod(size[1:])
            weights = op.weights if op.groups != 1 else op.weights[:, channels : channels + size[0]]
            given = self.stages.value(usable(part))
            folded = folding.convolution(Conv(weights, biases, op.window, op.groups), size, given)
            return Sums(place, folded.operator, folded.layer, given)

        return self._summed(form, shape, op.biases, one)

    def _summed(
        self, form: Form, shape: Shape, biases: Floats, one: Callable[[Form, int, Shape, Floats], Sums]
    ) -> Sums:
        """A linear operator on what is joined: sums of each part, of which all but the last are skipped to."""
        first, made = 0, []
        parts = parts_of(form, shape)
        for number, (part, size) in enumerate(parts):
            made.append(one(part, first, size, biases if number == len(parts) - 1 else np.zeros(len(biases))))
            first += prod(size)
        return replace(made[-1], skips=(*made[-1].skips, *made[:-1]))

    def _rectified(self, node: Node, form: Form, shape: Shape) -> Form:
        low, high, leak_bits = 0.0, inf, None
        if isinstance(node.op, Clamp):
            low, high = node.op.low, node.op.high
        elif isinstance(node.op, LeakyRelu):
            leak_bits = node.op.leak_bits
        given = usable(form)
        if isinstance(given, RectifiedSums):
            both = given.then(low, high, leak_bits)
            if both is not None:
                return self.stages.activated(both) if both.grid is not None and both.is_plain else both
            given = self.stages.value(given)
        if isinstance(given, StageValue):
            if low <= 0 and high == inf and not given.is_signed:
                # An average of what is not negative is not, either.
                return given
            given = self.stages.copy(node.name, given, shape)
        return RectifiedSums(given, low, high, leak_bits)

    def _max_pooled(self, node: Node, window: Window, form: Form, shape: Shape) -> Form:
        grid = window.on(shape)
        if any(all(index == OUTSIDE for index in part) for part in grid.windows(0)):
            raise UnsupportedError("a window lies in the padding only", "choose a smaller padding")
        given = usable(form)
        if isinstance(given, Sums):
            return unchanged(given, grid)
        if isinstance(given, RectifiedSums) and given.grid is not None:
            given = self.stages.value(given)
        if isinstance(given, RectifiedSums):
            pooled = replace(given, grid=grid)
            return self.stages.activated(pooled) if pooled.is_plain else pooled
        copy = self.stages.copy(node.name, given, shape)
        return self.stages.activated(unchanged(copy, grid) if given.is_signed else RectifiedSums(copy, grid=grid))

    def _average_pooled(self, node: Node, window: Window, divisor: float, form: Form, shape: Shape) -> Form:
        if isinstance(form, Padded):
            padded = form
            (top, bottom), (left, right) = padded.pad.rows, padded.pad.columns
            if top != bottom or left != right:
                raise UnsupportedError("its padding differs on opposite sides", "use the same on opposite sides")
            padding = (window.padding[0] + top, window.padding[1] + left)
            form, shape, window = padded.form, padded.shape, replace(window, padding=padding)
        grid, source = window.on(shape), self.stages.value(usable(form))
        scales = Factors.one(1, shape[0]) if source.scales is None else source.scales.of_channels(shape[0])
        if source.pool is not None or scales is None:
            source = self.stages.activated(unchanged(self.stages.copy(node.name, source, shape)))
            scales = Factors.one(1, shape[0])
        shifts = None
        if source.shifts is not None:
            shifts = gather(grid, source.shifts[None], 0).sum(axis=3).reshape(-1) / divisor
        averaged = scales.times(Factors.one(1 / divisor, shape[0])).repeated(grid.positions)
        return StageValue(source.value, SumPool(grid), averaged, shifts, source.is_signed or divisor < 0)

    def _padded(self, form: Form, shape: Shape, pad: Pad) -> Form:
        if isinstance(form, Padded):
            rows, columns = (
                (one[0] + other[0], one[1] + other[1])
                for one, other in ((form.pad.rows, pad.rows), (form.pad.columns, pad.columns))
            )
            return Padded(form.form, form.shape, Pad(rows, columns))
        return Padded(usable(form), shape, pad)

    def _affine(self, node: Node, form: Form, shape: Shape, scales: Factors | None, shifts: Floats | None) -> Form:
        if isinstance(form, Joined):
            parts, first = [], 0
            for part, size in form.parts:
                here = slice(first, first + prod(size))
                mine = None if scales is None else scales.taken(here), None if shifts is None else shifts[here]
                parts.append((self._affine(node, part, size, *mine), size))
                first = here.stop
            return Joined(tuple(parts))
        given = usable(form)
        if isinstance(given, Sums):
            return self.stages.affine(node.name, given, shape, scales, shifts)
        return self.stages.value(given).times(scales, shifts)

    def _added(self, node: Node) -> Form:
        """Sums of one operand, or a copy of it, to which the stage adds the other."""
        forms = [self.forms[name] for name in node.inputs]
        sizes = [[size for _, size in parts_of(form, node.shape)] for form in forms]
        if any(isinstance(form, Joined) for form in forms) and sizes[0] == sizes[1]:
            pairs = zip(*(parts_of(form, node.shape) for form in forms), strict=True)
            return Joined(
                tuple((self._sum_of_two(node, [one, other], size), size) for (one, size), (other, _) in pairs)
            )
        return self._sum_of_two(node, forms, node.shape)

    def _sum_of_two(self, node: Node, forms: list[Form], shape: Shape) -> Sums:
        first, second = (usable(form) for form in forms)
        if isinstance(second, Sums) and not isinstance(first, Sums):
            first, second = second, first
        shifts = None
        if not isinstance(second, Sums):
            second = self.stages.value(second)
            if second.scales is None:
                # What is added everywhere is part of the biases.
                second, shifts = replace(second, shifts=None), second.shifts
        skip = self._skip(node, second, shape)
        sums = first if isinstance(first, Sums) else self.stages.copy(node.name, self.stages.value(first), shape)
        if shifts is not None:
            sums = self.stages.affine(node.name, sums, shape, None, shifts)
        return replace(sums, skips=(*sums.skips, skip))

    def _skip(self, node: Node, form: StageValue | RectifiedSums | Sums, shape: Shape) -> int | Sums:
        """What a stage adds."""
        if isinstance(form, Sums):
            return form
        source = self.stages.value(form)
        if source.pool is None and source.scales is None and source.shifts is None:
            return source.value
        return self.stages.copy(node.name, source, shape)
