"""Section 19: what it says of operations and levels is what vectors hold."""

from __future__ import annotations

import re
from typing import Any

import pytest

from capc_verify.conformance import session
from capc_verify.conformance.difference import input_schema, output_schema
from capc_verify.conformance.judge import Judge
from capc_verify.conformance.levels import LEVELS, groups, vectors
from capc_verify.conformance.verdicts import Outcome
from capc_verify.conformance.wire import ReplyKind, run_fields
from capc_verify.port import Answer, Port
from capc_verify.vectors.figures import FIGURE, HIGHEST, HOLDS, INSIDE, LOWEST, asked
from capc_verify.vectors.operation import Fault, Operation
from capc_verify.vectors.operations.worked.tags import FRAMES
from capc_verify.vectors.registry import FILES, GROUP_TYPES
from support.port_mistakes import SpokenChild
from support.sections import section

TEXT = section("19-vectors.md")
CODE = re.compile(r"`(\w+)`")
OPERATIONS: dict[str, Operation] = {
    name: asked(operation) for kind in GROUP_TYPES.values() for name, operation in kind.operations.items()
}
NESTED = {
    "decode_ot_trees": {"total", "digest"},
    "decode_ot_extension": {"bits", "digest"},
    "decode_garbled_circuits": {"tables", "outputs"},
    "zero_sum_mask": {"peer", "key"},
    "operator_multiply": {"bits"},
    "sum_pool": {"bits"},
    "ledger_check_proof": {"head", "identity", "size", "link", "public_key", "began", "session_tag", "query"},
    "run_session": {"step", "bytes", "rounds"},
    "step_draws": {"label", "draws", "take", "integers", "data", "bfv", "F_linear"},
    "tag_use": {"kind"},
    "circuit_gates": {
        *("kind", "num_classes", "logit_bits", "vote_bits", "fraction_bits", "realised", "words", "width"),
        *("cap_bits", "cap", "leak_bits", "capped_relu", "relu_at_most", "capped_leaky_relu"),
        *("ands", "free"),
    },
}
"""Fields of what is in a field."""
NOT_FIELDS = {
    "invalid_point",
    "invalid_output_label",
    "value_out_of_range",
    "charged",
    "dispatched",
    "settled",
    "garbled_circuits",
    "input_error",
    "ot_extension",
    "mu_squared",
    "rho",
    "words_key",
    "transfers_key",
}
"""Codes, types and records that a row names beside its fields."""


TOLD_ELSEWHERE = {"operator", "grid", "policy", "session document", "parameter document", "layer"}
"""Objects with the keys that section 16 lists."""


