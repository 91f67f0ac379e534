"""Operators of ONNX's domain ai.onnx.ml that are linear: what exporters write of linear models and of their scalers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from capc.models.importing import arithmetic
from capc.models.importing.graph import Floats, Identity, Linear, Softmax, UnsupportedError
from capc.models.importing.onnx_files.operators import OnnxNode

DOMAIN = "ai.onnx.ml"
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
    if transform == "LOGISTIC" and _are_opposite(weights, biases):
        # The logistic functions of -z and z are the softmax of -z/2 and z/2.
        weights, biases, transform = weights / 2, biases / 2, "SOFTMAX"
    if transform not in {"NONE", "SOFTMAX"}:
        raise UnsupportedError(
            f"its post_transform is {transform}", "export the raw scores (skl2onnx: options={'raw_scores': True})"
        )
    scores = node.place.add(Linear(weights, biases), node.value())
    return scores if transform == "NONE" else node.place.add(Softmax(), scores)


def _are_opposite(weights: Floats, biases: Floats) -> bool:
    return len(biases) == 2 and np.array_equal(weights[0], -weights[1]) and biases[0] == -biases[1]


def _normalizer(node: OnnxNode) -> str:
    """Probabilities add up to 1 already."""
    value = node.value()
    made = {each.name: each.op for each in node.place.graph.nodes}.get(value)
    if node.text("norm", "MAX") != "L1" or made != Softmax():
        raise UnsupportedError("it divides by a norm of the value", "leave it out, and train again")
    return node.place.add(Identity(), value)


BUILDERS_OF_LEARNED: Mapping[str, Callable[[OnnxNode], str]] = {
    LINEAR_CLASSIFIER: _linear_classifier,
    "Normalizer": _normalizer,
    "Scaler": _scaler,
}
"""By the name of the operator."""
