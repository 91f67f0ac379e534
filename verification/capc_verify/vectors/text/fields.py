"""Section 19: how each field of each operation is written, from the kinds with which vectors are read and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from capc_verify.vectors.figures import asked
from capc_verify.vectors.registry import GROUP_TYPES
from capc_verify.vectors.text.writing import table
from capc_verify.vectors.values import BITS, COUNT, DATA, FLAG, IN, INTEGER, OUT, PARTY, RATIONAL, REAL, Json, Kind

_WORDS: Mapping[str, Kind] = {
    "bytes": DATA,
    "integer": INTEGER,
    "rational": RATIONAL,
    "real": REAL,
    "bits": BITS,
    "number": COUNT,
    "flag": FLAG,
    "party": PARTY,
}
_DOCUMENTS: Mapping[str, str] = {
    "participants": "session document",
    "spec_version": "parameter document",
    "adjacency": "policy",
    "kernel": "grid",
    "activation": "layer",
    "architecture": "participant",
}
"""Objects that other sections tell, by a key that only they have."""


def _written(schema: Json, place: str) -> str:
    """A schema in words: ``[x]`` is a list, ``{...}`` an object, ``x?`` a value or null."""
    known = [word for word, kind in _WORDS.items() if schema == kind.schema(place)]
    if known:
        return known[0]
    if "anyOf" in schema:
        return _written(schema["anyOf"][1], place) + "?"
    if "oneOf" in schema:
        kinds = [entry["properties"]["kind"]["const"] for entry in schema["oneOf"]]
        return "operator" if "dense" in kinds else "object of a `kind`"
    if schema.get("type") == "array":
        return f"[{_written(schema['items'], place)}]"
    if schema.get("type") == "object":
        return _object(schema, place)
    return "name" if "enum" in schema or "pattern" in schema else "text"


def _object(schema: Json, place: str) -> str:
    if "propertyNames" in schema:
        return "{party: " + _written(schema["additionalProperties"], place) + "}"
    properties = schema["properties"]
    told = [name for key, name in _DOCUMENTS.items() if key in properties]
    if told:
        return told[0]
    return "{" + ", ".join(f"{name}: {_written(entry, place)}" for name, entry in properties.items()) + "}"


def _side(fields: Mapping[str, Kind], place: str) -> str:
    return ", ".join(f"{name}: {_written(kind.schema(place), place)}" for name, kind in fields.items())


def _rows() -> Iterator[tuple[str, ...]]:
    alike: dict[tuple[str, ...], list[str]] = {}
    for group in GROUP_TYPES.values():
        for name, given in group.operations.items():
            operation = asked(given)
            signature = _side(operation.takes, IN), _side(operation.gives, OUT), _side(operation.shows, OUT)
            names = alike.setdefault(signature, [])
            if name not in names:
                names.append(name)
    for sides, names in alike.items():
        yield ", ".join(f"`{name}`" for name in names), *sides


def _by_kind() -> Iterator[tuple[str, ...]]:
    for group in GROUP_TYPES.values():
        for name, operation in group.operations.items():
            for field, kind in operation.takes.items():
                schema = kind.schema(IN)
                if "oneOf" not in schema or _written(schema, IN) == "operator":
                    continue
                alike: dict[str, list[str]] = {}
                for entry in schema["oneOf"]:
                    others = {key: value for key, value in entry["properties"].items() if key != "kind"}
                    told = ", ".join(f"{key}: {_written(value, IN)}" for key, value in others.items())
                    alike.setdefault(told, []).append(f"`{entry['properties']['kind']['const']}`")
                yield from ((f"`{name}`, `{field}`", ", ".join(names), told) for told, names in alike.items())


def kinds() -> str:
    """Of objects that have a kind, the other fields of each kind."""
    return table("field | `kind` | its other fields", _by_kind())


def param_types() -> str:
    """What all tests of a group share, types of groups that are alike in one row."""
    alike: dict[str, list[str]] = {}
    for group in GROUP_TYPES.values():
        if group.params:
            alike.setdefault(_side(group.params, IN), []).append(group.name)
    return table("groups | `params`", ((", ".join(names), told) for told, names in alike.items()))


def field_types() -> str:
    """All operations, those that are written alike in one row."""
    return table("operations | `in` | `out` | `intermediate`", _rows())
