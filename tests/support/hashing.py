"""The garbling hash by hand; and its calls, counted where they end: in the blocks that AES permutes under each key."""

from __future__ import annotations

from collections import Counter

import pytest

from capc.foundation.primitives import BufferPermutation, Permutation
from capc.two_party.garbling import half_gates
from capc.two_party.vectorised import hashing
from support.oracles import aes_block


def key_of(hash_key: bytes, chunk: int, number: int) -> bytes:
    """Key ``number`` of a chunk, by hand."""
    return aes_block(hash_key, number.to_bytes(8, "little") + chunk.to_bytes(8, "little"))


def hash_of(key: bytes, label: int, tweak: int) -> int:
    """H of one label, by hand."""
    inner = int.from_bytes(aes_block(key, label.to_bytes(16, "little")), "little")
    return int.from_bytes(aes_block(key, (inner ^ tweak).to_bytes(16, "little")), "little") ^ inner


def count_hashes(monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    """Hashes under each key from now on, in both engines; the keys that keys are derived with are not among them.

    A call permutes each block a first and a second time, and is counted the first time.
    """
    counted: Counter[bytes] = Counter()

    class Counting(Permutation):
        def __init__(self, key: bytes) -> None:
            super().__init__(key)
            self._key, self._second = key, False

        def apply(self, blocks: bytes) -> bytes:
            counted[self._key] += 0 if self._second else len(blocks) // 16
            self._second = not self._second
            return super().apply(blocks)

    class CountingBuffers(BufferPermutation):
        def __init__(self, key: bytes) -> None:
            super().__init__(key)
            permute, second = self.apply_into, False

            def apply_into(source: memoryview, target: memoryview) -> int:
                nonlocal second
                counted[key] += 0 if second else len(source) // 16
                second = not second
                return permute(source, target)

            self.apply_into = apply_into

    monkeypatch.setattr(half_gates, "Permutation", Counting)
    monkeypatch.setattr(hashing, "BufferPermutation", CountingBuffers)
    return counted
