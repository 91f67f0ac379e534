"""The real two-party computation against its ideal functionality, and what its messages hold."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.circuits.builder import Circuit, evaluate
from capc.circuits.relu import relu_circuit
from capc.circuits.vote import vote_circuit
from capc.errors import ErrorCode, InvalidPayloadError, StateReuseError
from capc.messages import GarbledCircuits
from capc.oblivious_transfer import GarblerKey
from capc.randomness import Seed, XofSource
from capc.two_party import Evaluation, GarbledTwoParty, IdealTwoParty, OutputLabels, TwoPartyScheme
from support.builders import circuits, seeds

REAL = GarbledTwoParty()


@lru_cache
def keys() -> tuple[object, object]:
    """Garbler's and evaluator's keys, after one set-up."""
    state, offer = REAL.evaluator_offer(XofSource(Seed(bytes(32)), b"offer"))
    garbler_key, choice = REAL.garbler_choose(offer, b"context", XofSource(Seed(bytes(32)), b"choice"))
    assert (len(offer), len(choice)) == (REAL.offer_length(), REAL.choice_length()) == (32, 4096)
    return garbler_key, REAL.evaluator_finish(state, choice, b"context")


Inputs = list[list[int]]


def compute(
    scheme: TwoPartyScheme, circuit: Circuit, mine: Inputs, theirs: Inputs, seed: Seed, context: bytes = b"query"
) -> tuple[Evaluation, OutputLabels, bytes]:
    garbler_key, evaluator_key = keys()
    chosen, columns = scheme.choose(evaluator_key, context, circuit, theirs)
    assert len(columns) == scheme.columns_length(circuit, len(theirs))
    labels, payload = scheme.garble(garbler_key, context, circuit, mine, columns, XofSource(seed, b"garble"))
    assert len(payload) == scheme.circuits_length(circuit, len(theirs))
    return scheme.evaluate(chosen, payload), labels, payload


@st.composite
def computations(draw: st.DrawFn) -> tuple[Circuit, Inputs, Inputs]:
    circuit = draw(circuits())
    bit = st.integers(0, 1)
    instances = draw(st.integers(1, 4))
    sides = [
        draw(st.lists(st.lists(bit, min_size=n, max_size=n), min_size=instances, max_size=instances))
        for n in (circuit.garbler_inputs, circuit.evaluator_inputs)
    ]
    return circuit, sides[0], sides[1]


@pytest.mark.req("CAPC-GC-001", "CAPC-ARG-006")
@given(computations(), seeds(), st.binary(max_size=8))
def test_real_and_ideal_give_the_clear_outputs_to_the_evaluator(
    computation: tuple[Circuit, Inputs, Inputs], seed: Seed, context: bytes
) -> None:
    circuit, mine, theirs = computation
    clear = tuple(tuple(evaluate(circuit, a, b)) for a, b in zip(mine, theirs, strict=True))
    for scheme in (REAL, IdealTwoParty()):
        evaluation, labels, _ = compute(scheme, circuit, mine, theirs, seed, context)
        assert evaluation.outputs == clear
        for instance, outputs in enumerate(clear):
            for output, bit in enumerate(outputs):
                returned = evaluation.labels[instance][output].to_bytes(16, "little")
                assert labels.decode(instance, output, returned) == bit


@pytest.mark.req("CAPC-GC-003")
@given(computations(), seeds(), seeds())
def test_hash_key_and_labels_are_fresh_and_do_not_change_the_outputs(
    computation: tuple[Circuit, Inputs, Inputs], first: Seed, second: Seed
) -> None:
    circuit, mine, theirs = computation
    one, _, sent_one = compute(REAL, circuit, mine, theirs, first)
    two, _, sent_two = compute(REAL, circuit, mine, theirs, second)
    assert one.outputs == two.outputs
    assert (sent_one[:16] == sent_two[:16]) == (first == second)
    assert sent_one[:16] == XofSource(first, b"garble").read(16)


@pytest.mark.req("CAPC-GC-003")
def test_instances_do_not_repeat_anything() -> None:
    """Equal inputs in three instances: all labels and all table rows differ, because labels and tweaks do."""
    circuit = relu_circuit(6, 2)
    inputs = [[1] * circuit.garbler_inputs] * 3
    _, _, payload = compute(REAL, circuit, inputs, [[0] * circuit.evaluator_inputs] * 3, Seed(bytes(32)))
    message = GarbledCircuits.from_bytes(payload, circuit, 3)
    words = [word for part in (message.garbler_labels, message.tables) for each in part for word in each]
    assert len(set(words)) == len(words) == 3 * (circuit.garbler_inputs + 2 * circuit.and_count)


@pytest.mark.req("CAPC-GC-004")
@pytest.mark.parametrize("bit", [0, 1])
def test_garbler_keeps_delta_and_every_other_label(bit: int) -> None:
    """No word of the message, no label of the evaluator, and no XOR of two of them is Delta."""
    garbler_key, _ = keys()
    assert isinstance(garbler_key, GarblerKey)
    circuit = vote_circuit(2, 4, 3)
    mine, theirs = [[bit] * circuit.garbler_inputs], [[0, 1] * (circuit.evaluator_inputs // 2)]
    evaluation, _, payload = compute(REAL, circuit, mine, theirs, Seed(bytes(32)))
    message = GarbledCircuits.from_bytes(payload, circuit, 1)
    known = [*message.garbler_labels[0], *message.tables[0], *evaluation.labels[0]]
    known.append(int.from_bytes(message.hash_key, "little"))
    assert garbler_key.delta not in known
    assert all(a ^ b != garbler_key.delta for a, b in combinations(known, 2))
    source = XofSource(Seed(bytes(32)), b"garble")
    source.read(16)
    zeros = [source.bits(128) for _ in range(circuit.garbler_inputs)]
    assert list(message.garbler_labels[0]) == [zero ^ bit * garbler_key.delta for zero in zeros]


@pytest.mark.req("CAPC-GC-005")
@given(seeds(), st.binary(max_size=20))
def test_only_the_two_labels_of_a_wire_decode(seed: Seed, returned: bytes) -> None:
    circuit = relu_circuit(4, 1)
    evaluation, labels, _ = compute(
        REAL, circuit, [[0] * circuit.garbler_inputs], [[1] * circuit.evaluator_inputs], seed
    )
    zero, delta = labels.zero_labels[0][0], labels.delta
    assert labels.decode(0, 0, zero.to_bytes(16, "little")) == 0
    assert labels.decode(0, 0, (zero ^ delta).to_bytes(16, "little")) == 1
    active = evaluation.labels[0][0].to_bytes(16, "little")
    bad = [returned, active[:15], active + b"\0", bytes([active[0] ^ 1]) + active[1:]]
    bad.append(evaluation.labels[0][1].to_bytes(16, "little"))
    for forged in bad:
        with pytest.raises(InvalidPayloadError) as caught:
            labels.decode(0, 0, forged)
        assert caught.value.code is ErrorCode.INVALID_OUTPUT_LABEL


@pytest.mark.req("CAPC-ROLE-008", "CAPC-ROLE-009")
@pytest.mark.parametrize("scheme", [REAL, IdealTwoParty()], ids=["real", "ideal"])
def test_labels_are_spent_by_a_good_message_only(scheme: TwoPartyScheme) -> None:
    circuit = relu_circuit(4, 1)
    garbler_key, evaluator_key = keys()
    theirs, mine = [[1] * circuit.evaluator_inputs], [[0] * circuit.garbler_inputs]
    chosen, columns = scheme.choose(evaluator_key, b"spent", circuit, theirs)
    _, payload = scheme.garble(garbler_key, b"spent", circuit, mine, columns, XofSource(Seed(bytes(32)), b""))
    for bad in (payload[:-1], payload + b"\0", b""):
        with pytest.raises(InvalidPayloadError):
            scheme.evaluate(chosen, bad)
    assert scheme.evaluate(chosen, payload).outputs == (tuple(evaluate(circuit, mine[0], theirs[0])),)
    with pytest.raises(StateReuseError, match="Chosen was used before"):
        scheme.evaluate(chosen, payload)


@settings(max_examples=20)
@given(st.integers(0, 3), st.data())
def test_ideal_scheme_refuses_handles_that_it_did_not_give(count: int, data: st.DataObject) -> None:
    scheme, circuit = IdealTwoParty(), relu_circuit(4, 1)
    for _ in range(count):
        scheme.garble(None, b"", circuit, [[0] * circuit.garbler_inputs], b"", XofSource(Seed(bytes(32)), b""))
    handle = data.draw(st.integers(count, 2**64 - 1))
    chosen, _ = scheme.choose(None, b"", circuit, [[0] * circuit.evaluator_inputs])
    with pytest.raises(InvalidPayloadError) as caught:
        scheme.evaluate(chosen, handle.to_bytes(8, "little"))
    assert caught.value.code is ErrorCode.VALUE_OUT_OF_RANGE


def test_ideal_set_up_is_empty() -> None:
    scheme = IdealTwoParty()
    state, offer = scheme.evaluator_offer(XofSource(Seed(bytes(32)), b""))
    _, choice = scheme.garbler_choose(offer, b"", XofSource(Seed(bytes(32)), b""))
    assert (scheme.evaluator_finish(state, choice, b""), offer, choice) == (None, b"", b"")
    assert (scheme.offer_length(), scheme.choice_length()) == (0, 0)


@pytest.mark.req("CAPC-ROLE-013")
def test_states_show_nothing() -> None:
    circuit = relu_circuit(4, 1)
    chosen, _ = REAL.choose(keys()[1], b"repr", circuit, [[1] * circuit.evaluator_inputs])
    evaluation, labels, _ = compute(
        REAL, circuit, [[0] * circuit.garbler_inputs], [[1] * circuit.evaluator_inputs], Seed(bytes(32))
    )
    assert [repr(entry) for entry in (chosen, evaluation, labels)] == ["<Chosen>", "<Evaluation>", "<OutputLabels>"]
