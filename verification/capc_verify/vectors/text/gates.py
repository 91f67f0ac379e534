"""Section 14: the smallest gate list of each family."""

from __future__ import annotations

from textwrap import wrap

from capc.two_party.circuits.builder import CircuitStage
from capc_verify.vectors.operations.worked.gates import SMALLEST, gate_line
from capc_verify.vectors.text.writing import listing

_WIDTH = 116


def gates() -> str:
    """All lists."""
    lines: list[str] = []
    for name, circuit in SMALLEST.items():
        inputs = f"{circuit.garbler_inputs} inputs of the garbler, {circuit.evaluator_inputs} of the evaluator"
        lines.append(f"{name}: {inputs}, {circuit.and_count} ANDs")
        wires = range(circuit.inputs, circuit.inputs + len(circuit.gates))
        lines += _indented("; ".join(f"{wire} = {gate_line(circuit, wire)}" for wire in wires))
        lines += _indented("outputs " + " ".join(map(str, circuit.outputs)))
        lines += _indented("stages " + "; ".join(map(_stage, circuit.stages)))
    return listing(lines)


def _stage(stage: CircuitStage) -> str:
    return " ".join(map(str, (*stage.ands, "|", *stage.free)))


def _indented(text: str) -> list[str]:
    # A gate is not broken across lines.
    joined = wrap(text.replace(" ", "_").replace(";_", "; "), _WIDTH) if "=" in text else wrap(text, _WIDTH)
    return ["  " + line.replace("_", " ") for line in joined]
