"""Between words of ring elements and the flat lists of bits that circuits take and give."""

from __future__ import annotations

from collections.abc import Sequence

from capc import ring


def words_to_bits(words: Sequence[int], width: int) -> list[int]:
    """The bits of several words, word after word, least significant bit first."""
    return [bit for word in words for bit in ring.to_bits(word, width)]


def bits_to_words(bits: Sequence[int], width: int) -> list[int]:
    """The words in a flat list of bits; its length is a multiple of the width."""
    return [ring.from_bits(bits[start : start + width]) for start in range(0, len(bits), width)]
