"""Section 17: which states each step takes and gives, and what they are."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints

import capc.steps
from capc.foundation.single_use import SingleUse
from capc_verify.vectors.operations.protocol.rounds import ROUNDS
from capc_verify.vectors.operations.protocol.sums import LAYERS
from capc_verify.vectors.text.writing import table

_ROLES = ("querying_party_", "answering_party_", "privacy_guardian_")
_FIRST = (
    "setup",
    "reverse_setup",
    "party",
    "inference",
    "offline",
    "vote_rounds",
    "aggregation",
    "release",
    "external",
)
"""The order of the parts of a role, as a session goes through them."""
Step = Callable[..., Any]


def step_functions() -> list[Step]:
    """Every step, role by role, in the order of a session."""
    found: list[tuple[int, int, int, Step]] = []
    for entry in pkgutil.walk_packages(capc.steps.__path__, "capc.steps."):
        module = importlib.import_module(entry.name)
        part = entry.name.rpartition(".")[2]
        for name, step in vars(module).items():
            if inspect.isfunction(step) and step.__module__ == module.__name__ and name.startswith(_ROLES):
                role = next(number for number, role in enumerate(_ROLES) if name.startswith(role))
                found.append((role, _FIRST.index(part), step.__code__.co_firstlineno, step))
    return [step for *_, step in sorted(found, key=lambda entry: entry[:3])]


def states_of(step: Step) -> tuple[list[str], list[str]]:
    """The states that a step takes, and those that it gives, in order; several of one kind with a word that says so."""
    hints = get_type_hints(step)
    given = hints.pop("return")
    return [name for hint in hints.values() for name in _names(hint)], list(_names(given))


def _names(hint: object) -> Iterator[str]:
    if inspect.isclass(hint) and issubclass(hint, SingleUse):
        yield hint.__name__
        return
    parts = get_args(hint)
    several = get_origin(hint) is Sequence or Ellipsis in parts
    for part in parts:
        yield from (f"several {name}" if several else name for name in _names(part))


def operation_of() -> Mapping[str, str]:
    """For a step that has another name in vectors, that name."""
    operations = {**ROUNDS.operations, **LAYERS.operations}
    calls = {step.__name__: name for name, entry in operations.items() for step in entry.calls}
    return {step: name for step, name in calls.items() if step != name}


def step_states() -> str:
    """All steps."""
    names, rows = operation_of(), []
    for step in step_functions():
        taken, given = states_of(step)
        other = f"`{names[step.__name__]}`" if step.__name__ in names else ""
        rows.append((f"`{step.__name__}`", ", ".join(taken), ", ".join(given), other))
    return table("step | takes | gives | in vectors", rows)


def states() -> str:
    """All states, each with what it is, in the order in which steps first name them."""
    kinds: dict[str, str] = {}
    for step in step_functions():
        module = importlib.import_module(step.__module__)
        for name in (name.removeprefix("several ") for side in states_of(step) for name in side):
            kind = getattr(module, name, None)
            if kind is not None and name not in kinds:
                kinds[name] = " ".join((inspect.getdoc(kind) or "").partition("\n")[0].split())
    return table("state | what it is", kinds.items())
