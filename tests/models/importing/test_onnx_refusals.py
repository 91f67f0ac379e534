"""What an ONNX file must not be is refused in one line: the operator, the node, the reason and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from capc.foundation.errors import InputError
from capc.models.importing.evaluate import float_logits
from capc.models.importing.from_onnx import graph_from_onnx
from capc.models.importing.graph import Graph
from support.networks import NAMED, Shape
from support.onnx_files import OnnxWriter, onnx_model

IMAGE: Shape = (2, 6, 6)
FLAT: Shape = (6,)
Build = Callable[[OnnxWriter], str]


def read(model: onnx.ModelProto, folder: Path, input_shape: Shape | None = None) -> Graph:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return graph_from_onnx(path, input_shape)


def unary(kind: str, **attributes: object) -> Build:
    return lambda w: w.node(kind, "x", **attributes)


def weighted(kind: str, *weights: object, **attributes: object) -> Build:
    return lambda w: w.node(kind, "x", *(w.constant(weight) for weight in weights), **attributes)


def int_constant(w: OnnxWriter, *values: int) -> str:
    return w.constant(list(values), TensorProto.INT64)


def training_dropout(w: OnnxWriter) -> str:
    return w.node("Dropout", "x", w.constant(0.5), w.constant(True, TensorProto.BOOL))


def mask_of_dropout(w: OnnxWriter) -> str:
    w.nodes.append(helper.make_node("Dropout", ["x"], ["y", "mask"], name="drop"))
    return w.node("Cast", "mask", to=w.kind)


ONES = np.ones(6)
KERNEL = np.ones((2, 2, 3, 3))
REFUSALS: dict[str, tuple[Build, Shape, str]] = {
    "activation": (unary("Tanh"), FLAT, "Tanh at Tanh_0: .*: train it again with Hardtanh"),
    "sigmoid": (
        lambda writer: writer.node("Relu", writer.node("Sigmoid", "x")), FLAT,
        "Relu at Relu_1: it follows a sigmoid|Sigmoid at Sigmoid_0: .*: train it again with Hardsigmoid",
    ),
    "leaky": (unary("LeakyRelu"), FLAT, "LeakyRelu at LeakyRelu_0: its slope 0.01 is no power of two .*: use .*-7"),
    "product": (
        lambda w: w.node("Mul", "x", w.node("Relu", "x")), FLAT,
        "Mul at Mul_1: it combines two values .* join by addition",
    ),
    "square": (lambda w: w.node("Mul", "x", "x"), FLAT, "Mul at Mul_0: it multiplies a value with itself: use a ReLU"),
    "power": (lambda w: w.node("Pow", "x", w.constant(2)), FLAT, "Pow at Pow_0: .*: use a ReLU"),
    "root": (unary("Sqrt"), FLAT, "Sqrt at Sqrt_0: it is not supported: use a batch normalisation"),
    "classes": (unary("ArgMax", axis=1), FLAT, "ArgMax at ArgMax_0: .* make the logits the output"),
    "recurrent": (
        lambda w: w.node("LSTM", w.node("Transpose", "x", perm=[1, 0]), w.constant(np.ones((1, 4, 1))),
                         w.constant(np.ones((1, 4, 1)))), FLAT, "LSTM at LSTM_.*: use convolutions or linear layers",
    ),
    "largest_of_channels": (
        unary("ReduceMax", axes=[1]), IMAGE, r"ReduceMax at .*: it is the largest over the axes \[1\]",
    ),
    "norm_of_a_value": (
        unary("Normalizer", norm="L1", domain="ai.onnx.ml"), FLAT, "Normalizer at .*: it divides by a norm of",
    ),
    "joined_rows": (
        lambda w: w.node("Concat", "x", "x", axis=0), FLAT, "Concat at .*: it is along axis 0: concatenate",
    ),
    "joined_constants": (
        lambda w: w.node("Concat", "x", w.constant(np.ones((1, 6))), axis=1), FLAT,
        "Concat at .*: its input 1 is constant",
    ),
    "product_of_values": (lambda w: w.node("MatMul", "x", "x"), FLAT, "MatMul at MatMul_0: it multiplies two values"),
    "divided": (
        lambda w: w.node("Div", w.constant(ONES), "x"), FLAT, "Div at Div_0: it divides by a value of the network",
    ),
    "divided_by_nothing": (lambda w: w.node("Div", "x", w.constant(0 * ONES)), FLAT, "Div at Div_0: it divides by 0"),
    "constant_first": (
        lambda w: w.node("MatMul", w.constant(np.ones((3, 6))), "x"), FLAT,
        "MatMul at .*: constants .* mix the rows of a batch",
    ),
    "shape_that_depends_on_numbers": (
        lambda w: w.node("Reshape", "x", w.node("Cast", "x", to=TensorProto.INT64)), IMAGE,
        "Cast at .*: it makes INT64 of",
    ),
    "reshape": (
        lambda w: w.node("Reshape", "x", int_constant(w, -1, 12)), IMAGE, "Reshape at .*: keep the batch first",
    ),
    "two_free_sizes": (
        lambda w: w.node("Reshape", "x", int_constant(w, -1, -1)), IMAGE, "Reshape at .*: keep its entries",
    ),
    "zero_sizes": (
        lambda w: w.node("Reshape", "x", int_constant(w, 0, 72), allowzero=1), IMAGE, "Reshape at .*: allowzero is set",
    ),
    "flatten_axis": (unary("Flatten", axis=2), IMAGE, "Flatten at Flatten_0: axis is 2: use axis 1"),
    "transposed_input": (weighted("Gemm", np.ones((6, 2)), transA=1), FLAT, "Gemm at .*: transA is set"),
    "bias_matrix": (
        weighted("Gemm", np.ones((6, 2)), np.ones((6, 1))), FLAT,
        r"Gemm at .*: constants of the shape \(6, 1\) do not fit",
    ),
    "weights_of_other_rank": (weighted("MatMul", np.ones(6)), FLAT, r"MatMul at .*: its weights have the shape \(6,\)"),
    "weights_that_do_not_fit": (weighted("MatMul", np.ones((5, 2))), FLAT, r"MatMul at .*: .* shape \(2, 5\)"),
    "not_flattened": (weighted("MatMul", np.ones((6, 2))), IMAGE, "MatMul at .* is not flattened"),
    "not_finite": (weighted("MatMul", np.full((6, 2), np.inf)), FLAT, "MatMul at .*: a weight is not a finite number"),
    "convolution_of_features": (weighted("Conv", KERNEL), FLAT, "Conv at .*: .* only two-dimensional"),
    "one_dimensional": (weighted("Conv", np.ones((2, 2, 3))), IMAGE, "Conv at .*: .* only two-dimensional"),
    "uneven_padding_of_a_pool": (
        unary("MaxPool", kernel_shape=[2, 2], pads=[0, 0, 1, 1]), IMAGE,
        "MaxPool at .*: its padding differs on opposite sides",
    ),
    "uneven_padding_not_counted": (
        unary("AveragePool", kernel_shape=[2, 2], pads=[0, 0, 1, 1]), IMAGE,
        "AveragePool at .*: its padding does not count",
    ),
    "short_padding": (weighted("Conv", KERNEL, pads=[1, 1]), IMAGE, r"Conv at .*: its padding is \[1, 1\]"),
    "negative_padding": (
        weighted("Conv", KERNEL, pads=[-1] * 4), IMAGE, r"Conv at .*: its padding is \[-1.*not below 0",
    ),
    "edges_repeated": (
        lambda w: w.node("Pad", "x", int_constant(w, 0, 0, 1, 1, 0, 0, 1, 1), mode="edge"), IMAGE,
        "Pad at .*: it pads with",
    ),
    "channels_padded": (
        lambda w: w.node("Pad", "x", int_constant(w, 0, 1, 0, 0, 0, 0, 0, 0)), IMAGE,
        "Pad at .*: pad height and width only",
    ),
    "mean_of_channels": (unary("ReduceMean", axes=[1]), IMAGE, r"ReduceMean at .*: it is the mean over the axes \[1\]"),
    "mean_of_rows": (unary("ReduceMean", axes=[0]), IMAGE, "ReduceMean at .*: it is a mean over the rows of a batch"),
    "squeezed": (
        lambda w: w.node("Squeeze", "x", int_constant(w, 1)), IMAGE, r"Squeeze at .*: it takes the axes \[1\]",
    ),
    "transposed": (unary("Transpose", perm=[1, 0, 2, 3]), IMAGE, "Transpose at .*: it puts the axes in the order"),
    "strides": (weighted("Conv", KERNEL, strides=[1]), IMAGE, "Conv at .*: strides has 1 entries"),
    "zero_stride": (weighted("Conv", KERNEL, strides=[0, 1]), IMAGE, "Conv at .*: window"),
    "groups": (weighted("Conv", KERNEL, group=3), IMAGE, "Conv at .*: .* choose a common divisor"),
    "zero_groups": (weighted("Conv", KERNEL, group=0), IMAGE, "Conv at .*: .* choose 1 or more"),
    "kernel_that_differs": (weighted("Conv", KERNEL, kernel_shape=[2, 2]), IMAGE, "Conv at .*: its weights have"),
    "pool_too_large": (unary("MaxPool", kernel_shape=[7, 7]), IMAGE, "MaxPool at .*: .* does not fit"),
    "ceil_mode": (unary("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), IMAGE, "MaxPool .*: ceil_mode"),
    "padding_not_counted": (
        unary("AveragePool", kernel_shape=[2, 2], pads=[1, 1, 1, 1]), IMAGE, "AveragePool at .*: its padding does not",
    ),
    "average_of_features": (unary("GlobalAveragePool"), FLAT, r"GlobalAveragePool at .*: .* shape \(6,\)"),
    "negative_variance": (
        weighted("BatchNormalization", ONES, ONES, ONES, -ONES), FLAT, "BatchNormalization at .*: its statistics",
    ),
    "variance_that_is_no_number": (
        weighted("BatchNormalization", ONES, ONES, ONES, np.nan * ONES), FLAT, "BatchNormalization at .*: its stat",
    ),
    "negative_epsilon": (
        weighted("BatchNormalization", ONES, ONES, ONES, ONES, epsilon=-2.0), FLAT, "Batch.* at .*: its statistics",
    ),
    "training": (
        weighted("BatchNormalization", ONES, ONES, ONES, ONES, training_mode=1), FLAT, "Batch.* at .*: training_mode",
    ),
    "training_dropout": (training_dropout, FLAT, "Dropout at Dropout_0: training_mode is set"),
    "mask": (mask_of_dropout, FLAT, "Cast at Cast_1: its input mask is not the first output of a node"),
    "constants_of_other_shape": (
        lambda w: w.node("Add", "x", w.constant(np.ones(5))), FLAT, "Add at .*: constants of the shape .* do not fit",
    ),
    "softmax_axis": (unary("Softmax", axis=3), IMAGE, "Softmax at .*: it is over axis 3"),
    "constant_output": (lambda w: w.node("Identity", w.constant(ONES)), FLAT, "output at .*: it does not depend on"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_operator_is_refused(name: str, tmp_path: Path) -> None:
    build, shape, message = REFUSALS[name]
    writer = OnnxWriter()
    model = writer.model(build(writer), shape)
    with pytest.raises(InputError, match=message) as caught:
        read(model, tmp_path)
    assert str(caught.value).count("\n") == 0


def test_operator_of_another_domain_is_refused(tmp_path: Path) -> None:
    writer = OnnxWriter()
    model = writer.model(writer.node("Relu", "x", domain="com.example"), FLAT)
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    with pytest.raises(InputError, match=r"Relu at Relu_0: it is of the domain com.example"):
        read(model, tmp_path)


@pytest.mark.parametrize("opset", [0, onnx.defs.onnx_opset_version() + 1])
def test_opset_is_refused(opset: int, tmp_path: Path) -> None:
    model = onnx_model(*NAMED["mlp"])
    model.opset_import[0].version = opset
    with pytest.raises(InputError, match=f"ONNX opset {opset}: export it with opset 13 to"):
        read(model, tmp_path)


def test_opset_that_cannot_be_converted_is_refused(tmp_path: Path) -> None:
    model = onnx_model(*NAMED["mlp"])
    model.opset_import[0].version = 1
    with pytest.raises(InputError, match=r"opset 1, which onnx\.version_converter does not convert to 13") as caught:
        read(model, tmp_path)
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(100), b"\xff" * 100])
def test_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError):
        graph_from_onnx(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        graph_from_onnx(tmp_path / "none.onnx")


def test_invalid_model_is_refused(tmp_path: Path) -> None:
    """The checker's text has several lines and names of the file; one line remains."""
    writer = OnnxWriter()
    with pytest.raises(InputError, match="not a valid ONNX model") as caught:
        read(writer.model(writer.node("Relu", "no\nsuch"), FLAT), tmp_path)
    assert str(caught.value).count("\n") == 0


