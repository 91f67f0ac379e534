"""Proofs by a solver (z3): each circuit, from the gate list that runs, meets its specification for all admitted inputs.

A proof of a circuit has two halves, which meet in a model of it on words (:mod:`capc_verify.proofs.circuits.claims`):

1. On bits (:mod:`capc_verify.proofs.circuits.gates`): for all inputs whatsoever, the gates compute what the model
   says when its words are bit vectors that wrap. Word after word, the solver proves that wires carry it; only then
   may later wires be described by it.
2. On integers (:mod:`capc_verify.proofs.circuits.prove`): for all integers that meet the circuit's precondition, the
   model says what the specification says, and no sign is read of an integer that the width does not hold.

They compose because wrapping keeps sums, differences and selections mod 2^k, and because the sign bit of an integer in
[-2^(k-1), 2^(k-1)) is its sign. So a word is always its integer mod 2^k, and every bit is the integers' truth value.

Two proofs have one half only, on bits: :mod:`capc_verify.proofs.circuits.one_hot`, that the flags of a vote are
one-hot for all inputs whatsoever, and :mod:`capc_verify.proofs.circuits.words`, that the words of the circuits of step
1 stand for the value that was shared, for all shares and all errors within the room of the guard bits.
"""
