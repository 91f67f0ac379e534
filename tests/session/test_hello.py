"""Hellos: the first difference is named, and no bytes whatever raise anything but a ProtocolError."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from capc.foundation.errors import ErrorCode, ProtocolError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party
from capc.session.envelope import Envelope, MessageType
from capc.session.hello import check_hello, hello
from capc.session.parameters import Charge, canonical_json
from capc.session.session import Session
from support.builders import (
    confident_policy,
    make_parameters,
    make_policy,
    make_session,
    make_widths,
    single_draw_policy,
)
from support.header import HEADER_BYTES, with_field, with_payload
from support.sessions import DIFFERENCES, PARAMETERS, SESSION, with_widths

ENDS = (answering_party(1), QUERYING_PARTY)


MISMATCH, ENCODING = ErrorCode.PARAMETER_MISMATCH, ErrorCode.NON_CANONICAL


def refuse(session: Session, message: bytes, *codes: ErrorCode) -> ProtocolError:
    """What the hello is refused with: one of these codes."""
    with pytest.raises(ProtocolError) as caught:
        check_hello(session, *ENDS, message)
    assert caught.value.blame == ENDS[0]
    assert caught.value.code in (codes or ErrorCode)
    return caught.value


def refuse_payload(payload: bytes, *codes: ErrorCode) -> ProtocolError:
    return refuse(SESSION, with_payload(hello(SESSION, *ENDS), payload), *codes)


@pytest.mark.req("CAPC-ROLE-004")
def test_equal_sessions_greet_each_other_in_every_direction() -> None:
    same = make_session(make_parameters(make_widths(), confident_policy(Charge.REALISED)), [(2, 4, 3), (2, 3)])
    everyone = [entry.party for entry in SESSION.participants]
    for sender in everyone:
        for receiver in everyone:
            check_hello(SESSION, sender, receiver, hello(same, sender, receiver))
    assert hello(SESSION, *ENDS)[HEADER_BYTES:] == canonical_json(SESSION.document())
    assert hello(SESSION, *ENDS)[1:33] == bytes(32)


@pytest.mark.req("CAPC-ROLE-004", "CAPC-ERR-001")
@pytest.mark.parametrize("place", DIFFERENCES)
def test_the_field_that_differs_is_named(place: str) -> None:
    error = refuse(SESSION, hello(DIFFERENCES[place](), *ENDS), MISMATCH)
    assert error.detail.startswith(place)


@pytest.mark.req("CAPC-ROLE-004")
def test_the_first_of_several_differences_is_named() -> None:
    other = replace(with_widths(grid_bits=0, fraction_bits=3, name="z"), session_id=bytes(32))
    assert refuse(SESSION, hello(other, *ENDS)).detail == "parameters.fraction_bits is 2 here and 3 there"


@pytest.mark.req("CAPC-ROLE-004")
def test_every_parameter_has_a_test_above() -> None:
    tested = {place.split()[0].split("[")[0] for place in DIFFERENCES}
    others = {"parameters.spec_version", "parameters.threshold_mode"}
    assert {f"parameters.{name}" for name in PARAMETERS.document()} - tested == others


@pytest.mark.req("CAPC-ROLE-004", "CAPC-REL-010")
def test_another_mode_of_the_threshold_is_named() -> None:
    """It cannot differ alone, as a single draw has no noise of its own to choose."""
    two, one = (
        make_session(make_parameters(make_widths(), policy), [(2, 4, 3), (2, 3)])
        for policy in (confident_policy(), single_draw_policy())
    )
    detail = refuse(two, hello(one, *ENDS), MISMATCH).detail
    assert detail.startswith("parameters.threshold_mode is 'two_draws' here and 'single_draw' there")


def edited(edit: Callable[[dict[str, dict[str, object]]], object]) -> bytes:
    document = json.loads(canonical_json(SESSION.document()))
    edit(document)
    return canonical_json(document)


@pytest.mark.req("CAPC-ROLE-004")
def test_a_missing_field_is_named_also_where_its_value_is_none() -> None:
    plain = make_session(make_parameters(policy=make_policy()))
    document = json.loads(canonical_json(plain.document()))
    del document["parameters"]["threshold"]
    error = refuse(plain, with_payload(hello(plain, *ENDS), canonical_json(document)), MISMATCH)
    assert error.detail.startswith("parameters.threshold is")


@pytest.mark.req("CAPC-ROLE-004")
@pytest.mark.parametrize(
    ("edit", "place"),
    [
        pytest.param(lambda d: d["parameters"].update(grid_bits=True), "parameters.grid_bits is", id="true for 1"),
        pytest.param(lambda d: d["parameters"].update(logit_bits=12.0), "parameters.logit_bits is", id="12.0 for 12"),
        pytest.param(lambda d: d.update(extra=1), "extra is missing here and 1 there", id="extra field"),
        pytest.param(lambda d: d.update(parameters=[]), "parameters is", id="list for object"),
        pytest.param(lambda d: d.update(participants={}), "participants is", id="object for list"),
        pytest.param(lambda d: d["parameters"].update(spec_version="0.2.0"), "parameters.spec_version is", id="spec"),
    ],
)
def test_odd_values_are_named(edit: Callable[[dict[str, dict[str, object]]], object], place: str) -> None:
    error = refuse_payload(edited(edit), MISMATCH)
    assert error.detail.startswith(place)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(canonical_json(SESSION.document()) + b" ", id="trailing space"),
        pytest.param(json.dumps(SESSION.document(), sort_keys=True).encode(), id="spaces"),
        pytest.param(canonical_json(SESSION.document()).replace(b'{"par', b'{"parameters":0,"par', 1), id="double key"),
    ],
)
def test_the_same_document_in_another_encoding_is_refused(payload: bytes) -> None:
    error = refuse_payload(payload, ENCODING)
    assert error.detail == "hello is this session in another encoding"


NASTY = {
    "nothing": b"",
    "not utf-8": b"\xff\xfe\xfd",
    "not json": b"{",
    "deep lists": b"[" * 100_000,
    "deep lists, closed": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    "an integer of 5000 digits": b"9" * 5000,
    "a parameter of 5000 digits": b'{"parameters":' + b"9" * 5000 + b"}",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "utf-16": canonical_json(SESSION.document()).decode().encode("utf-16"),
    "utf-16 without a mark": canonical_json(SESSION.document()).decode().encode("utf-16-le"),
}
ODD = {
    "huge float": b'{"parameters":1e999999}',
    "null": b"null",
    "a lone surrogate as a key": b'{"\\ud800":1}',
    "a lone surrogate as a value": b'{"parameters":"\\udc00"}',
    "line ends in a key": b'{"\\n\\u001b[2Jerror: all is well":1}',
}


@pytest.mark.req("CAPC-WIRE-007", "CAPC-ERR-001")
@pytest.mark.parametrize("name", NASTY)
def test_what_is_no_document_is_not_canonical(name: str) -> None:
    refuse_payload(NASTY[name], ENCODING)


@pytest.mark.req("CAPC-WIRE-007", "CAPC-ERR-001")
@pytest.mark.parametrize("name", ODD)
def test_odd_documents_are_mismatches_and_details_one_short_printable_line(name: str) -> None:
    error = refuse_payload(ODD[name], MISMATCH)
    assert error.detail.isprintable()
    assert error.detail.isascii()


@pytest.mark.slow
@pytest.mark.req("CAPC-WIRE-007")
def test_nesting_at_the_limit_of_the_interpreter_is_refused() -> None:
    """Where parsing just works, printing what was parsed must not fail."""
    for depth in range(700, 1100):
        refuse_payload(b'{"parameters":' + b"[" * depth + b"]" * depth + b"}", MISMATCH, ENCODING)


def test_a_long_key_or_value_is_cut() -> None:
    for payload in (b'{"' + b"k" * 10_000 + b'":1}', b'{"parameters":"' + b"v" * 10_000 + b'"}'):
        assert len(refuse_payload(payload).detail) < 200


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)


@pytest.mark.req("CAPC-WIRE-007")
@given(st.one_of(st.binary(max_size=60), JSON.map(lambda value: json.dumps(value).encode())))
def test_arbitrary_payloads_are_refused(payload: bytes) -> None:
    refuse_payload(payload, MISMATCH, ENCODING)


@pytest.mark.req("CAPC-WIRE-007")
@given(st.binary(max_size=100))
def test_arbitrary_messages_are_refused(message: bytes) -> None:
    refuse(SESSION, message)


def is_json(value: object) -> bool:
    """NaN and infinities are none, though Python writes them."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


