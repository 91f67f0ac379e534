"""From real weights to the integers of the protocol, and how well they agree with the network (CAPC-PARAM-040)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capc.foundation import fixed_point
from capc.foundation.errors import InputError
from capc.models.importing.evaluate import integer_logits, parts_of, softmax_of
from capc.models.importing.graph import Floats, Graph
from capc.models.importing.lower import LoweredModel, lower
from capc.models.importing.rounding import MOST_LOST, check_rounding, stage_losses
from capc.models.model import QuantisedLayer, QuantisedModel

_BITS_OF_INT64 = 64


@dataclass(frozen=True)
class StageRange:
    """The worst case of one stage, and what rounding takes from it.

    Attributes:
        place: its node in the network.
        bits: l of the smallest logit ring that no features in [-1, 1] can make it wrap.
        lost: what the rounding of its weights changes of the logits, as ``rounding.stage_losses`` has it.
    """

    place: str
    bits: int
    lost: float


@dataclass(frozen=True, repr=False)
class QuantisationReport:
    """How well the integers agree with the network itself. It depends on secret weights and data: for their owner only.

    Attributes:
        rows: how many rows were compared.
        agreeing: on how many of them both choose the same class.
        largest_error: the largest difference of two logits; of two outputs of a softmax, where the network ends in one.
        stages: the range of each stage, and what it loses.
        logit_bits: l, the logit ring to compare with.
        notes: what was left out of the network without changing the class.
    """

    rows: int
    agreeing: int
    largest_error: float
    stages: tuple[StageRange, ...]
    logit_bits: int
    notes: tuple[str, ...]

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
        losses = [
            f"stage {number} ({stage.place}) loses {stage.lost:.0%} to rounding: it would be refused"
            for number, stage in enumerate(self.stages)
            if stage.lost > MOST_LOST
        ]
        return [
            f"the same class on {self.agreeing} of {self.rows} rows",
            f"largest difference of a logit: {self.largest_error:.3g}",
            *ranges,
            *losses,
            *self.notes,
        ]

    def __repr__(self) -> str:
        return f"<QuantisationReport on {self.rows} rows>"


def quantised_layer(weights: Floats, biases: Floats, fraction_bits: int) -> QuantisedLayer:
    """Weights at scale 2^f and biases at scale 2^(2f), each rounded half to even.

    The error of a weight is at most 2^-(f+1) and of a bias at most 2^-(2f+1).

    Args:
        weights: rows x columns.
        biases: one per row.
        fraction_bits: f.

    Raises:
        InputError: a weight or bias is NaN or infinite.
    """
    rows = tuple(tuple(fixed_point.quantise(row.tolist(), fraction_bits)) for row in weights)
    return QuantisedLayer(rows, tuple(fixed_point.quantise(biases.tolist(), 2 * fraction_bits)))


def quantise_graph(graph: Graph, fraction_bits: int) -> QuantisedModel:
    """The integers of a network. Whether they fit a logit ring is for ``QuantisedModel.check_ranges`` to say.

    Raises:
        InputError: the network cannot be expressed; or its output is no vote, 2 to 1024 logits; or rounding takes more
            than an eighth of what the weights of a stage tell. The line names the operator, the node and the remedy.
    """
    lowered = lower(graph)
    check_rounding(graph, lowered, fraction_bits)
    return rounded(lowered, fraction_bits)


def rounded(lowered: LoweredModel, fraction_bits: int) -> QuantisedModel:
    """The integers of a network, whatever rounding takes from it."""
    layers = tuple(quantised_layer(layer.weights, layer.biases, fraction_bits) for layer in lowered.layers)
    return QuantisedModel(lowered.architecture, layers, fraction_bits)


def quantisation_report(graph: Graph, features: Floats, fraction_bits: int, logit_bits: int) -> QuantisationReport:
    """Compares the integers of a network with the network itself, as it runs, on rows that the party holds.

    Args:
        graph: the network, as it was read, with its origin.
        features: n rows, flattened or in the graph's input shape, each feature in [-1, 1].
        fraction_bits: f.
        logit_bits: l.

    Raises:
        InputError: there are no rows, or one has another length or a feature that is not in [-1, 1]; or the network
            cannot be expressed, or fails on these rows; or the graph was not read from a network.
    """
    rows = _checked(features, graph)
    if graph.origin is None:
        raise InputError("the graph has no network to compare with: read it by graph_from_torch or graph_from_onnx")
    lowered = lower(graph)
    model = rounded(lowered, fraction_bits)
    bits = model.stage_bits()
    queries = [fixed_point.quantise(row.tolist(), fraction_bits) for row in rows]
    integers = integer_logits(model, queries, exact_in_64_bits=max(bits) <= _BITS_OF_INT64)
    own = np.concatenate([graph.origin(part) for part in parts_of(graph, rows)])
    scaled = np.array([[logit / (1 << 2 * fraction_bits) for logit in row] for row in integers])
    same = [row.index(max(row)) == int(logits.argmax()) for row, logits in zip(integers, own, strict=True)]
    if lowered.softmax is not None:
        scaled = softmax_of(scaled, log=lowered.softmax.log)
    losses = stage_losses(lowered, fraction_bits)
    stages = tuple(StageRange(*stage) for stage in zip(lowered.places, bits, losses, strict=True))
    return QuantisationReport(
        len(rows), sum(same), float(np.abs(scaled - own).max()), stages, logit_bits, lowered.notes
    )


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
