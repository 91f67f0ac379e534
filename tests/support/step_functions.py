"""Every step function of every package, found by its name, and what a refusal says of the step it came from."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import traceback
from collections.abc import Callable
from functools import lru_cache

import capc

ROLES = ("answering_party_", "querying_party_", "privacy_guardian_")
Step = Callable[..., object]


@lru_cache
def step_functions() -> tuple[Step, ...]:
    """Public functions that are named after the party that runs them, each once."""
    found: list[Step] = []
    for entry in pkgutil.walk_packages(capc.__path__, "capc."):
        module = importlib.import_module(entry.name)
        for name, step in vars(module).items():
            if inspect.isfunction(step) and step.__module__ == module.__name__ and name.startswith(ROLES):
                found.append(step)
    return tuple(found)


def step_that_refused(error: BaseException) -> str:
    """The name of the outermost step function that the error came through."""
    names = {step.__code__: step.__name__ for step in step_functions()}
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code in names:
            return names[frame.f_code]
    raise AssertionError("the error came from no step")


def shown_by(error: BaseException | None) -> list[str]:
    """All that an error and those behind it say."""
    shown: list[str] = []
    while error is not None:
        shown += [repr(error), str(error), *map(repr, error.args), *getattr(error, "__notes__", [])]
        error = error.__cause__ or error.__context__
    return shown
