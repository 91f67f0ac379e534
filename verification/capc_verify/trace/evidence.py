"""Collects what stands behind the statements: tests that passed, vectors they replayed, places in the code."""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from capc.foundation.errors import InputError
from capc_verify.trace.spec import ID, Mention, Specification, Statement

RESULTS = Path(".trace") / "results.json"
"""Written by the pytest plugin: for each test that passed, the ids of its markers and their kinds."""
VECTORS = Path("spec") / "capc_spec" / "vectors"
CODE_ROOTS = ("reference", "mpc_programs", "verification")

_RANGE = re.compile(rf"({ID.pattern})\s+to\s+({ID.pattern})")
_VECTOR_TEST = re.compile(r"\[([^\[\]]+::[^\[\]]+)\]\Z")


@dataclass(frozen=True)
class Evidence:
    """What was collected.

    Attributes:
        passed: for each test that passed, by its node id, the ids that it names with the kind of evidence.
        vectors: for each vector, by ``<file stem>::<name>``, the ids that it lists.
        code: for each id, the places of the code whose docstring names it.
        mentions: every id in the text of the code and the vectors, for the search for unknown ones.
    """

    passed: dict[str, dict[str, str]]
    vectors: dict[str, frozenset[str]]
    code: dict[str, tuple[str, ...]]
    mentions: tuple[Mention, ...]

    def of(self, statement: Statement) -> list[str]:
        """The passing tests that are evidence of the statement's kind, sorted by node id.

        Any passing test is evidence of kind `test`; the other kinds accept only tests that declare them, and
        `vector` only the replay of a vector that lists the id.
        """
        return sorted(
            node
            for node, named in self.passed.items()
            if statement.id in named and self._is_of_kind(statement, node, named[statement.id])
        )

    def unreplayed(self) -> list[str]:
        """The vectors that no passing test replays."""
        replayed = {replayed_vector(node) for node in self.passed}
        return sorted(vector for vector, ids in self.vectors.items() if ids and vector not in replayed)

    def _is_of_kind(self, statement: Statement, node: str, declared: str) -> bool:
        if statement.kind == "vector":
            return statement.id in self.vectors.get(replayed_vector(node), frozenset())
        return statement.kind in {"test", declared}


def collect(root: Path, specification: Specification) -> Evidence:
    """Collects the evidence under the repository's root.

    Raises:
        InputError: there are no test results, or a file cannot be read.
    """
    vectors = read_vectors(root)
    mentions = [
        Mention(f"{VECTORS.as_posix()} {name}", identifier)
        for name, ids in vectors.items()
        for identifier in sorted(ids)
    ]
    code: defaultdict[str, set[str]] = defaultdict(set)
    for path in _python_files(root):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(root).as_posix()
        mentions += _mentions(name, text)
        for place, docstring in _docstrings(ast.parse(text), name):
            mentions += [Mention(place, gone) for gone in sorted(_in_ranges(docstring, specification.withdrawn))]
            for identifier in _named(docstring, specification):
                code[identifier].add(place)
    places = {identifier: tuple(sorted(found)) for identifier, found in code.items()}
    return Evidence(read_results(root), vectors, places, tuple(mentions))


def read_results(root: Path) -> dict[str, dict[str, str]]:
    """What the pytest plugin wrote in its last run.

    Raises:
        InputError: the tests have not run, or the file is damaged.
    """
    path = root / RESULTS
    if not path.is_file():
        raise InputError(f"{path}: no test results; run `make test` first")
    try:
        results: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON ({error}); run `make test` again") from error
    return results


def read_vectors(root: Path) -> dict[str, frozenset[str]]:
    """The ids that each vector lists, by ``<file stem>::<vector name>``.

    Raises:
        InputError: a file is not JSON, or not in the envelope of the vectors.
    """
    listed: dict[str, frozenset[str]] = {}
    for path in sorted((root / VECTORS).glob("*.json")):
        try:
            groups = json.loads(path.read_text(encoding="utf-8"))["testGroups"]
            for vector in (vector for group in groups for vector in group["tests"]):
                listed[f"{path.stem}::{vector['name']}"] = frozenset(vector["requirements"])
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not a file of test vectors ({error!r}); run `make generate`") from error
    return listed


def replayed_vector(node: str) -> str:
    """The vector that a test replays, by its parameter ``[<file stem>::<vector name>]``; empty if none."""
    parameter = _VECTOR_TEST.search(node)
    return parameter.group(1) if parameter else ""


def _python_files(root: Path) -> Iterator[Path]:
    for folder in CODE_ROOTS:
        yield from sorted((root / folder).rglob("*.py"))


def _mentions(name: str, text: str) -> list[Mention]:
    return [
        Mention(f"{name}:{number}", identifier)
        for number, line in enumerate(text.splitlines(), start=1)
        for identifier in ID.findall(line)
    ]


def _docstrings(node: ast.AST, place: str) -> Iterator[tuple[str, str]]:
    """Each string that stands alone, with ``file::Class.function`` around it.

    Line numbers are left out on purpose: the report must not change when unrelated code moves.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            if isinstance(child.value.value, str):
                yield place, child.value.value
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _docstrings(child, f"{place}{'.' if '::' in place else '::'}{child.name}")


def _named(text: str, specification: Specification) -> set[str]:
    """The ids that a docstring names, with those inside a range ``A to B``."""
    return set(ID.findall(text)) | _in_ranges(text, specification.statements)


def _in_ranges(text: str, identifiers: Iterable[str]) -> set[str]:
    """Those that are inside a range ``A to B``."""
    ranges = _RANGE.findall(text)
    return {each for each in identifiers if any(_within(each, first, last) for first, last in ranges)}


def _within(identifier: str, first: str, last: str) -> bool:
    area, number = identifier.rsplit("-", 1)
    first_area, first_number = first.rsplit("-", 1)
    last_area, last_number = last.rsplit("-", 1)
    return area == first_area == last_area and first_number <= number <= last_number
