"""What a file computes without the query: weights cast, transposed and dequantised, and the shapes of values.

ONNX's reference evaluator computes it, node by node. How large a result becomes is known before, from its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.onnx_pb import ModelProto, NodeProto, TensorProto
from onnx.reference import ReferenceEvaluator

from capc.models.importing.graph import MAX_CONSTANTS, UnsupportedError, brief, plain, refusal

Array = NDArray[np.generic]


def stored(place: str, tensor: TensorProto) -> Array:
    """The numbers of a tensor of the file.

    Raises:
        InputError: they cannot be read, or are no real numbers.
    """
    try:
        array = numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError):
        raise refusal("tensor", tensor.name or place, "its data cannot be read", "export the model again") from None
    if tensor.data_type in {TensorProto.COMPLEX64, TensorProto.COMPLEX128, TensorProto.STRING}:
        raise refusal("tensor", tensor.name or place, "its data are not real numbers", "use floats")
    return np.asarray(array)


def computed(node: NodeProto, inputs: Sequence[Array | None], model: ModelProto) -> Array:
    """What a node gives that has no input of the network.

    Args:
        node: with one output.
        inputs: its inputs; None where one is left out.
        model: of the node, for the versions of operators.

    Raises:
        InputError: the operator is not one of those that are computed, its result would be too large, or it fails.
    """
    if node.op_type == "Constant" and node.attribute[0].name == "value":
        return stored(node.output[0], node.attribute[0].t)
    if node.op_type not in _SIZES or node.domain not in {"", "ai.onnx"}:
        raise UnsupportedError("it is not supported among constants", "export the model with its constants folded")
    size = _size(node.op_type, inputs)
    if size > MAX_CONSTANTS:
        raise UnsupportedError(f"it would make {size} numbers of constants", f"make at most {MAX_CONSTANTS}")
    names = [name for name, given in zip(node.input, inputs, strict=True) if given is not None]
    values = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(given.dtype), given.shape)
              for name, given in zip(node.input, inputs, strict=True) if given is not None]  # fmt: skip
    result = helper.make_empty_tensor_value_info(node.output[0])
    graph = helper.make_graph([node], "constant", values, [result])
    single = helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    try:
        with np.errstate(all="ignore"):
            feeds = dict(zip(names, (given for given in inputs if given is not None), strict=True))
            (found,) = ReferenceEvaluator(single).run(None, feeds)
    # The evaluator raises whatever NumPy raises.
    except Exception as error:  # noqa: BLE001
        raise UnsupportedError(f"it cannot be computed ({brief(error)})", "export the model again") from None
    array = np.asarray(found)
    if array.dtype.kind not in "biuf":
        raise UnsupportedError(f"it makes {plain(str(array.dtype))}, no real numbers", "use floats")
    return array


def _size(kind: str, inputs: Sequence[Array | None]) -> int:
    arrays = [given for given in inputs if given is not None]
    try:
        return int(_SIZES[kind](arrays))
    except (ValueError, IndexError, ArithmeticError, OverflowError):
        raise UnsupportedError("its constants do not fit one another", "export the model again") from None


def _total(arrays: Sequence[Array]) -> int:
    return sum(array.size for array in arrays)


def _broadcast(arrays: Sequence[Array]) -> int:
    return prod(np.broadcast_shapes(*(array.shape for array in arrays)))


def _filled(arrays: Sequence[Array]) -> int:
    sizes = tuple(int(size) for size in arrays[-1].reshape(-1))
    if len(arrays) > 1:
        return prod(np.broadcast_shapes(sizes, arrays[0].shape))
    return prod(max(size, 0) for size in sizes)


def _taken(arrays: Sequence[Array]) -> int:
    return arrays[0].size // max(min(arrays[0].shape, default=1), 1) * arrays[1].size


def _product(arrays: Sequence[Array]) -> int:
    first, second = arrays[0], arrays[1]
    return int(first.size // max(first.shape[-1], 1) * (second.size // max(second.shape[0], 1)))


def _range(arrays: Sequence[Array]) -> int:
    start, stop, step = (float(array.reshape(-1)[0]) for array in arrays)
    return max(int((stop - start) / step) + 1, 0)


_SIZES: Mapping[str, Callable[[Sequence[Array]], int]] = {
    **dict.fromkeys(
        ["Cast", "Ceil", "Constant", "DequantizeLinear", "Exp", "Flatten", "Floor", "Identity", "Neg", "Not",
         "QuantizeLinear", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin",
         "ReduceProd", "ReduceSum", "Reshape", "Round", "Shape",
         "Size", "Slice", "Sqrt", "Squeeze", "Transpose", "Unsqueeze", "Concat", "Abs"], _total,
    ),
    **dict.fromkeys(["Add", "And", "Div", "Equal", "Greater", "Less", "Max", "Min", "Mod", "Mul", "Or", "Pow", "Sub",
                     "Where"], _broadcast),
    "ConstantOfShape": _filled,
    "Expand": _filled,
    "Gather": _taken,
    "MatMul": _product,
    "Range": _range,
}  # fmt: skip
"""By operator: how many numbers its result has at most."""
