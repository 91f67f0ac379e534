"""The text means what it says: no statement gets its meaning from a name in the reference.

Lists of exceptions may only shrink: an entry that nothing needs any more fails.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from capc.session.parameters import NoiseName
from capc_spec.registry import entries
from capc_verify.trace.spec import read_specification
from capc_verify.vectors.text.states import operation_of, states_of, step_functions
from support.sections import rows_after, section

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "spec").glob("*.md"))
CODE = re.compile(r"`([^`\n]+)`")
DOTTED = re.compile(r"\b(?:capc|capc_verify|capc_mpc|capc_bench)\.[a-z_]\w*|\b[A-Z]\w*\.[a-z_]\w*\(|\w+\(\)$")

ALLOWED_IN_TEXT = {
    # Where the evidence of a claim is, not what the claim means.
    ("90-security-claims.md", "capc_verify.views.fixes"),
    ("90-security-claims.md", "capc_verify.views.symbols"),
}
ALLOWED_IN_STATEMENTS: set[tuple[str, str]] = set()


def prose(text: str) -> str:
    """The text without fenced listings."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def dotted_names(text: str) -> set[str]:
    """Inline code that can only be a name in Python."""
    return {code for code in CODE.findall(prose(text)) if DOTTED.search(code)}


def functions_and_classes() -> set[str]:
    """Public names that modules of the reference define."""
    trees = [ast.parse(file.read_text("utf-8")) for file in (ROOT / "reference" / "capc").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"}


def told_names() -> set[str]:
    """Names that the text itself defines: steps, states, circuits, and what is data."""
    steps = {step.__name__ for step in step_functions()} | set(operation_of().values())
    states = {name.removeprefix("several ") for step in step_functions() for side in states_of(step) for name in side}
    circuits = set(re.findall(r"^\| `(\w+_circuit\w*)`", section("05-two-party.md"), flags=re.MULTILINE))
    data = {name for table in ("tags", "steps", "messages", "errors") for name in entries(table)}
    # Keys of documents: section 16 lists them, and section 07 those of a policy.
    data |= set(re.findall(r"`(\w+)`", section("16-sessions-and-payloads.md")))
    data |= set(re.findall(r'"(\w+)":', section("16-sessions-and-payloads.md")))
    return steps | states | circuits | data | {name.value for name in NoiseName}


def names_in_statements() -> set[tuple[str, str]]:
    """Of each statement the names in inline code that the reference defines and the text does not."""
    defined, told = functions_and_classes(), told_names()
    found = set()
    for statement in read_specification(ROOT).statements.values():
        for code in CODE.findall(statement.sentence):
            name = code.partition("(")[0]
            if DOTTED.search(code) or (name in defined and name not in told and ("_" in name or name[0].isupper())):
                found.add((statement.id, code))
    return found


@pytest.mark.slow
def test_statements_name_nothing_that_only_python_defines() -> None:
    assert names_in_statements() == ALLOWED_IN_STATEMENTS


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_text_sends_nobody_to_python(file: Path) -> None:
    allowed = {name for place, name in ALLOWED_IN_TEXT if place == file.name}
    assert dotted_names(file.read_text("utf-8")) == allowed


def test_every_step_is_named_outside_of_the_table_of_states() -> None:
    """In words or in a listing of a section, so that the order of steps does not need the reference."""
    text = "\n".join(file.read_text("utf-8") for file in FILES if not file.name.startswith(("11-", "17-", "19-")))
    named = set(re.findall(r"\b(?:querying_party|answering_party|privacy_guardian)_[a-z_]+", text))
    missing = {row[0].strip("`") for row in rows_after(section("17-operations.md"), "step_states")} - named
    assert missing == STEPS_OF_ENGINES


STEPS_OF_ENGINES = {
    "answering_party_expect_transfers",
    "querying_party_enter_argmax",
    "querying_party_enter_release",
    "querying_party_take_label",
    "querying_party_take_votes",
    "privacy_guardian_take_answered",
}
"""Section 10 tells what they do in words; the list may only shrink."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_lines_are_read_by_people(file: Path) -> None:
    """At most 120 characters, but for tables and listings."""
    lines = prose(file.read_text("utf-8")).splitlines()
    long = [line for line in lines if len(line) > 120 and not line.startswith("|")]
    assert long == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("as `capc.noise.gaussian` says", {"capc.noise.gaussian"}),
        ("see `Session.document()`", {"Session.document()"}),
        ("`canonical_json()` of it", {"canonical_json()"}),
        ("the tag `noise-binding`, `capc run` and `run_report.schema.json`", set()),
        ("```python\nx = `capc.noise`\n```\n", set()),
    ],
)
def test_what_counts_as_a_name(text: str, found: set[str]) -> None:
    assert dotted_names(text) == found
