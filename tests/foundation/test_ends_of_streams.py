"""A stream gives all of its bytes and not one more: who asks for more gets an error, and never fewer bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation import randomness
from capc.foundation.errors import RandomnessExhaustedError
from capc.foundation.randomness import BytesSource, ByteStream, Seed, XofSource

LIMIT = 1000
SOURCES: dict[str, Callable[[], ByteStream]] = {
    "given": lambda: BytesSource(bytes(range(250)) * 4),
    "expanded": lambda: XofSource(Seed(bytes(32)), b"label"),
}


@pytest.mark.req("CAPC-NOISE-004")
@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=10)
@given(lengths=st.lists(st.integers(0, 300), max_size=5), beyond=st.integers(1, 3) | st.integers(1, 2000))
def test_a_stream_ends_at_its_last_byte(name: str, lengths: list[int], beyond: int) -> None:
    """Read in any pieces, of which the last takes what is left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(randomness, "STREAM_LIMIT", LIMIT)
        source, left = SOURCES[name](), LIMIT
        for length in lengths:
            if length <= left:
                assert len(source.read(length)) == length
                left -= length
        for _ in range(2):
            with pytest.raises(RandomnessExhaustedError):
                source.read(left + beyond)
            with pytest.raises(RandomnessExhaustedError):
                source.read(left + 1)
        # What was refused took nothing.
        assert len(source.read(left)) == left
        with pytest.raises(RandomnessExhaustedError):
            source.bits(1)
