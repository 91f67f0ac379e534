"""How values are written in a vector file, and the closed JSON Schema of each way.

Bytes are lower-case hex, integers of the protocol decimal strings, rationals ``n`` or ``n/d``, bits a string of ``0``
and ``1`` whose first character is bit 0. JSON numbers are small public counts only; there are no floats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from capc.foundation.errors import InputError
from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party, answering_party

Json = Any
"""A parsed JSON value: what the schema of its place says, nothing more."""

IN, OUT = "in", "out"
"""Where a value stands: given to an operation, or expected from it."""


@dataclass(frozen=True)
class Edited:
    """Bytes with one fault: a vector names the honest bytes and the edit.

    Attributes:
        base: the honest bytes.
        edit: ``{"truncate": n}``, ``{"append": hex}``, ``{"pad": n}`` or ``{"at": n, "replace": hex}``.
    """

    base: bytes
    edit: Mapping[str, Json]


@dataclass(frozen=True)
class Kind:
    """A way to write one sort of value.

    Attributes:
        schema: its JSON Schema, by where the value stands.
        read: from JSON, with all references resolved.
        write: to JSON.
    """

    schema: Callable[[str], Json]
    read: Callable[[Json], Any]
    write: Callable[[Any], Json]


def apply_edit(data: bytes, edit: Mapping[str, Json]) -> bytes:
    """The bytes after an edit."""
    if "truncate" in edit:
        return data[: len(data) - int(edit["truncate"])]
    if "append" in edit:
        return data + bytes.fromhex(edit["append"])
    if "pad" in edit:
        return data + bytes(edit["pad"])
    start, patch = int(edit["at"]), bytes.fromhex(edit["replace"])
    return data[:start] + patch + data[start + len(patch) :]


def resolve(value: Json, blobs: Mapping[str, str]) -> Json:
    """The value with every reference to a blob replaced by the hex that it stands for.

    Raises:
        InputError: a blob has no such name.
    """
    if isinstance(value, list):
        return [resolve(entry, blobs) for entry in value]
    if not isinstance(value, dict):
        return value
    if "blob" not in value:
        return {key: resolve(entry, blobs) for key, entry in value.items()}
    if value["blob"] not in blobs:
        raise InputError(f"blob {value['blob']!r} is not one of the group's")
    data = blobs[value["blob"]]
    return apply_edit(bytes.fromhex(data), value["edit"]).hex() if "edit" in value else data


def party_named(name: str) -> Party:
    """The party of that name.

    Raises:
        InputError: the name is not one.
    """
    prefix, _, index = name.rpartition("_")
    if prefix == "answering_party" and index.isdecimal():
        return answering_party(int(index))
    for party in (QUERYING_PARTY, PRIVACY_GUARDIAN):
        if name == str(party):
            return party
    raise InputError(f"{name!r} is not a party")


def _plain(schema: Json) -> Callable[[str], Json]:
    return lambda _: schema


def _write_bytes(value: bytes | Edited) -> Json:
    if isinstance(value, Edited):
        return {"base": value.base.hex(), "edit": dict(value.edit)}
    return value.hex()


def _pattern(text: str) -> Callable[[str], Json]:
    return _plain({"type": "string", "pattern": text})


def _identity(value: Json) -> Json:
    return value


DATA = Kind(lambda place: {"$ref": f"#/$defs/bytes_{place}"}, bytes.fromhex, _write_bytes)
"""Bytes: hex, or a reference to a blob of the group; an expected one may also be a SHA-256 and a length."""
INTEGER = Kind(_pattern("^(0|-?[1-9][0-9]*)$"), int, str)
"""An integer of the protocol."""
RATIONAL = Kind(_pattern("^(0|-?[1-9][0-9]*)(/[1-9][0-9]*)?$"), Fraction, str)
"""An exact rational in lowest terms."""
REAL = Kind(_pattern(r"^(-?(0|[1-9][0-9]*)(\.[0-9]+)?|nan|-?inf)$"), float, str)
"""A decimal, to be read as the nearest binary64 number; or ``nan``, ``inf``, ``-inf``."""
BITS = Kind(
    _pattern("^[01]*$"), lambda text: [int(bit) for bit in text], lambda bits: "".join(str(bit) for bit in bits)
)
"""Bits, bit 0 first."""
COUNT = Kind(_plain({"type": "integer", "minimum": 0, "maximum": 1 << 32}), _identity, _identity)
"""A small public number."""
TEXT = Kind(_plain({"type": "string"}), str, str)
"""Words: a name, or a line."""
FLAG = Kind(_plain({"type": "boolean"}), _identity, _identity)
"""True or false."""
PARTY = Kind(_plain({"$ref": "#/$defs/party"}), party_named, str)
"""A party by its name."""


def choice(enum: type[StrEnum]) -> Kind:
    """One of the values of an enumeration."""
    return Kind(_plain({"enum": [entry.value for entry in enum]}), enum, lambda entry: enum(entry).value)


def constant(text: str) -> Kind:
    """A field that says which of several objects this is."""
    return Kind(_plain({"const": text}), _identity, _identity)


def one_of(*variants: Mapping[str, Kind]) -> Kind:
    """An object with exactly the fields of one variant; the variants differ in the constant `kind`."""
    kinds = {fields["kind"].schema(IN)["const"]: record(fields) for fields in variants}
    return Kind(
        lambda place: {"oneOf": [kind.schema(place) for kind in kinds.values()]},
        lambda value: kinds[value["kind"]].read(value),
        lambda value: kinds[value["kind"]].write(value),
    )


def many(kind: Kind) -> Kind:
    """A list."""
    return Kind(
        lambda place: {"type": "array", "items": kind.schema(place)},
        lambda entries: [kind.read(entry) for entry in entries],
        lambda entries: [kind.write(entry) for entry in entries],
    )


def optional(kind: Kind) -> Kind:
    """A value or null."""
    return Kind(
        lambda place: {"anyOf": [{"type": "null"}, kind.schema(place)]},
        lambda value: None if value is None else kind.read(value),
        lambda value: None if value is None else kind.write(value),
    )


def by_party(kind: Kind) -> Kind:
    """One value per party, by the party's name."""
    return Kind(
        lambda place: {
            "type": "object",
            "propertyNames": {"$ref": "#/$defs/party"},
            "additionalProperties": kind.schema(place),
        },
        lambda value: {party_named(name): kind.read(entry) for name, entry in value.items()},
        lambda value: {str(party): kind.write(entry) for party, entry in value.items()},
    )


def closed_object(properties: Mapping[str, Json], omissible: Mapping[str, Json] | None = None) -> Json:
    """The schema of an object with exactly these keys, and any of the omissible ones."""
    return {
        "type": "object",
        "properties": {**properties, **(omissible or {})},
        "required": list(properties),
        "additionalProperties": False,
    }


def record(fields: Mapping[str, Kind], omissible: Mapping[str, Kind] | None = None) -> Kind:
    """An object with exactly these fields, and any of the omissible ones, which are left out where they are None."""
    extra = omissible or {}

    def schema(place: str) -> Json:
        return closed_object(
            {name: kind.schema(place) for name, kind in fields.items()},
            {name: kind.schema(place) for name, kind in extra.items()},
        )

    def read(value: Json) -> dict[str, Any]:
        given = {name: kind.read(value[name]) for name, kind in extra.items() if name in value}
        return {name: kind.read(value[name]) for name, kind in fields.items()} | given

    def write(value: Mapping[str, Any]) -> Json:
        given = {name: kind.write(value[name]) for name, kind in extra.items() if value.get(name) is not None}
        return {name: kind.write(value[name]) for name, kind in fields.items()} | given

    return Kind(schema, read, write)


INTEGERS = many(INTEGER)
