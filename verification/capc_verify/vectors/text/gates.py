"""Section 14: the smallest gate list of each family."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap

from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.builder import Circuit, CircuitStage, Operation
from capc.two_party.circuits.release import confident_release_circuit, release_circuit, single_draw_release_circuit
from capc.two_party.circuits.relu import relu_circuit
from capc.two_party.circuits.vote_rounds import final_circuit, signs_circuit
from capc_verify.vectors.text.writing import listing

SMALLEST: Mapping[str, Circuit] = {
    "relu (l = 3, f = 0, n = 1)": relu_circuit(3, 0),
    "relu (l = 3, f = 1, n = 2)": relu_circuit(3, 1, 2),
    "relu (l = 4, f = 0, n = 1, k = 1)": relu_circuit(4, 0, cap_bits=1),
    "vote (C = 2, l = 3)": vote_circuit(2, 3, 4),
    "vote (C = 3, l = 3)": vote_circuit(3, 3, 4),
    "vote_low_depth (C = 2, l = 3)": vote_circuit_low_depth(2, 3, 4),
    "vote_low_depth (C = 3, l = 3)": vote_circuit_low_depth(3, 3, 4),
    "release (C = 2, w = 2)": release_circuit(2, 2),
    "single_draw_release (C = 2, w = 2)": single_draw_release_circuit(2, 2),
    "confident_release (C = 2, w = 2)": confident_release_circuit(2, 2, evaluator_noise=False),
    "confident_release (C = 2, w = 2, realised)": confident_release_circuit(2, 2, evaluator_noise=True),
    "signs (n = 2, l = 3)": signs_circuit(2, 3, 4),
    "final (C = 2, l = 3)": final_circuit(2, 3, 4),
    "final (C = 3, l = 3)": final_circuit(3, 3, 4),
}
_WIDTH = 116


def gates() -> str:
    """All lists."""
    lines: list[str] = []
    for name, circuit in SMALLEST.items():
        inputs = f"{circuit.garbler_inputs} inputs of the garbler, {circuit.evaluator_inputs} of the evaluator"
        lines.append(f"{name}: {inputs}, {circuit.and_count} ANDs")
        each = (_gate(circuit, wire) for wire in range(circuit.inputs, circuit.inputs + len(circuit.gates)))
        lines += _indented("; ".join(each))
        lines += _indented("outputs " + " ".join(map(str, circuit.outputs)))
        lines += _indented("stages " + "; ".join(map(_stage, circuit.stages)))
    return listing(lines)


def _gate(circuit: Circuit, wire: int) -> str:
    operation, left, right = circuit.gate(wire)
    operands = f"{left}" if operation is Operation.INV else f"{left} {right}"
    return f"{wire} = {operation.name} {operands}"


def _stage(stage: CircuitStage) -> str:
    return " ".join(map(str, (*stage.ands, "|", *stage.free)))


def _indented(text: str) -> list[str]:
    # A gate is not broken across lines.
    joined = wrap(text.replace(" ", "_").replace(";_", "; "), _WIDTH) if "=" in text else wrap(text, _WIDTH)
    return ["  " + line.replace("_", " ") for line in joined]
