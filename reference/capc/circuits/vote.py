"""Step 1c: from shares of logits to fresh shares of the one-hot vote."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from capc.circuits.arithmetic import add
from capc.circuits.builder import Builder, Circuit, Sharing
from capc.circuits.tournament import argmax_flags


@lru_cache
def vote_circuit(num_classes: int, logit_bits: int, vote_bits: int) -> Circuit:
    """onehot(argmax r), shared in Z_{2^w}, from additive shares of r in Z_{2^l}^C.

    Input words of each party: its C shares of r. Output words: the C flags, one wire each, as fresh shares. The
    reduction mod 2^w is part of the re-sharing: a value opened before it would tell the vote (CAPC-ARG-003).

    1. r_c = m_c + e_c mod 2^l for each class      C (l - 1) ANDs
    2. winner flags, lowest index on ties          (C-1)(l-1) + (C-2) l + C-2 ANDs

    Precondition: |r_c| < 2^(l-2), which range analysis guarantees when a model is admitted.
    """
    builder = Builder(logit_bits, num_classes, num_classes)
    logits = [add(builder, builder.garbler_word(c), builder.evaluator_word(c)) for c in range(num_classes)]
    sharing = Sharing(word_bits=1, width=vote_bits)
    return builder.build(f"vote_C{num_classes}_l{logit_bits}_w{vote_bits}", argmax_flags(builder, logits), sharing)


def one_hot_argmax(logits: Sequence[int]) -> list[int]:
    """onehot(argmax) in the clear, ties to the lowest index: what the circuit shares."""
    winner = max(range(len(logits)), key=lambda c: (logits[c], -c))
    return [int(c == winner) for c in range(len(logits))]
