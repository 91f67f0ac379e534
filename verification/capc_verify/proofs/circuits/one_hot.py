"""What holds of the flags of a vote for all input words: no precondition, no model, one question on the gates."""

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
    circuit, words = exported(circuit), _all_words(circuit)
    gates = Gates(circuit, words)
    flags = [(gates.formula(wire), 1) for wire in circuit.outputs]
    prove(f"the flags of {circuit.name} are one-hot for all words", [], z3.PbEq(flags, 1))


def prove_last_round(circuit: Circuit, num_classes: int, logit_bits: int) -> None:
    """Proves that a last round votes for the class that F*_CaPC names, for all words and kept signs.

    Of each match the right side goes on where its sign is 1. The last sign is that of the sum of both parties' words,
    mod 2^(l+1), without its lowest bit, whatever the words are.

    Raises:
        ProofFailedError: it does not; the values are input words of both parties, of a bit each.
    """
    circuit, words = exported(circuit), _all_words(circuit)
    bits = logit_bits + 1
    mine, theirs = (z3.Concat(*[side[n] for n in reversed(range(bits))]) for side in (words.garbler, words.evaluator))
    last = z3.Extract(logit_bits, logit_bits, mine + theirs)
    signs = iter([*(words.evaluator[n] for n in range(bits, bits + num_classes - 2)), last])
    width = num_classes.bit_length()
    entrants: list[z3.BitVecRef] = [z3.BitVecVal(c, width) for c in range(num_classes)]
    while len(entrants) > 1:
        pairs = list(zip(entrants[::2], entrants[1::2], strict=False))
        entrants = [z3.If(next(signs) == 1, right, left) for left, right in pairs] + entrants[2 * len(pairs) :]
    gates = Gates(circuit, words)
    flags = [gates.formula(wire) == (entrants[0] == c) for c, wire in enumerate(circuit.outputs)]
    prove(f"{circuit.name} names the winner of all matches for all words", [], z3.And(flags))


def _all_words(circuit: Circuit) -> BitVectors:
    """Free input words of both parties."""
    words = BitVectors(circuit.input_bits, circuit.input_bits)
    for number in range(circuit.garbler_words):
        words.value("", number, None)
    words.evaluator.update({n: z3.BitVec(f"evaluator{n}", circuit.input_bits) for n in range(circuit.evaluator_words)})
    return words
