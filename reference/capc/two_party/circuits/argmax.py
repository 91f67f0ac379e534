"""Step 1c: from shares of logits to fresh shares of the one-hot vote, by a tournament or by all pairs at once.

Spec: CAPC-ARG-013, CAPC-ARG-015.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

from capc.foundation import ring
from capc.two_party.circuits.arithmetic import all_of, open_word
from capc.two_party.circuits.builder import ZERO, Builder, Circuit, Sharing, Wire
from capc.two_party.circuits.tournament import argmax_flags


@lru_cache
def vote_circuit(num_classes: int, logit_bits: int, vote_bits: int) -> Circuit:
    """onehot(argmax r), shared in Z_{2^w}, from both parties' words of r in Z_{2^l}^C.

    Input words of each party: C of l + 1 bits (:mod:`capc.foundation.guarded`). Output words: the C flags, one wire
    each, as fresh shares. The reduction mod 2^w is part of the re-sharing: a value opened before it would tell the vote
    (CAPC-ARG-003).

    1. r_c, without the lowest bit, for each class C l ANDs
    2. winner flags, lowest index on ties          (C-1)(l-1) + (C-2) l + C-2 ANDs

    Depth: n (l + 1) - 1 ANDs for n = ceil(log2 C) rounds.

    Precondition: |r_c| < 2^(l-2), which range analysis guarantees when a model is admitted.
    """
    builder = Builder(logit_bits + 1, num_classes, num_classes)
    logits = [open_word(builder, c) for c in range(num_classes)]
    sharing = Sharing(word_bits=1, width=vote_bits)
    return builder.build(f"vote_C{num_classes}_l{logit_bits}_w{vote_bits}", argmax_flags(builder, logits), sharing)


@lru_cache
def vote_circuit_low_depth(num_classes: int, logit_bits: int, vote_bits: int) -> Circuit:
    """The same vote with less depth: every pair of classes is compared at once.

    Input words of each party: for each pair c < d, in order, l + 1 bits of its share of r_c - r_d
    (:func:`share_differences`, then :mod:`capc.foundation.guarded`).
    Output words: as :func:`vote_circuit`.

    1. sign of r_c - r_d for each pair                 C (C-1)/2 l ANDs
    2. class c wins if it beats every other class;     (C-1)(C-2) ANDs
       the last class if no other does

    Depth: l + ceil(log2(C-1)) ANDs.

    Precondition: |r_c - r_d| < 2^(l-1), for which |r_c| < 2^(l-2) suffices.
    """
    pairs = list(combinations(range(num_classes), 2))
    builder = Builder(logit_bits + 1, len(pairs), len(pairs))
    beats: dict[tuple[int, int], Wire] = {}
    for number, (c, d) in enumerate(pairs):
        right_wins = open_word(builder, number)[-1]
        beats[d, c], beats[c, d] = right_wins, builder.invert(right_wins)
    flags: list[Wire] = []
    some_wins: Wire = ZERO
    for c in range(num_classes - 1):
        flags.append(all_of(builder, [beats[c, d] for d in range(num_classes) if d != c]))
        some_wins = builder.xor(some_wins, flags[-1])
    flags.append(builder.invert(some_wins))
    sharing = Sharing(word_bits=1, width=vote_bits)
    return builder.build(f"vote_low_depth_C{num_classes}_l{logit_bits}_w{vote_bits}", flags, sharing)


def share_differences(shares: Sequence[int], share_bits: int) -> list[int]:
    """One party's shares of r_c - r_d for each pair of classes c < d, in order, from its shares of r; costs nothing."""
    return [ring.reduce(left - right, share_bits) for left, right in combinations(shares, 2)]