def tables(head: str) -> list[list[str]]:
    """The rows of all tables with this head."""
    rows = []
    for part in TEXT.split(head)[1:]:
        lines = part.partition("\n\n")[0].splitlines()[2:]
        rows += [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    return rows


def told() -> dict[str, tuple[set[str], set[str]]]:
    """Of each operation the names in code of both columns."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for names, given, gives in tables("| operation | given | "):
        for name in CODE.findall(names):
            assert name not in found, name
            found[name] = set(CODE.findall(given)), set(CODE.findall(gives))
    return found


TOLD = told()


@pytest.mark.req("CAPC-VEC-001")
def test_every_operation_has_one_row_and_no_other_has() -> None:
    assert set(TOLD) == set(OPERATIONS)


@pytest.mark.req("CAPC-VEC-001")
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_row_names_the_fields_of_its_operation(name: str) -> None:
    operation, (given, gives) = OPERATIONS[name], TOLD[name]
    nested = NESTED.get(name, set())
    takes = set(operation.takes)
    assert takes <= given
    assert given - takes <= nested | NOT_FIELDS
    wanted = set(operation.gives) - {FIGURE}
    assert wanted <= gives
    assert gives - wanted <= nested | NOT_FIELDS


def test_levels_are_those_of_the_judge() -> None:
    rows = {row[0]: set(CODE.findall(row[1])) for row in tables("| level | files |")}
    assert rows == {level.name: set(level.stems) for level in LEVELS.values()}


def test_a_tag_is_told_with_the_fields_of_its_frame() -> None:
    told = {
        tag: CODE.findall(fields)
        for tags, fields in tables("| tag | fields |")
        for tag in re.findall(r"`([\w-]+)`", tags)
    }
    assert told == {tag: list(fields) for tag, (fields, _) in FRAMES.items()}


def test_every_intermediate_value_is_told() -> None:
    told = [name for row in tables("| value | what it is |") for name in CODE.findall(row[0])]
    assert len(told) == len(set(told))
    assert set(told) == {name for operation in OPERATIONS.values() for name in operation.shows}


@pytest.mark.req("CAPC-VEC-001")
def test_params_of_a_group_have_the_keys_of_the_table() -> None:
    rows = {
        name: set(CODE.findall(row[1])) for row in tables("| type of group | ") for name in re.findall(r"\w+", row[0])
    }
    for name, kind in GROUP_TYPES.items():
        assert set(kind.params) == rows.get(name, set()), name


STEP = re.compile("(querying_party|answering_party|privacy_guardian)_")
CITED = re.compile(r"CAPC-[A-Z]+-\d{3}, with its codes")


def refusals() -> dict[str, set[str]]:
    """Of each operation but steps the codes with which vectors refuse it."""
    found: dict[str, set[str]] = {}
    for stem in FILES:
        for group in vectors(stem)["testGroups"]:
            for step in (step for test in group["tests"] for step in test["operations"]):
                if "error" in step["expect"] and not STEP.match(step["op"]):
                    found.setdefault(step["op"], set()).add(step["expect"]["error"]["code"])
    return found


@pytest.mark.req("CAPC-VEC-001")
def test_what_vectors_refuse_is_told_with_its_code() -> None:
    told = {name: row[1] for row in tables("| operation | refused, in order |") for name in CODE.findall(row[0])}
    found = refusals()
    assert set(told) == set(found)
    untold = {name: codes - set(CODE.findall(told[name])) for name, codes in found.items()}
    assert {name: codes for name, codes in untold.items() if codes and not CITED.search(told[name])} == {}


@pytest.mark.req("CAPC-VEC-001")
def test_params_are_told_with_the_types_of_every_group() -> None:
    rows = {name: set(Types(row[1]).fields()) for row in tables("| groups | `params` |") for name in row[0].split(", ")}
    assert rows == {name: set(kind.params) for name, kind in GROUP_TYPES.items() if kind.params}


# --- what goes between judge and port -----------------------------------------------------------------------------


def of_requests() -> dict[str, tuple[set[str], set[str]]]:
    """Of each request the names in code of its keys, and of what its reply has."""
    return {
        CODE.findall(name)[0]: (set(CODE.findall(keys)), set(CODE.findall(out)))
        for name, keys, out in tables("| `request` | ")
    }


@pytest.mark.slow
@pytest.mark.req("CAPC-VEC-002")
def test_requests_have_the_keys_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, set[str]] = {}

    def listening() -> Answer:
        port = Port()

        def answer(request: Any) -> Any:
            asked.setdefault(request["request"], set()).update(request)
            return port.answer(request)

        return answer

    monkeypatch.setattr(session, "Child", lambda _: SpokenChild(listening()))
    conversation = session.Conversation(["spoken"], 60.0)
    some = ("oblivious_transfer::base_ot", "oblivious_transfer::choice_*", "protocol_plain::answering_party_finish*")
    found = Judge(conversation).judge(groups((), some))
    assert conversation.stop() is None
    assert {verdict.outcome for verdict in found} == {Outcome.PASSED}
    told = {name: keys for name, (keys, _) in of_requests().items()}
    assert {name: keys - {"id", "request"} for name, keys in asked.items()} == told
    assert of_requests()["start"][1] == set(session.DESCRIBED)


@pytest.mark.req("CAPC-VEC-002")
def test_replies_have_one_of_the_keys_of_the_table() -> None:
    rows = {CODE.findall(name)[0]: set(CODE.findall(value)) for name, value in tables("| key | value |")}
    assert set(rows) == {str(kind) for kind in ReplyKind}
    assert rows["error"] == set(Fault.of_caller("input_error").to_json())
    assert rows["out"] == {"intermediate"}


# --- the fields of all vectors, to the last key -------------------------------------------------------------------


class Types:
    """Reads the types of a cell: ``[x]``, ``{key: x}``, ``{party: x}``, ``x?`` and words."""

    def __init__(self, text: str) -> None:
        self.left = text

    def fields(self, end: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.left and not (end and self.left.startswith(end)):
            match = re.match(r"(?:, )?(\w+): ", self.left)
            assert match, self.left
            self.left = self.left[match.end() :]
            found[match[1]] = self.one()
        self.left = self.left[len(end) :]
        return found

    def one(self) -> Any:
        if self.left.startswith("{"):
            self.left = self.left[1:]
            found: Any = self.fields("}")
        elif self.left.startswith("["):
            self.left = self.left[1:]
            found = [self.one()]
            assert self.left.startswith("]")
            self.left = self.left[1:]
        else:
            match = re.match(r"[\w ]+(?:`kind`)?", self.left)
            assert match, self.left
            found, self.left = match[0], self.left[match.end() :]
        if self.left.startswith("?"):
            self.left = self.left[1:]
            return (found,)
        return found


def typed() -> dict[str, list[dict[str, Any]]]:
    """Of each operation the types of what it is given, gives, and may show."""
    found = {}
    for names, *sides in tables("| operations | `in` | `out` | `intermediate` |"):
        for name in CODE.findall(names):
            found[name] = [Types(side).fields() for side in sides]
    return found


TYPES = typed()
WORDS = {
    "bytes": (str, dict),
    "text": str,
    "name": str,
    "party": str,
    "integer": str,
    "rational": str,
    "real": str,
    "bits": str,
    "number": int,
    "flag": bool,
}
KINDS = {
    (*CODE.findall(place), kind): Types(fields).fields()
    for place, kinds, fields in tables("| field | `kind` | ")
    for kind in re.findall(r"`([\w-]+)`", kinds)
}


def keys_of(kind: Any) -> set[str]:
    """All keys of objects in a type."""
    if isinstance(kind, list | tuple):
        return keys_of(kind[0])
    if not isinstance(kind, dict) or set(kind) == {"party"}:
        return keys_of(kind["party"]) if isinstance(kind, dict) else set()
    return set(kind).union(*map(keys_of, kind.values()))


def against(value: Any, kind: Any, place: tuple[str, ...]) -> None:
    """Holds a value to its type: every object has exactly its keys."""
    if isinstance(kind, tuple):
        if value is not None:
            against(value, kind[0], place)
    elif isinstance(kind, list):
        for entry in value:
            against(entry, kind[0], place)
    elif isinstance(kind, dict) and set(kind) == {"party"}:
        for entry in value.values():
            against(entry, kind["party"], place)
    elif isinstance(kind, dict):
        assert set(value) == set(kind), place
        for name, entry in value.items():
            against(entry, kind[name], (*place, name))
    elif kind == "object of a `kind`":
        against({key: entry for key, entry in value.items() if key != "kind"}, KINDS[*place, value["kind"]], place)
    elif kind in WORDS:
        assert isinstance(value, WORDS[kind]), (place, kind, value)
    else:
        assert kind in TOLD_ELSEWHERE, kind
        assert isinstance(value, dict), place


@pytest.mark.req("CAPC-VEC-001")
@pytest.mark.parametrize("stem", FILES)
def test_vectors_have_the_fields_that_are_told(stem: str) -> None:
    for step in (
        step for group in vectors(stem)["testGroups"] for test in group["tests"] for step in test["operations"]
    ):
        given, gives, shows = TYPES[step["op"]]
        expect = step["expect"]
        against(run_fields({"type": "", "params": {}}, step, step["in"], {})["in"], given, (step["op"],))
        stated = set(expect.get("out", ())) & {INSIDE, HOLDS}
        if "out" in expect and not stated:
            against(expect["out"], gives, (step["op"],))
            against(expect.get("intermediate", {}), shows, (step["op"],))
        assert not stated or expect["out"] == dict.fromkeys(stated, True)


@pytest.mark.req("CAPC-VEC-001")
@pytest.mark.parametrize("stem", FILES)
def test_schemas_have_the_fields_that_are_told(stem: str) -> None:
    for kind in FILES[stem]:
        for name, operation in kind.operations.items():
            given, gives, _ = TYPES[name]
            bounds = {LOWEST, HIGHEST} & set(operation.takes)
            asked_for = set(input_schema(stem, kind.name, name)["properties"])
            assert asked_for - {LOWEST, HIGHEST} == set(given) - ({"count"} if bounds else set()) | (
                {"count"} if "count" in operation.takes else set()
            )
            if not bounds and operation.offer is None:
                assert set(output_schema(stem, kind.name, name)["out"]["properties"]) == set(gives)


@pytest.mark.req("CAPC-VEC-001")
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_key_within_a_field_is_told_in_words(name: str) -> None:
    words = set(CODE.findall(re.sub(r"<!-- generated: \w+ -->\n(?:.+\n)*", "", TEXT)))
    given, gives, _ = TYPES[name]
    assert keys_of(given) | keys_of(gives) <= words
    mine = {key for place, fields in KINDS.items() if place[0] == name for key in keys_of(fields)}
    assert mine <= words
