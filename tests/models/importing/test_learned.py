"""Operators of ai.onnx.ml, as skl2onnx writes linear models, against ONNX's reference evaluator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from capc.foundation.errors import InputError
from capc.models.importing.evaluate import float_outputs
from capc.models.importing.from_onnx import graph_from_onnx
from capc.models.importing.quantise import quantise_graph
from support.integers import rows_for

FLAT = (4,)
DOMAIN = "ai.onnx.ml"
WEIGHTS = np.random.default_rng(0).normal(size=(3, 4))


def classifier(transform: str, weights: np.ndarray, names: str = "scores") -> onnx.NodeProto:
    return helper.make_node(
        "LinearClassifier", ["scaled"], ["label", names], domain=DOMAIN, coefficients=weights.reshape(-1).tolist(),
        intercepts=(weights[:, 0] / 2).tolist(), classlabels_ints=list(range(len(weights))), post_transform=transform,
    )  # fmt: skip


def file(path: Path, nodes: list[onnx.NodeProto], output: onnx.ValueInfoProto) -> onnx.ModelProto:
    scaler = helper.make_node(
        "Scaler", ["x"], ["scaled"], domain=DOMAIN, offset=[0.5, 0.0, -0.5, 0.25], scale=[2.0, 1.0, 0.5, 3.0]
    )
    graph = helper.make_graph(
        [scaler, *nodes], "linear", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]), output],
    )  # fmt: skip
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)], ir_version=8
    )
    onnx.save(model, path)
    return model


def scores(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "c"])


@pytest.mark.parametrize(
    ("transform", "weights"),
    [
        ("NONE", WEIGHTS),
        ("SOFTMAX", WEIGHTS),
        ("LOGISTIC", WEIGHTS),
        ("LOGISTIC", np.stack([-WEIGHTS[0], WEIGHTS[0]])),
    ],
    ids=["scores", "softmax", "one_against_the_rest", "two_classes"],
)
def test_a_linear_model_is_read(transform: str, weights: np.ndarray, tmp_path: Path) -> None:
    rows = rows_for(FLAT).astype(np.float32)
    model = file(tmp_path / "m.onnx", [classifier(transform, weights)], scores("scores"))
    _, expected = ReferenceEvaluator(model).run(None, {"x": rows})
    graph = graph_from_onnx(tmp_path / "m.onnx")
    quantise_graph(graph, 20)
    assert np.abs(float_outputs(graph, rows.astype(np.float64)) - expected).max() < 1e-6


def test_probabilities_with_the_names_of_classes_are_read_without_them(tmp_path: Path) -> None:
    """As skl2onnx writes them by default; the output keeps its name."""
    nodes = [
        classifier("SOFTMAX", WEIGHTS),
        helper.make_node("Normalizer", ["scores"], ["one"], domain=DOMAIN, norm="L1"),
        helper.make_node("ZipMap", ["one"], ["named"], domain=DOMAIN, classlabels_int64s=[0, 1, 2]),
    ]
    named = helper.make_value_info(
        "named",
        helper.make_sequence_type_proto(
            helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
        ),
    )
    file(tmp_path / "m.onnx", nodes, named)
    rows = rows_for(FLAT).astype(np.float32)
    # The evaluator has no ZipMap.
    plain = file(tmp_path / "plain.onnx", nodes[:-1], scores("one"))
    (expected,) = ReferenceEvaluator(plain).run(["one"], {"x": rows})
    for output in (None, "named"):
        graph = graph_from_onnx(tmp_path / "m.onnx", output=output)
        assert np.abs(float_outputs(graph, rows.astype(np.float64)) - expected).max() < 1e-6


def test_coefficients_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    node = classifier("NONE", WEIGHTS)
    next(each for each in node.attribute if each.name == "coefficients").floats.append(1.0)
    file(tmp_path / "m.onnx", [node], scores("scores"))
    with pytest.raises(InputError, match=r"LinearClassifier at .*: its coefficients do not fit"):
        graph_from_onnx(tmp_path / "m.onnx")


def test_another_function_of_scores_is_refused(tmp_path: Path) -> None:
    file(tmp_path / "m.onnx", [classifier("PROBIT", WEIGHTS)], scores("scores"))
    with pytest.raises(InputError, match=r"LinearClassifier at .*: its post_transform is PROBIT: export the raw"):
        graph_from_onnx(tmp_path / "m.onnx")


def chosen(places: list[int]) -> tuple[list[onnx.NodeProto], onnx.TensorProto]:
    """Features of these numbers and a matrix, as skl2onnx writes a selection of features before a model."""
    extract = helper.make_node("ArrayFeatureExtractor", ["scaled", "places"], ["taken"], domain=DOMAIN)
    product = helper.make_node("MatMul", ["taken", "weights"], ["scores"])
    return [extract, product], numpy_helper.from_array(np.array(places, dtype=np.int64), "places")


@pytest.mark.parametrize(("places", "is_read"), [([0, 2, 3], True), ([3, 3, 1], True), ([0, 2, 4], False)])
def test_features_are_chosen_by_their_numbers(places: list[int], is_read: bool, tmp_path: Path) -> None:
    nodes, numbers = chosen(places)
    model = file(tmp_path / "m.onnx", nodes, scores("scores"))
    model.graph.initializer.extend([numbers, numpy_helper.from_array(WEIGHTS[:, :3].astype(np.float32), "weights")])
    del model.graph.output[0]
    onnx.save(model, tmp_path / "m.onnx")
    if not is_read:
        with pytest.raises(InputError, match=r"ArrayFeatureExtractor at .*: it takes entries along axis 1 of rows of"):
            graph_from_onnx(tmp_path / "m.onnx")
        return
    rows = rows_for(FLAT).astype(np.float32)
    (expected,) = ReferenceEvaluator(model).run(None, {"x": rows})
    assert np.abs(float_outputs(graph_from_onnx(tmp_path / "m.onnx"), rows.astype(np.float64)) - expected).max() < 1e-6


def test_what_is_not_linear_is_refused_by_name(tmp_path: Path) -> None:
    node = helper.make_node("TreeEnsembleClassifier", ["scaled"], ["label", "scores"], domain=DOMAIN)
    file(tmp_path / "m.onnx", [node], scores("scores"))
    with pytest.raises(InputError, match=r"TreeEnsembleClassifier at node 1: it is not supported: replace it"):
        graph_from_onnx(tmp_path / "m.onnx")
