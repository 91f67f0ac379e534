"""ReLU with exact truncation, alone or of the largest in a window, from shares to fresh shares (step 1a)."""

from __future__ import annotations

from functools import lru_cache

from capc.two_party.circuits.arithmetic import mask_with, open_word
from capc.two_party.circuits.builder import Builder, Circuit, Sharing
from capc.two_party.circuits.tournament import maximum


@lru_cache
def relu_circuit(logit_bits: int, fraction_bits: int, window: int = 1) -> Circuit:
    """y = max(0, z_1, ..., z_n) >> f, shared in Z_{2^l}, from both parties' words of the z.

    A ReLU has n = 1; a ReLU before or after a max pool has its window's n. Input words of each party: n of l + 1 bits
    (:mod:`capc.foundation.guarded`). Output word: the l - 1 - f bits of y that can be set, as fresh shares.

    1. z, the sum of both words without its lowest bit, for each                 n l ANDs
    2. the largest of the window, if n > 1 (its last f bits are never selected) (n - 1)(2l - 1) - f ANDs
    3. y = z >> f where the sign bit of z is 0, else 0 (dropping wires is free) l - 1 - f ANDs

    Depth: l + 1 for one value, m l + 2 for a window, where m = ceil(log2 n).

    Precondition for n > 1: |z| < 2^(l-2), which range analysis guarantees.
    """
    builder = Builder(logit_bits + 1, window, window)
    z = maximum(builder, [open_word(builder, i) for i in range(window)])
    y = mask_with(builder, builder.invert(z[-1]), z[fraction_bits:-1])
    suffix = "" if window == 1 else f"_window{window}"
    return builder.build(f"relu_l{logit_bits}_f{fraction_bits}{suffix}", y, Sharing(len(y), logit_bits))
