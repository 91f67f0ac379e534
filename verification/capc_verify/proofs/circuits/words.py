"""The words that enter the circuits of step 1 stand for the value that the shares with guard bits mean.

What is proved is the functions that run (:mod:`capc.foundation.guarded`), on bit vectors.
"""

from __future__ import annotations

from typing import Any

import z3

from capc.foundation import guarded
from capc_verify.proofs.circuits.solver import prove


def prove_words(logit_bits: int, guard_bits: int, *, least: int, most: int) -> None:
    """Proves that both words open to z, for all shares that add up to 2^h z + v mod 2^T with least <= v <= most.

    Raises:
        ProofFailedError: they do not; the values are shares and an error.
    """
    share_bits = logit_bits + guard_bits
    # Two bits more than a share: nothing wraps before it is masked, and no number is read as negative.
    mine, theirs, value, error = (
        z3.BitVec(name, share_bits + 2) for name in ("garbler", "evaluator", "value", "error")
    )
    mask: Any = (1 << share_bits) - 1
    assumptions = [
        z3.ULE(mine, mask),
        z3.ULE(theirs, mask),
        z3.ULT(value, 1 << logit_bits),
        error >= least,
        error <= most,
        (mine + theirs) & mask == (value << guard_bits) + error & mask,
    ]
    # The functions take whatever adds, masks and shifts.
    shares: tuple[Any, Any] = mine, theirs
    garbler = guarded.garbler_word(shares[0], logit_bits, guard_bits)
    found: Any = guarded.opened(guarded.evaluator_word(shares[1], guard_bits), garbler, logit_bits)
    prove(f"words of l = {logit_bits} and h = {guard_bits} stand for the value", assumptions, found == value)
