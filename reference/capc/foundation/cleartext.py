"""What the circuits compute, in the clear: ReLU with truncation, and the one-hot argmax."""

from __future__ import annotations

from collections.abc import Sequence


def relu(z: int, fraction_bits: int) -> int:
    """max(z, 0) >> f on a signed integer: what the circuit computes, in the clear."""
    return max(z, 0) >> fraction_bits


def one_hot_argmax(logits: Sequence[int]) -> list[int]:
    """onehot(argmax) in the clear, ties to the lowest index: what the circuits share."""
    winner = max(range(len(logits)), key=lambda c: (logits[c], -c))
    return [int(c == winner) for c in range(len(logits))]