def test_names_of_the_file_cannot_break_the_line(tmp_path: Path) -> None:
    writer = OnnxWriter()
    output = writer.node("Tanh", "x")
    writer.nodes[0].name = "a\nb" + "c" * 1000
    with pytest.raises(InputError, match=r"Tanh at a\?bc*\.\.\.: it is not supported") as caught:
        read(writer.model(output, FLAT), tmp_path)
    assert len(str(caught.value)) < 300


def test_two_inputs_are_refused(tmp_path: Path) -> None:
    writer = OnnxWriter()
    model = writer.model(writer.node("Add", "x", "y"), FLAT)
    model.graph.input.append(helper.make_tensor_value_info("y", writer.kind, ["n", 6]))
    with pytest.raises(InputError, match=r"the model has 2 inputs \(x, y\): give it one, the query, and make the"):
        read(model, tmp_path)


def test_shape_that_is_not_fixed_must_be_given(tmp_path: Path) -> None:
    writer = OnnxWriter()
    model = writer.model(writer.node("Relu", "x"), ("channels", 6, 6))  # type: ignore[arg-type]
    with pytest.raises(
        InputError,
        match=r"input at x: its shape \(n, channels, 6, 6\) is not fixed after the batch: .* give input_shape",
    ):
        read(model, tmp_path)
    assert read(model, tmp_path, (2, 6, 6)).shape("Relu_0") == (2, 6, 6)


