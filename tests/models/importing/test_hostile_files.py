"""Files made to harm: huge numbers from small files, data outside of the folder, and names that lie."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper

from capc.foundation.errors import InputError
from capc.models.importing.from_onnx import graph_from_onnx
from capc.models.importing.graph import Graph
from support.networks import NAMED, Shape
from support.onnx_files import OnnxWriter, onnx_model
from support.sizes import examples

FLAT: Shape = (6,)
MEGABYTES_64 = 1 << 26


def read(model: onnx.ModelProto, folder: Path) -> Graph:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return graph_from_onnx(path)


def integers(w: OnnxWriter, *values: int) -> str:
    return w.constant(list(values), TensorProto.INT64)


def filled(w: OnnxWriter) -> str:
    return w.node("ConstantOfShape", integers(w, 1 << 20, 1 << 20))


def filled_by_negatives(w: OnnxWriter) -> str:
    return w.node("ConstantOfShape", integers(w, 1 << 40, -1))


def expanded(w: OnnxWriter) -> str:
    return w.node("Expand", w.constant([1.0]), integers(w, 1 << 30))


def counted(w: OnnxWriter) -> str:
    return w.node("Range", w.constant(0.0), w.constant(1e12), w.constant(1.0))


def counted_by_nothing(w: OnnxWriter) -> str:
    return w.node("Range", w.constant(0.0), w.constant(1.0), w.constant(0.0))


def counted_without_end(w: OnnxWriter) -> str:
    return w.node("Range", w.constant(0.0), w.constant(np.inf), w.constant(1.0))


def outer_product(w: OnnxWriter) -> str:
    long = w.constant(np.ones((1 << 14, 1)))
    return w.node("MatMul", long, w.node("Transpose", long))


def broadcast(w: OnnxWriter) -> str:
    return w.node("Add", w.constant(np.ones((1 << 14, 1))), w.constant(np.ones((1, 1 << 14))))


def gathered(w: OnnxWriter) -> str:
    return w.node("Gather", w.constant(np.ones((1, 1 << 14))), w.constant(np.zeros(1 << 14), TensorProto.INT64))


def doubled(w: OnnxWriter) -> str:
    grown = w.constant(np.ones(1 << 10))
    for _ in range(40):
        grown = w.node("Concat", grown, grown, axis=0)
    return grown


HUGE: dict[str, Callable[[OnnxWriter], str]] = {
    "ConstantOfShape": filled,
    "Expand": expanded,
    "Range": counted,
    "MatMul": outer_product,
    "Add": broadcast,
    "Gather": gathered,
    "Concat": doubled,
}


@pytest.mark.parametrize("kind", HUGE)
def test_huge_constant_is_refused_before_it_is_made(kind: str, tmp_path: Path) -> None:
    writer = OnnxWriter(TensorProto.FLOAT)
    model = writer.model(writer.node("Add", "x", HUGE[kind](writer)), FLAT)
    tracemalloc.start()
    try:
        with pytest.raises(
            InputError, match=f"{kind} at {kind}_.*: it would make [0-9]+ numbers of constants: make at"
        ):
            read(model, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 4 * MEGABYTES_64
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("build", [filled_by_negatives, counted_by_nothing, counted_without_end])
def test_impossible_constant_is_refused(build: Callable[[OnnxWriter], str], tmp_path: Path) -> None:
    writer = OnnxWriter(TensorProto.FLOAT)
    with pytest.raises(InputError) as caught:
        read(writer.model(writer.node("Add", "x", build(writer)), FLAT), tmp_path)
    assert str(caught.value).count("\n") == 0


def beside(model: onnx.ModelProto, location: str) -> onnx.ModelProto:
    """The model with its first tensor's data told to be elsewhere."""
    tensor = model.graph.initializer[0]
    external_data_helper.set_external_data(tensor, location)
    tensor.ClearField("raw_data")
    return model


