"""The first place at which a port's result differs from the vector's: field, byte, and the draw that made it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from capc_spec.registry import entries
from capc_verify.conformance.levels import schema
from capc_verify.vectors.values import Json

_BYTES = "#/$defs/bytes_out"
_SHOWN_BYTES, _SHOWN_TEXT = 8, 100
_MESSAGE_FIELDS = ("message", "messages", "offers", "checks", "answered_message")
_HEADER = (
    (0, "type"),
    (1, "session tag"),
    (33, "query"),
    (37, "layer"),
    (38, "sender's role"),
    (39, "sender's index"),
    (41, "receiver's role"),
    (42, "receiver's index"),
)
_HEADER_BYTES = 44


@dataclass(frozen=True)
class Difference:
    """A place, and what stands there.

    Attributes:
        field: from the reply's top, for example ``out.messages.querying_party``.
        offset: of bytes, the first that differs.
        part: of a message, the field of the header, or where in the payload.
        stream: the label of the stream from which the operation draws, or the field that is its stream.
        draw: which draw it is, or those that the operation makes.
        found: what the port gave there.
        expected: what the vector expects.
    """

    field: str
    found: str
    expected: str
    offset: int | None = None
    part: str = ""
    stream: str = ""
    draw: str = ""

    def __str__(self) -> str:
        place = self.field + ("" if self.offset is None else f", byte {self.offset}")
        place += f" ({self.part})" if self.part else ""
        drawn = f"; stream {self.stream}" if self.stream else ""
        drawn += f", draw {self.draw}" if self.draw else ""
        return f"{place} is {self.found}, expected {self.expected}{drawn}"

    def to_json(self) -> Json:
        """For a report."""
        return asdict(self)


def output_schema(stem: str, group: str, op: str) -> Json:
    """The schema of an operation's ``expect``, of its outputs if ``out`` is looked up."""
    return _operation_schema(stem, group, op)["properties"]["expect"]["anyOf"][0]["properties"]


@cache
def _operation_schema(stem: str, group: str, op: str) -> Json:
    kinds = schema(stem)["properties"]["testGroups"]["items"]["anyOf"]
    (kind,) = (kind for kind in kinds if kind["properties"]["type"]["const"] == group)
    operations = kind["properties"]["tests"]["items"]["properties"]["operations"]["items"]["anyOf"]
    (found,) = (entry for entry in operations if entry["properties"]["op"]["const"] == op)
    return found


def input_schema(stem: str, group: str, op: str) -> Json:
    """The schema of an operation's ``in``."""
    return _operation_schema(stem, group, op)["properties"]["in"]


def compare(expected: Json, found: Json, shape: Json, field: str) -> Difference | None:
    """The first difference, in the order in which the vector has its fields; None if there is none.

    Args:
        expected: from the vector, with blobs resolved.
        found: from the port: bytes always in full.
        shape: the schema of the field.
        field: its name.
    """
    if isinstance(expected, dict) and not _is_bytes(shape):
        return _of_object(expected, found, shape, field)
    if isinstance(expected, list):
        return _of_list(expected, found, shape, field)
    if _is_bytes(shape) and expected is not None:
        return _of_bytes(expected, found, field)
    if type(expected) is type(found) and expected == found:
        return None
    return Difference(field, _short(found), _short(expected))


def _of_object(expected: Json, found: Json, shape: Json, field: str) -> Difference | None:
    if not isinstance(found, dict):
        return Difference(field, _short(found), "an object")
    for name, value in expected.items():
        if name not in found:
            return Difference(f"{field}.{name}", "missing", _short(value))
        difference = compare(value, found[name], _inner(shape, name), f"{field}.{name}")
        if difference:
            return difference
    extra = sorted(set(found) - set(expected))
    return Difference(f"{field}.{extra[0][:40]}", "there", "no such field") if extra else None


