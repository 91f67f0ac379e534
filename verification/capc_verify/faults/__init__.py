"""Seeded faults: what the authors' research code got wrong, and a few neighbours of it, planted into the shipped code.

:func:`planted` patches the running process in place for the length of a block. ``pytest --seed-fault NAME`` runs any
tests against a fault, and ``python -m capc_verify.faults`` shows that the tests that are named for each fault fail
with it, and pass without. Spec: CAPC-SEC-010.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from capc.foundation.errors import InputError
from capc_verify.faults.planting import Fault, planted
from capc_verify.faults.registry import FAULTS

__all__ = ["FAULTS", "Fault", "families", "seeded"]


def seeded(name: str) -> AbstractContextManager[None]:
    """A block in which a fault of :data:`FAULTS` is in.

    Raises:
        InputError: there is no such fault.
    """
    if name not in FAULTS:
        raise InputError(f"fault {name!r} is unknown: choose one of {', '.join(sorted(FAULTS))}")
    return planted(FAULTS[name].plant)


def families() -> dict[str, dict[str, Fault]]:
    """The faults of each module of this package, by their names."""
    found: dict[str, dict[str, Fault]] = {}
    for name, fault in FAULTS.items():
        found.setdefault(fault.family, {})[name] = fault
    return found
