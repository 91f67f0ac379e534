"""Every payload: layout, round trip, and a negative test per field. Parsing is total."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation import primitives
from capc.foundation.errors import ErrorCode, InvalidPayloadError
from capc.foundation.randomness import Seed, XofSource
from capc.steps.messages import MaskKey, VoteShares
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.relu import relu_circuit
from capc.two_party.garbling.payload import GarbledCircuits
from capc.two_party.garbling.transfers.ot_messages import (
    BaseOtChoice,
    BaseOtOffer,
    CheckedExtension,
    ExtensionCheck,
    OtExtension,
    OtTrees,
    TreeCheck,
)
from support.computations import circuits

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
    "ot_trees": (OtTrees.from_bytes, 6144),
    "ot_extension": (lambda payload: CheckedExtension.from_bytes(payload, 13), 31 * 32 + 48),
    "rows of garbled_circuits": (lambda payload: OtExtension.from_bytes(payload, 13), 62),
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
    encode = value.to_bytes
    assert (encode(CIRCUIT) if name == "garbled_circuits" else encode()) == payload


@pytest.mark.req("CAPC-WIRE-005", "CAPC-WIRE-008")
@pytest.mark.parametrize(
    ("message", "position"),
    [(BaseOtOffer(POINTS[0]), 0), (MaskKey(POINTS[0]), 0), *((BaseOtChoice(POINTS), n) for n in (0, 1, 64, 127))],
    ids=lambda part: type(part).__name__ if part.__class__ is not int else str(part),
)
def test_every_point_is_checked(message: BaseOtOffer | MaskKey | BaseOtChoice, position: int) -> None:
    payload = message.to_bytes()
    assert payload == b"".join(POINTS if isinstance(message, BaseOtChoice) else POINTS[:1])
    assert message.from_bytes(payload) == message
    for bad in BAD_POINTS.values():
        forged = payload[: 32 * position] + bad + payload[32 * position + 32 :]
        assert refusal(message.from_bytes, forged) is ErrorCode.INVALID_POINT


@pytest.mark.req("CAPC-WIRE-008")
@given(st.binary(min_size=32, max_size=32))
def test_trees(seed: bytes) -> None:
    payload = XofSource(Seed(seed), b"trees").read(4096 + 2048)
    message = OtTrees.from_bytes(payload)
    assert message.to_bytes() == payload
    assert list(message.sums) == [payload[i : i + 16] for i in range(0, 4096, 16)]
    ends = range(4096, 6144, 64)
    assert list(message.checks) == [TreeCheck(payload[i : i + 32], payload[i + 32 : i + 64]) for i in ends]


@pytest.mark.req("CAPC-WIRE-008")
@given(st.integers(0, 300), st.binary(min_size=32, max_size=32))
def test_extension_with_its_check(transfers: int, seed: bytes) -> None:
    """Rows of whole blocks and one more, so that there is no padding; h(x); the digest."""
    size = 16 * (-(-transfers // 128) + 1)
    payload = XofSource(Seed(seed), b"rows").read(31 * size + 48)
    assert CheckedExtension.byte_length(transfers) == len(payload)
    message = CheckedExtension.from_bytes(payload, transfers)
    assert message.to_bytes() == payload
    assert [row.to_bytes(size, "little") for row in message.extension.rows] == [
        payload[i : i + size] for i in range(0, 31 * size, size)
    ]
    assert message.check == ExtensionCheck(payload[-48:-32], payload[-32:])


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
@given(circuits(small=True), st.integers(1, 5), st.integers(1, 3), st.data())
def test_garbled_circuits(circuit: Circuit, instances: int, chunk: int, data: st.DataObject) -> None:
    """Assembled field by field: per chunk the halves of each stage, then what each output wire needs."""
    numbers = count(1)

    def element(bits: int) -> int:
        return next(numbers) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**bits

    key = data.draw(st.binary(min_size=16, max_size=16))
    parts, tables, outputs = [key], [], []
    for size in [min(chunk, instances - start) for start in range(0, instances, chunk)]:
        for stage in circuit.stages[1:]:
            rows = len(stage.ands) * size
            halves = [[element(128) for _ in range(n)] for n in (0 if stage.products else rows, rows)]
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

    parse = partial(GarbledCircuits.from_bytes, circuit=circuit, instances=instances, chunk=chunk)
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
    parse = partial(VoteShares.from_bytes, num_classes=num_classes, vote_bits=vote_bits)
    assert parse(payload) == VoteShares(shares, vote_bits)
    if vote_bits % 8:
        position = data.draw(st.integers(0, num_classes - 1))
        large = data.draw(st.integers(2**vote_bits, 256**size - 1))
        start = position * size
        bad = payload[:start] + large.to_bytes(size, "little") + payload[start + size :]
        assert refusal(parse, bad) is ErrorCode.VALUE_OUT_OF_RANGE


def test_points_are_distinct_test_data() -> None:
    assert len(set(POINTS)) == 128
