"""Ordinary and nightly sizes of long property runs: `CAPC_NIGHTLY=1` selects the nightly ones."""

from __future__ import annotations

import os

from capc_verify.views.fixes import Fix, nothing


def is_nightly() -> bool:
    return os.environ.get("CAPC_NIGHTLY") == "1"


def examples(*, ordinary: int, nightly: int) -> int:
    """How many examples a property runs."""
    return nightly if is_nightly() else ordinary


def ordinarily(fix: Fix) -> Fix:
    """Draws of an enumeration that are constants in ordinary runs; nightly all of them are played."""
    return nothing if is_nightly() else fix
