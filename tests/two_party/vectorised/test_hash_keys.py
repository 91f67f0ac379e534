"""Both engines change the key of the hash at the same rows, also inside a stage, and inside one circuit."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.two_party.circuits.argmax import vote_circuit
from capc.two_party.circuits.builder import Builder, Circuit, Gate, Operation, Sharing
from capc.two_party.garbling import hash_keys
from capc.two_party.garbling.half_gates import LabelHash
from capc.two_party.garbling.output_sharing import project_by_evaluator, project_by_garbler
from capc.two_party.garbling.readable_vote_rounds import GarbledVote
from capc.two_party.hash_use import HashTally, HashUse
from capc.two_party.vectorised import VectorisedTwoParty
from capc.two_party.vectorised import vote_rounds as multi_round
from capc.two_party.vectorised.hashing import BatchHash, HashBuffers
from capc.two_party.vectorised.labels import WORD, to_label
from capc.two_party.vectorised.output_sharing import EvaluatorProjection
from capc.two_party.vectorised.vote_rounds import VectorisedVote
from capc.two_party.vote_rounds import VoteShape
from support import vote_rounds
from support.computations import ENGINES, Computation, Engine, check_same_bytes, compute, stream, uniform
from support.hashing import count_hashes, hash_of, key_of
from support.sizes import some
from support.vote_rounds import ENDS, FAST, Votes

LIMIT = 1 << 17
SMALL = 1 << 11
DELTA = int.from_bytes(bytes(range(1, 17)), "little") | 1


def one_and(sharing: Sharing) -> Circuit:
    """Two hashed rows for each instance, and a third for its output."""
    gates = (Gate(Operation.XOR, 0, 1), Gate(Operation.AND, 1, 2))
    return Circuit("and", 1, 1, 1, gates, (3,), sharing)


@lru_cache
def circuit_of(rows: int) -> Circuit:
    """One instance hashes so many rows: products, and ANDs of depth 2, whose right operands are hashed last."""
    builder = Builder(64, 1, 1)
    mine, theirs = builder.garbler_word(0), builder.evaluator_word(0)
    products = [builder.and_(a, b) for a in mine for b in theirs][: 4096 - rows % 2]
    count = len(products)
    pairs = [(i, (i + step) % count) for step in range(1, 20) for i in range(count)]
    ands = [builder.and_(products[i], products[j]) for i, j in pairs[: (rows - count) // 2]]
    circuit = builder.build(f"{rows} rows", ands)
    assert circuit.table_rows == rows
    return circuit


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-009", "CAPC-GC-011")
@pytest.mark.parametrize(
    "rows", some([LIMIT + 1, LIMIT - 1, LIMIT, LIMIT + 4096, LIMIT + 4098, LIMIT + 9000], ordinary=1)
)
def test_one_circuit_beside_the_boundary(rows: int) -> None:
    """The first two need one key. From the fifth on a single layer has more rows than a key hashes."""
    circuit = circuit_of(rows)
    check_same_bytes(Computation(circuit, *uniform(circuit, 1), 1, nonce=3, seed=5))


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-009", "CAPC-GC-011")
@pytest.mark.parametrize(
    ("circuit", "instances", "chunk"),
    [
        pytest.param(one_and(Sharing(1, 64)), SMALL // 3 + 1, SMALL, id="the outputs have the next key"),
        pytest.param(vote_circuit(10, 32, 16), 12, 7, id="a second chunk begins anew"),
    ],
)
def test_a_key_that_changes_between_layers(
    monkeypatch: pytest.MonkeyPatch, circuit: Circuit, instances: int, chunk: int
) -> None:
    """At a small limit: seven votes have more than two keys of 2^11 rows."""
    monkeypatch.setattr(hash_keys, "KEY_ROWS", SMALL)
    check_same_bytes(Computation(circuit, *uniform(circuit, instances), chunk, nonce=3, seed=5))


@pytest.mark.req("CAPC-GC-011")
@given(st.integers(0, 3), st.integers(-90, 90), st.integers(1, 40), st.integers(1, 2), st.booleans())
def test_views_are_under_the_keys_of_their_places(turn: int, offset: int, rows: int, operands: int, two: bool) -> None:
    """Wherever the key changes, between parts or inside one, with the hash by hand."""
    place = max(0, turn * LIMIT + offset)
    parts = [slice(0, rows), slice(rows + 2, 2 * rows + 2)] if two else [slice(2, rows + 2)]
    buffers = HashBuffers(2 * rows + 4, operands * len(parts) * rows)
    buffers.set_nonce(9)
    label_hash = BatchHash(bytes(16), 9)
    label_hash.next_number(buffers.numbers(2 * rows + 4))
    wanted = [row for _ in range(operands) for part in parts for row in range(part.start, part.stop)]
    source = stream(rows, "labels")
    labels = [source.bits(128) for _ in wanted]
    buffers.blocks.labels(0, len(labels))[:] = np.array([to_label(label) for label in labels])
    label_hash.digest(buffers.views(operands, parts, place))
    found = [low | high << 64 for low, high in buffers.blocks.labels(0, len(labels)).tolist()]
    expected = [
        hash_of(key_of(bytes(16), 0, (place + row) // LIMIT), label, row + (9 << 64))
        for row, label in zip(wanted, labels, strict=True)
    ]
    assert found == expected


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-005", "CAPC-GC-011")
def test_rows_of_a_message_in_rounds_change_their_key_too() -> None:
    """Of two matches of 2^16 + 1 queries: both engines make the same rows and shares of them."""
    shape = VoteShape(5, 5, 3, 8, LIMIT // 2 + 1)
    source = stream(1, "wires")
    labels = np.frombuffer(source.read(32 * shape.instances), WORD).reshape(-1, 2)
    wires = [[low | high << 64 for low, high in half.tolist()] for half in np.split(labels, 2)]
    weights = np.frombuffer(source.read(2 * shape.instances), np.uint8).reshape(-1, 2).astype(WORD)
    fast, readable = BatchHash(bytes(16), 4), LabelHash(bytes(16), 4)
    bits = np.frombuffer(source.read(len(labels)), np.uint8) & 1
    by_wire = [half.tolist() for half in np.split(bits, 2)]
    sent, kept = multi_round._project(shape, labels, bits, to_label(DELTA), fast, weights)
    negated = [[-int(weight) % 256 for weight in column] for column in weights.T]
    rows, own = project_by_garbler(Sharing(1, 8), wires, by_wire, DELTA, readable, negated)
    assert sent == b"".join(bytes(row) for row in rows)
    assert kept.tolist() == own
    assert fast.use == readable.use
    assert fast.use[:3] == (2, LIMIT + 2, LIMIT)
    hashes = HashBuffers(LIMIT + 2, LIMIT + 2)
    hashes.set_nonce(4)
    projection = EvaluatorProjection(Sharing(1, 8), 2, shape.instances, hashes, 0)
    taken = projection.project(labels, bits.astype(WORD), np.array(rows, WORD), BatchHash(bytes(16), 4))
    assert taken.tolist() == project_by_evaluator(Sharing(1, 8), wires, by_wire, rows, LabelHash(bytes(16), 4))


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-011")
@pytest.mark.parametrize("engine", ENGINES, ids=["readable", "fast"])
def test_no_key_of_a_batch_hashes_more_than_its_rows(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    """Counted in AES, both ends together: 2^17 rows, of which the garbler hashes both labels and the evaluator one."""
    counted = count_hashes(monkeypatch)
    circuit = circuit_of(LIMIT + 9000)
    job = Computation(circuit, *uniform(circuit, 1), 1, nonce=3, seed=5)
    compute(engine(1), engine(1), job)
    assert sorted(counted.values()) == [3 * 4096, 3 * 4904, 3 * LIMIT]


@pytest.mark.req("CAPC-GC-011")
def test_no_key_of_many_votes_hashes_more_than_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """300 votes of 10 classes in chunks as the protocol has them; the garbler's tally says what AES counted."""
    counted = count_hashes(monkeypatch)
    circuit, garbler, evaluator = vote_circuit(10, 37, 16), VectorisedTwoParty(), VectorisedTwoParty()
    compute(garbler, evaluator, Computation(circuit, *uniform(circuit, 300)))
    # The garbler hashes both labels of each row, the evaluator one of them.
    rows = [count // 3 for count in counted.values()]
    assert max(counted.values()) <= 3 * LIMIT
    assert garbler.hash_use == HashUse(len(rows), sum(rows), max(rows), sum(count**2 for count in rows))
    assert len(rows) > 3
    assert sum(rows) == 300 * (circuit.table_rows + len(circuit.outputs))
    assert evaluator.hash_use == HashTally().use


@pytest.mark.req("CAPC-GC-011")
@pytest.mark.parametrize("end", ENDS)
def test_the_tally_of_a_vote_in_rounds_is_what_was_hashed(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """Circuits, and the rows that the evaluator sends: one end hashes two labels of each row, the other one of them."""
    counted, tally = count_hashes(monkeypatch), HashTally()
    made = VectorisedVote if end == FAST else GarbledVote
    monkeypatch.setattr(vote_rounds, "engine", lambda _, chunk: made(chunk, tally))
    job = Votes.uniform(5, 6, 4, 3, 2)
    vote_rounds.play(end, end, job)
    circuits = [job.shape.circuit(number) for number in range(job.shape.rounds)]
    rows = 3 * sum(circuit.table_rows + len(circuit.outputs) for circuit in circuits) + job.shape.reverse_transfers
    assert tally.use.rows == rows == sum(counted.values()) // 3
    assert tally.use.keys == len(counted) == 2 * job.shape.rounds + job.shape.rounds - 1
    assert 3 * tally.use.most == max(counted.values())
