"""Masks and labels come from the steps' seeds, under contexts that never repeat, and stay where they belong."""

from __future__ import annotations

import hashlib
import os
import secrets

import pytest

from capc.answering_party import (
    AwaitingColumns,
    AwaitingRequest,
    VoteReady,
    answering_party_evaluate_layer,
    answering_party_garble_layer,
)
from capc.linear import IdealLinear
from capc.messages import GarbledCircuits, MessageType
from capc.querying_party import (
    AwaitingRelease,
)
from capc.suite import reference_suite
from support.builders import (
    counter_seeds,
    make_account,
    make_session,
)
from support.driver import Driver, Place
from support.header import payload_of
from support.runs import SIZES, fork, parameters_for, voters


@pytest.mark.req("CAPC-HE-008")
def test_mask_of_a_layer_is_the_first_of_its_stream() -> None:
    """Element by element, for every layer: ceil(l / 8) bytes of SHAKE-256, reduced mod 2^l."""
    driver = fork("plain", voters(1, 1, 2))
    driver.run_query([0, 0])
    checked = 0
    for call in driver.calls:
        if call.step is not answering_party_evaluate_layer:
            continue
        state, seed = call.state, call.arguments[1]
        assert isinstance(seed, bytes)
        (after,) = [
            entry.state
            for entry in driver.calls
            if isinstance(entry.state, AwaitingColumns)
            and (entry.state.party.me, entry.state.layer) == (state.party.me, state.layer)  # type: ignore[attr-defined]
        ]
        me = b"\x01" + after.party.me.index.to_bytes(2, "little")
        place = driver.session.tag + b"\x00\x00\x00" + me + (1).to_bytes(4, "little") + bytes([after.layer])
        label = b"answering_party_evaluate_layer/" + me + place
        stream = hashlib.shake_256(b"CaPC/0.1/xof\x20" + seed + label).digest(2 * len(after.sums))
        expected = [int.from_bytes(stream[i : i + 2], "little") % 2**14 for i in range(0, len(stream), 2)]
        assert list(after.sums) == expected
        checked += 1
    assert checked == sum(len(size) - 1 for size in SIZES)


def test_fresh_shares_come_from_a_stream_of_their_own() -> None:
    """Vote share and shares of activations are the first elements of the garbling step's stream, not the mask."""
    driver = fork("plain", voters(1, 1, 2))
    driver.run_query([0, 0])
    checked = 0
    for call in driver.calls:
        if call.step is not answering_party_garble_layer:
            continue
        state, seed = call.state, call.arguments[1]
        assert isinstance(state, AwaitingColumns)
        assert isinstance(seed, bytes)
        me = b"\x01" + state.party.me.index.to_bytes(2, "little")
        place = driver.session.tag + b"\x00\x00\x00" + me + (1).to_bytes(4, "little") + bytes([state.layer])
        columns = call.arguments[0]
        assert isinstance(columns, bytes)
        label = b"answering_party_garble_layer/" + me + place + hashlib.sha256(payload_of(columns)).digest()
        count = len(state.sums)
        stream = hashlib.shake_256(b"CaPC/0.1/xof\x20" + seed + label).digest(2 * count)
        elements = [int.from_bytes(stream[i : i + 2], "little") for i in range(0, 2 * count, 2)]
        is_last = state.layer == len(SIZES[state.party.me.index - 1]) - 2
        expected = tuple(element % 2 ** (11 if is_last else 14) for element in elements)
        follow_up = [
            entry.state.vote_share if isinstance(entry.state, VoteReady) else entry.state.values[-1]
            for entry in driver.calls
            if isinstance(entry.state, VoteReady | AwaitingRequest)
            and entry.state.party.me == state.party.me
            and (is_last if isinstance(entry.state, VoteReady) else entry.state.layer == state.layer + 1)
        ]
        assert follow_up == [expected]
        checked += 1
    assert checked == sum(len(size) - 1 for size in SIZES)


