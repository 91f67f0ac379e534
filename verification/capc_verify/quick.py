"""Which tests `make quick` runs: those without the marker `slow`, of a test with many cases the first few."""

from __future__ import annotations

import pytest

CASES = 2
"""How many of a parametrised test."""


def is_quick(item: pytest.Item) -> bool:
    """Whether a test belongs to the quick ones. It depends on nothing but the test itself, not on what else is run."""
    indices = item.callspec.indices.values() if hasattr(item, "callspec") else ()
    return item.get_closest_marker("slow") is None and all(index < CASES for index in indices)
