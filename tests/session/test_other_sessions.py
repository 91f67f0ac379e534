"""Parties that hold different session documents: found in their first messages, and named alike at both ends.

Each party is played with a document of its own; what a real link does after a refusal is :func:`both_refuse`.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import ErrorCode, ProtocolError
from capc.foundation.parties import QUERYING_PARTY, Party, answering_party
from capc.session import hello as handshake
from capc.session.envelope import MessageType
from capc.session.hello import check_hello, hello, hello_limit, is_hello
from capc.session.parameters import canonical_json
from capc.session.session import Session
from capc.steps import zero_sum
from capc.steps.suite import hybrid_suite
from support.builders import constant_model, counter_seeds, make_account, make_parameters, make_session, make_widths
from support.collaborations import Recorder, collaborate
from support.driver import Delivery, Driver, Place
from support.header import HEADER_BYTES, with_payload
from support.refusals import refused

SIZES = ((2, 4, 3), (2, 3), (2, 3))
SESSION = make_session(layer_sizes=SIZES)
ENDS = (QUERYING_PARTY, answering_party(1))


def holding(document: object) -> Session:
    """A party's session whose document is any JSON value: what rules a document breaks makes no difference here."""
    session = replace(SESSION)
    session.__dict__["canonical"] = json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")
    return session


def both_refuse(mine: Session, theirs: Session, me: Party, peer: Party) -> tuple[ProtocolError, ProtocolError]:
    """Hellos each way between two parties whose tags differ."""
    errors = []
    for session, sender, receiver, other in ((mine, peer, me, theirs), (theirs, me, peer, mine)):
        message = hello(other, sender, receiver)
        assert is_hello(message)
        with refused(ErrorCode.PARAMETER_MISMATCH, sender) as caught:
            check_hello(session, sender, receiver, message)
        errors.append(caught.value)
    return errors[0], errors[1]


# Every connection.

OTHER = replace(SESSION, session_id=bytes(32))
EVERYBODY = [entry.party for entry in SESSION.participants]


def set_up(session: Session, interfere: Callable[[Delivery], None] = lambda delivery: None) -> dict[Place, bytes]:
    models = [constant_model(sizes, 1, 2) for sizes in SIZES]
    suite, account = hybrid_suite(session.parameters), make_account(session.parameters)
    driver = Driver(session, models, suite, account, counter_seeds(), interfere)
    driver.set_up()
    return driver.sent


THEIRS = set_up(OTHER)


def noting(used: list[str], correct: Callable[..., object]) -> Callable[..., object]:
    """The same function, which notes that it was called."""

    def noted(*arguments: object) -> object:
        used.append(correct.__name__)
        return correct(*arguments)

    return noted


