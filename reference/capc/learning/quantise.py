"""From a trained network to the integers of the protocol."""

from __future__ import annotations

from capc.learning.training import FloatModel
from capc.models.importing.quantise import quantised_layer
from capc.models.model import QuantisedModel, dense_model


def quantise(model: FloatModel, fraction_bits: int) -> QuantisedModel:
    """The network with weights at scale 2^f and biases at scale 2^(2f), each rounded half to even.

    Raises:
        InputError: a weight or bias is NaN or infinite.
    """
    pairs = zip(model.weights, model.biases, strict=True)
    return dense_model([quantised_layer(weights, biases, fraction_bits) for weights, biases in pairs], fraction_bits)
