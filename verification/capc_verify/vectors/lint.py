"""Checks the data itself: nothing misspelt, nothing unknown, nothing missing."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from jsonschema import Draft202012Validator, ValidationError, validators

from capc.session.parameters import SPEC_VERSION
from capc_verify.vectors.build import canonical_text
from capc_verify.vectors.operation import GroupType
from capc_verify.vectors.registry import GROUP_TYPES
from capc_verify.vectors.values import Json


def lint(stem: str, text: str, schema: Json, known_requirements: frozenset[str] | None) -> list[str]:
    """What is wrong with a file, one line each.

    Args:
        stem: the file's name without ``.json``.
        text: its text.
        schema: its schema.
        known_requirements: the ids of the specification; None where there is none to compare with.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        return [f"{stem}: not JSON: {error}"]
    problems = [f"{stem}: {problem}" for problem in _against_schema(schema, document)]
    if problems:
        return problems
    checks = (
        _form(document, text),
        _names(document),
        _notes(document),
        _results(document),
        _references(document),
        _coverage(document),
        _requirements(document, known_requirements),
    )
    return [f"{stem}: {problem}" for check in checks for problem in check]


def _any_of(
    validator: Draft202012Validator, branches: Sequence[Json], instance: Json, schema: Json
) -> Iterator[ValidationError]:
    """The library's keyword, which seeks all errors of each branch: here the first one, unless every branch has one."""
    if not any(validator.evolve(schema=branch).is_valid(instance) for branch in branches):
        yield from Draft202012Validator.VALIDATORS["anyOf"](validator, branches, instance, schema)


_Validator = validators.extend(Draft202012Validator, {"anyOf": _any_of})  # type: ignore[no-untyped-call]


def _against_schema(schema: Json, document: Json) -> Iterator[str]:
    for error in _Validator(schema).iter_errors(document):
        cause = _cause(error)
        place = "/".join(str(part) for part in cause.absolute_path)
        yield f"{place or 'the document'}: {cause.message[:200]}"


def _cause(error: ValidationError) -> ValidationError:
    """What is wrong in the branch that was meant: the one whose constants fit, and that has the fewest errors."""
    branches: dict[object, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    if not branches:
        return error
    meant = min(branches.values(), key=lambda found: (sum(inner.validator == "const" for inner in found), len(found)))
    return _cause(meant[0])


def _tests(document: Json) -> Iterator[Json]:
    for group in document["testGroups"]:
        yield from group["tests"]


def _form(document: Json, text: str) -> Iterator[str]:
    if text != canonical_text(document):
        yield "not in the canonical form; run `capc-vectors generate`"
    if document["specVersion"] != SPEC_VERSION:
        yield f"specVersion is {document['specVersion']}, the code has {SPEC_VERSION}"
    count = sum(1 for _ in _tests(document))
    if document["numberOfTests"] != count:
        yield f"numberOfTests is {document['numberOfTests']}, the file holds {count}"


def _names(document: Json) -> Iterator[str]:
    counts = Counter(test["name"] for test in _tests(document))
    for name, count in counts.items():
        if count > 1:
            yield f"{count} tests are called {name}"


def _notes(document: Json) -> Iterator[str]:
    used = {flag for test in _tests(document) for flag in test["flags"]}
    for flag in sorted(used - document["notes"].keys()):
        yield f"flag {flag} has no note"
    for flag in sorted(document["notes"].keys() - used):
        yield f"the note {flag} belongs to no test"


def _results(document: Json) -> Iterator[str]:
    for test in _tests(document):
        name = test["name"]
        failed = "error" in test["operations"][-1]["expect"]
        if test["result"] == "acceptable":
            if not test["flags"]:
                yield f"{name}: acceptable, but no flag names the latitude that the specification grants"
        elif (test["result"] == "invalid") != failed:
            ending = "with" if failed else "without"
            yield f"{name}: the result is {test['result']}, and the last operation ends {ending} an error"
        if test["result"] == "invalid" and not test["flags"]:
            yield f"{name}: invalid, but no flag says what is wrong"


def _references(document: Json) -> Iterator[str]:
    for group in document["testGroups"]:
        tests = {test["name"]: test for test in group["tests"]}
        used = set(_blob_names(group["tests"]))
        for blob in sorted(used - group["blobs"].keys()):
            yield f"{group['type']}: there is no blob {blob}"
        for blob in sorted(group["blobs"].keys() - used):
            yield f"{group['type']}: no test uses the blob {blob}"
        for digest, names in _same(group["blobs"]).items():
            if len(names) > 1:
                yield f"{group['type']}: the blobs {', '.join(names)} are equal ({digest[:8]})"
        for test in group["tests"]:
            yield from _prelude_problems(test, tests)


def _same(blobs: Mapping[str, str]) -> dict[str, list[str]]:
    same: dict[str, list[str]] = {}
    for name, data in blobs.items():
        same.setdefault(hashlib.sha256(data.encode("ascii")).hexdigest(), []).append(name)
    return same


def _prelude_problems(test: Json, tests: Mapping[str, Json]) -> Iterator[str]:
    prelude = test["prelude"]
    if prelude is None:
        return
    before = tests.get(prelude["test"])
    if before is None or before is test or before["prelude"] is not None:
        yield f"{test['name']}: the prelude {prelude['test']} is not a test of the group without a prelude of its own"
    elif prelude["operations"] > len(before["operations"]):
        yield f"{test['name']}: the prelude has only {len(before['operations'])} operations"


def _blob_names(value: Json) -> Iterator[str]:
    if isinstance(value, list):
        for entry in value:
            yield from _blob_names(entry)
    elif isinstance(value, dict) and "blob" in value:
        yield value["blob"]
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _blob_names(entry)


def _coverage(document: Json) -> Iterator[str]:
    """Every message must have a negative vector for each field of it."""
    for kind, tests in _by_type(document):
        for op, wanted in kind.receives.items():
            shown = {flag for test in tests if _last_op(test) == op for flag in test["flags"]}
            missing = sorted(wanted - shown)
            if missing:
                yield f"{kind.name}: no vector of {op} shows {', '.join(missing)}"


def _by_type(document: Json) -> list[tuple[GroupType, list[Json]]]:
    tests: dict[str, list[Json]] = {}
    for group in document["testGroups"]:
        tests.setdefault(group["type"], []).extend(group["tests"])
    return [(GROUP_TYPES[name], found) for name, found in tests.items()]


def _last_op(test: Json) -> str:
    return str(test["operations"][-1]["op"])


def _requirements(document: Json, known: frozenset[str] | None) -> Iterator[str]:
    if known is None:
        return
    for test in _tests(document):
        for identifier in test["requirements"]:
            if identifier not in known:
                yield f"{test['name']}: {identifier} is not a statement of spec/*.md"


def unlisted_statements(documents: Sequence[Json], needing: frozenset[str]) -> list[str]:
    """The statements of kind `vector` that no vector lists."""
    listed = {identifier for document in documents for test in _tests(document) for identifier in test["requirements"]}
    return sorted(needing - listed)
