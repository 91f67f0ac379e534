"""The integers that a graph becomes, against the logits of its network, within the error that rounding explains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from capc.foundation import fixed_point
from capc.models.architecture import Activation, StageShape
from capc.models.importing.from_onnx import graph_from_onnx
from capc.models.importing.graph import Graph
from capc.models.importing.lower import LoweredModel, lower
from capc.models.importing.quantise import quantise_graph
from capc.models.operators import SumPool, apply, per_output
from support.networks import Shape

F = 20


def error_bound(lowered: LoweredModel, features: list[float], fraction_bits: int) -> float:
    """The largest difference of a logit that rounding explains, on these features.

    Each input is off by at most 2^-(f+1), each weight by 2^-(f+1), each bias by 2^-(2f+1), and a ReLU drops less than
    2^-f; no slope of one is above 1. A stage's weights multiply the errors of its inputs; the errors of its weights
    multiply its inputs.
    """
    half = 2.0 ** -(fraction_bits + 1)
    values, errors = [features], [[half] * len(features)]
    for stage, layer in zip(lowered.architecture.stages, lowered.layers, strict=True):
        value, error = values[stage.source], errors[stage.source]
        if isinstance(stage.sum_pool, SumPool):
            value, error = stage.sum_pool.apply(value), stage.sum_pool.apply(error)
        weights = [tuple(row) for row in layer.weights.tolist()]
        sums = apply(stage.operator, tuple(weights), value)
        sums = [z + bias for z, bias in zip(sums, per_output(stage.operator, layer.biases.tolist()), strict=True)]
        carried = apply(stage.operator, tuple(tuple(map(abs, row)) for row in weights), error)
        sizes = [abs(entry) + off for entry, off in zip(value, error, strict=True)]
        rounded = apply(stage.operator, tuple((half,) * len(row) for row in weights), sizes)
        off = [a + b + half * 2.0**-fraction_bits for a, b in zip(carried, rounded, strict=True)]
        for skip in stage.skips:
            sums = [z + more for z, more in zip(sums, values[skip], strict=True)]
            off = [z + more for z, more in zip(off, errors[skip], strict=True)]
        if stage.activation in {Activation.RELU, Activation.RELU_MAX_POOL}:
            windows = stage.pool_windows()
            sums = [activated(stage, max(sums[index] for index in window)) for window in windows]
            # A cap is rounded, too.
            off = [max(off[index] for index in window) + 3 * half for window in windows]
        values.append(sums)
        errors.append(off)
    return max(errors[-1])


def activated(stage: StageShape, z: float) -> float:
    if stage.leak_bits is not None:
        return z if z >= 0 else z * 2.0**-stage.leak_bits
    return min(max(z, 0.0), float("inf") if stage.cap is None else float(stage.cap))


def check(graph: Graph, rows: np.ndarray, expected: np.ndarray, slack: float = 1e-9) -> None:
    """The integer logits are the expected ones, up to rounding, and rounding is small."""
    lowered, model = lower(graph), quantise_graph(graph, F)
    for row, logits in zip(rows.reshape(len(rows), -1), expected, strict=True):
        got = [logit / (1 << 2 * F) for logit in model.logits(fixed_point.quantise(row.tolist(), F))]
        bound = error_bound(lowered, row.tolist(), F) + slack
        assert bound < 1e-2
        assert np.abs(np.array(got) - logits).max() <= bound


def rows_for(shape: Shape, count: int = 3) -> np.ndarray:
    return np.random.default_rng(5).uniform(-1, 1, (count, *shape))


def torch_logits(module: nn.Module, rows: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(module(torch.tensor(rows)).numpy())


def onnx_graph(model: onnx.ModelProto, folder: Path) -> Graph:
    path = folder / "model.onnx"
    onnx.save(model, str(path))
    return graph_from_onnx(path)
