"""The pages of this repository, written once for all tests that look at them."""

from __future__ import annotations

import pytest

from capc_verify.site.atlas import Atlas
from capc_verify.site.staging import written
from support.sources import ROOT


@pytest.fixture(scope="session")
def atlas() -> Atlas:
    return Atlas(ROOT)


@pytest.fixture(scope="session")
def pages(atlas: Atlas) -> dict[str, str]:
    return written(atlas, has_book=False)
