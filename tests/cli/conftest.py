"""Plans of these tests are made with costs of labels that are found at once, and networks learn for a few passes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.few_passes import few_passes
from support.label_costs import set_compositions, unless_real


@pytest.fixture
def real_label_costs() -> None:
    """Asked for by a test that has to have the real ones."""


@pytest.fixture(autouse=True)
def _label_costs(request: pytest.FixtureRequest) -> Iterator[None]:
    yield from unless_real(request)


@pytest.fixture
def real_compositions() -> None:
    """Asked for by a test that has to have the real ones."""


@pytest.fixture(autouse=True)
def _compositions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real_compositions" not in request.fixturenames:
        set_compositions(monkeypatch)


@pytest.fixture
def real_training() -> None:
    """Asked for by a test whose networks have to be good."""


@pytest.fixture(autouse=True)
def _training(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    few_passes(request, monkeypatch)
