"""Labels of wires as bytes: 16 each, little-endian, side by side."""

from __future__ import annotations

from collections.abc import Iterable

from capc.foundation.encoding import LABEL_BYTES


def join_labels(labels: Iterable[int]) -> bytes:
    """The labels, one after another."""
    return b"".join(label.to_bytes(LABEL_BYTES, "little") for label in labels)


def split_labels(data: bytes) -> list[int]:
    """The labels in a run of them."""
    return [int.from_bytes(data[i : i + LABEL_BYTES], "little") for i in range(0, len(data), LABEL_BYTES)]
