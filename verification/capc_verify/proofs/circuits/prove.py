"""Proofs of claims about circuits, in the two halves that the package's docstring describes."""

from __future__ import annotations

import z3

from capc.two_party.circuits.bristol import from_bristol, to_bristol
from capc.two_party.circuits.builder import Circuit
from capc_verify.proofs.circuits.algebra import BitVectors, Integers
from capc_verify.proofs.circuits.claims import Claim
from capc_verify.proofs.circuits.gates import Gates, outputs_equal
from capc_verify.proofs.circuits.solver import ProofFailedError, counterexample, prove


def prove_claim(claim: Claim) -> None:
    """Proves that the circuit, from its exported gate list, meets its specification for all admitted inputs.

    Raises:
        ProofFailedError: it does not, or this way of proving it is not enough.
    """
    prove_gates(claim)
    prove_model(claim)


def prove_gates(claim: Claim) -> None:
    """The bits' half: for all inputs the gates give the model's outputs.

    Raises:
        ProofFailedError: as above; or export and import change the circuit.
    """
    circuit = exported(claim.circuit)
    words = BitVectors(claim.width, circuit.input_bits)
    statement = claim.state(words)
    gates = Gates(circuit, words)
    for landmark in words.landmarks:
        gates.cut(landmark)
    prove(f"outputs of {circuit.name} are its model's", [], outputs_equal(gates, circuit, statement.computed))


def prove_model(claim: Claim) -> None:
    """The integers' half: for all admitted integers the model gives the specification's outputs.

    Raises:
        ProofFailedError: it does not; the values are the integers.
    """
    integers = Integers(claim.width)
    statement = claim.state(integers)
    pairs = zip(statement.computed, statement.specified, strict=True)
    goals = [*integers.obligations, *(computed == specified for computed, specified in pairs)]
    assumptions = [*integers.definitions, *statement.precondition]
    prove(f"the model of {claim.circuit.name} meets its specification", assumptions, z3.And(goals))


def find_counterexample(claim: Claim) -> tuple[list[int], list[int]] | None:
    """Admitted input words of both parties on which the gates miss the specification, or None if there are none.

    In one question, without a model's help: a witness for wrong circuits and, for small ones that are right, a proof
    of its own, for integers that words can hold.
    """
    circuit = exported(claim.circuit)
    words = BitVectors(claim.width, circuit.input_bits)
    statement = claim.state(words)
    gates = Gates(circuit, words)
    assumptions = [*words.definitions, *statement.precondition]
    conclusion = outputs_equal(gates, circuit, statement.specified)
    values = counterexample(f"{circuit.name} meets its specification", assumptions, conclusion)
    if values is None:
        return None
    sides = ("garbler", circuit.garbler_words), ("evaluator", circuit.evaluator_words)
    garbler, evaluator = ([values.get(f"{side}{i}", 0) for i in range(count)] for side, count in sides)
    return garbler, evaluator


def exported(circuit: Circuit) -> Circuit:
    """The circuit as others read it, which is the circuit that runs.

    Raises:
        ProofFailedError: it is not.
    """
    width = None if circuit.sharing is None else circuit.sharing.width
    again = from_bristol(to_bristol(circuit), circuit.name, circuit.garbler_words, width)
    if again != circuit:
        raise ProofFailedError(f"{circuit.name} comes back unchanged from its exported gate list", {})
    return again
