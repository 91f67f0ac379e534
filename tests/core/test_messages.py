"""Every message: layout, round trip, and one negative test per field. Parsing is total."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc import primitives
from capc.channel import Channel
from capc.circuits.builder import Circuit
from capc.circuits.relu import relu_circuit
from capc.errors import ErrorCode, InvalidPayloadError, ProtocolError
from capc.garbled_circuits import GarbledCircuits
from capc.messages import (
    HEADER,
    BaseOtChoice,
    BaseOtOffer,
    Envelope,
    MaskKey,
    MessageType,
    OtExtension,
    OtTrees,
    VoteShares,
)
from capc.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, answering_party
from capc.primitives import Point
from capc.randomness import Seed, XofSource
from support.builders import circuits
from support.header import HEADER_BYTES, OFFSETS, field, with_field

TAG = bytes(range(100, 132))
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


@pytest.mark.req("CAPC-WIRE-001")
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


def test_message_types_have_the_specified_numbers() -> None:
    names = "hello mask_key he_public_key base_ot_offer base_ot_choice ot_trees ot_extension linear_request "
    names += "linear_response choice_bits garbled_circuits vote_shares answered_label masked_value input_labels "
    names += "session_check"
    assert [entry.name.lower() for entry in MessageType] == names.split()
    assert [entry.value for entry in MessageType] == list(range(1, 17))
    assert HEADER.size == HEADER_BYTES == 44


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
    with pytest.raises(ProtocolError) as caught:
        envelope.open(with_field(message, name, other), 7)
    assert (caught.value.code, caught.value.blame) == (FIELD_CODES[name], envelope.sender)


@pytest.mark.req("CAPC-WIRE-002", "CAPC-ERR-001")
@given(envelopes(), st.sets(st.sampled_from(list(FIELD_CODES)), min_size=1))
def test_first_field_that_differs_is_named(envelope: Envelope, names: set[str]) -> None:
    message = envelope.seal(b"too long as well")
    for name in names:
        message = with_field(message, name, bytes(byte ^ 0x55 for byte in field(message, name)))
    first = next(name for name in FIELD_CODES if name in names)
    with pytest.raises(ProtocolError) as caught:
        envelope.open(message, 3)
    assert caught.value.code is FIELD_CODES[first]


@pytest.mark.req("CAPC-WIRE-003", "CAPC-ERR-001")
@given(envelopes(), st.binary(max_size=20), st.integers(0, 20))
def test_other_lengths_are_refused(envelope: Envelope, payload: bytes, length: int) -> None:
    message = envelope.seal(payload)
    bad = [message[:cut] for cut in range(HEADER_BYTES)]
    if len(payload) != length:
        bad.append(message)
    for entry in bad:
        with pytest.raises(ProtocolError) as caught:
            envelope.open(entry, length)
        assert (caught.value.code, caught.value.blame) == (ErrorCode.MALFORMED_LENGTH, envelope.sender)


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
            assert envelope.seal(payload) == message
            assert length == len(payload)
        assert blamed == envelope.sender


def test_a_foreign_tag_is_not_printed() -> None:
    envelope = Envelope(MessageType.HELLO, TAG, 0, 0, QUERYING_PARTY, PRIVACY_GUARDIAN)
    with pytest.raises(ProtocolError) as caught:
        envelope.open(with_field(envelope.seal(b""), "tag", bytes(32)), 0)
    assert str(caught.value) == ("foreign_session: hello message with another session's tag (blame: querying_party)")


# Payloads.

POINTS = tuple(
    primitives.base_multiply(primitives.random_scalar(XofSource(Seed(bytes(32)), bytes([i])))) for i in range(128)
)
BAD_POINTS = {
    "neutral": (1).to_bytes(32, "little"),
    "order 4": bytes(32),
    "not canonical": (2**255 - 19 + 1).to_bytes(32, "little"),
    "off the curve": bytes([2]) + bytes(31),
}

Parser = Callable[[bytes], object]


def refusal(parse: Parser, payload: bytes) -> ErrorCode:
    with pytest.raises(InvalidPayloadError) as caught:
        parse(payload)
    assert caught.value.__cause__ is None
    return caught.value.code


CIRCUIT = relu_circuit(5, 1)
CHUNK = 3
PARSERS: dict[str, tuple[Parser, int]] = {
    "base_ot_offer": (BaseOtOffer.from_bytes, 32),
    "base_ot_choice": (BaseOtChoice.from_bytes, 4096),
    "mask_key": (MaskKey.from_bytes, 32),
    "ot_trees": (OtTrees.from_bytes, 4096),
    "ot_extension": (lambda payload: OtExtension.from_bytes(payload, 13), 62),
    "garbled_circuits": (
        lambda payload: GarbledCircuits.from_bytes(payload, CIRCUIT, 4, CHUNK),
        16 + 4 * (32 * CIRCUIT.and_count - 16 + 3),
    ),
    "vote_shares": (lambda payload: VoteShares.from_bytes(payload, 3, 11), 6),
}


@pytest.mark.req("CAPC-WIRE-003")
@pytest.mark.parametrize("name", PARSERS)
def test_short_and_long_payloads_are_refused(name: str) -> None:
    parse, length = PARSERS[name]
    for other in (0, 1, length - 1, length + 1, 2 * length):
        assert refusal(parse, bytes(other)) is ErrorCode.MALFORMED_LENGTH


@pytest.mark.req("CAPC-WIRE-007")
@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
def test_parsing_is_total_and_canonical(name: str, data: st.DataObject) -> None:
    """Any bytes are refused with a code, or are the only bytes that their value has."""
    parse, length = PARSERS[name]
    seed = data.draw(st.binary(min_size=1, max_size=64))
    cut = data.draw(st.sampled_from([length, length, length, length - 1]))
    payload = (seed * (length // len(seed) + 1))[:cut]
    try:
        value = parse(payload)
    except InvalidPayloadError:
        return
    encode = value.to_bytes  # type: ignore[attr-defined]
    assert (encode(CIRCUIT) if name == "garbled_circuits" else encode()) == payload


@pytest.mark.req("CAPC-WIRE-005", "CAPC-WIRE-008")
@pytest.mark.parametrize("kind", [BaseOtOffer, MaskKey])
def test_single_points(kind: type[BaseOtOffer] | type[MaskKey]) -> None:
    assert kind.from_bytes(POINTS[0]) == kind(POINTS[0])
    assert kind(POINTS[0]).to_bytes() == POINTS[0]
    assert kind.byte_length() == 32
    for bad in BAD_POINTS.values():
        assert refusal(kind.from_bytes, bad) is ErrorCode.INVALID_POINT


@pytest.mark.req("CAPC-WIRE-005", "CAPC-WIRE-008")
@pytest.mark.parametrize("position", [0, 1, 64, 127])
def test_every_point_of_a_choice_is_checked(position: int) -> None:
    payload = b"".join(POINTS)
    assert BaseOtChoice.from_bytes(payload) == BaseOtChoice(POINTS)
    assert BaseOtChoice(POINTS).to_bytes() == payload
    for bad in BAD_POINTS.values():
        start = 32 * position
        assert refusal(BaseOtChoice.from_bytes, payload[:start] + bad + payload[start + 32 :]) is (
            ErrorCode.INVALID_POINT
        )


@pytest.mark.req("CAPC-WIRE-008")
@given(st.binary(min_size=32, max_size=32))
def test_trees(seed: bytes) -> None:
    payload = XofSource(Seed(seed), b"trees").read(4096)
    message = OtTrees.from_bytes(payload)
    assert message.to_bytes() == payload
    assert list(message.sums) == [payload[i : i + 16] for i in range(0, 4096, 16)]


@pytest.mark.req("CAPC-WIRE-004", "CAPC-WIRE-008")
@given(st.integers(1, 70), st.data())
def test_extension_rows(transfers: int, data: st.DataObject) -> None:
    size = -(-transfers // 8)
    rows = tuple(data.draw(st.lists(st.integers(0, 2**transfers - 1), min_size=31, max_size=31)))
    payload = OtExtension(rows, transfers).to_bytes()
    assert payload == b"".join(row.to_bytes(size, "little") for row in rows)
    assert OtExtension.byte_length(transfers) == len(payload)
    assert OtExtension.from_bytes(payload, transfers) == OtExtension(rows, transfers)
    if transfers % 8:
        position = data.draw(st.integers(0, 30))
        bit = data.draw(st.integers(transfers % 8, 7))
        last = size * position + size - 1
        bad = payload[:last] + bytes([payload[last] | 1 << bit]) + payload[last + 1 :]
        assert refusal(lambda given: OtExtension.from_bytes(given, transfers), bad) is ErrorCode.NON_CANONICAL


@pytest.mark.slow
@pytest.mark.req("CAPC-WIRE-004", "CAPC-WIRE-008")
@given(st.booleans().flatmap(lambda shared: circuits(shared=shared)), st.integers(1, 5), st.integers(1, 3), st.data())
def test_garbled_circuits(circuit: Circuit, instances: int, chunk: int, data: st.DataObject) -> None:
    """Assembled field by field: per chunk the halves of each stage, then what each output wire needs."""
    number = 0

    def element(bits: int) -> int:
        nonlocal number
        number += 1
        return number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**bits

    key = data.draw(st.binary(min_size=16, max_size=16))
    parts, tables, outputs = [key], [], []
    for size in [min(chunk, instances - start) for start in range(0, instances, chunk)]:
        for stage in circuit.stages[1:]:
            rows = len(stage.ands) * size
            halves = [[element(128) for _ in range(count)] for count in (0 if stage.products else rows, rows)]
            tables.append((halves[0], halves[1]))
            parts += [row.to_bytes(16, "little") for half in halves for row in half]
        for place in range(len(circuit.outputs)):
            if circuit.sharing is None:
                bits = [element(1) for _ in range(size)]
                parts.append(int("".join(map(str, reversed(bits))), 2).to_bytes(-(-size // 8), "little"))
                outputs.append(bits)
            else:
                width = circuit.sharing.width - place % circuit.sharing.word_bits
                outputs.append([element(width) for _ in range(size)])
                parts += [row.to_bytes(-(-width // 8), "little") for row in outputs[-1]]
    payload = b"".join(parts)

    def parse(given_bytes: bytes) -> GarbledCircuits:
        return GarbledCircuits.from_bytes(given_bytes, circuit, instances, chunk)

    assert len(payload) == GarbledCircuits.byte_length(circuit, instances, chunk)
    message = parse(payload)
    assert message.to_bytes(circuit) == payload
    assert message.hash_key == key
    assert [stage for part in message.chunks for stage in part.tables] == tables
    assert [row for part in message.chunks for row in part.outputs] == outputs
    if circuit.sharing is None:
        last_size = (instances - 1) % chunk + 1
        if last_size % 8:
            assert refusal(parse, payload[:-1] + bytes([payload[-1] | 0x80])) is ErrorCode.NON_CANONICAL
    elif (circuit.sharing.width - (len(circuit.outputs) - 1) % circuit.sharing.word_bits) % 8:
        assert refusal(parse, payload[:-1] + b"\xff") is ErrorCode.VALUE_OUT_OF_RANGE


@pytest.mark.req("CAPC-WIRE-004", "CAPC-WIRE-008")
@given(st.integers(2, 10), st.integers(2, 64), st.data())
def test_vote_shares(num_classes: int, vote_bits: int, data: st.DataObject) -> None:
    size = -(-vote_bits // 8)
    shares = tuple(data.draw(st.lists(st.integers(0, 2**vote_bits - 1), min_size=num_classes, max_size=num_classes)))
    payload = VoteShares(shares, vote_bits).to_bytes()
    assert payload == b"".join(share.to_bytes(size, "little") for share in shares)
    assert VoteShares.byte_length(num_classes, vote_bits) == len(payload)

    def parse(given_bytes: bytes) -> VoteShares:
        return VoteShares.from_bytes(given_bytes, num_classes, vote_bits)

    assert parse(payload) == VoteShares(shares, vote_bits)
    if vote_bits % 8:
        position = data.draw(st.integers(0, num_classes - 1))
        large = data.draw(st.integers(2**vote_bits, 256**size - 1))
        start = position * size
        bad = payload[:start] + large.to_bytes(size, "little") + payload[start + size :]
        assert refusal(parse, bad) is ErrorCode.VALUE_OUT_OF_RANGE


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
    assert here.position(query, layer) == there.position(query, layer) == (query << 32) + layer
    if me != peer:
        assert here.label("step", query, layer) != there.label("step", query, layer)
    assert here.label("step", query, layer) != here.label("stop", query, layer)


@given(envelopes(), st.binary(max_size=10))
def test_channel_ends_open_what_the_other_sealed(envelope: Envelope, payload: bytes) -> None:
    here = Channel(envelope.session_tag, envelope.sender, envelope.receiver)
    there = Channel(envelope.session_tag, envelope.receiver, envelope.sender)
    message = here.seal(envelope.message_type, payload, envelope.query, envelope.layer)
    assert message == envelope.seal(payload)
    opened = there.open(envelope.message_type, message, len(payload), envelope.query, envelope.layer)
    assert opened == payload


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
        "missing_participant",
    }


def test_points_are_distinct_test_data() -> None:
    assert len(set(POINTS)) == 128
    assert all(isinstance(Point(point), bytes) for point in POINTS)
