"""Which circuit follows which layer: both ends of a connection ask here."""

from __future__ import annotations

from capc.circuits.builder import Circuit
from capc.circuits.relu import relu_circuit
from capc.circuits.vote import vote_circuit
from capc.parameters import ParameterSet


def activation_circuit(widths: ParameterSet, layer_sizes: tuple[int, ...], layer: int) -> tuple[Circuit, int]:
    """The circuit after a layer, and its instances: one ReLU per hidden unit, or one vote after the last layer."""
    if layer < len(layer_sizes) - 2:
        return relu_circuit(widths.logit_bits, widths.fraction_bits), layer_sizes[layer + 1]
    return vote_circuit(layer_sizes[-1], widths.logit_bits, widths.vote_bits), 1
