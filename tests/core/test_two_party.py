"""The real two-party computation against its ideal functionality, and what its messages hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.circuits.builder import Circuit, evaluate
from capc.circuits.release import release_circuit
from capc.circuits.relu import relu_circuit
from capc.circuits.vote import vote_circuit
from capc.errors import ErrorCode, InputError, InvalidPayloadError, StateReuseError
from capc.expansion import to_labels
from capc.garbled_circuits import GarbledCircuits
from capc.garbled_two_party import GarbledTwoParty
from capc.ideal_two_party import IdealTwoParty
from capc.ot_extension import GarblerKey
from capc.randomness import Seed, XofSource
from capc.two_party import (
    Chosen,
    Evaluation,
    GarblerOutput,
    Transfers,
    TwoPartyScheme,
    answer_at_once,
    request_at_once,
    request_length,
)
from support.builders import circuits, seeds

REAL = GarbledTwoParty()
ZERO = Seed(bytes(32))


@lru_cache
def keys() -> tuple[object, object]:
    """Garbler's and evaluator's keys, after one set-up."""
    state, offer = REAL.evaluator_offer(XofSource(ZERO, b"offer"))
    waiting, choice = REAL.garbler_choose(offer, b"context", XofSource(ZERO, b"choice"))
    key, trees = REAL.evaluator_finish(state, choice, b"context", XofSource(ZERO, b"trees"))
    lengths = (REAL.offer_length(), REAL.choice_length(), REAL.trees_length())
    assert (len(offer), len(choice), len(trees)) == lengths == (32, 4096, 4096)
    return REAL.garbler_finish(waiting, trees), key


Words = list[list[int]]


@dataclass(frozen=True)
class Played:
    """One batch, with everything that was sent."""

    evaluation: Evaluation
    output: GarblerOutput
    bits: bytes
    payload: bytes
    chosen: Chosen

    def opened(self, circuit: Circuit) -> list[list[int]]:
        """The outputs: shares added up, or bits."""
        if circuit.sharing is None:
            return [list(bits) for bits in self.evaluation.outputs]
        pairs = zip(self.evaluation.outputs, self.output.shares, strict=True)
        return [[(a + b) % 2**circuit.sharing.width for a, b in zip(*pair, strict=True)] for pair in pairs]


def transfers(scheme: TwoPartyScheme, circuit: Circuit, count: int, position: int) -> tuple[Transfers, Transfers]:
    counts = [count * circuit.evaluator_inputs]
    (theirs,), extension = scheme.extend_evaluator(keys()[1], position, counts)
    assert len(extension) == scheme.extension_length(counts[0])
    (mine,) = scheme.extend_garbler(keys()[0], position, counts, extension)
    return theirs, mine


def play(
    scheme: TwoPartyScheme, circuit: Circuit, mine: Words, theirs: Words, seed: Seed = ZERO, position: int = 9
) -> Played:
    ours, garblers = transfers(scheme, circuit, len(mine), position)
    chosen, bits = scheme.choose(ours, circuit, theirs)
    assert len(bits) == scheme.bits_length(circuit, len(mine))
    output, payload = scheme.garble(garblers, circuit, mine, bits, XofSource(seed, b"garble"))
    assert len(payload) == scheme.circuits_length(circuit, len(mine))
    return Played(scheme.evaluate(chosen, payload), output, bits, payload, chosen)


def play_ahead(
    scheme: TwoPartyScheme, circuit: Circuit, mine: Words, theirs: Words, seed: Seed = ZERO, position: int = 9
) -> tuple[Played, bytes]:
    ours, garblers = transfers(scheme, circuit, len(mine), position)
    chosen, bits = scheme.choose(ours, circuit, theirs)
    ahead, payload = scheme.garble_ahead(garblers, circuit, len(mine), bits, XofSource(seed, b"garble"))
    assert len(payload) == scheme.ahead_length(circuit, len(mine))
    labels = scheme.activate(ahead, mine)
    assert len(labels) == scheme.labels_length(circuit, len(mine))
    with pytest.raises(StateReuseError, match="Ahead was used before"):
        scheme.activate(ahead, mine)
    evaluation = scheme.evaluate_ahead(chosen, payload, labels)
    return Played(evaluation, ahead.output, bits, payload, chosen), labels


def clear(circuit: Circuit, mine: Words, theirs: Words) -> list[list[int]]:
    bits = [evaluate(circuit, a, b) for a, b in zip(mine, theirs, strict=True)]
    return bits if circuit.sharing is None else [circuit.output_words(each) for each in bits]


@st.composite
def computations(draw: st.DrawFn) -> tuple[Circuit, Words, Words]:
    circuit = draw(circuits(shared=draw(st.booleans())))
    word = st.integers(0, (1 << circuit.input_bits) - 1)
    instances = draw(st.integers(1, 5))
    sides = [
        draw(st.lists(st.lists(word, min_size=n, max_size=n), min_size=instances, max_size=instances))
        for n in (circuit.garbler_words, circuit.evaluator_words)
    ]
    return circuit, sides[0], sides[1]


Computation = tuple[Circuit, Words, Words]


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-001", "CAPC-GC-006", "CAPC-GC-007", "CAPC-ARG-006")
@given(computations(), seeds(), st.integers(0, (1 << 64) - 1), st.integers(1, 4))
def test_real_and_ideal_give_the_clear_outputs(computation: Computation, seed: Seed, position: int, chunk: int) -> None:
    circuit, mine, theirs = computation
    expected = clear(circuit, mine, theirs)
    for scheme in (GarbledTwoParty(chunk), IdealTwoParty()):
        played = play(scheme, circuit, mine, theirs, seed, position)
        ahead, _ = play_ahead(scheme, circuit, mine, theirs, seed, position)
        assert played.opened(circuit) == ahead.opened(circuit) == expected
        if circuit.sharing is not None:
            continue
        labels = played.output.labels
        assert labels is not None
        for instance, outputs in enumerate(expected):
            for output, bit in enumerate(outputs):
                returned = played.evaluation.labels[instance][output].to_bytes(16, "little")
                assert labels.decode(instance, output, returned) == bit


@pytest.mark.req("CAPC-GC-001")
@settings(max_examples=20)
@given(computations(), seeds())
def test_one_message_makes_transfers_and_uses_them(computation: Computation, seed: Seed) -> None:
    circuit, mine, theirs = computation
    for scheme in (REAL, IdealTwoParty()):
        chosen, payload = request_at_once(scheme, keys()[1], 5, circuit, theirs)
        assert len(payload) == request_length(scheme, circuit, len(mine))
        output, reply = answer_at_once(scheme, keys()[0], 5, circuit, mine, payload, XofSource(seed, b""))
        played = Played(scheme.evaluate(chosen, reply), output, payload, reply, chosen)
        assert played.opened(circuit) == clear(circuit, mine, theirs)


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-003")
@given(computations(), seeds(), seeds())
def test_hash_key_and_labels_are_fresh_and_do_not_change_the_outputs(
    computation: Computation, first: Seed, second: Seed
) -> None:
    circuit, mine, theirs = computation
    one, two = (play(REAL, circuit, mine, theirs, seed) for seed in (first, second))
    assert one.opened(circuit) == two.opened(circuit)
    assert (one.payload[:32] == two.payload[:32]) == (first == second)
    assert one.payload[:32] == XofSource(first, b"garble").read(32)


@pytest.mark.req("CAPC-GC-003")
def test_instances_do_not_repeat_anything() -> None:
    """Equal inputs in five instances, in chunks of two: all table rows differ, because labels and tweaks do."""
    circuit, scheme = relu_circuit(6, 2), GarbledTwoParty(2)
    played = play(scheme, circuit, [[63]] * 5, [[0]] * 5)
    message = GarbledCircuits.from_bytes(played.payload[16:], circuit, 5, 2)
    rows = [row for chunk in message.chunks for stage in chunk.tables for half in stage for row in half]
    assert len(set(rows)) == len(rows) == 5 * circuit.table_rows == 5 * (2 * circuit.and_count - 1)


@pytest.mark.req("CAPC-GC-004")
@pytest.mark.parametrize("word", [0, 7])
def test_garbler_keeps_delta_and_every_other_label(word: int) -> None:
    """No word that is sent, no label of the evaluator, and no XOR of two of them is Delta."""
    garbler_key, _ = keys()
    assert isinstance(garbler_key, GarblerKey)
    circuit = release_circuit(2, 3)
    mine, theirs = [[word, 2]], [[1, 2]]
    played = play(REAL, circuit, mine, theirs)
    ahead, labels = play_ahead(REAL, circuit, mine, theirs, position=10)
    known = [
        *to_labels(played.payload[: 32 + 16 * circuit.table_rows]),
        *to_labels(ahead.payload[: 16 + 16 * circuit.table_rows]),
        *to_labels(labels),
        *played.evaluation.labels[0],
        *ahead.evaluation.labels[0],
        *played.chosen.secret,  # type: ignore[misc]
        *ahead.chosen.secret,  # type: ignore[misc]
    ]
    assert len(known) > 40
    assert garbler_key.delta not in known
    assert all(a ^ b != garbler_key.delta for a, b in combinations(known, 2))


@pytest.mark.req("CAPC-GC-007", "CAPC-GC-004")
def test_labels_ahead_are_the_active_ones_of_a_secret_seed() -> None:
    """The label of a bit 1 is the label of a bit 0 XOR Delta, and the seed of the labels is not sent."""
    garbler_key, _ = keys()
    assert isinstance(garbler_key, GarblerKey)
    circuit = release_circuit(2, 3)
    zeros, ones = (to_labels(play_ahead(REAL, circuit, [[word, word]], [[0, 0]])[1]) for word in (0, 7))
    assert [a ^ b for a, b in zip(zeros, ones, strict=True)] == [garbler_key.delta] * 6
    played, _ = play_ahead(REAL, circuit, [[0, 0]], [[0, 0]])
    source = XofSource(ZERO, b"garble")
    seed, hash_key = source.read(16), source.read(16)
    assert played.payload[:16] == hash_key
    assert seed not in played.payload


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-005")
@given(seeds(), st.binary(max_size=20))
def test_only_the_two_labels_of_a_wire_decode(seed: Seed, returned: bytes) -> None:
    circuit = release_circuit(3, 4)
    played = play(REAL, circuit, [[0, 1, 2]], [[3, 2, 1]], seed)
    labels = played.output.labels
    assert labels is not None
    zero, delta = labels.zero_labels[0][0], labels.delta
    assert labels.decode(0, 0, zero.to_bytes(16, "little")) == 0
    assert labels.decode(0, 0, (zero ^ delta).to_bytes(16, "little")) == 1
    active = played.evaluation.labels[0][0].to_bytes(16, "little")
    bad = [returned, active[:15], active + b"\0", bytes([active[0] ^ 1]) + active[1:]]
    bad.append(played.evaluation.labels[0][1].to_bytes(16, "little"))
    for forged in bad:
        with pytest.raises(InvalidPayloadError) as caught:
            labels.decode(0, 0, forged)
        assert caught.value.code is ErrorCode.INVALID_OUTPUT_LABEL


@pytest.mark.req("CAPC-ROLE-008", "CAPC-ROLE-009", "CAPC-GC-008")
@pytest.mark.parametrize("scheme", [REAL, IdealTwoParty()], ids=["real", "ideal"])
@pytest.mark.parametrize("ahead", [False, True])
def test_everything_is_spent_by_a_good_message_only(scheme: TwoPartyScheme, ahead: bool) -> None:
    circuit, mine, theirs = relu_circuit(4, 1), [[3]], [[5]]
    ours, garblers = transfers(scheme, circuit, 1, 11)
    chosen, bits = scheme.choose(ours, circuit, theirs)
    with pytest.raises(StateReuseError, match="Transfers was used before"):
        scheme.choose(ours, circuit, theirs)
    source = XofSource(ZERO, b"")
    for bad in (bits + b"\0", bits[:-1] if bits else b"\0"):
        with pytest.raises(InvalidPayloadError):
            scheme.garble_ahead(garblers, circuit, 1, bad, source)
        with pytest.raises(InvalidPayloadError):
            scheme.garble(garblers, circuit, mine, bad, source)
    labels = b""
    if ahead:
        kept, payload = scheme.garble_ahead(garblers, circuit, 1, bits, source)
        labels = scheme.activate(kept, mine)
    else:
        _, payload = scheme.garble(garblers, circuit, mine, bits, source)
    with pytest.raises(StateReuseError, match="Transfers was used before"):
        scheme.garble(garblers, circuit, mine, bits, source)

    def finish(sent: bytes) -> Evaluation:
        return scheme.evaluate_ahead(chosen, sent, labels) if ahead else scheme.evaluate(chosen, sent)

    for bad in (payload[:-1], payload + b"\0", b""):
        with pytest.raises(InvalidPayloadError):
            finish(bad)
    finish(payload)
    with pytest.raises(StateReuseError, match="Chosen was used before"):
        finish(payload)


@pytest.mark.req("CAPC-GC-008")
@pytest.mark.parametrize("scheme", [REAL, IdealTwoParty()], ids=["real", "ideal"])
@given(st.integers(1, 30))
@settings(max_examples=20)
def test_transfers_fit_their_circuits_exactly(scheme: TwoPartyScheme, count: int) -> None:
    circuit = relu_circuit(4, 1)
    (theirs,), extension = scheme.extend_evaluator(keys()[1], 1, [count])
    (mine,) = scheme.extend_garbler(keys()[0], 1, [count], extension)
    if count == 4:
        return
    with pytest.raises(InputError, match=f"{count} transfers for 1 instances"):
        scheme.choose(theirs, circuit, [[0]])
    with pytest.raises(InputError, match=f"{count} transfers for 1 instances"):
        scheme.garble(mine, circuit, [[0]], b"\0", XofSource(ZERO, b""))


@pytest.mark.slow
@pytest.mark.req("CAPC-OT-007")
@given(st.lists(st.integers(0, 15), min_size=4, max_size=4))
def test_choice_bits_are_the_inputs_xor_the_random_bits(words: list[int]) -> None:
    """Chunk by chunk of three instances, bit by bit of the word, instance by instance."""
    circuit, scheme = relu_circuit(4, 1), GarbledTwoParty(3)
    (ours,), _ = scheme.extend_evaluator(keys()[1], 3, [16])
    random_bits, _ = ours.secret  # type: ignore[misc]
    _, bits = scheme.choose(replace(ours), circuit, [[word] for word in words])
    ordered = [word >> bit & 1 for chunk in (words[:3], words[3:]) for bit in range(4) for word in chunk]
    sent = int.from_bytes(bits, "little") ^ random_bits
    assert [sent >> i & 1 for i in range(16)] == ordered


@settings(max_examples=20)
@given(st.integers(0, 3), st.data())
def test_ideal_scheme_refuses_handles_that_it_did_not_give(count: int, data: st.DataObject) -> None:
    scheme, circuit = IdealTwoParty(), relu_circuit(4, 1)
    for number in range(count):
        scheme.garble(Transfers(number, 4, None), circuit, [[0]], b"", XofSource(ZERO, b""))
    handle = data.draw(st.integers(count, 2**64 - 1))
    chosen, _ = scheme.choose(Transfers(9, 4, None), circuit, [[0]])
    with pytest.raises(InvalidPayloadError) as caught:
        scheme.evaluate(chosen, handle.to_bytes(8, "little"))
    assert caught.value.code is ErrorCode.VALUE_OUT_OF_RANGE


def test_ideal_set_up_is_empty() -> None:
    scheme, source = IdealTwoParty(), XofSource(ZERO, b"")
    state, offer = scheme.evaluator_offer(source)
    waiting, choice = scheme.garbler_choose(offer, b"", source)
    key, trees = scheme.evaluator_finish(state, choice, b"", source)
    assert (key, offer, choice, trees, scheme.garbler_finish(waiting, trees)) == (None, b"", b"", b"", None)
    assert (scheme.offer_length(), scheme.choice_length(), scheme.trees_length()) == (0, 0, 0)


@pytest.mark.req("CAPC-ARG-005", "CAPC-GC-006")
def test_ideal_shares_of_the_garbler_are_the_next_of_its_stream() -> None:
    scheme, circuit = IdealTwoParty(), vote_circuit(3, 6, 5)
    output, _ = scheme.garble(Transfers(0, 36, None), circuit, [[1, 2, 3]] * 2, b"", XofSource(ZERO, b"x"))
    source = XofSource(ZERO, b"x")
    assert [list(row) for row in output.shares] == [[source.bits(5) for _ in range(3)] for _ in range(2)]


@pytest.mark.req("CAPC-ROLE-013")
def test_states_show_nothing() -> None:
    circuit = release_circuit(2, 4)
    ours, garblers = transfers(REAL, circuit, 1, 12)
    chosen, bits = REAL.choose(ours, circuit, [[1, 2]])
    ahead, _ = REAL.garble_ahead(garblers, circuit, 1, bits, XofSource(ZERO, b""))
    played = play(REAL, circuit, [[0, 1]], [[1, 2]])
    shown = [repr(entry) for entry in (ours, chosen, ahead, played.evaluation, played.output, played.output.labels)]
    assert shown == ["<Transfers>", "<Chosen>", "<Ahead>", "<Evaluation>", "<GarblerOutput>", "<OutputLabels>"]
