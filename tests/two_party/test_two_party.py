"""What every two-party scheme keeps, ideal or real, and what the messages of real ones hold."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.aes_ctr import to_labels
from capc.foundation.errors import ErrorCode, InputError, InvalidPayloadError, StateReuseError
from capc.two_party.circuits.argmax import vote_circuit
from capc.two_party.circuits.builder import Circuit, evaluate
from capc.two_party.circuits.release import release_circuit
from capc.two_party.circuits.relu import relu_circuit
from capc.two_party.garbling.payload import GarbledCircuits
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.ideal import IdealTwoParty
from capc.two_party.interface import Evaluation, TwoPartyScheme, answer_at_once, request_at_once, request_length
from capc.two_party.transfers import Transfers
from capc.two_party.vectorised import VectorisedTwoParty
from support.computations import (
    ENGINES,
    Computation,
    Engine,
    Played,
    computations,
    compute,
    fresh_keys,
    readable_keys,
    set_up,
    stream,
    uniform,
)
from support.refusals import refused

REAL = GarbledTwoParty()
SCHEMES = pytest.mark.parametrize(
    "scheme", [REAL, VectorisedTwoParty(), IdealTwoParty()], ids=["real", "fast", "ideal"]
)


def transfers(scheme: TwoPartyScheme, count: int, nonce: int) -> tuple[Transfers, Transfers]:
    """The evaluator's end and the garbler's."""
    garbler_key, evaluator_key = fresh_keys(scheme, scheme)
    (theirs,), rows = scheme.extend_evaluator(evaluator_key, nonce, [count])
    (mine,) = scheme.extend_garbler(garbler_key, nonce, [count], rows)
    return theirs, mine


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-001", "CAPC-GC-006", "CAPC-GC-007", "CAPC-ARG-006")
@given(computations())
def test_real_and_ideal_give_the_clear_outputs(job: Computation) -> None:
    for scheme in (GarbledTwoParty(job.chunk), IdealTwoParty()):
        for offline in (False, True):
            played = compute(scheme, scheme, job, offline=offline)
            assert played.opened == job.clear
            labels = played.output.labels
            assert (labels is None) == (job.circuit.sharing is not None)
            for instance, outputs in enumerate(job.clear if labels else []):
                for output, bit in enumerate(outputs):
                    returned = played.evaluation.labels[instance][output].to_bytes(16, "little")
                    assert labels.decode(instance, output, returned) == bit


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-001")
@settings(max_examples=20)
@given(computations().filter(lambda job: job.circuit.evaluator_words))
def test_one_message_makes_transfers_and_uses_them(job: Computation) -> None:
    for scheme in (REAL, IdealTwoParty()):
        garbler_key, evaluator_key = readable_keys()
        chosen, payload = request_at_once(scheme, evaluator_key, 5, job.circuit, job.theirs)
        assert len(payload) == request_length(scheme, job.circuit, len(job.mine))
        source = stream(job.seed, "")
        output, reply = answer_at_once(scheme, garbler_key, 5, job.circuit, job.mine, payload, source)
        assert Played(job, [payload, reply], chosen, scheme.evaluate(chosen, reply), output).opened == job.clear


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-003")
@given(computations(), st.integers(0, 255))
def test_hash_key_and_labels_are_fresh_and_do_not_change_the_outputs(job: Computation, other: int) -> None:
    one, two = (compute(REAL, REAL, job), compute(REAL, REAL, replace(job, seed=other)))
    assert one.opened == two.opened
    heads = [played.sent[2][:32] for played in (one, two)]
    assert (heads[0] == heads[1]) == (job.seed == other)
    assert heads == [stream(number, "garble").read(32) for number in (job.seed, other)]


@pytest.mark.req("CAPC-GC-003")
def test_instances_do_not_repeat_anything() -> None:
    """Equal inputs in five instances, in chunks of two: all table rows differ, because labels and tweaks do."""
    circuit, scheme = relu_circuit(6, 2), GarbledTwoParty(2)
    payload = compute(scheme, scheme, Computation(circuit, [[127]] * 5, [[0]] * 5)).sent[2]
    message = GarbledCircuits.from_bytes(payload[16:], circuit, 5, 2)
    rows = [row for chunk in message.chunks for stage in chunk.tables for half in stage for row in half]
    assert len(set(rows)) == len(rows) == 5 * circuit.table_rows == 5 * (2 * circuit.and_count - 1)


@pytest.mark.req("CAPC-GC-004")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("circuit", [release_circuit(2, 3), release_circuit(3, 5), relu_circuit(5, 1)], ids=str)
@pytest.mark.parametrize("number", [0, 1])
def test_garbler_keeps_delta_and_every_other_label(number: int, circuit: Circuit, engine: Engine) -> None:
    """No 16 bytes that are sent, no label of the evaluator, and no XOR of two of them is Delta."""
    delta, known = readable_keys()[0].delta, []
    for offline in (False, True):
        job = Computation(circuit, *uniform(circuit, 3, number), 4, nonce=9 + offline)
        played = compute(engine(4), engine(4), job, offline=offline)
        for payload in played.sent[2:]:
            known += to_labels(payload[: len(payload) // 16 * 16])
        known += [label for row in played.evaluation.labels for label in row]
        # What the evaluator holds of its inputs: the same for both engines, by the readable one.
        known += compute(REAL, REAL, job).chosen.secret
    assert len(known) > 100
    assert delta not in known
    assert all(a ^ b != delta for a, b in combinations(known, 2))


@pytest.mark.req("CAPC-GC-007", "CAPC-GC-004")
def test_labels_ahead_are_the_active_ones_of_a_secret_seed() -> None:
    """The label of a bit 1 is the label of a bit 0 XOR Delta, and the seed of the labels is not sent."""
    circuit = release_circuit(2, 3)
    zeros, ones = (compute(REAL, REAL, Computation(circuit, [[word, word]], [[0, 0]]), offline=True) for word in (0, 7))
    labels = to_labels(zeros.sent[3]), to_labels(ones.sent[3])
    assert [a ^ b for a, b in zip(*labels, strict=True)] == [readable_keys()[0].delta] * 6
    source = stream(0, "garble")
    seed, hash_key = source.read(16), source.read(16)
    assert zeros.sent[2][:16] == hash_key
    assert seed not in zeros.sent[2]


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-005")
@given(st.integers(0, 255), st.binary(max_size=20))
def test_only_the_two_labels_of_a_wire_decode(seed: int, returned: bytes) -> None:
    played = compute(REAL, REAL, Computation(release_circuit(3, 4), [[0, 1, 2]], [[3, 2, 1]], seed=seed))
    labels = played.output.labels
    zero, delta = labels.zero_labels[0][0], labels.delta
    assert labels.decode(0, 0, zero.to_bytes(16, "little")) == 0
    assert labels.decode(0, 0, (zero ^ delta).to_bytes(16, "little")) == 1
    active, other = (label.to_bytes(16, "little") for label in played.evaluation.labels[0])
    for forged in (returned, active[:15], active + b"\0", bytes([active[0] ^ 1]) + active[1:], other):
        with refused(ErrorCode.INVALID_OUTPUT_LABEL):
            labels.decode(0, 0, forged)


@pytest.mark.req("CAPC-ROLE-008", "CAPC-ROLE-009", "CAPC-GC-007", "CAPC-GC-008")
@SCHEMES
@pytest.mark.parametrize("offline", [False, True])
def test_everything_is_spent_by_a_good_message_only(scheme: TwoPartyScheme, offline: bool) -> None:
    """Length and padding of choice bits and the length of circuits are refused before; then nothing comes twice."""
    circuit, mine, theirs = relu_circuit(3, 1), [[3]], [[5]]
    ours, garblers = transfers(scheme, 4, 11)
    chosen, bits = scheme.choose(ours, circuit, theirs)
    with pytest.raises(StateReuseError, match="Transfers was used before"):
        scheme.choose(ours, circuit, theirs)
    bad = {bits + b"\0": ErrorCode.MALFORMED_LENGTH, bits[:-1] or b"\0\0": ErrorCode.MALFORMED_LENGTH}
    bad |= {bytes([byte | 0x80]): ErrorCode.NON_CANONICAL for byte in bits}
    for wrong, code in bad.items():
        with refused(code):
            scheme.garble_offline(garblers, circuit, 1, wrong, stream(0, ""))
        with refused(code):
            scheme.garble(garblers, circuit, mine, wrong, stream(0, ""))
    if offline:
        kept, payload = scheme.garble_offline(garblers, circuit, 1, bits, stream(0, ""))
        with pytest.raises(InputError, match="inputs for 2 of 1 instances"):
            scheme.activate(kept, mine * 2)
        labels = scheme.activate(kept, mine)
        with pytest.raises(StateReuseError, match="OfflineGarbling was used before"):
            scheme.activate(kept, mine)
    else:
        _, payload = scheme.garble(garblers, circuit, mine, bits, stream(0, ""))
    for again in (
        lambda: scheme.garble(garblers, circuit, mine, bits, stream(0, "")),
        lambda: scheme.garble_offline(garblers, circuit, 1, bits, stream(0, "")),
    ):
        with pytest.raises(StateReuseError, match="Transfers was used before"):
            again()

    def finish(sent: bytes) -> Evaluation:
        return scheme.evaluate_online(chosen, sent, labels) if offline else scheme.evaluate(chosen, sent)

    for wrong in (payload[:-1], payload + b"\0", b""):
        with pytest.raises(InvalidPayloadError):
            finish(wrong)
    finish(payload)
    with pytest.raises(StateReuseError, match="EvaluatorChoice was used before"):
        finish(payload)


def wrongs(payload: bytes, circuit: Circuit) -> dict[bytes, ErrorCode]:
    """The last byte has room: above a ring of 4 bits, or above one instance's decoding bit."""
    above = ErrorCode.VALUE_OUT_OF_RANGE if circuit.sharing else ErrorCode.NON_CANONICAL
    return {
        payload[:-1]: ErrorCode.MALFORMED_LENGTH,
        payload + b"\0": ErrorCode.MALFORMED_LENGTH,
        payload[:-1] + bytes([payload[-1] | 0x80]): above,
    }


