"""The source of the repository's packages, for tests of its rules: read once in a process, parsed once a module."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "capc_spec": "spec",
    "capc": "reference",
    "capc_mpc": "mpc_programs",
    "capc_verify": "verification",
    "capc_bench": "benchmarks",
}
"""Where each package is. The last one is not shipped."""
SHIPPED = tuple(FOLDERS)[:-1]


@dataclass(frozen=True)
class Module:
    """A Python file: its dotted name, its text, and whether it is a package's ``__init__``."""

    name: str
    text: str
    is_package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def imports(self) -> frozenset[str]:
        """Every module that is imported anywhere in the file, and every name from one, by its dotted name."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
        return frozenset(found)

    @cached_property
    def dotted_names(self) -> frozenset[str]:
        """The imports, and every attribute in the file, as written."""
        attributes = (node for node in ast.walk(self.tree) if isinstance(node, ast.Attribute))
        return self.imports | {ast.unparse(node) for node in attributes}

    @property
    def package(self) -> str:
        """The package whose folder holds the file."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    def is_in(self, *packages: str) -> bool:
        return is_within(self.name, packages)


def is_within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


@cache
def modules(packages: tuple[str, ...] = SHIPPED) -> tuple[Module, ...]:
    found = []
    for package in packages:
        folder = ROOT / FOLDERS[package]
        for path in sorted((folder / package).rglob("*.py")):
            parts, is_package = path.relative_to(folder).with_suffix("").parts, path.name == "__init__.py"
            name = ".".join(parts[:-1] if is_package else parts)
            found.append(Module(name, path.read_text(encoding="utf-8"), is_package))
    return tuple(found)
