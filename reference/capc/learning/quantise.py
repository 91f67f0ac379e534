"""From a trained network to the integers of the protocol."""

from __future__ import annotations

from capc import fixed_point
from capc.learning.training import FloatModel
from capc.model import QuantisedLayer, QuantisedModel, dense_model


def quantise(model: FloatModel, fraction_bits: int) -> QuantisedModel:
    """The network with weights at scale 2^f and biases at scale 2^(2f), each rounded half to even.

    The error of a weight is at most 2^-(f+1) and of a bias at most 2^-(2f+1).

    Raises:
        InputError: a weight or bias is NaN or infinite.
    """
    layers = []
    for weight, bias in zip(model.weights, model.biases, strict=True):
        rows = tuple(tuple(fixed_point.quantise(row.tolist(), fraction_bits)) for row in weight)
        layers.append(QuantisedLayer(rows, tuple(fixed_point.quantise(bias.tolist(), 2 * fraction_bits))))
    return dense_model(tuple(layers), fraction_bits)
