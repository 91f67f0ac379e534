"""Section 17: states, codes and the order of checks are those of the steps."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError, ProtocolError, StateReuseError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, answering_party
from capc.foundation.randomness import Seed
from capc.foundation.single_use import SingleUse
from capc.linear.ideal import IdealLinear
from capc.session.channel import Channel
from capc.session.envelope import Envelope, MessageType
from capc.session.parameters import Charge, Parameters, VoteVariant
from capc.session.session import Session
from capc.steps.answering_party import (
    answering_party_answer_setup,
    answering_party_begin_setup,
    answering_party_finish_setup,
)
from capc.steps.messages import VoteShares
from capc.steps.privacy_guardian import (
    privacy_guardian_aggregate,
    privacy_guardian_begin_setup,
    privacy_guardian_open_query,
    privacy_guardian_release,
)
from capc.steps.querying_party import querying_party_begin_setup, querying_party_finish_setup
from capc.steps.suite import Suite, reference_suite
from capc_spec.registry import entries
from capc_verify.vectors.text.states import operation_of
from support.builders import (
    confident_policy,
    constant_model,
    counter_seeds,
    make_account,
    make_parameters,
    make_session,
)
from support.driver import Delivery, Driver
from support.header import HEADER_BYTES, field, with_field
from support.sections import rows_after, section

TEXT = section("17-operations.md")
VECTORS = Path(__file__).parents[2] / "spec" / "capc_spec" / "vectors"
SIZES = ((2, 2, 3), (2, 3))
ORDER = (
    ("type", "wrong_message_type"),
    ("tag", "foreign_session"),
    ("query", "wrong_query"),
    ("layer", "wrong_layer"),
    ("sender_role", "wrong_sender"),
    ("sender_index", "wrong_sender"),
    ("receiver_role", "wrong_receiver"),
    ("receiver_index", "wrong_receiver"),
)
"""The header's fields in the order of the words, with the code of each."""
HEADER_CODES = {code for _, code in ORDER} | {"malformed_length", "state_reused", "missing_participant", "input_error"}


def spoilt(message: bytes, names: set[str]) -> bytes:
    """Other values in these fields."""
    for name in names:
        first, *rest = field(message, name)
        message = with_field(message, name, bytes([first ^ 1, *rest]))
    return message


def first_code(names: set[str], length: bool) -> str | None:
    return next((code for name, code in ORDER if name in names), "malformed_length" if length else None)


def refusal(call: Callable[[], object]) -> tuple[str, Party | None]:
    """Code and blame."""
    try:
        call()
    except ProtocolError as error:
        return error.code.value, error.blame
    except StateReuseError:
        return "state_reused", None
    except InputError:
        return "input_error", None
    return "", None


@pytest.mark.req("CAPC-ERR-004")
@given(names=st.sets(st.sampled_from([name for name, _ in ORDER])), longer=st.booleans(), payload=st.binary(max_size=9))
def test_headers_are_checked_in_the_order_of_the_words(names: set[str], longer: bool, payload: bytes) -> None:
    envelope = Envelope(MessageType.MASK_KEY, bytes(range(32)), 3, 2, answering_party(1), answering_party(2))
    message = spoilt(envelope.seal(payload), names) + b"x" * longer
    code, blame = refusal(lambda: envelope.open(message, len(payload)))
    assert code == (first_code(names, longer) or "")
    assert blame == (answering_party(1) if code else None)
    short = message[: HEADER_BYTES - 1]
    assert refusal(lambda: envelope.open(short, len(payload))) == ("malformed_length", answering_party(1))


def suite_of(parameters: Parameters) -> Suite:
    return reference_suite(parameters, IdealLinear(parameters.widths.logit_bits))


def driver(parameters: Parameters, interfere: Callable[[Delivery], None] = lambda _: None) -> Driver:
    session = make_session(parameters, SIZES)
    models = [constant_model(size, 1, 2) for size in SIZES]
    parts = suite_of(parameters), make_account(parameters), counter_seeds("told")
    return Driver(session, models, *parts, interfere)


@pytest.mark.slow
@pytest.mark.req("CAPC-ERR-003", "CAPC-ERR-004")
@pytest.mark.parametrize("variant", [VoteVariant.TOURNAMENT, VoteVariant.MULTI_ROUND])
def test_every_message_is_refused_for_its_first_fault(variant: VoteVariant) -> None:
    """Each step, each message: a wrong layer and a wrong receiver, on bytes that are too long and no payload."""
    seen: set[MessageType] = set()

    def interfere(delivery: Delivery) -> None:
        seen.add(delivery.place.message_type)
        junk = delivery.honest[:HEADER_BYTES] + b"\xff" * (len(delivery.honest) - HEADER_BYTES)
        for message, code in (
            (spoilt(junk, {"layer", "receiver_role"}) + b"x", "wrong_layer"),
            (spoilt(junk, {"receiver_index"}) + b"x", "wrong_receiver"),
            (junk + b"x", "malformed_length"),
            (delivery.honest[: HEADER_BYTES - 1], "malformed_length"),
        ):
            assert refusal(lambda message=message: delivery.receive(message)) == (code, delivery.place.sender)

    parameters = replace(make_parameters(policy=confident_policy(Charge.REALISED)), vote_variant=variant)
    run = driver(parameters, interfere)
    run.set_up()
    run.run_query([1, -1])
    assert len(seen) >= 12