@pytest.mark.req("CAPC-OT-003", "CAPC-GC-003")
def test_contexts_hash_keys_and_offsets_never_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = fork("realised", voters(1, 0, 2))
    used: list[tuple[int, bytes]] = []
    choose = type(driver.suite.two_party).choose

    def recording(self: object, key: object, context: bytes, *rest: object) -> object:
        used.append((id(key), context))
        return choose(self, key, context, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(type(driver.suite.two_party), "choose", recording)
    for _ in range(3):
        driver.run_query([1, 1])
    assert len(set(used)) == len(used) == 3 * (sum(len(size) - 1 for size in SIZES) + 1)
    assert len({key for key, _ in used}) == 4
    hash_keys = [
        payload_of(message)[:16]
        for place, message in driver.sent.items()
        if place.message_type is MessageType.GARBLED_CIRCUITS
    ]
    assert len(set(hash_keys)) == len(hash_keys) == len(used)
    offsets = {party.garbler_key.delta for party in [*driver.answering_parties, driver.guardian]}  # type: ignore[attr-defined]
    assert len(offsets) == 4


def whole_run(seed_name: str) -> dict[Place, bytes]:
    parameters = parameters_for("realised")
    driver = Driver(
        make_session(parameters, SIZES),
        voters(1, 1, 2),
        reference_suite(parameters, IdealLinear(14)),
        make_account(parameters),
        counter_seeds(seed_name),
    )
    driver.set_up()
    for _ in range(2):
        driver.run_query([1, -1])
    return dict(driver.sent)


@pytest.mark.req("CAPC-ROLE-007", "CAPC-PARAM-013")
def test_steps_depend_on_their_seeds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal seeds give equal bytes, also where the operating system gives no randomness at all."""
    first = whole_run("a")

    def refuse(*_: object) -> bytes:
        raise AssertionError("a step asked the operating system for randomness")

    monkeypatch.setattr(os, "urandom", refuse)
    monkeypatch.setattr(secrets, "token_bytes", refuse)
    monkeypatch.setattr("nacl.bindings.randombytes", refuse)
    assert whole_run("a") == first
    other = whole_run("b")
    seeded = {place for place in first if place.message_type in SEEDED}
    assert {place for place in other if other[place] != first[place]} >= seeded


SEEDED = {
    MessageType.MASK_KEY,
    MessageType.BASE_OT_OFFER,
    MessageType.BASE_OT_CHOICE,
    MessageType.OT_COLUMNS,
    MessageType.GARBLED_CIRCUITS,
    MessageType.VOTE_SHARES,
    MessageType.ANSWERED_LABEL,
}


@pytest.mark.req("CAPC-GC-004")
def test_nothing_sent_is_the_garblers_secret() -> None:
    driver = fork("realised", voters(1, 0, 2))
    driver.run_query([1, 1])
    everything = b"".join(payload_of(message) for message in driver.sent.values())
    for party in [*driver.answering_parties, driver.guardian]:
        delta: int = party.garbler_key.delta  # type: ignore[attr-defined]
        assert delta.to_bytes(16, "little") not in everything
        assert all(seed not in everything for seed in party.garbler_key.seeds)  # type: ignore[attr-defined]


@pytest.mark.req("CAPC-ARG-006")
def test_garbled_circuits_decode_the_specified_outputs_only() -> None:
    """Decoding bits exist for C words of w bits, for hidden words of l bits, and for the label; for nothing else."""
    driver = fork("plain", voters(1, 0, 2))
    driver.run_query([1, 1])
    for call in driver.calls:
        chosen = getattr(call.state, "chosen", None)
        if chosen is None:
            continue
        payload = next(payload_of(argument) for argument in call.arguments if isinstance(argument, bytes))
        message = GarbledCircuits.from_bytes(payload, chosen.circuit, len(chosen.inputs))
        is_release = isinstance(call.state, AwaitingRelease)
        is_vote = chosen.circuit.name.startswith("vote")
        expected = 2 if is_release else 3 * 11 if is_vote else 14
        assert len(chosen.circuit.outputs) == expected
        assert all(bits >> expected == 0 for bits in message.decoding_bits)
