"""``capc-vectors``: generate, check and list the test vectors, and the specification's tables of names."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from capc.foundation.errors import CapcError, InputError
from capc_verify.trace.spec import read_specification, spec_files
from capc_verify.vectors.files import generate
from capc_verify.vectors.lint import lint, unlisted_statements
from capc_verify.vectors.places import SCHEMAS, VECTORS, read_document, schema_path, spec_folder, vector_path
from capc_verify.vectors.registry import FILES
from capc_verify.vectors.replay import first_difference
from capc_verify.vectors.values import Json


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: arguments without the program's name; those of the process if None.

    Returns:
        0 if nothing is wrong, 1 if there are findings, 2 if the command cannot work.
    """
    arguments = _parser().parse_args(argv)
    folder: Path = arguments.folder or spec_folder()
    try:
        if arguments.command == "generate":
            return _generate(folder)
        if arguments.command == "check":
            return _check(folder)
        return _list(folder)
    except CapcError as error:
        print(f"capc-vectors: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="capc-vectors", description="Makes and checks the test vectors.")
    parser.add_argument("--folder", type=Path, help="the folder with vectors and schemas (default: the installed one)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("generate", help="write every vector file, schema and table of names anew")
    commands.add_parser("check", help="compare with what would be generated, and check the data")
    commands.add_parser("list", help="one line per vector: file, name, result, requirements")
    return parser


def _generate(folder: Path) -> int:
    for path, text in generate(folder).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"{path.relative_to(folder.parent)}: {len(text) / 1000:.0f} kB")
    return 0


def _check(folder: Path) -> int:
    findings = [*_differences(folder), *lint_all(folder)]
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings in {len(FILES)} files" if findings else f"{len(FILES)} files, no finding")
    return 1 if findings else 0


def _differences(folder: Path) -> list[str]:
    """Where the files differ from what the code gives now, by file and vector."""
    findings = []
    wanted = generate(folder)
    for path, text in wanted.items():
        name = path.relative_to(folder.parent).as_posix()
        if not path.is_file():
            findings.append(f"{name}: missing; run `capc-vectors generate`")
        elif path.suffix == ".md" and path.read_text(encoding="utf-8") != text:
            findings.append(f"{name}: its tables are not those of the data; run `capc-vectors generate`")
        elif path.read_text(encoding="utf-8") != text:
            findings += _changed(name, read_document(path), json.loads(text))
    present = {path for part in (VECTORS, SCHEMAS) for path in (folder / part).glob("*.json")}
    findings += [
        f"{path.relative_to(folder.parent).as_posix()}: nothing generates this file; delete it"
        for path in sorted(present - wanted.keys())
        if path.parent.name == VECTORS
    ]
    return findings


def _changed(name: str, old: Json, new: Json) -> list[str]:
    if not (isinstance(old, dict) and "testGroups" in old):
        return [f"{name}: differs from what is generated"]
    before, after = _tests_by_name(old), _tests_by_name(new)
    findings = [f"{name}: {test} is new" for test in after.keys() - before.keys()]
    findings += [f"{name}: {test} is not generated any more" for test in before.keys() - after.keys()]
    for test in before.keys() & after.keys():
        difference = first_difference(before[test], after[test], test)
        if difference:
            findings.append(f"{name}: {difference}")
    return sorted(findings) or [f"{name}: differs outside of the tests: {first_difference(old, new, 'file')}"]


def _tests_by_name(document: Json) -> dict[str, Json]:
    return {test["name"]: test for group in document["testGroups"] for test in group["tests"]}


def lint_all(folder: Path) -> list[str]:
    """Every finding about the data of every file.

    Requirement ids are compared with ``spec/*.md`` beside the folder, where that is a checkout.
    """
    root = folder.parent.parent
    known: frozenset[str] | None = None
    needing: frozenset[str] = frozenset()
    if spec_files(root):
        statements = read_specification(root).statements
        known = frozenset(statements)
        needing = frozenset(name for name, statement in statements.items() if statement.kind == "vector")
    findings, documents = [], []
    for stem in FILES:
        path = vector_path(folder, stem)
        try:
            schema = read_document(schema_path(folder, stem))
            documents.append(read_document(path))
        except InputError as error:
            findings.append(str(error))
            continue
        findings += lint(stem, path.read_text(encoding="utf-8"), schema, known)
    if not findings:
        findings = [f"{identifier}: no vector lists it" for identifier in unlisted_statements(documents, needing)]
    return findings


def _list(folder: Path) -> int:
    for stem in FILES:
        for name, test in _tests_by_name(read_document(vector_path(folder, stem))).items():
            print(f"{stem}::{name}  {test['result']}  {' '.join(test['requirements'])}")
    return 0
