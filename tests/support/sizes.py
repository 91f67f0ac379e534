"""Ordinary and nightly sizes of long property runs: `CAPC_NIGHTLY=1` selects the nightly ones."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

import pytest

from capc_verify.views.fixes import Fix, nothing

_Case = TypeVar("_Case")


def is_nightly() -> bool:
    return os.environ.get("CAPC_NIGHTLY") == "1"


def examples(*, ordinary: int, nightly: int) -> int:
    """How many examples a property runs."""
    return nightly if is_nightly() else ordinary


def some(cases: Iterable[_Case], *, ordinary: int) -> list[_Case]:
    """The cases that a test has: ordinarily so many of them, evenly spread and the first among them; nightly all."""
    found = list(cases)
    return found if is_nightly() else found[:: -(-len(found) // ordinary)]


nightly_only = pytest.mark.skipif(not is_nightly(), reason="of the nightly size only: CAPC_NIGHTLY=1")


def ordinarily(fix: Fix) -> Fix:
    """Draws of an enumeration that are constants in ordinary runs; nightly all of them are played."""
    return nothing if is_nightly() else fix
