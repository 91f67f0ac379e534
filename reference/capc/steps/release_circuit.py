"""The circuit of a session's release, and what its output bits say."""

from __future__ import annotations

from collections.abc import Sequence

from capc.foundation import ring
from capc.foundation.errors import ErrorCode, InvalidPayloadError
from capc.session.parameters import Charge, Parameters, ThresholdMode
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.release import confident_release_circuit, release_circuit, single_draw_release_circuit


def circuit_for(parameters: Parameters) -> Circuit:
    """The release circuit of a session."""
    width = parameters.widths.vote_bits
    if parameters.release.threshold is None:
        return release_circuit(parameters.num_classes, width)
    if parameters.release.threshold_mode is ThresholdMode.SINGLE_DRAW:
        return single_draw_release_circuit(parameters.num_classes, width)
    realised = parameters.release.charge is Charge.REALISED
    return confident_release_circuit(parameters.num_classes, width, evaluator_noise=realised)


def check_outputs(parameters: Parameters, bits: Sequence[int]) -> None:
    """Refuses output bits that a correct garbling cannot give.

    Raises:
        InvalidPayloadError: the label is no class (`value_out_of_range`), or is not 0 where there is no consensus
            (`non_canonical`).
    """
    answered, label = _split(parameters, bits)
    if label >= parameters.num_classes:
        raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, "the circuit releases a label that is no class")
    if label and not answered:
        raise InvalidPayloadError(ErrorCode.NON_CANONICAL, "the circuit withholds the label and gives one")


def read_outputs(parameters: Parameters, bits: Sequence[int]) -> int | None:
    """The released label, or None for "no consensus", from the circuit's output bits."""
    answered, label = _split(parameters, bits)
    return label if answered else None


def _split(parameters: Parameters, bits: Sequence[int]) -> tuple[int, int]:
    """The answered bit, 1 without a threshold, and the label."""
    if parameters.release.threshold is None:
        return 1, ring.from_bits(bits)
    return bits[0], ring.from_bits(bits[1:])