def test_constant_that_is_no_number_is_refused(tmp_path: Path) -> None:
    writer = OnnxWriter()
    writer.nodes.append(helper.make_node("Constant", [], ["text"], name="text", value_string="six"))
    with pytest.raises(InputError, match="Constant at text: "):
        read(writer.model(writer.node("MatMul", "x", "text"), FLAT), tmp_path)


def test_what_the_output_does_not_need_is_not_read(tmp_path: Path) -> None:
    writer = OnnxWriter()
    writer.node("Sigmoid", "x")
    assert [node.kind for node in read(writer.model(writer.node("Relu", "x"), FLAT), tmp_path).nodes] == ["Relu"]


ACCEPTED: dict[str, tuple[Build, Shape]] = {
    "constants_of_channels": (lambda w: w.node("Add", "x", w.constant(np.ones((2, 1, 1)))), IMAGE),
    "scalar_constant": (lambda w: w.node("Add", w.constant(0.5), "x"), FLAT),
    "scalar_bias": (weighted("Gemm", np.ones((6, 2)), 0.5), FLAT),
    "same_padding": (weighted("Conv", KERNEL, auto_pad="SAME_UPPER", dilations=[1, 2]), IMAGE),
    "no_padding": (weighted("Conv", KERNEL, auto_pad="VALID"), IMAGE),
    "ceil_that_changes_nothing": (unary("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), IMAGE),
    "padding_that_counts": (unary("AveragePool", kernel_shape=[2, 2], pads=[1] * 4, count_include_pad=1), IMAGE),
    "reshape_that_copies": (lambda w: w.node("Reshape", "x", int_constant(w, 0, 0, 0, 6)), IMAGE),
    "flattening_from_the_end": (unary("Flatten", axis=-3), IMAGE),
    "concatenation": (lambda w: w.node("Concat", "x", w.node("Relu", "x"), axis=1), IMAGE),
    "dynamic_reshape": (lambda w: w.node("Reshape", "x", w.node("Shape", "x")), IMAGE),
    "uneven_padding": (weighted("Conv", KERNEL, pads=[0, 0, 1, 1]), IMAGE),
    "uneven_same": (weighted("Conv", np.ones((2, 2, 2, 2)), auto_pad="SAME_UPPER"), IMAGE),
    "uneven_same_above": (weighted("Conv", np.ones((2, 2, 2, 2)), auto_pad="SAME_LOWER", strides=[2, 1]), IMAGE),
    "constants_of_pixels": (lambda w: w.node("Add", "x", w.constant(np.arange(6.0))), IMAGE),
    "factors_of_pixels": (lambda w: w.node("Mul", w.constant(np.arange(36.0).reshape(6, 6)), "x"), IMAGE),
    "constants_less_a_value": (lambda w: w.node("Sub", w.constant(np.arange(6.0)), "x"), FLAT),
    "divided": (lambda w: w.node("Div", "x", w.constant(np.arange(1.0, 7.0))), FLAT),
    "squeezed_mean": (unary("ReduceMean", axes=[2, 3], keepdims=0), IMAGE),
    "mean_of_rows_of_pixels": (unary("ReduceMean", axes=[-1]), IMAGE),
    "moved_axes_of_one": (
        lambda w: w.node("Transpose", w.node("Unsqueeze", "x", int_constant(w, 1)), perm=[0, 2, 1]), FLAT,
    ),
    "identity_of_constants": (
        lambda w: w.node("MatMul", "x", w.node("Identity", w.constant(np.ones((6, 2))))), FLAT,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_graph_means_what_the_file_means(name: str, tmp_path: Path) -> None:
    build, shape = ACCEPTED[name]
    writer = OnnxWriter()
    model = writer.model(build(writer), shape)
    rows = np.random.default_rng(1).uniform(-1, 1, (2, *shape))
    (expected,) = ReferenceEvaluator(model).run(None, {"x": rows})
    found = float_logits(read(model, tmp_path), rows.reshape(2, -1))
    np.testing.assert_allclose(found, expected.reshape(2, -1), atol=1e-12)


@pytest.mark.slow
@settings(max_examples=100)
@given(data=st.data())
def test_damaged_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever bytes change, nothing but a refusal is raised."""
    content = bytearray(onnx_model(*NAMED["small_resnet"]).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "model.onnx"
    path.write_bytes(bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2]))]))
    assert outcome(path)


@pytest.mark.parametrize("name", [b"x", b"Relu_0"])
def test_names_that_are_no_text_are_refused(name: bytes, tmp_path: Path) -> None:
    """The protobuf library hands them out as bytes."""
    writer = OnnxWriter()
    content = writer.model(writer.node("Relu", "x"), FLAT).SerializeToString()
    (tmp_path / "model.onnx").write_bytes(content.replace(name, b"\xff" * len(name)))
    with pytest.raises(InputError, match="not an ONNX file"):
        graph_from_onnx(tmp_path / "model.onnx")


@pytest.mark.parametrize("what", [{"value_string": b"text"}, {"value_strings": [b"a", b"b"]}])
def test_constants_that_are_text_are_refused(what: dict[str, object], tmp_path: Path) -> None:
    """A damaged file had one; it was no refusal but a ValueError."""
    nodes = [helper.make_node("Constant", [], ["c"], **what), helper.make_node("Add", ["x", "c"], ["y"], name="sum")]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("x", "y")]
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", infos[:1], infos[1:])), path)
    assert outcome(path)


def outcome(path: Path) -> list[str]:
    """The nodes of a file, or the one line of its refusal."""
    try:
        return [node.name for node in graph_from_onnx(path).nodes]
    except InputError as error:
        lines = str(error).splitlines()
        return lines if len(lines) == 1 else []


def test_numbers_that_are_not_real_are_refused(tmp_path: Path) -> None:
    writer = OnnxWriter()
    output = writer.node("MatMul", "x", "strings")
    writer.weights.append(numpy_helper.from_array(np.array([["a"] * 2] * 6, dtype=object), "strings"))
    with pytest.raises(InputError, match="tensor at strings: its data are not real numbers"):
        read(writer.model(output, FLAT), tmp_path)