PADDED = pytest.mark.parametrize("circuit", [relu_circuit(3, 1), release_circuit(2, 3)], ids=["shared", "opened"])


@pytest.mark.req("CAPC-WIRE-003", "CAPC-WIRE-004")
@PADDED
@pytest.mark.parametrize("engine", ENGINES)
def test_lengths_rings_and_padding_of_circuits_are_looked_at(engine: Engine, circuit: Circuit) -> None:
    scheme = engine(2)
    ours, garblers = transfers(scheme, circuit.evaluator_inputs, 1)
    chosen, bits = scheme.choose(ours, circuit, [[5] * circuit.evaluator_words])
    _, payload = scheme.garble(garblers, circuit, [[3] * circuit.garbler_words], bits, stream(0, ""))
    for wrong, code in wrongs(payload, circuit).items():
        with refused(code):
            scheme.evaluate(chosen, wrong)
    scheme.evaluate(chosen, payload)


@pytest.mark.req("CAPC-WIRE-003", "CAPC-WIRE-004")
@PADDED
@pytest.mark.parametrize("engine", ENGINES)
def test_circuits_garbled_ahead_are_looked_at_when_they_are_kept(engine: Engine, circuit: Circuit) -> None:
    """And again when labels come, whose length counts too."""
    scheme = engine(2)
    ours, garblers = transfers(scheme, circuit.evaluator_inputs, 1)
    chosen, bits = scheme.choose(ours, circuit, [[5] * circuit.evaluator_words])
    kept, payload = scheme.garble_offline(garblers, circuit, 1, bits, stream(0, ""))
    labels = scheme.activate(kept, [[3] * circuit.garbler_words])
    for wrong, code in wrongs(payload, circuit).items():
        with refused(code):
            scheme.check_offline(chosen, wrong)
        with refused(code):
            scheme.evaluate_online(chosen, wrong, labels)
    for short in (labels[:-1], labels + b"\0", b""):
        with refused(ErrorCode.MALFORMED_LENGTH):
            scheme.evaluate_online(chosen, payload, short)
    scheme.check_offline(chosen, payload)
    scheme.evaluate_online(chosen, payload, labels)


