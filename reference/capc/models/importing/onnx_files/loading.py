"""Reading an ONNX file from disk: what it may hold, where its weights may lie, and which of its outputs counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import checker, defs, external_data_helper, helper, version_converter
from onnx.onnx_pb import GraphProto, ModelProto, TensorProto, TensorShapeProto, ValueInfoProto

from capc.foundation.errors import InputError
from capc.models.importing.graph import Shape, plain, refusal
from capc.models.importing.settings import remedy_for

OLDEST_OPSET = 13
_OLDEST_EVALUATED_SCALES = 19
"""The first opset of which ONNX's reference evaluator computes DequantizeLinear."""
MOST_BYTES = 1 << 31
"""Of a file, and of the data beside it: the most that a file of ONNX itself can hold."""
FLOATS = frozenset([TensorProto.DOUBLE, TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16])


def load(path: Path, output: str | None) -> ModelProto:
    """A model of opset 13 or newer with all its weights and one output, or why it is none.

    A file of an older opset is converted by the onnx package. Weights beside the file are read from its own folder.

    Args:
        path: the file.
        output: the name of the output that holds the logits; None takes the only one of floats.

    Raises:
        InputError: it cannot be opened, is no valid model, or leaves open which output counts.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: has {path.stat().st_size} bytes: give a model of at most {MOST_BYTES}")
        model = onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror}): name a readable ONNX file") from None
    except (DecodeError, ValueError, RuntimeError):
        raise InputError(f"{path}: not an ONNX file: export the model again") from None
    if not all(isinstance(name, str) for name in _names(model.graph)):
        raise InputError(f"{path}: not an ONNX file, a name in it is no text: export the model again")
    if model.functions or model.graph.sparse_initializer:
        raise InputError(f"{path}: the model has functions or sparse weights of its own: export it without")
    _take_data_beside(model, path)
    _choose_output(model.graph, output)
    model = _converted(model)
    try:
        checker.check_model(model)
    except (checker.ValidationError, ValueError, RuntimeError) as error:
        problem = plain(str(error).partition("\n")[0], 200)
        left = re.match(r"No Op registered for (\w+)", problem)
        if left:
            raise InputError(
                f"{path}: {left[1]} is no operator of ONNX: its exporter left it as it was: {remedy_for(left[1])}"
            ) from None
        raise InputError(f"{path}: not a valid ONNX model ({problem}): export it again") from None
    return model


def the_input(graph: GraphProto) -> ValueInfoProto:
    """The input that is the query.

    Raises:
        InputError: there is another, or none.
    """
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        shown = ", ".join(plain(value.name) for value in inputs)
        raise InputError(
            f"the model has {len(inputs)} inputs ({shown}): give it one, the query, and make the others constants; "
            "of a Keras Normalization convert a SavedModel, which has its numbers: tf2onnx.convert --saved-model"
        )
    found: ValueInfoProto = inputs[0]
    return found


def stated_shape(graph: GraphProto) -> Shape:
    """The shape of one row of the input, as the file states it.

    Raises:
        InputError: it is open after the batch, or no shape of a query.
    """
    value = the_input(graph)
    dimensions = value.type.tensor_type.shape.dim
    sizes = [dimension.dim_value for dimension in dimensions]
    shown = ", ".join(str(each.dim_value) if each.dim_value else each.dim_param or "?" for each in dimensions)
    if len(sizes) < 2 or (len(sizes) in {2, 4} and min(sizes[1:]) < 1):
        problem = f"its shape ({plain(shown)}) is not fixed after the batch"
        raise refusal("input", value.name, problem, "export it fixed, or give input_shape")
    if len(sizes) not in {2, 4}:
        problem = f"its shape is ({plain(shown)}), and a query is (batch, features) or (batch, channels, height, width)"
        raise refusal("input", value.name, problem, "give the network one of these, and reshape inside of it")
    return tuple(sizes[1:])


def has_channels_last(graph: GraphProto, shape: Shape) -> bool:
    """Whether the file states queries of this shape with the channels last, and not as it is."""
    dimensions = the_input(graph).type.tensor_type.shape.dim
    stated = tuple(dimension.dim_value for dimension in dimensions[1:])
    return len(shape) == 3 and stated == (*shape[1:], shape[0]) != shape


def _take_data_beside(model: ModelProto, path: Path) -> None:
    folder = path.resolve().parent
    outside = [tensor for tensor in _tensors(model.graph) if external_data_helper.uses_external_data(tensor)]
    for tensor in outside:
        told = {entry.key: entry.value for entry in tensor.external_data}
        name = PurePosixPath(told.get("location", ""))
        file = folder / name
        if not name.name or name.is_absolute() or ".." in name.parts or not file.resolve().is_relative_to(folder):
            remedy = "export with all weights in one file, or beside it"
            raise refusal("tensor", tensor.name, "its data are in a file outside of the model's folder", remedy)
        if not file.is_file() or file.stat().st_size > MOST_BYTES:
            problem = (
                f"its data are in {plain(str(name))}, which is no file of at most {MOST_BYTES} bytes beside the model"
            )
            raise refusal("tensor", tensor.name, problem, "keep the two files together, or export all in one")
    for tensor in outside:
        try:
            external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        except (OSError, ValueError, RuntimeError, checker.ValidationError):
            raise refusal("tensor", tensor.name, "its data cannot be read", "export the model again") from None
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


def _names(graph: GraphProto) -> Iterator[object]:
    """What should be text, and is bytes in a damaged file."""
    for value in (*graph.input, *graph.output):
        yield value.name
        yield from (dimension.dim_param for dimension in value.type.tensor_type.shape.dim)
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    yield from (tensor.name for tensor in _tensors(graph))


def _tensors(graph: GraphProto) -> list[TensorProto]:
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    inner = [tensor for attribute in attributes for tensor in (attribute.t, *attribute.tensors)]
    return [*graph.initializer, *inner]


def _choose_output(graph: GraphProto, name: str | None) -> None:
    """Leaves one output, and the nodes that it depends on."""
    _leave_out_names(graph)
    names = [value.name for value in graph.output]
    shown = ", ".join(map(plain, names))
    if name is None:
        floats = [value.name for value in graph.output if _may_be_logits(value)]
        if len(names) != 1 and len(floats) != 1:
            problem = f"the model has {len(names)} outputs ({shown}), {len(floats)} of them of floats"
            raise InputError(f"{problem}: name the logits, as output=")
        name = names[0] if len(names) == 1 else floats[0]
    elif name not in names:
        raise InputError(f"output {plain(name)}: the model has {shown}: name one of these")
    kept = [value for value in graph.output if value.name == name]
    del graph.output[:]
    graph.output.extend(kept)
    needed, nodes = {name}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(reversed(nodes))


def _leave_out_names(graph: GraphProto) -> None:
    """Numbers that a ZipMap at the end gives the names of classes are left without them."""
    outputs = {value.name: value for value in graph.output}
    for node in graph.node:
        if node.op_type == "ZipMap" and node.domain == "ai.onnx.ml" and node.output[0] in outputs:
            numbers = helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, ["batch", "classes"])
            outputs[node.output[0]].CopyFrom(numbers)
            node.CopyFrom(helper.make_node("Identity", [node.input[0]], [node.output[0]], node.name))


def _may_be_logits(value: ValueInfoProto) -> bool:
    return value.type.HasField("tensor_type") and value.type.tensor_type.elem_type in FLOATS


def _converted(model: ModelProto) -> ModelProto:
    newest = defs.onnx_opset_version()
    versions = {entry.domain: entry.version for entry in model.opset_import}
    version = versions.get("", versions.get("ai.onnx", 0))
    if version > newest or version < 1:
        raise InputError(f"the model has ONNX opset {version}: export it with opset {OLDEST_OPSET} to {newest}")
    has_scales = any(node.op_type == "DequantizeLinear" for node in model.graph.node)
    wanted = _OLDEST_EVALUATED_SCALES if has_scales else OLDEST_OPSET
    if version >= wanted:
        return model
    # The converter wants numbers; the batch is open again afterwards.
    opened = _open_batches(model.graph)
    for dimension in opened.values():
        dimension.dim_value = 1
    try:
        made: ModelProto = version_converter.convert_version(model, wanted)
    # The converter raises whatever fits an operator that it does not know.
    except Exception as error:  # noqa: BLE001
        problem = plain((str(error).splitlines() or [""])[0], 200)
        raise InputError(
            f"the model has ONNX opset {version}, which onnx.version_converter does not convert to {wanted} "
            f"({problem}): export it with opset {OLDEST_OPSET} to {newest}"
        ) from None
    for value in made.graph.input:
        if value.name in opened:
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    return made


def _open_batches(graph: GraphProto) -> dict[str, TensorShapeProto.Dimension]:
    """By the name of an input: its first dimension, if that is no number."""
    found = {value.name: value.type.tensor_type.shape.dim[:1] for value in graph.input}
    return {name: first[0] for name, first in found.items() if first and not first[0].HasField("dim_value")}