@pytest.mark.req("CAPC-WIRE-007")
@example(["parameters"], math.inf)
@example(["parameters", "session_id"], [math.nan])
@given(st.lists(st.sampled_from(["parameters", "participants", "session_id"]), max_size=3), JSON)
def test_one_arbitrary_part_of_a_document_is_refused(parts: list[str], value: object) -> None:
    document = dict(SESSION.document())
    for part in parts:
        document[part] = value
    payload = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    if parts:
        refuse_payload(payload, MISMATCH if is_json(value) else ENCODING)


@pytest.mark.req("CAPC-WIRE-002")
@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("type", MessageType.MASK_KEY, ErrorCode.WRONG_MESSAGE_TYPE),
        ("tag", b"\x01" * 32, ErrorCode.FOREIGN_SESSION),
        ("query", 1, ErrorCode.WRONG_QUERY),
        ("layer", 1, ErrorCode.WRONG_LAYER),
        ("sender_index", 2, ErrorCode.WRONG_SENDER),
        ("receiver_role", 2, ErrorCode.WRONG_RECEIVER),
    ],
)
def test_header_of_a_hello(name: str, value: int | bytes, code: ErrorCode) -> None:
    refuse(SESSION, with_field(hello(SESSION, *ENDS), name, value), code)


def test_a_hello_to_another_party_is_refused() -> None:
    envelope = Envelope(MessageType.HELLO, bytes(32), 0, 0, ENDS[0], PRIVACY_GUARDIAN)
    message = envelope.seal(canonical_json(SESSION.document()))
    refuse(SESSION, message, ErrorCode.WRONG_RECEIVER)
