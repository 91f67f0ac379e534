"""What the circuits compute, in the clear: ReLUs with truncation, and the one-hot argmax."""

from __future__ import annotations

from collections.abc import Sequence


def relu(z: int, fraction_bits: int, cap_bits: int | None = None, cap: int | None = None) -> int:
    """max(z, 0) >> f on a signed integer, and at most 2^k - 1 and c where they are given: what the circuit computes."""
    made = max(z, 0) >> fraction_bits
    if cap_bits is not None:
        made = min(made, (1 << cap_bits) - 1)
    return made if cap is None else min(made, cap)


def leaky_relu(z: int, fraction_bits: int, leak_bits: int, cap_bits: int | None = None) -> int:
    """z >> f, between -2^k and 2^k - 1 with k, and then >> s where it is negative: what the circuit computes."""
    made = z >> fraction_bits
    if cap_bits is not None:
        made = min(max(made, -(1 << cap_bits)), (1 << cap_bits) - 1)
    return made if made >= 0 else made >> leak_bits


def one_hot_argmax(logits: Sequence[int]) -> list[int]:
    """onehot(argmax) in the clear, ties to the lowest index: what the circuits share."""
    winner = max(range(len(logits)), key=lambda c: (logits[c], -c))
    return [int(c == winner) for c in range(len(logits))]
