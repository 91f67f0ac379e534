"""Operators of ONNX's domain ai.onnx.ml that are linear: what exporters write of linear models and of their scalers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from capc.models.importing import arithmetic
from capc.models.importing.graph import Identity, Linear, Op, Sigmoid, Softmax, UnsupportedError
from capc.models.importing.onnx_files.operators import OnnxNode

DOMAIN = "ai.onnx.ml"
_ENDINGS: Mapping[str, Op] = {"NONE": Identity(), "LOGISTIC": Sigmoid(), "SOFTMAX": Softmax()}
"""What a linear classifier makes of its scores."""
LINEAR_CLASSIFIER = "LinearClassifier"
SCORES = 1
"""Which output of a linear classifier holds its scores; the first holds labels."""


def _scaler(node: OnnxNode) -> str:
    moved = arithmetic.plus(node.place, node.value(), node.numbers("offset"), -1.0)
    return arithmetic.times(node.place, moved, node.numbers("scale"))


def _linear_classifier(node: OnnxNode) -> str:
    biases, weights = node.numbers("intercepts"), node.numbers("coefficients")
    if not len(biases) or len(weights) % len(biases):
        raise UnsupportedError("its coefficients do not fit its intercepts", "export the model again")
    weights = weights.reshape(len(biases), -1)
    transform = node.text("post_transform", "NONE")
    if transform not in _ENDINGS:
        raise UnsupportedError(
            f"its post_transform is {transform}", "export the raw scores (skl2onnx: options={'raw_scores': True})"
        )
    return node.place.add(_ENDINGS[transform], node.place.add(Linear(weights, biases), node.value()))


def _selected(node: OnnxNode) -> str:
    """Some of the features, by their numbers."""
    places = [int(place) for place in node.constant(1).reshape(-1)]
    return arithmetic.taken(node.place, node.value(), -1, places)


def _normalizer(node: OnnxNode) -> str:
    """Probabilities add up to 1 already."""
    value = node.value()
    made = {each.name: each.op for each in node.place.graph.nodes}.get(value)
    if node.text("norm", "MAX") != "L1" or made != Softmax():
        raise UnsupportedError("it divides by a norm of the value", "leave it out, and train again")
    return node.place.add(Identity(), value)


BUILDERS_OF_LEARNED: Mapping[str, Callable[[OnnxNode], str]] = {
    "ArrayFeatureExtractor": _selected,
    LINEAR_CLASSIFIER: _linear_classifier,
    "Normalizer": _normalizer,
    "Scaler": _scaler,
}
"""By the name of the operator."""
