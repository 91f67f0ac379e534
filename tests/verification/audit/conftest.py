"""One toy whose claims were run again and signed, for all tests that look at a report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from capc import cli
from support.toy_checkout import Audited, ToyCheckout


@pytest.fixture(scope="session")
def of_all(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    folder = tmp_path_factory.mktemp("audited")
    audited = Audited(ToyCheckout.made(folder / "toy"), folder / "report.json", folder / "key")
    assert cli.run(["verify", "key", str(audited.key)]) == 0
    assert audited.verify("--all", "--json", str(audited.report), "--sign", str(audited.key)) == 0
    return audited


@pytest.fixture
def audited(of_all: Audited, tmp_path: Path) -> Audited:
    """A copy, which a test may change."""
    shutil.copytree(of_all.report.parent, tmp_path / "copy")
    copy = tmp_path / "copy"
    return Audited(ToyCheckout(copy / "toy"), copy / "report.json", copy / "key")