@pytest.mark.slow
@pytest.mark.req("CAPC-ERR-003")
def test_states_come_before_messages() -> None:
    parameters = make_parameters()
    run = driver(parameters)
    run.set_up()
    run.run_query([1, -1])
    tried = 0
    for call in run.calls:
        broken = tuple(b"" if isinstance(argument, bytes) else argument for argument in call.arguments)
        if broken != call.arguments and isinstance(call.state, SingleUse):
            tried += 1
            assert refusal(lambda call=call, broken=broken: call.step(call.state, *broken)) == ("state_reused", None)
    assert tried > 5


def answering_begun(session: Session, suite: Suite, seeds: Callable[[], Seed]) -> dict[Party, Any]:
    models = [constant_model(size, 1, 2) for size in SIZES]
    pairs = zip(session.answering_parties, models, strict=True)
    return {me: answering_party_begin_setup(session, suite, me, model, seeds()) for me, model in pairs}


def finish_without(joining: Any, choices: dict[Party, bytes]) -> tuple[str, Party | None]:
    return refusal(lambda: querying_party_finish_setup(joining, choices, Seed(bytes(32))))


ONE, TWO = answering_party(1), answering_party(2)
BAD_POINT = b"\xff" * 32
STARTS = (querying_party_begin_setup, privacy_guardian_begin_setup)


def with_bytes(message: bytes, payload: bytes) -> bytes:
    return message[:HEADER_BYTES] + payload + message[HEADER_BYTES + len(payload) :]


@pytest.mark.req("CAPC-ERR-003", "CAPC-ERR-005")
def test_all_headers_come_before_what_messages_hold() -> None:
    parameters = make_parameters()
    session, suite, seeds = make_session(parameters, SIZES), suite_of(parameters), counter_seeds("order")
    begun = answering_begun(session, suite, seeds)
    (joining, offers), checks = STARTS[0](session, suite, seeds()), STARTS[1](session, suite)
    state, key = begun[ONE][0], begun[TWO][1][ONE]
    bad_offer, bad_key = with_bytes(offers[ONE], BAD_POINT), with_bytes(key, BAD_POINT)

    def answered(offer: bytes, mask_key: bytes, check: bytes) -> tuple[str, Party | None]:
        return refusal(lambda: answering_party_answer_setup(state, offer, {TWO: mask_key}, check, seeds()))

    assert answered(bad_offer, bad_key, spoilt(checks[ONE], {"query"})) == ("wrong_query", PRIVACY_GUARDIAN)
    assert answered(bad_offer, spoilt(bad_key, {"layer"}), checks[ONE]) == ("wrong_layer", TWO)
    assert answered(spoilt(bad_offer, {"type"}), bad_key, spoilt(checks[ONE], {"query"}))[1] == QUERYING_PARTY
    assert answered(bad_offer, bad_key, checks[ONE]) == ("invalid_point", TWO)
    assert answered(bad_offer, key, checks[ONE]) == ("invalid_point", QUERYING_PARTY)
    waiting, choice = answering_party_answer_setup(state, offers[ONE], {TWO: key}, checks[ONE], seeds())
    assert finish_without(joining, {ONE: choice}) == ("missing_participant", TWO)
    # The header of the trees comes before what the key holds, and the key before the trees.
    seal = Channel(session.tag, QUERYING_PARTY, ONE).seal
    key_message, trees = seal(MessageType.HE_PUBLIC_KEY, b""), seal(MessageType.OT_TREES, bytes(6144))
    for first, second, code in (
        (key_message + b"x", spoilt(trees, {"type"}), "malformed_length"),
        (key_message, spoilt(trees, {"type"}), "wrong_message_type"),
        (key_message, trees, "inconsistent_transfers"),
        (key_message, trees, "state_reused"),
    ):
        assert refusal(lambda pair=(first, second): answering_party_finish_setup(waiting, *pair))[0] == code


@pytest.mark.req("CAPC-ERR-003", "CAPC-ERR-005")
def test_vote_shares_are_read_party_by_party() -> None:
    run = driver(make_parameters())
    run.set_up()
    _, state = privacy_guardian_open_query(run.guardian)
    size = VoteShares.byte_length(3, make_parameters().widths.vote_bits)

    def message(party: Party, byte: bytes) -> bytes:
        return Channel(run.session.tag, party, PRIVACY_GUARDIAN).seal(MessageType.VOTE_SHARES, byte * size, 1)

    good, bad = message(ONE, b"\0"), message(ONE, b"\xff")
    for first, second, wanted in (
        (bad, spoilt(message(TWO, b"\0"), {"query"}), ("value_out_of_range", ONE)),
        (bad, None, ("value_out_of_range", ONE)),
        (good, None, ("missing_participant", TWO)),
        (good, spoilt(message(TWO, b"\xff"), {"query"}), ("wrong_query", TWO)),
        (None, message(TWO, b"\xff"), ("missing_participant", ONE)),
    ):
        messages = {party: each for party, each in ((ONE, first), (TWO, second)) if each is not None}
        assert refusal(lambda messages=messages: privacy_guardian_aggregate(state, messages)) == wanted


