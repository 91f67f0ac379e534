"""What becomes of a hello follows from section 04, without the code that reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import ProtocolError
from capc.foundation.parties import PRIVACY_GUARDIAN, answering_party
from capc.session.hello import check_hello, hello
from support.builders import make_session

SENDER, RECEIVER = answering_party(1), PRIVACY_GUARDIAN
CODES = {
    (0, 1): "wrong_message_type",
    (1, 33): "foreign_session",
    (33, 37): "wrong_query",
    (37, 38): "wrong_layer",
    (38, 41): "wrong_sender",
    (41, 44): "wrong_receiver",
}


def same(mine: Any, theirs: Any) -> bool:
    """Equal, also in the type of every value."""
    if type(mine) is not type(theirs):
        return False
    if isinstance(mine, dict):
        return mine.keys() == theirs.keys() and all(same(mine[key], theirs[key]) for key in mine)
    if isinstance(mine, list):
        return len(mine) == len(theirs) and all(map(same, mine, theirs))
    return bool(mine == theirs)


def no_json(word: str) -> NoReturn:
    raise ValueError(word)


def told(message: bytes, header: bytes, own: bytes) -> str:
    """The code of the first rule that holds; nothing where the hello is taken."""
    if len(message) < 44:
        return "malformed_length"
    for (start, end), code in CODES.items():
        if message[start:end] != header[start:end]:
            return code
    if len(message) > 44 + len(own) + 2**18:
        return "malformed_length"
    if message[44:] == own:
        return ""
    try:
        theirs = json.loads(message[44:].decode("ascii"), parse_constant=no_json)
    except (ValueError, RecursionError):
        return "non_canonical"
    return "non_canonical" if same(json.loads(own), theirs) else "parameter_mismatch"


def _cases() -> list[tuple[str, bytes, str, dict[str, Any]]]:
    found = []
    file = Path(__file__).parents[2] / "spec" / "capc_spec" / "vectors" / "session.json"
    for group in json.loads(file.read_text("utf-8"))["testGroups"]:
        for test in group["tests"]:
            for operation in (each for each in test["operations"] if each["op"] == "check_hello"):
                given = operation["in"]["message"]
                data = bytes.fromhex(given if isinstance(given, str) else group["blobs"][given["blob"]])
                edit = {} if isinstance(given, str) else given.get("edit", {})
                data = data[: len(data) - edit.get("truncate", 0)]
                data += bytes.fromhex(edit.get("append", "")) + bytes(edit.get("pad", 0))
                if "at" in edit:
                    new = bytes.fromhex(edit["replace"])
                    data = data[: edit["at"]] + new + data[edit["at"] + len(new) :]
                own = json.dumps(group["params"]["session"], sort_keys=True, separators=(",", ":")).encode()
                code = operation["expect"].get("error", {}).get("code", "")
                ends = operation["in"]["sender"], operation["party_index"], operation["role"]
                found.append((test["name"], data, code, {"own": own, "ends": ends}))
    return found


CASES = _cases()


@pytest.mark.req("CAPC-WIRE-010")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_vectors_follow_from_the_words(case: tuple[str, bytes, str, dict[str, Any]]) -> None:
    _, message, code, parts = case
    sender, index, role = parts["ends"]
    codes = {"querying_party": 0, "answering_party": 1, "privacy_guardian": 2}
    name, number = sender, 0
    if sender.startswith("answering_party_"):
        name, number = "answering_party", int(sender.rpartition("_")[2])
    ends = bytes([codes[name]]) + number.to_bytes(2, "little") + bytes([codes[role]]) + index.to_bytes(2, "little")
    assert told(message, b"\1" + bytes(37) + ends, parts["own"]) == code


@pytest.mark.req("CAPC-WIRE-010")
@given(at=st.integers(0, 2000), byte=st.binary(max_size=2), cut=st.integers(0, 2))
def test_edited_hellos(at: int, byte: bytes, cut: int) -> None:
    session = make_session()
    honest = hello(session, SENDER, RECEIVER)
    at %= len(honest) + 1
    message = honest[:at] + byte + honest[at + cut :]
    code = told(message, honest[:44], session.canonical)
    if not code:
        check_hello(session, SENDER, RECEIVER, message)
        return
    with pytest.raises(ProtocolError) as refusal:
        check_hello(session, SENDER, RECEIVER, message)
    assert (refusal.value.code.value, refusal.value.blame) == (code, SENDER)


@pytest.mark.req("CAPC-WIRE-010")
@pytest.mark.parametrize(
    "payload", [b"NaN", b"[Infinity]", b'{"a":-Infinity}', b"\xef\xbb\xbf{}", '{"a":"\u00e9"}'.encode()]
)
def test_what_is_no_json_is_non_canonical(payload: bytes) -> None:
    """Words that Python's parser takes for numbers, a byte order mark, and text that is not ASCII."""
    session = make_session()
    with pytest.raises(ProtocolError) as refusal:
        check_hello(session, SENDER, RECEIVER, hello(session, SENDER, RECEIVER)[:44] + payload)
    assert refusal.value.code.value == "non_canonical"


SESSION = make_session()
HEADER = hello(SESSION, SENDER, RECEIVER)[:44]
OWN = SESSION.canonical
MOST = len(OWN) + 2**18
LONG = {"no JSON": bytes(MOST + 1), "another value": b"1".ljust(MOST + 1), "spaces behind": OWN.ljust(MOST + 1)}


def refusal(message: bytes) -> str:
    with pytest.raises(ProtocolError) as caught:
        check_hello(SESSION, SENDER, RECEIVER, message)
    assert caught.value.blame == SENDER
    return caught.value.code.value


@pytest.mark.req("CAPC-WIRE-010")
@pytest.mark.parametrize("payload", LONG.values(), ids=LONG)
def test_a_hello_above_its_limit_has_the_code_of_its_header_or_its_length(payload: bytes) -> None:
    assert refusal(HEADER + payload) == "malformed_length"
    assert refusal(HEADER[:37] + b"\1" + HEADER[38:] + payload) == "wrong_layer"
    assert refusal(HEADER + payload[:-1]) in ("non_canonical", "parameter_mismatch")


@pytest.mark.req("CAPC-WIRE-010")
def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    other = b'"session_id":"' + b"ee" * 32 + b'"'
    check_hello(SESSION, SENDER, RECEIVER, HEADER + OWN)
    assert refusal(HEADER + b"{" + other + b"," + OWN[1:]) == "non_canonical"
    assert refusal(HEADER + OWN[:-1] + b"," + other + b"}") == "parameter_mismatch"