@pytest.mark.req("CAPC-REL-008")
@SCHEMES
def test_a_check_that_refuses_outputs_spends_nothing(scheme: TwoPartyScheme) -> None:
    circuit = release_circuit(3, 5)
    theirs, mine = transfers(scheme, circuit.evaluator_inputs, 2)
    chosen, bits = scheme.choose(theirs, circuit, [[1, 2, 3]])
    _, payload = scheme.garble(mine, circuit, [[0, 0, 0]], bits, stream(0, ""))

    def refuse(outputs: object) -> None:
        raise InvalidPayloadError(ErrorCode.VALUE_OUT_OF_RANGE, "refused")

    with refused(ErrorCode.VALUE_OUT_OF_RANGE):
        scheme.evaluate(chosen, payload, refuse)
    assert list(scheme.evaluate(chosen, payload).outputs[0]) == evaluate(circuit, [0, 0, 0], [1, 2, 3])


@pytest.mark.slow
@pytest.mark.req("CAPC-GC-008")
@SCHEMES
@given(st.integers(1, 30).filter(lambda count: count != 4))
@settings(max_examples=20)
def test_transfers_fit_their_circuits_exactly(scheme: TwoPartyScheme, count: int) -> None:
    circuit = relu_circuit(3, 1)
    theirs, mine = transfers(scheme, count, 1)
    with pytest.raises(InputError, match=f"{count} transfers for 1 instances"):
        scheme.choose(theirs, circuit, [[0]])
    with pytest.raises(InputError, match=f"{count} transfers for 1 instances"):
        scheme.garble(mine, circuit, [[0]], b"\0", stream(0, ""))


