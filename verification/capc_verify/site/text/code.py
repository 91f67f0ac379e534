"""The Python of the repository as the site knows it: modules, what is defined in them, and which listing is whose."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

SHOWN = {"capc": "reference", "capc_spec": "spec", "capc_mpc": "mpc_programs", "capc_verify": "verification"}
"""The packages that have pages, with their folders."""
_NOT_PYTHON = "capc_mpc/programs/"
"""Written in a dialect, for a compiler of its own."""


@dataclass(frozen=True)
class Defined:
    """A function or a class of a module.

    Attributes:
        name: within the module, with the classes and functions around it.
        line: where it begins, with its decorators.
        text: its lines as they are, without the indentation that all of them have.
        told: the lines of its docstring among them, counted from 0.
    """

    name: str
    line: int
    text: tuple[str, ...]
    told: range

    @property
    def listing(self) -> tuple[str, ...]:
        """Its lines as the specification lists them: without docstring and empty lines."""
        return tuple(line for place, line in enumerate(self.text) if line.strip() and place not in self.told)


@dataclass(frozen=True)
class Module:
    """A Python file.

    Attributes:
        file: relative to the root.
        name: by which it is imported.
        is_package: whether it is a package's `__init__`.
        summary: the first paragraph of its docstring.
        defined: what is defined in it, by name.
    """

    file: str
    name: str
    is_package: bool
    summary: str
    defined: Mapping[str, Defined]

    @property
    def package(self) -> str:
        """Whose page lists it."""
        return self.name.rpartition(".")[0]

    def place(self, name: str) -> str:
        """How the trace calls what is defined under a name."""
        return f"{self.file}::{name}"


def modules(root: Path) -> list[Module]:
    """Those of all packages that have pages, by name."""
    found = [
        read_module(root, folder, path)
        for package, folder in SHOWN.items()
        for path in sorted((root / folder / package).rglob("*.py"))
        if _NOT_PYTHON not in path.as_posix() or path.name == "__init__.py"
    ]
    return sorted(found, key=lambda module: module.name)


def read_module(root: Path, folder: str, path: Path) -> Module:
    """A file of a folder from which packages are imported."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    parts = path.relative_to(root / folder).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    told = (ast.get_docstring(tree) or "").partition("\n\n")[0]
    defined = {each.name: each for each in _definitions(tree, text.splitlines(), "")}
    name = ".".join(parts[:-1] if is_package else parts)
    return Module(path.relative_to(root).as_posix(), name, is_package, " ".join(told.split()), defined)


def listings_in(source: str, known: Mapping[str, Iterable[tuple[Module, Defined]]]) -> list[tuple[Module, Defined]]:
    """The functions that a listing shows: those of the same name whose code is the same."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    shown = _definitions(tree, source.splitlines(), "")
    return [
        (module, defined)
        for each in shown
        for module, defined in known.get(each.name.rpartition(".")[2], ())
        if defined.listing == each.listing
    ]


def by_last_name(found: Iterable[Module]) -> dict[str, list[tuple[Module, Defined]]]:
    """All that is defined in modules, by names without what is around them."""
    known: dict[str, list[tuple[Module, Defined]]] = {}
    for module in found:
        for defined in module.defined.values():
            known.setdefault(defined.name.rpartition(".")[2], []).append((module, defined))
    return known


def _definitions(node: ast.AST, lines: list[str], around: str) -> Iterator[Defined]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            name = f"{around}{child.name}"
            yield _defined(child, lines, name)
            yield from _definitions(child, lines, f"{name}.")
        elif isinstance(child, ast.If | ast.Try | ast.With):
            yield from _definitions(child, lines, around)


def _defined(node: Definition, lines: list[str], name: str) -> Defined:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    last = node.end_lineno or node.lineno
    text = textwrap.dedent("\n".join(lines[first - 1 : last])).split("\n")
    begin = node.body[0]
    told = range(0)
    if isinstance(begin, ast.Expr) and isinstance(begin.value, ast.Constant) and isinstance(begin.value.value, str):
        told = range(begin.lineno - first, (begin.end_lineno or begin.lineno) - first + 1)
    return Defined(name, first, tuple(text), told)
