"""Executing a program's text: the names that it sees, the modules that it may import, and where it went wrong."""

from __future__ import annotations
import __future__

import builtins
import fractions
import functools
import itertools
import math
import os.path
import traceback
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

from capc_mpc.emulator.arithmetic import sint
from capc_mpc.emulator.binary import inputb, sbits
from capc_mpc.emulator.errors import EmulatorError, ProgramError, UnknownConstructError
from capc_mpc.emulator.library import break_point, print_ln, print_ln_to

DIALECT: Mapping[str, Mapping[str, object]] = {
    "Compiler.GC.instructions": {"inputb": inputb},
    "Compiler.GC.types": {"sbits": sbits},
    "Compiler.library": {"break_point": break_point, "print_ln": print_ln, "print_ln_to": print_ln_to},
    "Compiler.types": {"sint": sint},
}
"""The modules of the compiler, and the names in them, that the emulator knows."""

BUILTINS = (
    "__build_class__",
    "object",
    "super",
    "property",
    "staticmethod",
    "classmethod",
    "isinstance",
    "int",
    "str",
    "bool",
    "list",
    "tuple",
    "dict",
    "set",
    "len",
    "range",
    "enumerate",
    "zip",
    "map",
    "filter",
    "reversed",
    "sorted",
    "sum",
    "min",
    "max",
    "abs",
    "all",
    "any",
)
PYTHON = {module.__name__: module for module in (__future__, fractions, functools, itertools, math, typing)}
"""What a program may use of Python itself: computing at compile time, without files, input or reflection."""

REFUSED = (NameError, AttributeError, ImportError, TypeError, NotImplementedError)
"""Python's words for a name, an operation or an operand that does not exist here."""
FAILED = (ArithmeticError, AssertionError, LookupError, ValueError, RecursionError)


class Source:
    """A program and the library files beside it.

    Args:
        path: the `.mpc` file.
        handle: what the program knows as `program`.
        replaced: instead of these attributes of a library, the given ones: a proof puts in what it has shown equal.
    """

    def __init__(self, path: Path, handle: object, replaced: Mapping[tuple[str, str], object] | None = None) -> None:
        self._path = path
        self._handle = handle
        self._replaced = replaced or {}
        self._search: list[str] = []
        self._files = {str(path)}
        self._modules: dict[str, Any] = {
            "os": SimpleNamespace(path=SimpleNamespace(abspath=os.path.abspath, dirname=os.path.dirname)),
            "sys": SimpleNamespace(path=self._search),
            **PYTHON,
            **{name: SimpleNamespace(**members) for name, members in DIALECT.items()},
        }

    def run(self) -> None:
        """Executes the program.

        Raises:
            EmulatorError: it uses what the emulator does not know, or fails. The message begins with file and line.
        """
        names = {name: member for members in DIALECT.values() for name, member in members.items()}
        with self._located():
            self._run_file(self._path, {**names, "program": self._handle})

    def load(self, name: str) -> SimpleNamespace:
        """A library file on its own, as a program would import it from beside itself.

        Raises:
            EmulatorError: as :meth:`run`.
        """
        self._search.insert(0, str(self._path.parent))
        with self._located():
            return self._library(name)

    def _run_file(self, path: Path, names: dict[str, Any]) -> dict[str, Any]:
        return _execute(path, path.read_text(), names, self._import)

    def _import(self, name: str, *_context: object) -> SimpleNamespace:
        if name not in self._modules:
            self._modules[name] = self._library(name)
        return self._modules[name]  # type: ignore[no-any-return]

    def _library(self, name: str) -> SimpleNamespace:
        for folder in self._search:
            path = Path(folder) / f"{name}.py"
            if path.is_file():
                self._files.add(str(path))
                text = path.read_text()
                if not _uses_the_compiler(text):
                    return _pure_library(path, text)
                replaced = {attribute: new for (file, attribute), new in self._replaced.items() if file == name}
                return _module(self._run_file(path, {}) | replaced)
        raise UnknownConstructError(f"the module {name!r}")

    @contextmanager
    def _located(self) -> Iterator[None]:
        """Errors become the emulator's, with the file and the line of the program's text."""
        try:
            yield
        except EmulatorError as error:
            raise type(error)(f"{self._place(error)}: {error}") from error
        except SyntaxError as error:
            raise ProgramError(f"{error.filename}:{error.lineno}: {error.msg}") from error
        except REFUSED as error:
            raise UnknownConstructError(f"{self._place(error)}: the emulator does not know this: {error}") from error
        except FAILED as error:
            raise ProgramError(f"{self._place(error)}: {type(error).__name__}: {error}") from error

    def _place(self, error: BaseException) -> str:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in self._files]
        return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else self._path.name


def _execute(path: Path, text: str, names: dict[str, Any], importer: Callable[..., object]) -> dict[str, Any]:
    allowed = {name: getattr(builtins, name) for name in BUILTINS}
    names |= {"__builtins__": {**allowed, "__import__": importer}, "__name__": path.stem}
    exec(_compiled(path, text), names)  # noqa: S102 - the project's own programs, with chosen names
    return names


@functools.lru_cache(maxsize=64)
def _pure_library(path: Path, text: str) -> SimpleNamespace:
    """A library that uses nothing of the compiler depends on no run: its tables are computed once."""

    def import_pure(name: str, *_context: object) -> ModuleType | SimpleNamespace:
        beside = path.parent / f"{name}.py"
        if name in PYTHON:
            return PYTHON[name]
        if not beside.is_file() or _uses_the_compiler(beside.read_text()):
            raise UnknownConstructError(f"the module {name!r}")
        return _pure_library(beside, beside.read_text())

    return _module(_execute(path, text, {}, import_pure))


def _uses_the_compiler(text: str) -> bool:
    return "from Compiler" in text


def _module(members: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(**{name: member for name, member in members.items() if name != "__builtins__"})


@functools.lru_cache(maxsize=64)
def _compiled(path: Path, text: str) -> CodeType:
    return compile(text, str(path), "exec")


def program_handle(path: Path, arguments: Sequence[object], options: Mapping[str, object]) -> SimpleNamespace:
    """What a program knows as `program`: its own path and arguments, and the compiler's options."""
    return SimpleNamespace(args=[path.stem, *map(str, arguments)], infile=str(path), options=SimpleNamespace(**options))
