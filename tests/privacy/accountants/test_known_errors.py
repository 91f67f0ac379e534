"""The page about accounting: every case that it names is a test that exists, and its commands run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from capc import cli
from support.label_costs import set_compositions, set_label_costs
from support.sizes import is_nightly

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "accounting.md").read_text(encoding="utf-8")


def test_every_case_of_the_table_of_errors_is_a_test() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) >= 10
    text = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in named if f"def {name}(" not in text] == []


@pytest.mark.slow
@pytest.mark.parametrize("line", re.findall(r"^    capc (account .*)$", PAGE, re.MULTILINE))
def test_every_command_of_the_page_runs(line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ordinarily with costs that are found at once."""
    if not is_nightly():
        set_label_costs(monkeypatch)
        set_compositions(monkeypatch)
    monkeypatch.chdir(tmp_path)
    Path("cases.json").write_text('[{"question": "epsilon", "sigma": 40, "queries": 1000}]')
    assert cli.run(line.split()) == 0
