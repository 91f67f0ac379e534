"""The vote circuit on its own, gate by gate: whatever the logits are, the output is uniform over a fresh share.

Independent of the protocol and of the circuit's own evaluator: all fresh shares are evaluated at once, one per bit of
an integer.
"""

from __future__ import annotations

from itertools import product

import pytest

from capc.circuits.builder import Circuit, Operation
from capc.circuits.vote import vote_circuit


@pytest.mark.req("CAPC-ARG-003", "CAPC-ARG-005", kind="enumeration")
@pytest.mark.parametrize(("classes", "vote_bits"), [(2, 2), (2, 3)])
def test_output_is_uniform_over_fresh_shares_for_every_input(classes: int, vote_bits: int) -> None:
    logit_bits = 3
    circuit = vote_circuit(classes, logit_bits, vote_bits)
    share_bits = classes * vote_bits
    assert len(circuit.outputs) == share_bits
    for rest in product((0, 1), repeat=2 * classes * logit_bits):
        masks, seen = rest[: classes * logit_bits], rest[classes * logit_bits :]
        assert len(set(all_outputs(circuit, masks, share_bits, seen))) == 1 << share_bits


@pytest.mark.req("CAPC-ARG-003", "CAPC-ARG-005", kind="enumeration")
def test_output_is_uniform_over_fresh_shares_of_three_classes() -> None:
    circuit = vote_circuit(3, 3, 2)
    for masks in product((0, 1), repeat=9):
        seen = tuple(bit ^ 1 for bit in masks[::-1])
        assert len(set(all_outputs(circuit, masks, 6, seen))) == 1 << 6


def all_outputs(circuit: Circuit, masks: tuple[int, ...], share_bits: int, seen: tuple[int, ...]) -> list[int]:
    """The output word for each of the 2^share_bits fresh shares."""
    lanes = 1 << share_bits
    ones = (1 << lanes) - 1
    # Bit i of pattern p says whether share number i has bit p set.
    patterns = [sum(1 << lane for lane in range(lanes) if lane >> p & 1) for p in range(share_bits)]
    wires = [bit * ones for bit in masks] + patterns + [bit * ones for bit in seen]
    for operation, left, right in circuit.gates:
        if operation is Operation.XOR:
            wires.append(wires[left] ^ wires[right])
        elif operation is Operation.AND:
            wires.append(wires[left] & wires[right])
        else:
            wires.append(wires[left] ^ ones)
    outputs = [wires[wire] for wire in circuit.outputs]
    return [sum((word >> lane & 1) << p for p, word in enumerate(outputs)) for lane in range(lanes)]