@pytest.mark.slow
@pytest.mark.req("CAPC-AGG-004")
def test_who_is_not_in_the_session_adds_nothing() -> None:
    run = driver(make_parameters())
    run.set_up()
    width, found = make_parameters().widths.vote_bits, []
    for senders in ((ONE, TWO), (ONE, TWO, answering_party(3)), (answering_party(3), TWO, ONE)):
        _, state = privacy_guardian_open_query(run.guardian.renewed())
        messages = {
            party: Channel(run.session.tag, party, PRIVACY_GUARDIAN).seal(
                MessageType.VOTE_SHARES, VoteShares((party.index,) * 3, width).to_bytes(), 1
            )
            for party in senders
        }
        votes = privacy_guardian_aggregate(state, messages)
        found.append((votes.total, votes.inputs_digest))
    assert found[0][0] == (3, 3, 3)
    assert found == found[:1] * 3


@pytest.mark.slow
@pytest.mark.req("CAPC-ERR-003")
def test_a_receipt_comes_before_the_message() -> None:
    run = driver(make_parameters())
    run.set_up()
    seen = []

    def interfere(delivery: Delivery) -> None:
        if delivery.place.receiver == PRIVACY_GUARDIAN and delivery.place.message_type is MessageType.CHOICE_BITS:
            (state,) = [entry for entry in run.results if type(entry).__name__ == "AggregatedVotes"]
            receipt = run.account.reserve(bytes(32), 9, bytes(32))
            step = privacy_guardian_release
            seen.append(refusal(lambda: step(state, receipt, b"", Seed(bytes(32)))))

    run.interfere = interfere
    run.run_query([1, -1])
    assert seen == [("input_error", None)]


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-021")
def test_a_session_goes_through_states_as_the_table_says() -> None:
    """What steps really took and gave."""
    told = {row[0].strip("`"): row[1:3] for row in rows_after(TEXT, "step_states")}
    run = driver(make_parameters(policy=confident_policy(Charge.REALISED)))
    run.set_up()
    run.run_query([1, -1])
    taken: dict[str, set[str]] = defaultdict(set)
    for call in run.calls:
        if hasattr(call.step, "__name__") and call.step.__name__ in told:
            taken[call.step.__name__].add(type(call.state).__name__)
    assert len(taken) > 12
    for step, kinds in taken.items():
        named = {name.strip().removeprefix("several ") for name in told[step][0].split(",")}
        assert kinds <= named


def told_codes() -> dict[str, set[str]]:
    """For each step the codes that the table of checks names."""
    codes: dict[str, set[str]] = {}
    start = TEXT.index("| step | messages, in order |")
    for line in TEXT[start:].partition("\n\n")[0].splitlines()[2:]:
        cells = line.strip("|").split("|")
        for step in re.findall(r"`([a-z_]+)`", cells[0]):
            codes[step] = set(re.findall(r"`([a-z_]+)`", cells[1] + cells[2]))
    return codes


@pytest.mark.req("CAPC-ERR-005")
def test_codes_of_the_vectors_are_those_of_the_table() -> None:
    operations = operation_of()
    told: dict[str, set[str]] = defaultdict(set)
    for step, codes in told_codes().items():
        told[operations.get(step, step)] |= codes
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted(VECTORS.glob("protocol_*.json")):
        for group in json.loads(file.read_text("utf-8"))["testGroups"]:
            for test in group["tests"]:
                for operation in test["operations"]:
                    error = operation["expect"].get("error")
                    if error and error["blame"] != "caller":
                        found[operation["op"]].add(error["code"])
    assert len(found) > 20
    for operation, codes in found.items():
        assert codes - HEADER_CODES <= told[operation], operation
    shown = {code for codes in found.values() for code in codes}
    assert {code for codes in told.values() for code in codes} <= shown | {"missing_participant"}


def test_pictures_show_messages_between_those_who_send_them() -> None:
    arrows = re.findall(r"^ +(\w+)->>(\w+): (\w+)$", TEXT, flags=re.MULTILINE)
    assert len(arrows) > 20
    shown = {name for _, _, name in arrows}
    table = entries("messages")
    assert shown == set(table) - {"hello"}
    reverse = {"base_ot_offer", "base_ot_choice", "ot_trees"}
    for sender, receiver, name in arrows:
        pair = (
            {part[:2] for part in table[name]["from"].split(", ")},
            {part[:2] for part in table[name]["to"].split(", ")},
        )
        ends = (sender, receiver) if sender in pair[0] or name not in reverse else (receiver, sender)
        assert [end in kinds for end, kinds in zip(ends, pair, strict=True)] == [True, True], name
