"""The closed JSON Schema (draft 2020-12) of each vector file, from the operations' typed fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capc.foundation.errors import ErrorCode
from capc.foundation.parties import Role
from capc_verify.vectors.operation import ANY_ROLE, CALLER, CALLER_ERRORS, SENDER, GroupType, Operation
from capc_verify.vectors.values import IN, OUT, Json, Kind, closed_object

_NAME = {"type": "string", "pattern": "^[a-z0-9_]+$"}
_FLAG = {"type": "string", "pattern": "^[A-Z][A-Za-z]*$"}
_TEXT = {"type": "string", "minLength": 1}
_HEX = {"type": "string", "pattern": "^([0-9a-f]{2})*$"}
_SMALL = {"type": "integer", "minimum": 0}
_HANDLES = {"type": "array", "items": _NAME, "minItems": 1}
ERROR_CODES = tuple(sorted({*(code.value for code in ErrorCode), *(code for _, code in CALLER_ERRORS)}))
"""Every error code that a vector may expect."""


def file_schema(stem: str, types: Sequence[GroupType]) -> Json:
    """The schema of one file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"CaPC test vectors: {stem}",
        **closed_object(
            {
                "schema": {"const": f"{stem}/v1"},
                "specVersion": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
                "algorithm": {"type": "string", "pattern": "^CAPC-[A-Z0-9-]+$"},
                "header": {"type": "array", "items": _TEXT, "minItems": 1},
                "notes": {
                    "type": "object",
                    "propertyNames": _FLAG,
                    "additionalProperties": closed_object(
                        {
                            "bugType": {"enum": ["DEFINED", "FUNCTIONALITY", "VALIDATION", "MISUSE", "EDGE_CASE"]},
                            "description": _TEXT,
                            "links": {"type": "array", "items": _TEXT},
                        }
                    ),
                },
                "source": closed_object({"name": _TEXT, "version": _TEXT, "seed": {**_HEX, "minLength": 64}}),
                "numberOfTests": _SMALL,
                "testGroups": {"type": "array", "items": {"anyOf": [_group(kind) for kind in types]}, "minItems": 1},
            }
        ),
        "$defs": _definitions(),
    }


def _definitions() -> Json:
    edit = {
        "anyOf": [
            closed_object({"truncate": {"type": "integer", "minimum": 1}}),
            closed_object({"append": {**_HEX, "minLength": 2}}),
            closed_object({"pad": {"type": "integer", "minimum": 1, "maximum": 1 << 20}}),
            closed_object({"at": _SMALL, "replace": {**_HEX, "minLength": 2}}),
        ]
    }
    blob = closed_object({"blob": _NAME})
    hashed = closed_object({"sha256": {**_HEX, "minLength": 64, "maxLength": 64}, "length": _SMALL})
    blames = [*(role.value for role in Role), CALLER, SENDER]
    return {
        "party": {"type": "string", "pattern": "^(querying_party|privacy_guardian|answering_party_[1-9][0-9]*)$"},
        "bytes_in": {"anyOf": [_HEX, blob, closed_object({"blob": _NAME, "edit": edit})]},
        "bytes_out": {"anyOf": [_HEX, blob, hashed]},
        "error": closed_object({"code": {"enum": list(ERROR_CODES)}, "blame": {"enum": blames}, "party_index": _SMALL}),
    }


def _group(kind: GroupType) -> Json:
    meaning = {"type": ["string", "array"], "items": {"type": ["string", "array"], "items": {"type": "string"}}}
    test = closed_object(
        {
            "name": _NAME,
            "comment": _TEXT,
            "flags": {"type": "array", "items": _FLAG, "uniqueItems": True},
            "requirements": {
                "type": "array",
                "items": {"type": "string", "pattern": "^CAPC-[A-Z][A-Z0-9]*-[0-9]{3}$"},
                "minItems": 1,
                "uniqueItems": True,
            },
            "prelude": {
                "anyOf": [
                    {"type": "null"},
                    closed_object({"test": _NAME, "operations": {"type": "integer", "minimum": 1}}),
                ]
            },
            "inputs": {"type": "object", "propertyNames": _NAME, "additionalProperties": meaning},
            "operations": {
                "type": "array",
                "items": {"anyOf": [_operation(operation) for operation in kind.operations.values()]},
                "minItems": 1,
            },
            "result": {"enum": ["valid", "invalid", "acceptable"]},
        }
    )
    blobs = {"type": "object", "propertyNames": _NAME, "additionalProperties": _HEX}
    return closed_object(
        {
            "type": {"const": kind.name},
            "params": _fields(kind.params, IN),
            "blobs": blobs,
            "tests": {"type": "array", "items": test, "minItems": 1},
        }
    )


def _operation(operation: Operation) -> Json:
    wanted = {"out": _fields(operation.gives, OUT)}
    if operation.shows:
        wanted["intermediate"] = _fields(operation.shows, OUT)
    expect = {"anyOf": [closed_object(wanted), closed_object({"error": {"$ref": "#/$defs/error"}})]}
    needed: dict[str, Json] = {"op": {"const": operation.name}}
    if operation.role:
        roles = [role.value for role in Role] if operation.role == ANY_ROLE else [operation.role]
        needed |= {"role": {"enum": roles}, "party_index": _SMALL}
    needed |= {"in": _fields(operation.takes, IN), "expect": expect}
    schema = closed_object(needed)
    schema["properties"] |= {"state_in": _HANDLES, "state_out": _HANDLES}
    return schema


def _fields(kinds: Mapping[str, Kind], place: str) -> Json:
    return closed_object({name: kind.schema(place) for name, kind in kinds.items()})