@pytest.mark.slow
@pytest.mark.req("CAPC-OT-007")
@given(st.lists(st.integers(0, 15), min_size=4, max_size=4))
def test_choice_bits_are_the_inputs_xor_the_random_bits(words: list[int]) -> None:
    """Chunk by chunk of three instances, bit by bit of the word, instance by instance."""
    scheme = GarbledTwoParty(3)
    ours, _ = transfers(scheme, 16, 3)
    random_bits, _ = ours.secret
    _, bits = scheme.choose(ours, relu_circuit(3, 1), [[word] for word in words])
    ordered = [word >> bit & 1 for chunk in (words[:3], words[3:]) for bit in range(4) for word in chunk]
    sent = int.from_bytes(bits, "little") ^ random_bits
    assert [sent >> i & 1 for i in range(16)] == ordered


@settings(max_examples=20)
@given(st.integers(0, 3), st.data())
def test_ideal_scheme_refuses_handles_that_it_did_not_give(count: int, data: st.DataObject) -> None:
    scheme, circuit = IdealTwoParty(), relu_circuit(3, 1)
    for number in range(count):
        scheme.garble(Transfers(number, 4, None), circuit, [[0]], b"", stream(0, ""))
    handle = data.draw(st.integers(count, 2**64 - 1))
    chosen, _ = scheme.choose(Transfers(9, 4, None), circuit, [[0]])
    with refused(ErrorCode.VALUE_OUT_OF_RANGE):
        scheme.evaluate(chosen, handle.to_bytes(8, "little"))


def test_ideal_set_up_is_empty() -> None:
    assert set_up(IdealTwoParty(), IdealTwoParty()) == (None, None, b"")


@pytest.mark.req("CAPC-ARG-005", "CAPC-GC-006")
def test_ideal_shares_of_the_garbler_are_the_next_of_its_stream() -> None:
    scheme, circuit = IdealTwoParty(), vote_circuit(3, 6, 5)
    output, _ = scheme.garble(Transfers(0, 42, None), circuit, [[1, 2, 3]] * 2, b"", stream(0, "x"))
    source = stream(0, "x")
    assert [list(row) for row in output.shares] == [[source.bits(5) for _ in range(3)] for _ in range(2)]


@pytest.mark.req("CAPC-ROLE-013")
def test_states_show_nothing() -> None:
    circuit = release_circuit(2, 4)
    ours, garblers = transfers(REAL, circuit.evaluator_inputs, 12)
    chosen, bits = REAL.choose(ours, circuit, [[1, 2]])
    offline, _ = REAL.garble_offline(garblers, circuit, 1, bits, stream(0, ""))
    played = compute(REAL, REAL, Computation(circuit, [[0, 1]], [[1, 2]]))
    shown = [repr(entry) for entry in (ours, chosen, offline, played.evaluation, played.output, played.output.labels)]
    assert shown == [
        "<Transfers>",
        "<EvaluatorChoice>",
        "<OfflineGarbling>",
        "<Evaluation>",
        "<GarblerOutput>",
        "<OutputLabels>",
    ]
