"""Seeded faults: what the authors' research code got wrong, and a few neighbours of it, planted into the shipped code.

:func:`apply` patches the running process in place, for good; ``pytest --seed-fault NAME`` does so before it collects
tests, and ``tests/faults`` shows that the tests named here then fail. Spec: CAPC-SEC-010.
"""

from __future__ import annotations

from capc.foundation.errors import InputError
from capc_verify.faults.registry import FAULTS, Fault

__all__ = ["FAULTS", "Fault", "apply"]


def apply(name: str) -> None:
    """Plants a fault of :data:`FAULTS` into this process. There is no way back.

    Raises:
        InputError: there is no such fault.
    """
    if name not in FAULTS:
        raise InputError(f"fault {name!r} is unknown: choose one of {', '.join(sorted(FAULTS))}")
    FAULTS[name].plant()
