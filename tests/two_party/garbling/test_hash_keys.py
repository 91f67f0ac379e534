"""No key of the garbling hash hashes more than 2^17 rows: the rule by itself, at its boundaries, and in a chunk."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.foundation.primitives import Permutation
from capc.two_party.circuits.builder import Circuit, Gate, Operation, Sharing
from capc.two_party.garbling import hash_keys
from capc.two_party.garbling.half_gates import LabelHash, evaluate, garble
from capc.two_party.garbling.hash_keys import KEY_ROWS, HashKeys, key_spans
from capc.two_party.garbling.output_sharing import share_by_garbler
from capc.two_party.hash_use import HashTally, HashUse
from support.hashing import count_hashes, hash_of, key_of

LIMIT = 1 << 17
SMALL = 1 << 8


def labels(count: int) -> list[int]:
    return [number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128) for number in range(1, count + 1)]


@pytest.mark.req("CAPC-GC-011")
@given(st.integers(0, 4 * LIMIT), st.integers(0, 3 * LIMIT))
@example(LIMIT - 1, 1)
@example(LIMIT - 1, 2)
@example(LIMIT, 1)
def test_rows_are_cut_where_the_key_changes(first: int, rows: int) -> None:
    found = [(number, span.start, span.stop) for number, span in key_spans(first, rows)]
    expected = [(number, list(run)) for number, run in groupby(range(rows), lambda row: (first + row) // LIMIT)]
    assert found == [(number, run[0], run[-1] + 1) for number, run in expected]


@pytest.mark.req("CAPC-PARAM-054")
def test_more_rows_or_layers_than_the_limits_are_a_callers_mistake() -> None:
    """A layer of no rows is one of the 2^24 as well."""
    keys = HashKeys(bytes(16), 0, Permutation)
    with pytest.raises(InputError, match="too large for its tweaks") as rows:
        keys.next_layer(2**40 + 1)
    keys._number = 2**24 - 1
    assert keys.next_layer(5)[0] == 2**24 - 1
    with pytest.raises(InputError, match="too large for its tweaks") as layers:
        keys.next_layer(0)
    assert type(rows.value) is type(layers.value) is InputError


@pytest.mark.req("CAPC-GC-011")
@given(st.binary(min_size=16, max_size=16), st.integers(0, 1 << 30), st.integers(0, 1 << 30))
def test_keys_are_blocks_under_the_batchs_key(hash_key: bytes, chunk: int, number: int) -> None:
    keys = HashKeys(hash_key, 0, Permutation)
    assert keys.key(number) == key_of(hash_key, 0, number)
    keys.begin_chunk(chunk)
    assert keys.key(number) == key_of(hash_key, chunk, number)


@pytest.mark.req("CAPC-GC-011", "CAPC-GC-003")
@pytest.mark.parametrize(
    "calls", [[LIMIT - 1], [LIMIT], [LIMIT + 1], [LIMIT - 1, 2], [5, LIMIT - 5, 1], [5, LIMIT + 1, 7], [2 * LIMIT + 1]]
)
def test_a_row_is_hashed_under_the_key_of_its_place_in_the_chunk(calls: list[int]) -> None:
    """Rows beside every boundary, in the second of two chunks, with the hash by hand."""
    key, nonce = bytes(range(16)), 5
    label_hash = LabelHash(key, nonce)
    label_hash.digest([1, 2, 3])
    label_hash.begin_chunk(1)
    free, used = 0, Counter({-1: 3})
    for number, rows in enumerate(calls, start=1):
        before = free if free % LIMIT + rows <= LIMIT else -(-free // LIMIT) * LIMIT
        operand = labels(rows)
        plain, again = label_hash.digest(operand, operand)
        assert plain == again
        beside = {boundary + offset - before for boundary in range(0, 4 * LIMIT, LIMIT) for offset in (-1, 0, 1)}
        for row in sorted(beside & set(range(rows)) | {0, rows - 1}):
            under = key_of(key, 1, (before + row) // LIMIT)
            assert plain[row] == hash_of(under, operand[row], row + (number << 40) + (nonce << 64))
        used.update((before + row) // LIMIT for row in range(rows))
        free = before + rows
    counts = used.values()
    assert label_hash.use == HashUse(len(counts), sum(counts), max(counts), sum(rows * rows for rows in counts))


@pytest.mark.req("CAPC-GC-011")
@given(st.lists(st.lists(st.integers(0, 5), max_size=4), max_size=4))
def test_use_adds_up(batches: list[list[int]]) -> None:
    """Every chunk has a key of its own, however few its rows are."""
    tally = HashTally()
    for chunks in batches:
        keys = HashKeys(bytes(16), 0, Permutation)
        for number, rows in enumerate(chunks):
            keys.begin_chunk(number)
            assert keys.next_layer(rows)[1] == 0
            assert keys.next_layer(0)[1] == rows
        tally.add(keys.use)
    used = [rows for chunks in batches for rows in chunks if rows]
    assert tally.use == HashUse(len(used), sum(used), max(used, default=0), sum(rows * rows for rows in used))


def one_and() -> Circuit:
    """An AND that is no product: two rows, and a third for its output."""
    return Circuit("and", 1, 2, 0, (Gate(Operation.AND, 0, 1),), (2,), Sharing(1, 8))


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-011")
@pytest.mark.parametrize("instances", [SMALL // 2, SMALL // 2 + 1, SMALL + 1])
def test_no_key_hashes_more_than_its_rows(monkeypatch: pytest.MonkeyPatch, instances: int) -> None:
    """Counted in AES itself, at a small limit: at most that for the evaluator, and twice as many for the garbler."""
    monkeypatch.setattr(hash_keys, "KEY_ROWS", SMALL)
    counted = count_hashes(monkeypatch)
    circuit, delta = one_and(), 0xABCDEF1
    zeros = [labels(instances), [label ^ 12 for label in labels(instances)]]
    tables, outputs = garble(circuit, zeros, delta, LabelHash(bytes(16), 0))
    garbled = dict(counted)
    counted.clear()
    found = evaluate(circuit, zeros, tables, LabelHash(bytes(16), 0))
    assert found == outputs
    rows = 2 * instances
    expected = {key_of(bytes(16), 0, number): min(SMALL, rows - number * SMALL) for number in range(-(-rows // SMALL))}
    assert dict(counted) == expected
    assert garbled == {key: 2 * count for key, count in expected.items()}
    assert max(garbled.values()) <= 2 * SMALL


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-011")
def test_rows_of_a_message_in_rounds_change_their_key_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two matches of more than 2^16 queries: the projection's rows have no chunks, and two keys."""
    counted = count_hashes(monkeypatch)
    wires = [labels(LIMIT // 2 + 1), labels(LIMIT // 2 + 1)]
    share_by_garbler(Sharing(1, 8), wires, 0xABCDEF1, LabelHash(bytes(16), 0))
    assert dict(counted) == {key_of(bytes(16), 0, 0): 2 * LIMIT, key_of(bytes(16), 0, 1): 4}


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-011")
@given(st.lists(st.integers(0, 3 * LIMIT), max_size=12))
@example([LIMIT])
@example([LIMIT, 1])
@example([1, LIMIT])
@example([1, 2 * LIMIT, LIMIT, 1])
def test_layers_have_places_of_their_own_and_are_cut_only_if_they_must(layers: list[int]) -> None:
    """Against a count of single rows: no place twice, none under two keys, no more keys than layers need."""
    keys, used, free = HashKeys(bytes(16), 0, Permutation), Counter[int](), 0
    for rows in layers:
        first = keys.next_layer(rows)[1]
        assert first >= free
        found = [number for number, span in key_spans(first, rows) for _ in range(span.start, span.stop, LIMIT)]
        assert len(found) == -(-rows // LIMIT)
        assert first == free or (first % LIMIT == 0 and free // LIMIT != (free + rows - 1) // LIMIT)
        for number, span in key_spans(first, rows):
            used[number] += span.stop - span.start
        free = first + rows
    counts = [count for count in used.values() if count]
    assert max(counts, default=0) <= LIMIT
    assert keys.use == HashUse(len(counts), sum(counts), max(counts, default=0), sum(n * n for n in counts))


def test_the_limit_is_the_documented_one() -> None:
    assert KEY_ROWS == LIMIT
