"""The flags of a vote are one-hot for all input words: no precondition, no model, one question on the gates."""

from __future__ import annotations

import z3

from capc.two_party.circuits.builder import Circuit
from capc_verify.proofs.circuits.algebra import BitVectors
from capc_verify.proofs.circuits.gates import Gates
from capc_verify.proofs.circuits.prove import exported
from capc_verify.proofs.circuits.solver import prove


def prove_one_hot(circuit: Circuit) -> None:
    """Proves that exactly one output of the exported gate list is 1, whatever its inputs are.

    Raises:
        ProofFailedError: it is not; the values are input words of both parties.
    """
    circuit = exported(circuit)
    words = BitVectors(circuit.input_bits, circuit.input_bits)
    for number in range(circuit.garbler_words):
        words.value("", number, None)
    words.evaluator.update({n: z3.BitVec(f"evaluator{n}", circuit.input_bits) for n in range(circuit.evaluator_words)})
    gates = Gates(circuit, words)
    flags = [(gates.formula(wire), 1) for wire in circuit.outputs]
    prove(f"the flags of {circuit.name} are one-hot for all words", [], z3.PbEq(flags, 1))
