"""Which circuit follows a stage, and which sums go into each instance of it: both ends of a connection ask here."""

from __future__ import annotations

from collections.abc import Sequence

from capc.architecture import Activation, StageShape
from capc.circuits.builder import Circuit
from capc.circuits.relu import relu_circuit
from capc.circuits.vote import vote_circuit
from capc.parameters import ParameterSet


def activation_circuit(widths: ParameterSet, stage: StageShape) -> tuple[Circuit, int]:
    """The circuit after a stage and its instances: a ReLU per output of the stage, or one vote."""
    if stage.activation is Activation.VOTE:
        return vote_circuit(stage.sums, widths.logit_bits, widths.vote_bits), 1
    return relu_circuit(widths.logit_bits, widths.fraction_bits, stage.window_size), stage.outputs


def shares_by_instance(stage: StageShape, shares: Sequence[int]) -> list[list[int]]:
    """One party's shares of the stage's sums, as the instances of its circuit take them."""
    if stage.activation is Activation.VOTE:
        return [list(shares)]
    return [[shares[index] for index in window] for window in stage.pool_windows()]
