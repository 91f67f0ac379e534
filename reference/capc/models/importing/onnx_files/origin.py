"""Running an ONNX file by ONNX's own reference evaluator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.onnx_pb import ModelProto, TensorProto, ValueInfoProto
from onnx.reference import ReferenceEvaluator

from capc.foundation.errors import InputError
from capc.models.importing.graph import Floats, Shape, brief, refusal
from capc.models.importing.onnx_files.loading import the_input
from capc.models.importing.origin import NodeRun, Origin

_SPACINGS: dict[int, float] = {
    TensorProto.DOUBLE: 2.0**-52,
    TensorProto.FLOAT: 2.0**-23,
    TensorProto.FLOAT16: 2.0**-10,
    TensorProto.BFLOAT16: 2.0**-7,
}
"""From 1 to the next number, for each kind of floats."""
_OLDEST_EVALUATED = 15
_ROWS = 3
_REMEDY = "export the model again, with the operators of docs/bring-your-own-model.md only"


def onnx_origin(
    model: ModelProto, value: ValueInfoProto, shape: Shape, tensors: Mapping[str, str], *, is_channels_last: bool
) -> Origin:
    """A file as the origin of a graph.

    Args:
        model: only the nodes that the output depends on.
        value: its input.
        shape: of one row of what was read.
        tensors: for each node of the graph the tensor that holds its output, in order.
        is_channels_last: whether the file takes rows with the channels last, unlike what was read.

    Raises:
        InputError: the input is not of floats, or the reference evaluator does not take the model.
    """
    kind = value.type.tensor_type.elem_type
    if kind not in _SPACINGS:
        shown = TensorProto.DataType.Name(kind) if kind in TensorProto.DataType.values() else str(kind)
        raise refusal("input", value.name, f"its numbers are of the kind {shown}", "export it with floats")
    _take_newer_operators(model)
    with _blamed_on_file("prepared"):
        evaluator = ReferenceEvaluator(model)
    fixed = _fixed_batch(model)

    def values(features: Floats, names: Sequence[str]) -> list[Floats]:
        batch = fixed or len(features)
        filled = [_filled(features[start : start + batch], shape, batch) for start in range(0, len(features), batch)]
        if is_channels_last:
            filled = [np.moveaxis(part, 1, 3) for part in filled]
        number_kind = helper.tensor_dtype_to_np_dtype(kind)
        parts = [_run(evaluator, value.name, part.astype(number_kind), names) for part in filled]
        return [np.concatenate(part)[: len(features)] for part in zip(*parts, strict=True)]

    def run(features: Floats) -> Floats:
        return values(features, [model.graph.output[0].name])[0]

    def watch(features: Floats) -> list[NodeRun]:
        found = values(features, list(tensors.values()))
        return [NodeRun(node, None, made) for node, made in zip(tensors, found, strict=True)]

    return Origin("the file's network", run, watch, _SPACINGS[kind], _REMEDY)


def batch_of(model: ModelProto) -> int:
    """The number of rows for which the shapes of a file are read: its own, or if it leaves it open more than one."""
    return _fixed_batch(model) or _ROWS


def _fixed_batch(model: ModelProto) -> int:
    """The number of rows that a file takes; 0 for any."""
    dimensions = the_input(model.graph).type.tensor_type.shape.dim
    stated = dimensions[0].dim_value if dimensions else 0
    return stated or int(_holds_one_row(model))


def _take_newer_operators(model: ModelProto) -> None:
    """Raises the opset to one whose operators compute the same, for every operator that a graph is read from.

    The evaluator runs the BatchNormalization of opset 9 to 13 as in training.
    """
    for entry in model.opset_import:
        if entry.domain in {"", "ai.onnx"}:
            entry.version = max(entry.version, _OLDEST_EVALUATED)


def _holds_one_row(model: ModelProto) -> bool:
    """Whether a reshape to [1, ...] holds the batch of the export, though the file leaves its batch open."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    sizes = []
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensors[node.output[0]] = node.attribute[0].t
        elif node.op_type == "Reshape" and node.input[1] in tensors:
            sizes.append(tensors[node.input[1]])
    return any(numpy_helper.to_array(tensor).reshape(-1)[:1].tolist() == [1] for tensor in sizes)


@contextmanager
def _blamed_on_file(doing: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    # The evaluator raises whatever NumPy raises on a file that passes the checker and still makes no sense.
    except Exception as error:  # noqa: BLE001
        raise InputError(
            f"the file cannot be {doing} by ONNX's reference evaluator ({brief(error)}): {_REMEDY}"
        ) from None


def _filled(features: Floats, shape: Shape, batch: int) -> Floats:
    """One batch of the input, filled up with its first row."""
    full = np.concatenate([features, np.repeat(features[:1], batch - len(features), axis=0)])
    return full.reshape(batch, *shape)


def _run(evaluator: ReferenceEvaluator, name: str, batch: NDArray[np.generic], names: Sequence[str]) -> list[Floats]:
    with _blamed_on_file("run"), np.errstate(all="ignore"):
        found = evaluator.run(list(names), {name: batch})
        return [np.asarray(array, dtype=np.float64).reshape(len(batch), -1) for array in found]
