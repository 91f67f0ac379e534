"""The header of every message, field by field; a channel seals and opens it; the contexts of a channel."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import ErrorCode, ProtocolError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, answering_party
from capc.session.channel import Channel
from capc.session.envelope import HEADER, Envelope, MessageType
from support.header import HEADER_BYTES, OFFSETS, field, with_field
from support.refusals import refused
from support.sections import rows_after, section

TAG = bytes(range(100, 132))
STEP = "answering_party_garble_layer"
PARTIES = st.one_of(st.sampled_from([QUERYING_PARTY, PRIVACY_GUARDIAN]), st.integers(1, 4096).map(answering_party))
ROLE_BYTES = {"querying_party": 0, "answering_party": 1, "privacy_guardian": 2}


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    return Envelope(
        draw(st.sampled_from(MessageType)),
        draw(st.binary(min_size=32, max_size=32)),
        draw(st.integers(0, 2**32 - 1)),
        draw(st.integers(0, 255)),
        draw(PARTIES),
        draw(PARTIES),
    )


@pytest.mark.req("CAPC-WIRE-001", "CAPC-NAME-005")
@given(envelopes(), st.binary(max_size=50))
def test_header_has_the_specified_layout(envelope: Envelope, payload: bytes) -> None:
    message = envelope.seal(payload)
    assert field(message, "type") == bytes([envelope.message_type.value])
    assert field(message, "tag") == envelope.session_tag
    assert field(message, "query") == struct.pack("<I", envelope.query)
    assert field(message, "layer") == bytes([envelope.layer])
    for end, party in (("sender", envelope.sender), ("receiver", envelope.receiver)):
        assert field(message, f"{end}_role") == bytes([ROLE_BYTES[party.role.value]])
        assert field(message, f"{end}_index") == struct.pack("<H", party.index)
    assert message[HEADER_BYTES:] == payload
    assert envelope.open(message, len(payload)) == payload


@pytest.mark.req("CAPC-NAME-005")
def test_message_types_have_the_specified_numbers() -> None:
    names = "hello mask_key he_public_key base_ot_offer base_ot_choice ot_trees ot_extension linear_request "
    names += "linear_response choice_bits garbled_circuits vote_shares answered_label masked_value input_labels "
    names += "session_check"
    assert [entry.name.lower() for entry in MessageType] == names.split()
    assert [entry.value for entry in MessageType] == list(range(1, 17))
    assert HEADER.size == HEADER_BYTES == 44


@pytest.mark.req("CAPC-NAME-005")
def test_sealed_messages_begin_with_the_number_in_the_table() -> None:
    rows = rows_after(section("11-names.md"), "messages")
    assert len(rows) == len(MessageType)
    for number, name, *_ in rows:
        sealed = Channel(TAG, QUERYING_PARTY, PRIVACY_GUARDIAN).seal(MessageType[name.upper()], b"x", 3, 4)
        assert sealed[0] == int(number)


FIELD_CODES = {
    "type": ErrorCode.WRONG_MESSAGE_TYPE,
    "tag": ErrorCode.FOREIGN_SESSION,
    "query": ErrorCode.WRONG_QUERY,
    "layer": ErrorCode.WRONG_LAYER,
    "sender_role": ErrorCode.WRONG_SENDER,
    "sender_index": ErrorCode.WRONG_SENDER,
    "receiver_role": ErrorCode.WRONG_RECEIVER,
    "receiver_index": ErrorCode.WRONG_RECEIVER,
}


@pytest.mark.req("CAPC-WIRE-002", "CAPC-ERR-001")
@pytest.mark.parametrize("name", FIELD_CODES)
@given(envelope=envelopes(), data=st.data())
def test_each_field_of_the_header_is_checked(name: str, envelope: Envelope, data: st.DataObject) -> None:
    message = envelope.seal(b"payload")
    length = OFFSETS[name][1]
    other = data.draw(st.binary(min_size=length, max_size=length).filter(lambda value: value != field(message, name)))
    with refused(FIELD_CODES[name], envelope.sender):
        envelope.open(with_field(message, name, other), 7)


@pytest.mark.req("CAPC-WIRE-002", "CAPC-ERR-001")
@given(envelopes(), st.sets(st.sampled_from(list(FIELD_CODES)), min_size=1))
def test_first_field_that_differs_is_named(envelope: Envelope, names: set[str]) -> None:
    message = envelope.seal(b"too long as well")
    for name in names:
        message = with_field(message, name, bytes(byte ^ 0x55 for byte in field(message, name)))
    first = next(name for name in FIELD_CODES if name in names)
    with refused(FIELD_CODES[first], envelope.sender):
        envelope.open(message, 3)


@pytest.mark.req("CAPC-WIRE-003", "CAPC-ERR-001")
@given(envelopes(), st.binary(max_size=20), st.integers(0, 20))
def test_other_lengths_are_refused(envelope: Envelope, payload: bytes, length: int) -> None:
    message = envelope.seal(payload)
    bad = [message[:cut] for cut in range(HEADER_BYTES)]
    if len(payload) != length:
        bad.append(message)
    for entry in bad:
        with refused(ErrorCode.MALFORMED_LENGTH, envelope.sender):
            envelope.open(entry, length)


@pytest.mark.req("CAPC-WIRE-007")
@given(envelopes(), st.binary(max_size=100), st.integers(0, 60), st.integers(0, 44))
def test_opening_is_total(envelope: Envelope, data: bytes, length: int, kept: int) -> None:
    """Arbitrary bytes, also behind a header that is right for a while."""
    for message in (data, envelope.header()[:kept] + data):
        try:
            payload = envelope.open(message, length)
        except ProtocolError as error:
            blamed = error.blame
        else:
            blamed = envelope.sender
            assert (envelope.seal(payload), len(payload)) == (message, length)
        assert blamed == envelope.sender


def test_a_foreign_tag_is_not_printed() -> None:
    envelope = Envelope(MessageType.HELLO, TAG, 0, 0, QUERYING_PARTY, PRIVACY_GUARDIAN)
    message = with_field(envelope.seal(b""), "tag", bytes(32))
    with pytest.raises(ProtocolError, match=r"^foreign_session: hello message with another session's tag \(blame: "):
        envelope.open(message, 0)


def test_error_codes_are_those_of_the_specification() -> None:
    assert {code.value for code in ErrorCode} == {
        "malformed_length",
        "wrong_message_type",
        "foreign_session",
        "wrong_query",
        "wrong_layer",
        "wrong_sender",
        "wrong_receiver",
        "value_out_of_range",
        "non_canonical",
        "invalid_point",
        "parameter_mismatch",
        "invalid_output_label",
        "inconsistent_transfers",
        "missing_participant",
    }


# The channel.


@pytest.mark.req("CAPC-OT-003")
@given(PARTIES, PARTIES, PARTIES, st.integers(0, 2**32 - 1), st.integers(0, 255))
def test_context_is_common_to_both_ends_and_to_nobody_else(
    me: Party, peer: Party, third: Party, query: int, layer: int
) -> None:
    here, there = Channel(TAG, me, peer), Channel(TAG, peer, me)
    context = here.context(query, layer)
    assert context == there.context(query, layer)
    assert context.startswith(TAG)
    others = [
        here.context(query ^ 1, layer),
        here.context(query, layer ^ 1),
        Channel(bytes(32), me, peer).context(query, layer),
    ]
    if third not in (me, peer):
        others += [Channel(TAG, me, third).context(query, layer), Channel(TAG, third, peer).context(query, layer)]
    assert context not in others
    assert len({context, *others}) >= 4
    assert here.nonce(query, layer) == there.nonce(query, layer) == (query << 32) + layer
    if me != peer:
        assert here.label(STEP, query, layer) != there.label(STEP, query, layer)
    assert here.label(STEP, query, layer) != here.label("querying_party_keep_circuits", query, layer)


@given(envelopes(), st.binary(max_size=10))
def test_channel_ends_open_what_the_other_sealed(envelope: Envelope, payload: bytes) -> None:
    here = Channel(envelope.session_tag, envelope.sender, envelope.receiver)
    there = Channel(envelope.session_tag, envelope.receiver, envelope.sender)
    message = here.seal(envelope.message_type, payload, envelope.query, envelope.layer)
    assert message == envelope.seal(payload)
    opened = there.open(envelope.message_type, message, len(payload), envelope.query, envelope.layer)
    assert opened == payload
