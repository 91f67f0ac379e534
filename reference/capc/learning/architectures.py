"""The default mix of networks, whose sizes public figures decide (CAPC-RUN-052)."""

from __future__ import annotations

MIX: tuple[tuple[int, ...], ...] = ((), (12,), (16,), (24,), (32,), (16, 16))
"""Widths of the hidden layers; party i takes entry i mod 6, so that the architectures differ."""

MANY_CLASSES = 16
"""More classes than the narrowest networks have units need more of them."""
MANY_FEATURES, MANY_ROWS = 256, 400
"""Pictures of this size, with rows to learn from, fill more units; with fewer rows they only memorise."""


def mix(features: int, classes: int, rows: int) -> tuple[tuple[int, ...], ...]:
    """Widths of the hidden layers of each entry of the mix.

    They are twice as wide for more than ``MANY_CLASSES`` classes, and from ``MANY_FEATURES`` features and
    ``MANY_ROWS`` rows on.

    Args:
        features: d.
        classes: C.
        rows: what a party is declared to hold, in the mean over the parties.
    """
    wide = classes > MANY_CLASSES or (features >= MANY_FEATURES and rows >= MANY_ROWS)
    return tuple(tuple(width * (2 if wide else 1) for width in hidden) for hidden in MIX)
