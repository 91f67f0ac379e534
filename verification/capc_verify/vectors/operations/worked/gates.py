"""The smallest circuit of each family, gate by gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.bristol import to_bristol
from capc.two_party.circuits.builder import Circuit, Operation
from capc.two_party.circuits.release import confident_release_circuit, release_circuit, single_draw_release_circuit
from capc.two_party.circuits.relu import leaky_relu_circuit, relu_circuit
from capc.two_party.circuits.vote_rounds import final_circuit, signs_circuit
from capc_verify.vectors.operation import Call, GroupType, Result, named
from capc_verify.vectors.operation import Operation as VectorOperation
from capc_verify.vectors.values import COUNT, FLAG, TEXT, Kind, constant, many, one_of, record

SMALLEST: Mapping[str, Circuit] = {
    "relu (l = 3, f = 0, n = 1)": relu_circuit(3, 0),
    "relu (l = 3, f = 1, n = 2)": relu_circuit(3, 1, 2),
    "relu (l = 4, f = 0, n = 1, c = 1)": relu_circuit(4, 0, cap_bits=1),
    "relu (l = 4, f = 0, n = 1, c = 2)": relu_circuit(4, 0, cap=2),
    "leaky_relu (l = 3, f = 0, s = 1, n = 1)": leaky_relu_circuit(3, 0, 1),
    "leaky_relu (l = 4, f = 0, s = 1, n = 1, k = 2)": leaky_relu_circuit(4, 0, 1, cap_bits=2),
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
"""What section 14 prints, by the family and its numbers."""
_C, _L, _W, _N = "num_classes", "logit_bits", "vote_bits", "words"
_FAMILIES: Mapping[str, Mapping[str, Kind]] = {
    "relu": {_L: COUNT, "fraction_bits": COUNT, _N: COUNT},
    "capped_relu": {_L: COUNT, "fraction_bits": COUNT, _N: COUNT, "cap_bits": COUNT},
    "relu_at_most": {_L: COUNT, "fraction_bits": COUNT, _N: COUNT, "cap": COUNT},
    "leaky_relu": {_L: COUNT, "fraction_bits": COUNT, "leak_bits": COUNT, _N: COUNT},
    "capped_leaky_relu": {_L: COUNT, "fraction_bits": COUNT, "leak_bits": COUNT, _N: COUNT, "cap_bits": COUNT},
    "vote": {_C: COUNT, _L: COUNT, _W: COUNT},
    "vote_low_depth": {_C: COUNT, _L: COUNT, _W: COUNT},
    "release": {_C: COUNT, _W: COUNT},
    "single_draw_release": {_C: COUNT, _W: COUNT},
    "confident_release": {_C: COUNT, _W: COUNT, "realised": FLAG},
    "signs": {_N: COUNT, _L: COUNT, "width": COUNT},
    "final": {_C: COUNT, _L: COUNT, _W: COUNT},
}
"""The families of section 14, each with its numbers."""


def _made(of: Mapping[str, Any]) -> Circuit:
    kind = of["kind"]
    if kind in {"relu", "capped_relu", "relu_at_most"}:
        return relu_circuit(of[_L], of["fraction_bits"], of[_N], of.get("cap_bits"), of.get("cap"))
    if kind in {"leaky_relu", "capped_leaky_relu"}:
        return leaky_relu_circuit(of[_L], of["fraction_bits"], of["leak_bits"], of[_N], of.get("cap_bits"))
    if kind == "signs":
        return signs_circuit(of[_N], of[_L], of["width"])
    if kind == "confident_release":
        return confident_release_circuit(of[_C], of[_W], evaluator_noise=of["realised"])
    if kind in {"release", "single_draw_release"}:
        return (release_circuit if kind == "release" else single_draw_release_circuit)(of[_C], of[_W])
    makers = {"vote": vote_circuit, "vote_low_depth": vote_circuit_low_depth, "final": final_circuit}
    return makers[kind](of[_C], of[_L], of[_W])


def _list(call: Call) -> Result:
    circuit = _made(call["circuit"])
    wires = range(circuit.inputs, circuit.inputs + len(circuit.gates))
    return Result(
        {
            "garbler_inputs": circuit.garbler_inputs,
            "evaluator_inputs": circuit.evaluator_inputs,
            "gates": [gate_line(circuit, wire) for wire in wires],
            "outputs": list(circuit.outputs),
            "stages": [{"ands": list(stage.ands), "free": list(stage.free)} for stage in circuit.stages],
            "bristol": to_bristol(circuit).split("\n")[:-1],
        }
    )


def gate_line(circuit: Circuit, wire: int) -> str:
    """The gate that drives a wire: its operation and operands."""
    operation, left, right = circuit.gate(wire)
    return f"{operation.name} {left}" if operation is Operation.INV else f"{operation.name} {left} {right}"


GATES = GroupType(
    "GateList",
    named(
        VectorOperation(
            "circuit_gates",
            _list,
            {"circuit": one_of(*({"kind": constant(name), **fields} for name, fields in _FAMILIES.items()))},
            {
                "garbler_inputs": COUNT,
                "evaluator_inputs": COUNT,
                "gates": many(TEXT),
                "outputs": many(COUNT),
                "stages": many(record({"ands": many(COUNT), "free": many(COUNT)})),
                "bristol": many(TEXT),
            },
        )
    ),
)
"""Whole circuits, and in which order they are garbled."""
