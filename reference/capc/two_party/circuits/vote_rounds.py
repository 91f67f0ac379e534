"""Step 1c in several rounds: only signs are garbled. `capc.two_party.vote_rounds` says how the rounds fit together.

With C classes and logits of l bits all rounds together have (C-1) l + C-2 ANDs, in ceil(log2 C) rounds.

Spec: CAPC-ARG-022.
"""

from __future__ import annotations

from functools import lru_cache

from capc.two_party.circuits.arithmetic import add, open_word
from capc.two_party.circuits.builder import Builder, Circuit, Sharing
from capc.two_party.circuits.tournament import flags_from_results


@lru_cache
def signs_circuit(matches: int, logit_bits: int, share_bits: int) -> Circuit:
    """For each match whether its right side wins, from both parties' words of left - right.

    Input words of each party: for each match l + 1 bits of its share of the difference
    (:mod:`capc.foundation.guarded`). Outputs: the signs, one wire each. Its sharing is that of a sign times the
    garbler's weight, in Z_{2^T}; the wires' labels are kept, too.

    Cost: matches l ANDs. Depth: l.

    Precondition: |left - right| < 2^(l-1), for which values below 2^(l-2) suffice.
    """
    builder = Builder(logit_bits + 1, matches, matches)
    signs = [open_word(builder, number)[-1] for number in range(matches)]
    return builder.build(f"signs_{matches}_l{logit_bits}_t{share_bits}", signs, Sharing(1, share_bits))


@lru_cache
def final_circuit(num_classes: int, logit_bits: int, vote_bits: int) -> Circuit:
    """The last match, and the C flags of the winner, shared in Z_{2^w}.

    Its words are single bits. The garbler's: the l + 1 bits of its word of the last difference. The evaluator's: those
    of its own word, then the C-2 signs of all earlier matches, whose labels are kept from earlier circuits.

    Cost: l + C - 2 ANDs. Precondition as for the signs.
    """
    bits = logit_bits + 1
    builder = Builder(1, bits, bits + num_classes - 2)
    mine, theirs, earlier = range(bits), range(bits, 2 * bits), range(2 * bits, 2 * bits + num_classes - 2)
    last = add(builder, mine, theirs)[-1]
    flags = flags_from_results(builder, num_classes, [*earlier, last])
    return builder.build(f"final_C{num_classes}_l{logit_bits}_w{vote_bits}", flags, Sharing(1, vote_bits))
