"""What code runs when a file does: the file, and whatever it imports of this repository; and a digest of what runs.

Imports are read from the source, so a module that is found by a name made at run time is not seen. A module that is
started by its name (``python -m capc.cli``) is: dotted names in the texts of a test count where they are modules.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOTS = ("spec", "reference", "mpc_programs", "verification", "benchmarks", "tests")
"""The folders from which this repository's packages, and helpers of its tests, are imported."""
DATA = {
    "spec/capc_spec/parameter_sets": "spec/capc_spec/",
    "spec/capc_spec/names": "spec/capc_spec/",
    "spec/capc_spec/vectors": "verification/capc_verify/vectors/",
    "mpc_programs/capc_mpc/programs": "mpc_programs/capc_mpc/",
    "reference/capc/privacy/composition/shipped": "reference/capc/privacy/composition/",
}
"""Folders of what code reads as it reads itself (constants, programs of another language), and where that code is."""

_DIGITS = 16
_NO_DATA = {"", ".py", ".pyc", ".md"}
_DOTTED = re.compile(r"capc\w*(\.\w+)+\Z")


class SourceTree:
    """The Python files of a checkout, each read once."""

    def __init__(self, root: Path) -> None:
        """Reads nothing yet.

        Args:
            root: of the repository.
        """
        self._root = root
        self._imports: dict[Path, frozenset[str]] = {}
        self._files: dict[str, tuple[Path, ...]] = {}
        self._digests: dict[str, str] = {}

    def covered(self, files: Iterable[Path]) -> list[str]:
        """The files that run when these do, and the constants of the packages among them.

        Args:
            files: Python files, relative to the root.

        Returns:
            Their names, relative to the root, sorted.
        """
        waiting = [self._root / file for file in files]
        # What pytest reads before a test's own file.
        waiting += [
            folder / "conftest.py" for path in waiting for folder in path.parents if folder.is_relative_to(self._root)
        ]
        found: set[Path] = set()
        while waiting:
            path = waiting.pop()
            if path not in found and path.is_file():
                found.add(path)
                waiting += [file for name in self._imported(path) for file in self._files_of(name)]
        names = {path.relative_to(self._root).as_posix() for path in found}
        return sorted(names | self._data(names))

    def digest(self, name: str) -> str:
        """The digest of a file as it is, by its name."""
        if name not in self._digests:
            self._digests[name] = digest_of(name, (self._root / name).read_bytes())
        return self._digests[name]

    def _data(self, names: set[str]) -> set[str]:
        """What these files read: of their packages, and what lies beside a test that names it."""
        folders = [folder for folder, code in DATA.items() if any(name.startswith(code) for name in names)]
        data = [path for folder in folders for path in (self._root / folder).rglob("*") if path.is_file()]
        for path in (self._root / name for name in names if name.startswith("tests/")):
            text = path.read_text(encoding="utf-8")
            data += [file for file in path.parent.iterdir() if file.suffix not in _NO_DATA and file.name in text]
        return {path.relative_to(self._root).as_posix() for path in data if path.suffix not in _NO_DATA}

    def _imported(self, path: Path) -> frozenset[str]:
        """The dotted names that a file imports, with those that a test gives as texts."""
        if path not in self._imports:
            self._imports[path] = frozenset(self._read_imports(path))
        return self._imports[path]

    def _read_imports(self, path: Path) -> Iterator[str]:
        package = path.parent.relative_to(self._root).parts[1:]
        names_programs = path.name.startswith("test_")
        for node in _executed(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else ()
                module = ".".join([*above, *([node.module] if node.module else [])])
                yield from (self._home(module, alias.name) for alias in node.names)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and names_programs:
                yield from [node.value] if _DOTTED.match(node.value) else []

    def _home(self, module: str, name: str) -> str:
        """Where a name is from that a package hands on when it is first asked for: as type checkers are told."""
        face = [path for path in self._files_of(module) if path.name == "__init__.py"]
        if face and face[-1].parent.name == module.rpartition(".")[2]:
            for node in _for_type_checkers(ast.parse(face[-1].read_text(encoding="utf-8"))):
                if name in {alias.name for alias in node.names}:
                    return f"{node.module}.{name}"
        return f"{module}.{name}"

    def _files_of(self, name: str) -> tuple[Path, ...]:
        """The files that an import of a module, or of a name from one, runs: also those of the packages around it."""
        if name not in self._files:
            self._files[name] = tuple(path for path in self._candidates(name.split(".")) if path.is_file())
        return self._files[name]

    def _candidates(self, parts: list[str]) -> Iterator[Path]:
        for start in (self._root / folder for folder in ROOTS):
            for depth in range(1, len(parts) + 1):
                inner = start.joinpath(*parts[:depth])
                yield from (inner / "__init__.py", inner.with_suffix(".py"))
            # Of a package that is started by its name.
            yield start.joinpath(*parts, "__main__.py")


@cache
def digest_of(name: str, content: bytes) -> str:
    """A digest of a file that comments, docstrings and layout of Python do not change, nor the version of Python."""
    if name.endswith(".py"):
        content = repr(_running(ast.parse(content.decode("utf-8")))).encode()
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def _running(part: object) -> object:
    """A syntax tree as tuples and lists, without texts that are no part of an expression.

    Fields that are not there and fields that are empty are left out: which of them a node has depends on the version
    of Python.
    """
    if isinstance(part, list):
        return [_running(entry) for entry in part if not _is_text(entry)]
    if not isinstance(part, ast.AST):
        return part
    fields = ((name, _running(value)) for name, value in ast.iter_fields(part) if value is not None)
    return (type(part).__name__, *(field for field in fields if field[1] != []))


def _is_text(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only type checkers see."""
    for child in ast.iter_child_nodes(node):
        if not _is_for_type_checkers(child):
            yield child
            yield from _executed(child)


def _for_type_checkers(module: ast.Module) -> list[ast.ImportFrom]:
    blocks = [node for node in module.body if isinstance(node, ast.If) and _is_for_type_checkers(node)]
    return [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
