"""ReLU with exact truncation, alone or of the largest in a window, from shares to fresh shares (step 1a)."""

from __future__ import annotations

from functools import lru_cache

from capc.two_party.circuits.arithmetic import add, mask_with
from capc.two_party.circuits.builder import Builder, Circuit, Sharing
from capc.two_party.circuits.tournament import maximum


@lru_cache
def relu_circuit(logit_bits: int, fraction_bits: int, window: int = 1) -> Circuit:
    """y = max(0, z_1, ..., z_n) >> f, shared in Z_{2^l}, from additive shares of the z in Z_{2^l}.

    A ReLU has n = 1; a ReLU before or after a max pool has its window's n. Input words of each party: its n shares.
    Output word: the l - 1 - f bits of y that can be set, as fresh shares.

    1. z = z_garbler + z_evaluator mod 2^l, for each                             n (l - 1) ANDs
    2. the largest of the window, if n > 1 (its last f bits are never selected) (n - 1)(2l - 1) - f ANDs
    3. y = z >> f where the sign bit of z is 0, else 0 (dropping wires is free) l - 1 - f ANDs

    Depth: l for one value, m l + 1 for a window, where m = ceil(log2 n).

    Precondition for n > 1: |z| < 2^(l-2), which range analysis guarantees.
    """
    builder = Builder(logit_bits, window, window)
    z = maximum(builder, [add(builder, builder.garbler_word(i), builder.evaluator_word(i)) for i in range(window)])
    y = mask_with(builder, builder.invert(z[-1]), z[fraction_bits:-1])
    suffix = "" if window == 1 else f"_window{window}"
    return builder.build(f"relu_l{logit_bits}_f{fraction_bits}{suffix}", y, Sharing(len(y), logit_bits))
