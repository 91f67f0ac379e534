"""The lock: which sentence each statement had when a person last confirmed that its evidence fits it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from capc.foundation.errors import InputError
from capc_verify.trace.spec import Specification

LOCK = Path("spec") / "requirements.lock.json"


def read_lock(root: Path) -> dict[str, str]:
    """The confirmed hash of each id; empty before the first confirmation.

    Raises:
        InputError: the file is not JSON.
    """
    path = root / LOCK
    if not path.is_file():
        return {}
    try:
        lock: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON ({error}); restore it from version control") from error
    return lock


def confirm(root: Path, specification: Specification, identifiers: Iterable[str]) -> None:
    """Writes the present hashes of these statements, and drops ids that no longer need a test."""
    in_force = {name: entry for name, entry in specification.statements.items() if entry.needs_test}
    lock = {name: digest for name, digest in read_lock(root).items() if name in in_force}
    lock |= {name: in_force[name].hash for name in identifiers}
    (root / LOCK).write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n", encoding="utf-8")
