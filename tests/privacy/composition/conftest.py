"""Nothing that one test composed is found again by the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from capc.privacy.composition import kept, recursion


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    def forget() -> None:
        kept._REMEMBERED.clear()
        recursion.step_of.cache_clear()

    forget()
    yield
    forget()
