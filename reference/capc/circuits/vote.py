"""Step 1c: from shares of logits to fresh shares of the one-hot vote."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from capc.circuits.arithmetic import add, subtract
from capc.circuits.builder import ZERO, Builder, Circuit
from capc.circuits.tournament import argmax_flags


@lru_cache
def vote_circuit(num_classes: int, logit_bits: int, vote_bits: int) -> Circuit:
    """onehot(argmax r) - s mod 2^w, from additive shares of r in Z_{2^l}^C.

    Garbler's inputs: C words of l bits (its shares of r), then C words of w bits (its fresh shares s).
    Evaluator's inputs: C words of l bits. Outputs, to the evaluator: C words of w bits. The reduction mod 2^w
    happens in here: a value opened before it would tell the vote (CAPC-ARG-003).

    1. r_c = m_c + e_c mod 2^l for each class      C (l - 1) ANDs
    2. winner flags, lowest index on ties          (C-1)(l-1) + (C-2) l + C-2 ANDs
    3. flag_c - s_c mod 2^w for each class         C (w - 1) ANDs

    Precondition: |r_c| < 2^(l-2), which range analysis guarantees when a model is admitted.
    """
    builder = Builder(num_classes * (logit_bits + vote_bits), num_classes * logit_bits)
    logits = [
        add(
            builder,
            builder.garbler_word(c * logit_bits, logit_bits),
            builder.evaluator_word(c * logit_bits, logit_bits),
        )
        for c in range(num_classes)
    ]
    outputs = []
    for c, flag in enumerate(argmax_flags(builder, logits)):
        fresh_share = builder.garbler_word(num_classes * logit_bits + c * vote_bits, vote_bits)
        outputs += subtract(builder, [flag] + [ZERO] * (vote_bits - 1), fresh_share)
    return builder.build(f"vote_C{num_classes}_l{logit_bits}_w{vote_bits}", outputs)


def one_hot_argmax(logits: Sequence[int]) -> list[int]:
    """onehot(argmax) in the clear, ties to the lowest index: what the circuit shares."""
    winner = max(range(len(logits)), key=lambda c: (logits[c], -c))
    return [int(c == winner) for c in range(len(logits))]
