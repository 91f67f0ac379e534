"""SHAKE-256 streams against hashlib, the rules from bytes to integers, exhaustion, and where seeds come from."""

from __future__ import annotations

import ast
import hashlib
import secrets
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import capc
from capc.foundation.errors import InputError, RandomnessExhaustedError
from capc.foundation.randomness import STREAM_LIMIT, BytesSource, Seed, XofSource, fresh_seed
from support.builders import seeds

ZERO_SEED = Seed(bytes(32))


@pytest.mark.req("CAPC-PARAM-011")
@given(seeds(), st.binary(max_size=60), st.lists(st.integers(0, 700), max_size=6))
def test_stream_is_shake_256_however_it_is_cut(seed: Seed, label: bytes, lengths: list[int]) -> None:
    source = XofSource(seed, label)
    expected = hashlib.shake_256(b"CaPC/0.1/xof" + b"\x20" + seed + label).digest(sum(lengths))
    assert b"".join(source.read(length) for length in lengths) == expected


def test_known_stream() -> None:
    assert XofSource(ZERO_SEED, b"label").read(16).hex() == "3d79663dfa8298f263047f4c83374563"


@given(seeds(), st.binary(max_size=20), st.binary(max_size=20))
def test_labels_and_seeds_separate_streams(seed: Seed, first: bytes, second: bytes) -> None:
    other = Seed(bytes(byte ^ 1 for byte in seed))
    assert (XofSource(seed, first).read(32) == XofSource(seed, second).read(32)) == (first == second)
    assert XofSource(seed, first).read(32) != XofSource(other, first).read(32)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_other_seed_lengths_are_refused(length: int) -> None:
    with pytest.raises(InputError, match=f"a seed of {length} bytes"):
        XofSource(Seed(bytes(length)), b"")


@pytest.mark.req("CAPC-PARAM-012")
def test_streams_end_with_an_error_and_stay_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    given_stream = BytesSource(b"abc")
    assert given_stream.read(2) == b"ab"
    for _ in range(2):
        with pytest.raises(RandomnessExhaustedError):
            given_stream.read(2)
    assert (given_stream.read(1), given_stream.consumed) == (b"c", 3)
    assert STREAM_LIMIT == 1 << 24
    monkeypatch.setattr("capc.foundation.randomness.STREAM_LIMIT", 100)
    stream = XofSource(ZERO_SEED, b"")
    stream.read(99)
    for read in (lambda: stream.read(2), lambda: stream.bits(9), lambda: stream.below(257)):
        with pytest.raises(RandomnessExhaustedError):
            read()
    assert len(stream.read(1)) == 1


@pytest.mark.req("CAPC-PARAM-011")
@given(st.binary(min_size=9, max_size=9), st.integers(0, 72))
def test_bits_are_little_endian_with_the_high_bits_dropped(data: bytes, width: int) -> None:
    source = BytesSource(data)
    assert source.bits(width) == int.from_bytes(data[: -(-width // 8)], "little") % (1 << width)
    assert source.consumed == -(-width // 8)


@pytest.mark.req("CAPC-PARAM-011")
@pytest.mark.parametrize("bound", [1, 2, 3, 5, 16, 17, 100, 255, 256])
def test_below_gives_every_value_equally_often_over_all_bytes(bound: int) -> None:
    """Of the 256 first bytes each value gets the same number, and all others are drawn again."""
    width = (bound - 1).bit_length()
    counts: Counter[int] = Counter()
    for first in range(256):
        source = BytesSource(bytes([first, 0]))
        value = source.below(bound)
        if bound > 1 and source.consumed == 1:
            counts[value] += 1
            assert value == first % (1 << width)
        elif bound > 1:
            assert first % (1 << width) >= bound
    if bound > 1:
        assert counts == dict.fromkeys(range(bound), 256 >> width)
    else:
        assert BytesSource(b"").below(1) == 0


@pytest.mark.parametrize("bound", [0, -1])
def test_below_nothing_is_refused(bound: int) -> None:
    with pytest.raises(InputError, match="at least 1"):
        BytesSource(b"").below(bound)


@pytest.mark.req("CAPC-PARAM-010")
def test_root_seeds_are_the_operating_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fresh_seed() != fresh_seed()
    asked: list[int] = []

    def token_bytes(length: int) -> bytes:
        asked.append(length)
        return bytes([7]) * length

    monkeypatch.setattr(secrets, "token_bytes", token_bytes)
    assert (fresh_seed(), asked) == (bytes([7]) * 32, [32])


GENERATORS = {"random", "secrets", "uuid", "torch", "numpy", "tempfile"}
OUTER = {"bfv", "cli", "composition", "importing", "job", "learning", "ledger", "storage", "vectorised"}
HOUSE = Path(capc.__file__).parent
CORE = [path for path in sorted(HOUSE.rglob("*.py")) if OUTER.isdisjoint(path.relative_to(HOUSE).parts)]


@pytest.mark.req("CAPC-PARAM-013")
@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(HOUSE)))
def test_core_modules_know_no_other_generator(path: Path) -> None:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Attribute) and node.attr in {"urandom", "randombytes", "SystemRandom"}:
            names.add("random")
    allowed = {"secrets"} if path.name == "randomness.py" else set()
    assert names & GENERATORS <= allowed


def test_sources_show_nothing() -> None:
    seed = Seed(bytes(range(32)))
    assert repr(XofSource(seed, b"l")) == "XofSource(<secret>)"
    assert repr(BytesSource(seed)) == "BytesSource(<secret>)"
