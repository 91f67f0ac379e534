"""From real weights to the integers of the protocol, and how well they agree with the network (CAPC-PARAM-040)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from capc.foundation import fixed_point
from capc.foundation.errors import InputError
from capc.models.architecture import Architecture
from capc.models.figures import scaled, without_figures
from capc.models.importing.evaluate import ended, integer_logits, parts_of
from capc.models.importing.graph import Floats, Graph
from capc.models.importing.lower import LoweredModel, lower
from capc.models.importing.rounding import MOST_LOST, check_rounding, stage_losses
from capc.models.model import QuantisedLayer, QuantisedModel, row_bound

_BITS_OF_INT64 = 64
_BITS_OF_DOUBLES = 53


@dataclass(frozen=True)
class StageRange:
    """The worst case of one stage, and what rounding takes from it.

    Attributes:
        place: its node in the network.
        bits: l of the smallest logit ring that no features in [-1, 1] can make it wrap.
        lost: what the rounding of its weights changes of the logits, as ``rounding.stage_losses`` has it.
        clipped: the part of its rows that were scaled down to the bound that it states.
    """

    place: str
    bits: int
    lost: float
    clipped: float = 0.0


@dataclass(frozen=True, repr=False)
class QuantisationReport:
    """How well the integers agree with the network itself. It depends on secret weights and data: for their owner only.

    Attributes:
        rows: how many rows were compared.
        agreeing: on how many of them both choose the same class.
        largest_error: the largest difference of two logits; where the network ends in a softmax or sigmoid, of what
            that gives.
        stages: the range of each stage, and what it loses.
        logit_bits: l, the logit ring to compare with.
        notes: what was left out of the network without changing the class.
        is_refused_for_rounding: whether a stage that loses too much is refused; with stated bounds nothing is.
    """

    rows: int
    agreeing: int
    largest_error: float
    stages: tuple[StageRange, ...]
    logit_bits: int
    notes: tuple[str, ...]
    is_refused_for_rounding: bool = True

    @property
    def agreement(self) -> float:
        """The fraction of rows with the same class."""
        return self.agreeing / self.rows

    @property
    def fits(self) -> bool:
        """Whether no stage can wrap in the logit ring."""
        return all(stage.bits <= self.logit_bits for stage in self.stages)

    def lines(self) -> list[str]:
        """The report as text."""
        ranges = [
            f"stage {number} ({stage.place}) needs {stage.bits} of {self.logit_bits} bits"
            + ("" if stage.bits <= self.logit_bits else ": it could wrap")
            for number, stage in enumerate(self.stages)
        ]
        bounded = [
            f"stage {number} ({stage.place}) has {stage.clipped:.0%} of its rows scaled down to the bound it states"
            for number, stage in enumerate(self.stages)
            if stage.clipped
        ]
        losses = [
            f"stage {number} ({stage.place}) loses {stage.lost:.0%} to rounding"
            + (": it would be refused" if self.is_refused_for_rounding else "")
            for number, stage in enumerate(self.stages)
            if stage.lost > MOST_LOST
        ]
        return [
            f"the same class on {self.agreeing} of {self.rows} rows",
            f"largest difference of a logit: {self.largest_error:.3g}",
            *ranges,
            *bounded,
            *losses,
            *self.notes,
        ]

    def __repr__(self) -> str:
        return f"<QuantisationReport on {self.rows} rows>"


def quantised_layer(
    weights: Floats, biases: Floats, fraction_bits: int, weight_bits: int | None = None
) -> QuantisedLayer:
    """Weights at scale 2^q and biases at scale 2^(f+q), each rounded half to even.

    The error of a weight is at most 2^-(q+1) and of a bias at most 2^-(f+q+1).

    Args:
        weights: rows x columns.
        biases: one per row.
        fraction_bits: f.
        weight_bits: q; None for f.

    Raises:
        InputError: a weight or bias is NaN or infinite.
    """
    scale = fraction_bits if weight_bits is None else weight_bits
    rows = tuple(tuple(fixed_point.quantise(row.tolist(), scale)) for row in weights)
    return QuantisedLayer(rows, tuple(fixed_point.quantise(biases.tolist(), fraction_bits + scale)))


def quantise_graph(graph: Graph, fraction_bits: int, architecture: Architecture | None = None) -> QuantisedModel:
    """The integers of a network.

    Without an architecture, large pools get their scales by ``figures.scaled``, and whether the integers fit a logit
    ring is for ``QuantisedModel.check_ranges`` to say. With one of which every stage states bounds, by
    ``figures.bounded``, nothing that depends on weights is refused: rows above the bound are scaled down.

    Args:
        graph: what was read.
        fraction_bits: f.
        architecture: the one that the session declares, stating figures; or None.

    Raises:
        InputError: the network cannot be expressed; or its output is no vote, 2 to 1024 logits; or it has another
            architecture; or, without stated bounds, rounding takes more than an eighth of what the weights of a stage
            tell. The line names the operator, the node and the remedy.
    """
    lowered = stating(lower(graph), fraction_bits, architecture)
    if not _states_bounds(lowered.architecture):
        check_rounding(graph, lowered, fraction_bits)
    return rounded(lowered, fraction_bits)


def stating(lowered: LoweredModel, fraction_bits: int, architecture: Architecture | None) -> LoweredModel:
    """The same stages with the figures of an architecture, or with those of the rule for pools.

    Raises:
        InputError: the architecture is another one.
    """
    if architecture is None:
        return replace(lowered, architecture=scaled(lowered.architecture, fraction_bits))
    if without_figures(architecture) != without_figures(lowered.architecture):
        raise InputError("the network has other layers than the architecture: give that of the network itself")
    return replace(lowered, architecture=architecture)


def _states_bounds(architecture: Architecture) -> bool:
    return all(stage.sum_bits is not None for stage in architecture.stages)


def rounded(lowered: LoweredModel, fraction_bits: int) -> QuantisedModel:
    """The integers of a network, whatever rounding takes from it, and clipped where a stage states a bound."""
    return _rounded(lowered, fraction_bits)[0]


def _rounded(lowered: LoweredModel, fraction_bits: int) -> tuple[QuantisedModel, tuple[float, ...]]:
    """And for each stage the part of its rows that were clipped."""
    layers, clipped = [], []
    stages, bounds = lowered.architecture.stages, lowered.architecture.stated_bounds(fraction_bits)
    for layer, stage, (taken, _) in zip(lowered.layers, stages, bounds, strict=True):
        integers = quantised_layer(layer.weights, layer.biases, fraction_bits, stage.weight_bits)
        within = integers
        if stage.sum_bits is not None and taken is not None:
            within = clipped_layer(integers, taken, (1 << stage.sum_bits) - 1)
        pairs = zip(integers.weights, within.weights, strict=True)
        clipped.append(sum(before != after for before, after in pairs) / len(integers.weights))
        layers.append(within)
    return QuantisedModel(lowered.architecture, tuple(layers), fraction_bits), tuple(clipped)


def clipped_layer(layer: QuantisedLayer, taken: int, most: int) -> QuantisedLayer:
    """Each row that could reach more than ``most`` is scaled down to it, rounded towards 0.

    Args:
        layer: integers.
        taken: the largest input, in magnitude.
        most: the largest sum.
    """
    rows, biases = [], []
    for weights, own in layer.rows():
        # A row within its bound is kept as it is.
        reach = max(row_bound(weights, own, taken), most)
        scaled_down = [(abs(entry) * most // reach) * (1 if entry > 0 else -1) for entry in (*weights, *own)]
        rows.append(tuple(scaled_down[: len(weights)]))
        biases += scaled_down[len(weights) :]
    return QuantisedLayer(tuple(rows), tuple(biases))


def quantisation_report(
    graph: Graph, features: Floats, fraction_bits: int, logit_bits: int, architecture: Architecture | None = None
) -> QuantisationReport:
    """Compares the integers of a network with the network itself, as it runs, on rows that the party holds.

    Args:
        graph: the network, as it was read, with its origin.
        features: n rows, flattened or in the graph's input shape, each feature in [-1, 1].
        fraction_bits: f.
        logit_bits: l.
        architecture: as of ``quantise_graph``.

    Raises:
        InputError: there are no rows, or one has another length or a feature that is not in [-1, 1]; or the network
            cannot be expressed, or fails on these rows; or the graph was not read from a network.
    """
    rows = _checked(features, graph)
    if graph.origin is None:
        raise InputError("the graph has no network to compare with: read it by graph_from_torch or graph_from_onnx")
    lowered = stating(lower(graph), fraction_bits, architecture)
    model, clipped = _rounded(lowered, fraction_bits)
    bits = model.stage_bits()
    queries = [fixed_point.quantise(row.tolist(), fraction_bits) for row in rows]
    exact = {"exact_in_64_bits": max(bits) <= _BITS_OF_INT64, "exact_in_doubles": max(bits) <= _BITS_OF_DOUBLES}
    integers = [logits for part in parts_of(graph, queries) for logits in integer_logits(model, part, **exact).tolist()]
    own = np.concatenate([graph.origin(part) for part in parts_of(graph, rows)])
    unit = 1 << fraction_bits + lowered.architecture.stages[-1].scale_bits(fraction_bits)
    real = np.array([[logit / unit for logit in row] for row in integers])
    same = [row.index(max(row)) == int(logits.argmax()) for row, logits in zip(integers, own, strict=True)]
    if lowered.ending is not None:
        real = ended(real, lowered.ending)
    losses = stage_losses(lowered, fraction_bits)
    stages = tuple(StageRange(*stage) for stage in zip(lowered.places, bits, losses, clipped, strict=True))
    refused = not _states_bounds(lowered.architecture)
    largest = float(np.abs(real - own).max())
    return QuantisationReport(len(rows), sum(same), largest, stages, logit_bits, lowered.notes, refused)


def _checked(features: Floats, graph: Graph) -> Floats:
    length = int(np.prod(graph.input_shape))
    array = np.asarray(features, dtype=np.float64)
    if array.ndim < 2 or len(array) == 0 or int(np.prod(array.shape[1:])) != length:
        raise InputError(f"features of the shape {array.shape}: give rows of {length}")
    rows = array.reshape(len(array), length)
    if not (np.abs(rows) <= 1).all():
        row = int(np.argmin((np.abs(rows) <= 1).all(axis=1)))
        raise InputError(f"row {row} has a feature outside [-1, 1]: scale the features")
    return rows
