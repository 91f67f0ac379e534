"""Ordinary and nightly sizes of long property runs: `CAPC_NIGHTLY=1` selects the nightly ones."""

from __future__ import annotations

import os


def is_nightly() -> bool:
    return os.environ.get("CAPC_NIGHTLY") == "1"


def examples(*, ordinary: int, nightly: int) -> int:
    """How many examples a property runs."""
    return nightly if is_nightly() else ordinary
