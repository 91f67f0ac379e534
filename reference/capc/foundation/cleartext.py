"""What the circuits compute, in the clear: ReLU with truncation, and the one-hot argmax."""

from __future__ import annotations

from collections.abc import Sequence


def relu(z: int, fraction_bits: int, cap_bits: int | None = None) -> int:
    """min(max(z, 0) >> f, 2^k - 1) on a signed integer, without k no minimum: what the circuit computes."""
    made = max(z, 0) >> fraction_bits
    return made if cap_bits is None else min(made, (1 << cap_bits) - 1)


def one_hot_argmax(logits: Sequence[int]) -> list[int]:
    """onehot(argmax) in the clear, ties to the lowest index: what the circuits share."""
    winner = max(range(len(logits)), key=lambda c: (logits[c], -c))
    return [int(c == winner) for c in range(len(logits))]
