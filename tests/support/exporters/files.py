"""A file that a real exporter made, with what its framework says; and whether it is read as it should be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from capc.foundation import fixed_point
from capc.foundation.errors import InputError
from capc.models.importing.evaluate import float_outputs, integer_logits
from capc.models.importing.from_onnx import graph_from_onnx
from capc.models.importing.graph import Graph
from capc.models.importing.quantise import quantise_graph

FRACTION_BITS = 20
TOLERANCE = 1e-5
"""Of the largest output of all rows, at least 1: what single precision explains in small networks."""
INTEGER_TOLERANCE = 1e-3
"""What rounding to ``FRACTION_BITS`` explains in them."""


@dataclass(frozen=True)
class Made:
    """One file.

    Attributes:
        path: of the file.
        how: exporter, opset, kind of numbers, batch.
        rows: of the query, in the shape in which the protocol takes them.
        said: the framework's output for each row; None if it may only be refused.
        refused: why the file is refused, as a regular expression; None if it must be read.
        output: which of its outputs holds the logits, where it has several.
        are_channels_last: whether the file takes the rows with the channels last.
    """

    path: Path
    how: str
    rows: np.ndarray
    said: np.ndarray | None
    refused: str | None
    output: str | None = None
    are_channels_last: bool = False


@dataclass(frozen=True)
class Verdict:
    """What became of a file.

    Attributes:
        made: the file.
        is_read: whether it was read.
        told: how large the differences are, or the refusal.
        problem: what is not as it must be; empty if nothing.
    """

    made: Made
    is_read: bool
    told: str
    problem: str


def judged(made: Made) -> Verdict:
    """Reads a file, and compares what is read with what its framework says, or its refusal with the expected one."""
    shape = made.rows.shape[1:] if made.are_channels_last else None
    try:
        graph = graph_from_onnx(made.path, shape, made.output)
        integers = _integers(graph, made.rows)
    except InputError as error:
        told = str(error).replace(f"{made.path.parent}/", "")
        if made.refused is None:
            return Verdict(made, False, told, "it must be read")
        is_told = re.search(made.refused, told) and "\n" not in told
        return Verdict(made, False, told, "" if is_told else f"the reason must be: {made.refused}")
    if made.refused is not None or made.said is None:
        return Verdict(made, True, "read", f"it must be refused: {made.refused}")
    own = float_outputs(graph, made.rows.reshape(len(made.rows), -1).astype(np.float64))
    said = made.said.reshape(len(made.rows), -1).astype(np.float64)
    if said.shape[1] == 1:
        # The probability of one class of two.
        said = np.concatenate([1 - said, said], axis=1)
    return Verdict(made, True, *_compared(own, integers, said))


def _integers(graph: Graph, rows: np.ndarray) -> np.ndarray:
    """The classes' integers, as real numbers: those of the logits, also where the network ends in a softmax."""
    model = quantise_graph(graph, FRACTION_BITS)
    queries = [fixed_point.quantise(row.tolist(), FRACTION_BITS) for row in rows.reshape(len(rows), -1)]
    logits = integer_logits(model, queries, exact_in_64_bits=max(model.stage_bits()) <= 64)
    unit = 1 << FRACTION_BITS + model.architecture.stages[-1].scale_bits(FRACTION_BITS)
    return np.array([[logit / unit for logit in row] for row in logits])


def _compared(own: np.ndarray, integers: np.ndarray, said: np.ndarray) -> tuple[str, str]:
    if own.shape != said.shape:
        return "read", f"it gives outputs of the shape {own.shape}, and its framework {said.shape}"
    difference = float(np.abs(own - said).max())
    told = f"read: largest difference {difference:.1e}"
    if difference > TOLERANCE * max(1.0, float(np.abs(said).max())):
        return told, "the difference is too large"
    best = integers.argmax(axis=1)
    if (own.argmax(axis=1) != said.argmax(axis=1)).any():
        return told, "its labels differ from its framework's"
    # Of another label the integers' own logits must be as good as equal.
    lost = integers.max(axis=1) - np.take_along_axis(integers, said.argmax(axis=1)[:, None], 1)[:, 0]
    same = int((best == said.argmax(axis=1)).sum())
    told = f"{told}, the label of {same} of {len(best)} rows"
    return told, "labels of its integers differ from its framework's" if lost.max() > INTEGER_TOLERANCE else ""
