"""ReLU with exact truncation, from shares to fresh shares (step 1a, hidden layers)."""

from __future__ import annotations

from functools import lru_cache

from capc.circuits.arithmetic import add, mask_with, subtract
from capc.circuits.builder import ZERO, Builder, Circuit


@lru_cache
def relu_circuit(logit_bits: int, fraction_bits: int) -> Circuit:
    """y = max(z, 0) >> f on additive shares of z in Z_{2^l}, re-shared in Z_{2^l}.

    Garbler's input words: its share of z, its fresh share s of y. Evaluator's input word: its share of z.
    Output word, to the evaluator: y - s mod 2^l.

    1. z = z_garbler + z_evaluator mod 2^l                                       l - 1 ANDs
    2. y = z >> f where the sign bit of z is 0, else 0 (dropping wires is free)  l - 1 - f ANDs
    3. y - s mod 2^l                                                             l - 1 ANDs
    """
    builder = Builder(garbler_inputs=2 * logit_bits, evaluator_inputs=logit_bits)
    z = add(builder, builder.garbler_word(0, logit_bits), builder.evaluator_word(0, logit_bits))
    is_positive = builder.invert(z[-1])
    y = mask_with(builder, is_positive, z[fraction_bits:-1])
    y += [ZERO] * (logit_bits - len(y))
    shared = subtract(builder, y, builder.garbler_word(logit_bits, logit_bits))
    return builder.build(f"relu_l{logit_bits}_f{fraction_bits}", shared)


def relu(z: int, fraction_bits: int) -> int:
    """max(z, 0) >> f on a signed integer: what the circuit computes, in the clear."""
    return max(z, 0) >> fraction_bits
