"""ReLU with exact truncation, alone or of the largest in a window, from shares to fresh shares (step 1a)."""

from __future__ import annotations

from functools import lru_cache

from capc.circuits.arithmetic import add, mask_with, subtract
from capc.circuits.builder import ZERO, Builder, Circuit
from capc.circuits.tournament import maximum


@lru_cache
def relu_circuit(logit_bits: int, fraction_bits: int, window: int = 1) -> Circuit:
    """y = max(0, z_1, ..., z_n) >> f on additive shares in Z_{2^l}, re-shared in Z_{2^l}.

    A ReLU has n = 1; a ReLU before or after a max pool has its window's n.

    Garbler's input words: its n shares of the z, its fresh share s of y. Evaluator's input words: its n shares. Output
    word, to the evaluator: y - s mod 2^l.

    1. z = z_garbler + z_evaluator mod 2^l, for each                              n (l - 1) ANDs
    2. the largest of the window                                                 (n - 1)(2l - 1) ANDs
    3. y = z >> f where the sign bit of z is 0, else 0 (dropping wires is free)  l - 1 - f ANDs
    4. y - s mod 2^l                                                             l - 1 ANDs

    Precondition for n > 1: |z| < 2^(l-2), which range analysis guarantees.
    """
    builder = Builder(garbler_inputs=(window + 1) * logit_bits, evaluator_inputs=window * logit_bits)
    sums = [
        add(
            builder,
            builder.garbler_word(i * logit_bits, logit_bits),
            builder.evaluator_word(i * logit_bits, logit_bits),
        )
        for i in range(window)
    ]
    z = maximum(builder, sums)
    is_positive = builder.invert(z[-1])
    y = mask_with(builder, is_positive, z[fraction_bits:-1])
    y += [ZERO] * (logit_bits - len(y))
    shared = subtract(builder, y, builder.garbler_word(window * logit_bits, logit_bits))
    suffix = "" if window == 1 else f"_window{window}"
    return builder.build(f"relu_l{logit_bits}_f{fraction_bits}{suffix}", shared)


def relu(z: int, fraction_bits: int) -> int:
    """max(z, 0) >> f on a signed integer: what the circuit computes, in the clear."""
    return max(z, 0) >> fraction_bits