@pytest.mark.req("CAPC-ROLE-018", "CAPC-ROLE-004", "CAPC-WIRE-006")
@pytest.mark.parametrize(("sender", "receiver"), list(permutations(EVERYBODY, 2)), ids=str)
def test_every_two_parties_compare_their_documents_each_way(
    sender: Party, receiver: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One party holds another document: each of its first messages is refused, before anything else is used.

    Nothing is refused for another reason: with the messages of one session the set-up ends well.
    """
    used: list[str] = []
    refusals: list[MessageType] = []
    suite = hybrid_suite(SESSION.parameters)
    spied = [(zero_sum, "pairwise_key"), (type(suite.linear), "read_public_key")]
    spied += [(type(suite.two_party), name) for name in ("garbler_choose", "evaluator_finish")]
    for owner, name in spied:
        monkeypatch.setattr(owner, name, noting(used, getattr(owner, name)))

    def interfere(delivery: Delivery) -> None:
        if (delivery.place.sender, delivery.place.receiver) == (sender, receiver):
            before = len(used)
            with refused(ErrorCode.FOREIGN_SESSION, sender):
                delivery.receive(THEIRS[delivery.place])
            assert len(used) == before
            refusals.append(delivery.place.message_type)

    set_up(SESSION, interfere)
    assert set(refusals) & FIRST
    for error in both_refuse(SESSION, OTHER, receiver, sender):
        assert error.detail.startswith("session_id is ")


FIRST = {
    MessageType.HE_PUBLIC_KEY,
    MessageType.BASE_OT_OFFER,
    MessageType.MASK_KEY,
    MessageType.SESSION_CHECK,
    MessageType.BASE_OT_CHOICE,
}
"""What a party says first to another one."""


@pytest.mark.req("CAPC-ROLE-004")
def test_a_querying_party_that_names_two_documents_is_found_by_the_others() -> None:
    """It plays both sessions honestly, AP_1 in one and AP_2 in the other: their mask keys tell."""
    mine, found = set_up(SESSION), []
    for session, other in ((SESSION, THEIRS), (OTHER, mine)):

        def interfere(delivery: Delivery, other: dict[Place, bytes] = other) -> None:
            if delivery.place.message_type is MessageType.MASK_KEY and delivery.place.receiver.index < 3:
                with refused(ErrorCode.FOREIGN_SESSION, delivery.place.sender):
                    delivery.receive(other[delivery.place])
                found.append((delivery.place.sender.index, delivery.place.receiver.index))

        set_up(session, interfere)
    assert {(1, 2), (2, 1)} <= set(found)
    here, there = both_refuse(SESSION, OTHER, answering_party(1), answering_party(2))
    assert here.detail.split(" is ")[0] == there.detail.split(" is ")[0] == "session_id"


@pytest.mark.req("CAPC-ROLE-004")
def test_a_forged_tag_beside_the_same_document_stays_a_foreign_session() -> None:
    """The hello of such a peer is accepted, so it is the tag that was wrong."""
    check_hello(SESSION, *ENDS, hello(replace(SESSION), *ENDS))


# Which field.

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.text("abc", max_size=3))
NAMES = st.sampled_from(["added", "zz", "A name", "sigma "])


def places(value: object, place: str = "") -> list[tuple[str, object]]:
    """Every value of a document with its place, from the outside in."""
    found = [(place, value)]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, f"{place}.{key}" if place else key)
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, f"{place}[{index}]")
    return found


def changed(data: st.DataObject, document: object) -> str:
    """Changes a document in one place, at any depth; the place that must be named."""
    containers = [(place, value) for place, value in places(document) if isinstance(value, dict | list) and value]
    place, value = data.draw(st.sampled_from(containers))
    if isinstance(value, list):
        index = data.draw(st.integers(0, len(value) - 1))
        change = data.draw(st.sampled_from(["set", "delete", "insert"]))
        if change == "set":
            value[index] = data.draw(SCALARS.filter(lambda new: (type(new), new) != (type(value[index]), value[index])))
            return f"{place}[{index}]"
        value[index : index + (change == "delete")] = [] if change == "delete" else [data.draw(SCALARS)]
        return place
    key = data.draw(st.sampled_from(sorted(value)))
    change = data.draw(st.sampled_from(["set", "delete", "add"]))
    if change == "add":
        key = data.draw(NAMES)
        value[key] = data.draw(SCALARS)
    elif change == "delete":
        del value[key]
    else:
        value[key] = data.draw(SCALARS.filter(lambda new: (type(new), new) != (type(value[key]), value[key])))
    name = key if key.replace("_", "").isalnum() and key.islower() else repr(key)
    return f"{place}.{name}" if place else name


@pytest.mark.req("CAPC-ROLE-004")
@given(st.data())
def test_one_change_at_any_depth_is_named_at_both_ends(data: st.DataObject) -> None:
    document = json.loads(SESSION.canonical)
    place = changed(data, document)
    for error in both_refuse(SESSION, holding(document), *ENDS):
        assert error.detail.startswith(f"{place} is ")


@pytest.mark.slow
@pytest.mark.req("CAPC-ROLE-004")
@given(st.data(), st.integers(1, 4), st.integers(0, 4))
def test_any_two_documents_are_refused_at_both_ends_for_the_same_field(
    data: st.DataObject, mine: int, more: int
) -> None:
    """Both are far from the honest one, and the two lines differ in the order of the two values only."""
    one, two = json.loads(SESSION.canonical), json.loads(SESSION.canonical)
    for document, changes in ((one, mine), (two, more)):
        for _ in range(changes):
            changed(data, document)
    if canonical_json(one) == canonical_json(two):
        check_hello(holding(one), *ENDS, hello(holding(two), *ENDS))
        return
    here, there = both_refuse(holding(one), holding(two), *ENDS)
    place, values = here.detail.split(" is ", 1)
    first, second = values.removesuffix(" there").split(" here and ")
    assert there.detail == f"{place} is {second} here and {first} there"


# What a hello may cost.

FILLERS: dict[str, Callable[[int], bytes]] = {
    "deep_lists": lambda size: b"[" * size,
    "deep_objects": lambda size: b'{"a":' * (size // 5),
    "digits": lambda size: b"9" * size,
    "a_long_fraction": lambda size: b"0." + b"9" * (size - 2),
    "a_long_exponent": lambda size: b"1e" + b"9" * (size - 2),
    "empty_lists": lambda size: b"[" + b"[]," * ((size - 3) // 3) + b"1]",
    "empty_objects": lambda size: b"[" + b"{}," * ((size - 3) // 3) + b"1]",
    "small_floats": lambda size: b"[" + b"5e1," * ((size - 3) // 4) + b"1]",
    "key_soup": lambda size: b"{" + b",".join(b'"%06d":0' % number for number in range(size // 11)) + b"}",
    "one_long_key": lambda size: b'{"' + b"k" * (size - 6) + b'":1}',
    "escapes": lambda size: b'"' + b"\\u0041" * ((size - 2) // 6) + b'"',
    "zeros": bytes,
}
LONGEST = len(SESSION.canonical) + 2**18
"""The payload of the longest hello that is read."""
BYTES_PER_BYTE = 60
"""Memory that a byte of JSON may take in the worst case: an empty object in a list, with the copies of the text."""


def peak_of(message: bytes) -> tuple[int, ErrorCode]:
    """Memory that refusing a message takes, and the code."""
    check_hello(SESSION, *ENDS, hello(SESSION, *ENDS))
    tracemalloc.start()
    try:
        check_hello(SESSION, *ENDS, message)
    except ProtocolError as error:
        return tracemalloc.get_traced_memory()[1], error.code
    finally:
        tracemalloc.stop()
    raise AssertionError("accepted")


@pytest.mark.req("CAPC-ROLE-017", "CAPC-WIRE-010")
@pytest.mark.parametrize("name", FILLERS)
def test_a_hello_above_the_limit_is_refused_unread(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it holds: 32 MB cost no more memory than one byte too many, and nothing is parsed."""
    monkeypatch.setattr(handshake.json, "loads", lambda *_args, **_options: pytest.fail("parsed above the limit"))
    for payload in (FILLERS[name](LONGEST).ljust(LONGEST + 1), FILLERS[name](1 << 25)):
        peak, code = peak_of(with_payload(hello(SESSION, *ENDS), payload))
        assert code is ErrorCode.MALFORMED_LENGTH
        assert peak < 20_000


@pytest.mark.req("CAPC-ROLE-017", "CAPC-WIRE-007")
@pytest.mark.parametrize("name", FILLERS)
def test_a_hello_within_the_limit_costs_linear_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    correct = json.loads

    def loads(text: str, **kwargs: Any) -> object:
        parsed.append(len(text))
        return correct(text, **kwargs)

    monkeypatch.setattr(handshake.json, "loads", loads)
    for size in (LONGEST // 4, LONGEST // 2, LONGEST):
        payload = FILLERS[name](size)
        peak, code = peak_of(with_payload(hello(SESSION, *ENDS), payload))
        assert code in (ErrorCode.NON_CANONICAL, ErrorCode.PARAMETER_MISMATCH)
        assert peak < BYTES_PER_BYTE * size + 200_000
    assert max(parsed) <= LONGEST
    assert sum(parsed) <= LONGEST * 7 // 4 + 3 * 2 * len(SESSION.canonical)


@pytest.mark.req("CAPC-ROLE-017")
def test_the_limit_is_what_links_are_told() -> None:
    assert hello_limit(SESSION) == HEADER_BYTES + LONGEST


@pytest.mark.req("CAPC-ROLE-017", "CAPC-ROLE-004")
def test_a_session_of_hundreds_more_is_still_named() -> None:
    """The slack is there so that documents of honest parties are read: of 2 answering parties and of 500."""
    parameters = replace(SESSION.parameters, widths=make_widths(vote_bits=20))
    few, many = (make_session(parameters, [(2, 4, 3)] * count) for count in (2, 500))
    for error in both_refuse(few, many, *ENDS):
        assert error.detail.startswith("participants is a list of ")


# What an honest set-up sends.


@pytest.mark.req("CAPC-ROLE-019")
def test_only_76_bytes_an_ordered_pair_of_answering_parties_grow_with_the_square() -> None:
    rest = []
    for count in range(1, 8):
        recorder = Recorder()
        collaborate(make_parameters(), [1] * count, [(2, 3)] * count, observer=recorder)
        assert recorder.lengths_of(MessageType.MASK_KEY) == [76] * (count * (count - 1))
        assert recorder.lengths_of(MessageType.SESSION_CHECK) == [44] * (2 * count)
        assert recorder.lengths_of(MessageType.HELLO) == []
        rest.append(sum(len(message) for _, _, _, message in recorder.messages) - 76 * count * (count - 1))
    assert len({after - before for before, after in pairwise(rest)}) == 1
