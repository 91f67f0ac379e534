"""Plants a fault into the running process, and takes it out whole."""

from __future__ import annotations

import importlib
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

Holder = ModuleType | type
"""What a fault may change: a module's names, or a class's attributes."""

_LOADED_FIRST = (
    "capc.protocol.collaboration",
    "capc.privacy.account",
    "capc.two_party.circuits.release",
    "capc.two_party.garbling.readable",
    "capc.two_party.ideal",
    "capc.noise.mechanism",
)
"""Together they load the whole core, so that no later import brings the correct function back."""
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_MISSING = object()


@dataclass(frozen=True)
class Fault:
    """A seeded fault.

    Attributes:
        plant: changes attributes of modules and classes; its docstring says what the faulty code does.
        design_line: the line of the list of the authors' faults in the project's design; None for a neighbour of one.
        detected_by: node ids of the tests that must fail.
    """

    plant: Callable[[], None]
    design_line: int | None
    detected_by: tuple[str, ...]

    @property
    def family(self) -> str:
        """The module of the fault, which says what kind it is of."""
        return self.plant.__module__.rpartition(".")[2]

    @property
    def summary(self) -> str:
        """What the faulty code does."""
        return (self.plant.__doc__ or "").strip()


@contextmanager
def planted(plant: Callable[[], None]) -> Iterator[None]:
    """A block in which a fault is in: before and after it, the code is the correct one.

    What the fault changed is found by comparing every module and class of the repository before and after it was
    planted, so that a fault needs no code of its own to take it out. A module that is loaded while the fault is in may
    have taken faulty functions by their name: it gets the correct ones too. Caches are dropped on both sides.

    Args:
        plant: changes attributes of modules and classes.
    """
    for name in _LOADED_FIRST:
        importlib.import_module(name)
    before = holdings()
    changed: list[tuple[Holder, str, object, object]] = []
    try:
        try:
            plant()
        finally:
            after = holdings()
            changed += _differences(before, after)
            _clear_caches(after)
        yield
    finally:
        held = holdings()
        for holder, name, correct, _ in changed:
            _put(holder, name, correct)
        for holder in held.keys() - before.keys():
            for name, value in held[holder].items():
                for _, _, correct, faulty in changed:
                    if value is faulty and correct is not _MISSING:
                        setattr(holder, name, correct)
        # What was held with the fault in: its own caches, and those of the code that called it.
        _clear_caches(held)
        _clear_caches(before)


def modules() -> list[ModuleType]:
    """The modules of this repository that are loaded, with those of its tests: neither Python's nor other packages'."""
    return [module for name, module in sorted(sys.modules.items()) if _is_ours(name, module)]


def holdings() -> dict[Holder, dict[str, object]]:
    """What each of these modules, and each class that they define, holds under which name."""
    holders: list[Holder] = []
    for module in modules():
        holders.append(module)
        holders += [value for value in vars(module).values() if _is_own_class(module, value)]
    return {holder: dict(vars(holder)) for holder in holders}


def _is_ours(name: str, module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return name.partition(".")[0].startswith("capc") or (isinstance(file, str) and not file.startswith(_INSTALLED))


def _is_own_class(module: ModuleType, value: object) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__


def _differences(
    before: Mapping[Holder, Mapping[str, object]], after: Mapping[Holder, Mapping[str, object]]
) -> Iterator[tuple[Holder, str, object, object]]:
    for holder in before.keys() & after.keys():
        for name in before[holder].keys() | after[holder].keys():
            correct, faulty = before[holder].get(name, _MISSING), after[holder].get(name, _MISSING)
            if correct is not faulty:
                yield holder, name, correct, faulty


def _put(holder: Holder, name: str, value: object) -> None:
    if value is _MISSING:
        delattr(holder, name)
    else:
        setattr(holder, name, value)


def _clear_caches(held: Mapping[Holder, Mapping[str, object]]) -> None:
    for names in held.values():
        for value in names.values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