def _of_list(expected: Json, found: Json, shape: Json, field: str) -> Difference | None:
    if not isinstance(found, list):
        return Difference(field, _short(found), "a list")
    for index, (value, other) in enumerate(zip(expected, found, strict=False)):
        difference = compare(value, other, _inner(shape, None), f"{field}[{index}]")
        if difference:
            return difference
    if len(expected) == len(found):
        return None
    return Difference(field, f"{len(found)} entries", f"{len(expected)} entries")


def _of_bytes(expected: Json, found: Json, field: str) -> Difference | None:
    if not isinstance(found, str) or len(found) % 2 or not set(found) <= set("0123456789abcdef"):
        return Difference(field, _short(found), "bytes in lower-case hex")
    given = bytes.fromhex(found)
    if isinstance(expected, dict):
        return _of_digest(expected, given, field)
    wanted = bytes.fromhex(expected)
    if given == wanted:
        return None
    pairs = zip(given, wanted, strict=False)
    offset = next((i for i, (left, right) in enumerate(pairs) if left != right), min(len(given), len(wanted)))
    return Difference(field, _bytes_at(given, offset), _bytes_at(wanted, offset), offset, _part(field, offset))


def _of_digest(expected: Json, given: bytes, field: str) -> Difference | None:
    if len(given) != expected["length"]:
        return Difference(field, f"{len(given)} bytes", f"{expected['length']} bytes")
    digest = hashlib.sha256(given).hexdigest()
    if digest == expected["sha256"]:
        return None
    return Difference(field, f"bytes with SHA-256 {digest}", f"bytes with SHA-256 {expected['sha256']}")


def _bytes_at(data: bytes, offset: int) -> str:
    shown = data[offset : offset + _SHOWN_BYTES].hex()
    return f"{shown or 'the end'} of {len(data)} bytes"


def _part(field: str, offset: int) -> str:
    """Where in a message a byte stands."""
    if not any(name in _MESSAGE_FIELDS for name in field.split(".")):
        return ""
    if offset >= _HEADER_BYTES:
        return f"payload, byte {offset - _HEADER_BYTES}"
    return "header, " + next(name for start, name in reversed(_HEADER) if start <= offset)


def _is_bytes(shape: Json) -> bool:
    return any(entry.get("$ref") == _BYTES for entry in _variants(shape))


def _variants(shape: Json) -> list[Json]:
    """The schema, or those of which one must hold."""
    return [inner for entry in shape.get("anyOf", shape.get("oneOf", [])) for inner in _variants(entry)] or [shape]


def _inner(shape: Json, name: str | None) -> Json:
    """The schema of an entry: of that name in an object, or of a list."""
    for entry in _variants(shape):
        if name is None and "items" in entry:
            return entry["items"]
        if name is not None and name in entry.get("properties", {}):
            return entry["properties"][name]
        if name is not None and isinstance(entry.get("additionalProperties"), dict):
            return entry["additionalProperties"]
    return {}


def drawn(step: Json, inputs: Json, field: str) -> Mapping[str, Any]:
    """Stream and draw behind a field of an operation's result, as far as the data says them.

    Args:
        step: the operation.
        inputs: its inputs.
        field: the place of a difference.
    """
    place = field.rpartition("[")[2].rstrip("]") if field.endswith("]") else ""
    if "stream" in inputs:
        return {"stream": "in.stream", "draw": place}
    if "label" in inputs and "seed" in inputs:
        label = bytes.fromhex(inputs["label"]).decode("utf-8", "replace")
        return {"stream": repr(label), "draw": place or "after the others"}
    return draws_of(step["op"]) if "seed" in inputs else {}


def draws_of(step: str) -> Mapping[str, Any]:
    """Stream and draws of a step, as section 11 has them; nothing where it draws nothing."""
    entry = entries("steps").get(step)
    if entry is None:
        return {}
    draws = "; ".join(f"{number}: {draw['take']}, {draw['what']}" for number, draw in enumerate(entry["draws"]))
    return {"stream": repr(entry["label"]), "draw": f"one of {draws}" if len(entry["draws"]) > 1 else draws}


def _short(value: Json) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]}... ({len(text)} characters)"
