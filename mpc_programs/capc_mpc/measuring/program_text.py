"""Which text of a program a recorded run is of: a digest of everything that the program can execute.

That is its own file, and of the libraries beside it the definitions that it can reach by name. Comments, docstrings and
layout do not count, and neither does what only other programs use.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent

from capc_mpc.interface.steps import program_file

_LAYOUT = {tokenize.COMMENT, tokenize.NL}
_DEFINES = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class _Definition:
    """A function, method, class head or constant of a library: by which names it is reached, and what it names."""

    names: frozenset[str]
    uses: frozenset[str]
    code: str


def program_digest(program: str, folder: Path | None = None) -> str:
    """SHA-256, in hexadecimal, of what a program can execute.

    Args:
        program: the file's name without ``.mpc``.
        folder: of the programs and their libraries; the installed ones by default.
    """
    file = (folder or program_file("argmax.mpc").parent) / f"{program}.mpc"
    text = file.read_text(encoding="utf-8")
    libraries = [path.read_text(encoding="utf-8") for path in sorted(file.parent.glob("capc_*.py"))]
    left = [definition for library in libraries for definition in _definitions(library)]
    reached, codes = _names_in(ast.parse(text)), [_code(text)]
    while found := [definition for definition in left if definition.names <= reached]:
        left = [definition for definition in left if definition not in found]
        reached = reached.union(*(definition.uses for definition in found))
        codes += [definition.code for definition in found]
    return hashlib.sha256("\n".join(sorted(codes)).encode()).hexdigest()


@cache
def _definitions(text: str) -> list[_Definition]:
    return list(_found_in(text))


def _found_in(text: str) -> Iterator[_Definition]:
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        if not isinstance(node, _DEFINES):
            continue
        if not isinstance(node, ast.ClassDef):
            yield _definition(node, lines, _defined(node))
            continue
        head = frozenset(name for part in [*node.bases, *node.decorator_list] for name in _names_in(part))
        yield _Definition(frozenset({node.name}), head, f"class {node.name} of {sorted(head)}")
        for part in node.body:
            if isinstance(part, _DEFINES):
                # What Python calls by itself is reached with the class.
                names = {name for name in _defined(part) if not name.startswith("__")}
                yield _definition(part, lines, frozenset({node.name, *names}))


def _definition(node: ast.stmt, lines: Sequence[str], names: frozenset[str]) -> _Definition:
    first = min(part.lineno for part in [node, *getattr(node, "decorator_list", [])])
    code = _code(dedent("".join(lines[first - 1 : node.end_lineno])))
    return _Definition(names, _names_in(node), f"{sorted(names)} {code}")


def _defined(node: ast.stmt) -> frozenset[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return frozenset({node.name})
    return frozenset(
        part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    )


def _names_in(node: ast.AST) -> frozenset[str]:
    parts = list(ast.walk(node))
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    return frozenset(names | {part.attr for part in parts if isinstance(part, ast.Attribute)})


def _code(text: str) -> str:
    """The tokens that Python executes, layout and docstrings excepted."""
    kept: list[str] = []
    starts = True
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in _LAYOUT:
            continue
        if not (starts and token.type == tokenize.STRING):
            kept.append(tokenize.tok_name[token.type] if token.string.isspace() else token.string)
        starts = token.type in {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    return " ".join(kept)
