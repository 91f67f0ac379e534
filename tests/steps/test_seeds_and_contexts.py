"""Masks and labels come from the steps' seeds, under contexts that never repeat, and stay where they belong."""

from __future__ import annotations

import hashlib
import os
import secrets

import pytest

from capc.foundation.randomness import Seed
from capc.session.envelope import MessageType
from capc.steps.answering_party.inference import (
    AnsweringVoteShare,
    AwaitingChoice,
    AwaitingRequest,
    answering_party_evaluate_layer,
    answering_party_garble_layer,
    answering_party_garble_vote,
)
from capc.steps.querying_party.release import AwaitingRelease
from capc.steps.release_transfers import RELEASES_AHEAD
from capc.two_party.garbling.payload import GarbledCircuits, chunk_instances
from support.driver import Place
from support.header import payload_of
from support.runs import SIZES, fork, fresh_driver, voters


def stream_of(step: str, request: AwaitingRequest, message: bytes, seed: Seed, length: int) -> bytes:
    """By hand, the stream of an answering party's step: of its name, place in the session and message."""
    me = b"\x01" + request.party.me.index.to_bytes(2, "little")
    place = request.party.session.tag + b"\0\0\0" + me + (1).to_bytes(4, "little") + bytes([request.layer])
    label = step.encode() + b"/" + me + place + hashlib.sha256(payload_of(message)).digest()
    return hashlib.shake_256(b"CaPC/0.1/xof\x20" + seed + label).digest(length)


@pytest.mark.req("CAPC-HE-008")
def test_share_of_a_layers_product_is_the_first_of_its_stream() -> None:
    """Element by element, for every layer: ceil(T / 8) bytes of SHAKE-256, reduced mod 2^T; weights here are 0."""
    driver = fork("plain", voters(1, 1, 2))
    driver.run_query([0, 0])
    calls = [call for call in driver.calls if call.step is answering_party_evaluate_layer]
    assert len(calls) == sum(len(size) - 1 for size in SIZES)
    for call in calls:
        (after,) = [state for state in driver.states_of(AwaitingChoice) if state.request is call.state]
        stream = stream_of("answering_party_evaluate_layer", call.state, *call.arguments, 3 * len(after.sums[0]))
        shares = [int.from_bytes(stream[i : i + 3], "little") % 2**22 for i in range(0, len(stream), 3)]
        biases = call.state.party.model.layers[call.state.layer].biases
        expected = [(share + (bias << 8)) % 2**22 for share, bias in zip(shares, biases, strict=True)]
        assert list(after.sums[0]) == expected


@pytest.mark.req("CAPC-ARG-005")
def test_label_seed_and_hash_key_come_from_a_stream_of_their_own() -> None:
    """Fresh shares are hashes under the garbling step's stream, which depends on the choice bits; not the mask."""
    driver = fork("plain", voters(1, 1, 2))
    driver.run_query([0, 0])
    steps = {answering_party_garble_layer, answering_party_garble_vote}
    calls = [call for call in driver.calls if call.step in steps]
    assert len(calls) == sum(len(size) - 1 for size in SIZES)
    circuits = {(at.sender, at.layer): sent for at, sent in driver.payloads_of(MessageType.GARBLED_CIRCUITS).items()}
    for call in calls:
        request = call.state.request
        stream = stream_of("answering_party_garble_layer", request, *call.arguments, 32)
        assert circuits[request.party.me, request.layer][:32] == stream


@pytest.mark.req("CAPC-ARG-005")
def test_fresh_shares_are_not_the_shares_of_sums() -> None:
    driver = fork("plain", voters(1, 1, 2))
    driver.run_query([0, 0])
    masks = {state.sums[0] for state in driver.states_of(AwaitingChoice)}
    votes = [entry.vote_share for entry in driver.results_of(AnsweringVoteShare)]
    hidden = [entry.values[-1][0] for entry in driver.results_of(AwaitingRequest) if entry.layer]
    shares = {*votes, *hidden}
    assert len(votes) == len(hidden) == len(shares) / 2 == 3
    assert not shares & masks
    assert not shares & {tuple(m % 2**11 for m in mask) for mask in masks}


@pytest.mark.slow
@pytest.mark.req("CAPC-OT-003", "CAPC-GC-003")
def test_contexts_hash_keys_and_offsets_never_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = fork("realised", voters(1, 0, 2))
    used: list[tuple[int, int]] = []
    extend = type(driver.suite.two_party).extend_evaluator

    def recording(self: object, key: object, position: int, counts: list[int]) -> object:
        used.extend((id(key), position + number) for number in range(len(counts)))
        return extend(self, key, position, counts)

    monkeypatch.setattr(type(driver.suite.two_party), "extend_evaluator", recording)
    for _ in range(3):
        driver.run_query([1, 1])
    driver.run_batch([[1, 1]] * 2)
    driver.run_prepared([[1, 1]] * 2)
    layers = sum(len(size) - 1 for size in SIZES)
    # The guardian's are made once, for many queries.
    assert len(set(used)) == len(used) == 5 * layers + RELEASES_AHEAD
    assert len({key for key, _ in used}) == 4
    sent = driver.payloads_of(MessageType.GARBLED_CIRCUITS).values()
    hash_keys = [payload[at : at + 16] for payload in sent for at in (0, 16)]
    assert len(set(hash_keys)) == len(hash_keys) == 2 * (5 * layers + 7)
    offsets = {party.garbler_key.delta for party in [*driver.answering_parties, driver.guardian]}
    assert len(offsets) == 4


def whole_run(seed_name: str) -> dict[Place, bytes]:
    driver = fresh_driver("realised", seed_name=seed_name)
    for _ in range(2):
        driver.run_query([1, -1])
    return dict(driver.sent)


@pytest.mark.slow
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
    MessageType.OT_TREES,
    MessageType.OT_EXTENSION,
    MessageType.CHOICE_BITS,
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
        delta: int = party.garbler_key.delta
        assert delta.to_bytes(16, "little") not in everything
        leaves = [leaf for tree in party.garbler_key.leaves for leaf in tree if leaf]
        assert len(leaves) == 32 * 15
        assert all(leaf not in everything for leaf in leaves)


@pytest.mark.req("CAPC-ARG-006")
def test_garbled_circuits_put_out_the_specified_outputs_only() -> None:
    """Shares of C flags, shares of the hidden words, and decoding bits of the label; nothing else."""
    driver = fork("plain", voters(1, 0, 2))
    driver.run_query([1, 1])
    seen = 0
    for call in driver.calls:
        chosen = getattr(call.state, "chosen", None)
        if chosen is None:
            continue
        payload = next(payload_of(argument) for argument in call.arguments if isinstance(argument, bytes))
        message = GarbledCircuits.from_bytes(
            payload[16:], chosen.circuit, chosen.instances, chunk_instances(chosen.circuit)
        )
        is_release = isinstance(call.state, AwaitingRelease)
        is_vote = chosen.circuit.name.startswith("vote")
        expected = 2 if is_release else 3 if is_vote else 14 - 1 - 2
        assert len(chosen.circuit.outputs) == expected
        assert (chosen.circuit.sharing is None) == is_release
        assert [len(chunk.outputs) for chunk in message.chunks] == [expected]
        seen += 1
    assert seen == sum(len(size) - 1 for size in SIZES) + 1
