"""Networks of tests that ask nothing of how good they are: trained the same way, for a few passes."""

from __future__ import annotations

import pytest

from capc.learning import training
from support.sizes import is_nightly


def few_passes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, unless the test asks for ``real_training``; nightly all networks are as they are.

    Networks that other processes train are not shortened.
    """
    if "real_training" in request.fixturenames or is_nightly():
        return
    monkeypatch.setattr(training, "MOST_EPOCHS", 3)
    monkeypatch.setattr(training, "EPOCHS_OF_FEW", 3)
