"""What is used once, what is refused, and what never leaves its owner."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import ErrorCode, InputError, InvalidPayloadError, StateReuseError
from capc.foundation.primitives import BufferPermutation
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.release import release_circuit
from capc.two_party.circuits.relu import relu_circuit
from capc.two_party.garbling.hash_keys import MAX_HASHES
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.interface import EvaluatorChoice
from capc.two_party.transfers import Transfers
from capc.two_party.vectorised import VectorisedTwoParty
from capc.two_party.vectorised.batches import reader_of
from capc.two_party.vectorised.hashing import BatchHash, HashBuffers
from support.computations import fresh_keys, stream

SHARED = relu_circuit(5, 1)
OPENED = release_circuit(3, 5)
BOTH = pytest.mark.parametrize("circuit", [SHARED, OPENED], ids=["shared", "opened"])


def begin(scheme: GarbledTwoParty, circuit: Circuit, instances: int = 3) -> tuple[Transfers, EvaluatorChoice, bytes]:
    """The garbler's transfers, and the evaluator's choice and its bits."""
    garbler_key, evaluator_key = fresh_keys(scheme, scheme)
    counts = [instances * circuit.evaluator_inputs]
    (theirs,), rows = scheme.extend_evaluator(evaluator_key, 0, counts)
    (mine,) = scheme.extend_garbler(garbler_key, 0, counts, rows)
    return mine, *scheme.choose(theirs, circuit, [[1] * circuit.evaluator_words] * instances)


def inputs(circuit: Circuit, instances: int = 3) -> list[list[int]]:
    return [[2] * circuit.garbler_words] * instances


@pytest.mark.slow
@pytest.mark.req("CAPC-WIRE-003", "CAPC-WIRE-007")
@BOTH
@given(st.data())
def test_a_malformed_payload_has_the_code_of_the_readable_engine(circuit: Circuit, data: st.DataObject) -> None:
    """Whatever byte is changed or missing, in circuits and in choice bits; and nothing is spent by it."""
    scalar, fast = GarbledTwoParty(2), VectorisedTwoParty(2)
    ends = [(scheme, *begin(scheme, circuit)) for scheme in (scalar, fast)]
    sent = [scheme.garble(mine, circuit, inputs(circuit), bits, stream(1, ""))[1] for scheme, mine, _, bits in ends]
    payload = sent[0]
    assert sent[1] == payload
    place, value = data.draw(st.integers(len(payload) - 80, len(payload) - 1)), data.draw(st.integers(0, 255))
    bad = data.draw(
        st.sampled_from([payload[:place] + bytes([value]) + payload[place + 1 :], payload[:-1], payload + b"\0", b""])
    )
    results = []
    for scheme, _, chosen, _ in ends:
        try:
            evaluation = scheme.evaluate(chosen, bad)
            results.append([[list(row) for row in part] for part in (evaluation.outputs, evaluation.labels)])
        except InvalidPayloadError as error:
            results.append(error.code)
            scheme.evaluate(chosen, payload)
    assert results[0] == results[1]


@pytest.mark.parametrize("transfers_count", [1, 7, 9, 130])
def test_a_malformed_extension_has_the_code_of_the_readable_engine(transfers_count: int) -> None:
    """Whether the garbler expected it or not. A wrong length costs nothing; a wrong check ends the key."""
    codes = []
    for scheme, expects in ((GarbledTwoParty(), True), (VectorisedTwoParty(), False), (VectorisedTwoParty(), True)):
        garbler_key, evaluator_key = fresh_keys(scheme, scheme)
        if expects:
            scheme.expect_transfers(garbler_key, 0, [transfers_count])
        _, payload = scheme.extend_evaluator(evaluator_key, 0, [transfers_count])
        for bad in (payload[:-1], payload + b"\0", b""):
            with pytest.raises(InvalidPayloadError) as caught:
                scheme.extend_garbler(garbler_key, 0, [transfers_count], bad)
            codes.append(caught.value.code)
        scheme.extend_garbler(garbler_key, 0, [transfers_count], payload)
        _, payload = scheme.extend_evaluator(evaluator_key, 1, [transfers_count])
        if expects:
            scheme.expect_transfers(garbler_key, 1, [transfers_count])
        with pytest.raises(InvalidPayloadError) as caught:
            scheme.extend_garbler(garbler_key, 1, [transfers_count], payload[:-1] + bytes([payload[-1] ^ 1]))
        codes.append(caught.value.code)
        with pytest.raises(StateReuseError, match="begin a new one"):
            scheme.extend_garbler(garbler_key, 1, [transfers_count], payload)
        assert scheme.destruction(garbler_key).spent
    assert codes[:4] == codes[4:8] == codes[8:]
    assert codes[3] is ErrorCode.INCONSISTENT_TRANSFERS


@pytest.mark.req("CAPC-OT-003")
def test_no_position_comes_twice_under_one_key() -> None:
    scheme = VectorisedTwoParty()
    garbler_key, evaluator_key = fresh_keys(scheme, scheme)
    _, payload = scheme.extend_evaluator(evaluator_key, 4, [5, 5])
    scheme.extend_garbler(garbler_key, 4, [5, 5], payload)
    for nonce in (4, 5):
        with pytest.raises(InputError, match=f"nonce {nonce} comes again: use every nonce once"):
            scheme.extend_evaluator(evaluator_key, nonce, [10])
        with pytest.raises(InputError, match="comes again"):
            scheme.extend_garbler(garbler_key, nonce, [10], payload)
        with pytest.raises(InputError, match="comes again"):
            scheme.expect_transfers(garbler_key, nonce, [10])
    stash, payload = scheme.stash_evaluator(evaluator_key, 6, 8, 3)
    assert stash.left == 8
    with pytest.raises(InputError, match="nonce 8 comes again"):
        scheme.extend_evaluator(evaluator_key, 8, [8])


@pytest.mark.req("CAPC-GC-003")
def test_no_tweak_comes_twice() -> None:
    """The blocks that enter the permutation the second time differ by the tweak: rows, numbers and nonces differ."""
    seen = set()
    for nonce in (0, 1, (1 << 64) - 1):
        label_hash = BatchHash(bytes(16), nonce)
        buffers = HashBuffers(6, 12)
        buffers.set_nonce(nonce)
        for _ in range(3):
            label_hash.next_number(buffers.numbers(6))
            for rows in ([slice(0, 1), slice(3, 4)], [slice(1, 3), slice(4, 6)]):
                (views,) = buffers.views(2, rows, 0)
                for tweak in views.tweaks.reshape(-1, 2).tolist():
                    seen.add(tweak[0] | tweak[1] << 64)
    assert seen == {r + (n << 40) + (p << 64) for r in range(6) for n in range(3) for p in (0, 1, (1 << 64) - 1)}


def test_numbers_of_a_batch_end() -> None:
    label_hash = BatchHash(bytes(16), 0)
    numbers = HashBuffers(1, 1).numbers(1)
    label_hash._number = MAX_HASHES - 1
    label_hash.next_number(numbers)
    assert int(numbers[0]) >> 8 == MAX_HASHES - 1
    with pytest.raises(InputError, match="several batches"):
        label_hash.next_number(numbers)


def test_nothing_of_a_connection_is_copied_or_stored() -> None:
    scheme = VectorisedTwoParty()
    garbler_key, evaluator_key = fresh_keys(scheme, scheme)
    stash, payload = scheme.stash_evaluator(evaluator_key, 0, 40, 4)
    kept = scheme.stash_garbler(garbler_key, 0, 40, 4, payload)
    theirs, mine = stash.take(5), kept.take(5)
    chosen, bits = scheme.choose(stash.take(6), SHARED, [[1]])
    offline, _ = scheme.garble_offline(kept.take(6), SHARED, 1, bits, stream(0, ""))
    for secret in (garbler_key, evaluator_key, stash, kept, theirs, mine, chosen, offline):
        for store in (copy.deepcopy, pickle.dumps):
            with pytest.raises(InputError, match="a new connection makes a new set-up"):
                store(secret)
        assert repr(secret) == f"<{type(secret).__name__}>"
    for secret in (garbler_key, evaluator_key, stash, kept):
        with pytest.raises(InputError):
            copy.copy(secret)
    with pytest.raises(TypeError):
        pickle.dumps(BufferPermutation(bytes(16)))


def test_batches_take_from_a_stash_in_turn() -> None:
    """Of different sizes; every transfer goes to one batch, every batch has a nonce of its own."""
    scheme = VectorisedTwoParty(2)
    garbler_key, evaluator_key = fresh_keys(scheme, scheme)
    per_instance = SHARED.evaluator_inputs
    stash, payload = scheme.stash_evaluator(evaluator_key, 9, 6 * per_instance, 3)
    kept = scheme.stash_garbler(garbler_key, 9, 6 * per_instance, 3, payload)
    labels = []
    for number, instances in enumerate((1, 3, 2)):
        mine, theirs = kept.take(instances * per_instance), stash.take(instances * per_instance)
        assert mine.nonce == theirs.nonce == 9 + number
        labels += theirs.secret.labels.tolist()
        chosen, bits = scheme.choose(theirs, SHARED, [[15]] * instances)
        assert len(bits) == scheme.bits_length(SHARED, instances)
        output, circuits = scheme.garble(mine, SHARED, [[1]] * instances, bits, stream(number, ""))
        evaluation = scheme.evaluate(chosen, circuits)
        assert [(a + b) % 32 for (a,), (b,) in zip(evaluation.outputs, output.shares, strict=True)] == [4] * instances
    assert len({tuple(label) for label in labels}) == 6 * per_instance


@pytest.mark.parametrize(("count", "batches", "wanted"), [(9, 2, [10]), (10, 2, [5, 6]), (10, 1, [5, 1])])
def test_a_stash_that_is_short_gives_nothing(count: int, batches: int, wanted: list[int]) -> None:
    scheme = VectorisedTwoParty()
    stash, _ = scheme.stash_evaluator(fresh_keys(scheme, scheme)[1], 0, count, batches)
    for take in wanted[:-1]:
        stash.take(take)
    left = stash.left
    with pytest.raises(InputError, match="make a new one in time"):
        stash.take(wanted[-1])
    assert stash.left == left


@BOTH
def test_streams_give_the_bytes_of_whole_payloads(circuit: Circuit) -> None:
    """Piece by piece, read in other portions; two streams of one circuit at once do not disturb each other."""
    scheme = VectorisedTwoParty(2)
    ends = [begin(scheme, circuit, 5) for _ in range(3)]
    output, payload = scheme.garble(ends[0][0], circuit, inputs(circuit, 5), ends[0][2], stream(1, ""))
    streams = [scheme.garble_stream(end[0], circuit, inputs(circuit, 5), end[2], stream(1, "")) for end in ends[1:]]
    with pytest.raises(InputError, match="read the stream to its end first"):
        _ = streams[0].output
    pieces = [(bytes(a), bytes(b)) for a, b in zip(*streams, strict=True)]
    assert [b"".join(column) for column in zip(*pieces, strict=True)] == [payload, payload]
    assert streams[0].output.shares == streams[1].output.shares == output.shares
    assert repr(streams[0]) == "<GarbledStream>"
    whole = scheme.evaluate(ends[0][1], payload)
    read = scheme.evaluate_stream(ends[1][1], reader_of(payload))
    assert (whole.outputs, whole.labels) == (read.outputs, read.labels)
    for chosen in (ends[0][1], ends[1][1]):
        with pytest.raises(StateReuseError):
            scheme.evaluate_stream(chosen, reader_of(payload))


def test_a_stream_that_is_dropped_has_spent_its_transfers() -> None:
    scheme = VectorisedTwoParty(2)
    mine, _, bits = begin(scheme, SHARED)
    next(iter(scheme.garble_stream(mine, SHARED, inputs(SHARED), bits, stream(1, ""))))
    with pytest.raises(StateReuseError):
        scheme.garble(mine, SHARED, inputs(SHARED), bits, stream(1, ""))


def test_a_program_is_lent_to_one_user_at_a_time() -> None:
    scheme = VectorisedTwoParty(2)
    pool = scheme._garblers
    with pool.lend(SHARED, 2) as first, pool.lend(SHARED, 2) as second:
        assert first is not second
    with pool.lend(SHARED, 2) as third:
        assert third in (first, second)
    with pool.lend(SHARED, 3) as other:
        assert other.lanes == 3


def test_circuits_of_a_network_are_bound_once() -> None:
    """Eight programs are kept: a batch under LeNet-5 binds those, and the next one none."""
    pool = VectorisedTwoParty(2)._garblers
    bound = []
    for _ in range(2):
        for lanes in range(1, 9):
            with pool.lend(SHARED, lanes) as program:
                bound.append(program)
    assert bound[:8] == bound[8:]