@pytest.mark.parametrize("where", ["beside", "in_a_folder", "in_one_file"])
def test_data_beside_the_file_are_read(where: str, tmp_path: Path) -> None:
    model = onnx_model(*NAMED["mlp"])
    if where == "in_a_folder":
        (tmp_path / "weights").mkdir()
        onnx.save_model(model, str(tmp_path / "weights" / "w.onnx"))
    location = "weights/w.bin" if where == "in_a_folder" else "w.bin"
    is_outside = where != "in_one_file"
    if is_outside:
        external_data_helper.convert_model_to_external_data(model, location=location, size_threshold=0)
    onnx.save_model(model, str(tmp_path / "model.onnx"))
    assert (tmp_path / location).is_file() == is_outside
    found = graph_from_onnx(tmp_path / "model.onnx")
    (tmp_path / "whole").mkdir()
    whole = read(onnx_model(*NAMED["mlp"]), tmp_path / "whole")
    assert [node.op.weights.tolist() for node in found.nodes if hasattr(node.op, "weights")] == [
        node.op.weights.tolist() for node in whole.nodes if hasattr(node.op, "weights")
    ]


@pytest.mark.parametrize(
    "location", ["../w.bin", "sub/../../w.bin", "/etc/passwd", "..", "", "link/w.bin", "linked.bin"]
)
def test_data_outside_of_the_folder_are_not_read(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "w.bin").write_bytes(bytes(1 << 16))
    (folder / "link").symlink_to(tmp_path)
    (folder / "linked.bin").symlink_to(tmp_path / "w.bin")
    with pytest.raises(InputError, match=r"tensor at w.*: its data are in a file outside of the model's folder"):
        read(beside(onnx_model(*NAMED["mlp"]), location), folder)


def test_data_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"its data are in none\.bin, which is no file .*: keep the two files together"
    ):
        read(beside(onnx_model(*NAMED["mlp"]), "none.bin"), tmp_path)


@pytest.mark.parametrize("told", [{}, {"offset": 1 << 40}, {"offset": -8}, {"length": 1 << 40}, {"length": 7}])
def test_data_that_are_cut_are_refused(told: dict[str, int], tmp_path: Path) -> None:
    model = onnx_model(*NAMED["mlp"])
    (tmp_path / "w.bin").write_bytes(bytes(8))
    tensor = model.graph.initializer[0]
    external_data_helper.set_external_data(tensor, "w.bin", **told)
    tensor.ClearField("raw_data")
    with pytest.raises(
        InputError, match=r"tensor at w.*: its data cannot be read|raw_data size .* is too small"
    ) as caught:
        read(model, tmp_path)
    assert str(caught.value).count("\n") == 0


def test_cycle_is_refused(tmp_path: Path) -> None:
    writer = OnnxWriter()
    writer.nodes += [
        helper.make_node("Add", ["x", "b"], ["a"], name="one"), helper.make_node("Relu", ["a"], ["b"], name="two"),
    ]  # fmt: skip
    with pytest.raises(InputError, match="not a valid ONNX model"):
        read(writer.model("b", FLAT), tmp_path)


def test_tensor_that_is_made_twice_is_refused(tmp_path: Path) -> None:
    writer = OnnxWriter()
    writer.nodes += [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Neg", ["x"], ["a"])]
    with pytest.raises(InputError, match="not a valid ONNX model"):
        read(writer.model("a", FLAT), tmp_path)


def test_nodes_of_one_name_are_told_apart(tmp_path: Path) -> None:
    writer = OnnxWriter()
    writer.nodes += [
        helper.make_node("Relu", ["x"], ["a"], name="same"), helper.make_node("Relu", ["a"], ["b"], name="same"),
    ]  # fmt: skip
    assert [node.name for node in read(writer.model("b", FLAT), tmp_path).nodes] == ["same", "same (node 1)"]


@pytest.mark.slow
@pytest.mark.parametrize("is_constant", [False, True])
def test_many_nodes_take_no_long_time(is_constant: bool, tmp_path: Path) -> None:
    """Nightly 100,000 of them: read, or refused, in seconds of this process's own time."""
    writer = OnnxWriter(TensorProto.FLOAT)
    value = writer.constant(np.ones(6)) if is_constant else "x"
    for _ in range(count := examples(ordinary=20_000, nightly=100_000)):
        value = writer.node("Identity", value)
    started = process_time()
    assert read(writer.model(writer.node("Add", "x", value), FLAT), tmp_path).nodes
    assert process_time() - started < 60 * count / 100_000
