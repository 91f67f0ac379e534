"""ReLU with exact truncation, alone or of the largest in a window, from shares to fresh shares (step 1a)."""

from __future__ import annotations

from functools import lru_cache

from capc.two_party.circuits.arithmetic import Word, all_of, mask_with, open_word, select
from capc.two_party.circuits.builder import Builder, Circuit, Sharing, Wire
from capc.two_party.circuits.tournament import maximum


@lru_cache
def relu_circuit(logit_bits: int, fraction_bits: int, window: int = 1, cap_bits: int | None = None) -> Circuit:
    """y = max(0, z_1, ..., z_n) >> f, at most 2^k - 1 if there is a cap, shared in Z_{2^l}, from words of the z.

    A ReLU has n = 1; a ReLU before or after a max pool has its window's n. Input words of each party: n of l + 1 bits
    (:mod:`capc.foundation.guarded`). Output word: the bits of y that can be set, l - 1 - f, or k with a cap, as fresh
    shares.

    1. z, the sum of both words without its lowest bit, for each                 n l ANDs
    2. the largest of the window, if n > 1 (its last f bits are never selected) (n - 1)(2l - 1) - f ANDs
    3. y = z >> f where the sign bit of z is 0, else 0 (dropping wires is free) l - 1 - f ANDs
       with a cap: whether z >> f is one of 0 to 2^k - 1, and a choice between its k low bits and k times INV sign;
       the same number, l - 1 - f - k and k

    Depth: l + 1 for one value, m l + 2 for a window, where m = ceil(log2 n); with a cap at most
    ceil(log2(l - f - k)) more.

    Args:
        logit_bits: l.
        fraction_bits: f, the bits that are dropped.
        window: n.
        cap_bits: k, from 1 to l - 2 - f, or None.

    Precondition for n > 1: |z| < 2^(l-2), which range analysis guarantees.

    Spec: CAPC-ARG-001, CAPC-ARG-009, CAPC-ARG-023.
    """
    builder = Builder(logit_bits + 1, window, window)
    z = maximum(builder, [open_word(builder, i) for i in range(window)])
    positive, kept = builder.invert(z[-1]), z[fraction_bits:-1]
    y = mask_with(builder, positive, kept) if cap_bits is None else _capped(builder, positive, kept, cap_bits)
    suffix = ("" if window == 1 else f"_window{window}") + ("" if cap_bits is None else f"_cap{cap_bits}")
    return builder.build(f"relu_l{logit_bits}_f{fraction_bits}{suffix}", y, Sharing(len(y), logit_bits))


def _capped(builder: Builder, positive: Wire, kept: Word, cap_bits: int) -> Word:
    """The word within 0 and 2^k - 1, the nearer of them outside: all bits are then those of ``positive``."""
    fits = all_of(builder, [*map(builder.invert, kept[cap_bits:]), positive])
    return select(builder, fits, kept[:cap_bits], [positive] * cap_bits)
