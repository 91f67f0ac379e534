"""Pages in a real browser that has no network: they are laid out, and nothing is asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from capc.job.rendering.page import page
from capc.job.rendering.study import study_page
from support.browser import browser, opened
from support.reports import run_report, study

pytestmark = [pytest.mark.slow, pytest.mark.req("CAPC-RUN-036")]


@pytest.fixture(scope="module", name="browser")
def _browser() -> str:
    return browser()


def hostile() -> dict[str, Any]:
    names = ['"><img src="http://example.org/a.png">', "<script>document.title='ran'</script>", "c"]
    return run_report(classes=names, groups=names, name=names[0], text=names[1])


def test_the_log_sees_a_request(browser: str, tmp_path: Path) -> None:
    """Without this the tests below could not fail."""
    file = tmp_path / "loads.html"
    file.write_text("<!DOCTYPE html><h1>x</h1><img src='http://example.org/a.png'>", encoding="utf-8")
    assert "http://example.org/a.png" in opened(browser, file, "--dump-dom")[1]


@pytest.mark.parametrize("kind", ["run", "study"])
def test_a_page_opens_and_asks_for_nothing(browser: str, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "page.html"
    file.write_text(page(hostile()) if kind == "run" else study_page(study()), encoding="utf-8")
    shown, asked = opened(browser, file, "--dump-dom")
    assert [url for url in asked if "example.org" in url] == []
    headings = re.findall(r"<h[12][^>]*>([^<]*)</h[12]>", shown)
    assert headings[0] == ("Simulated run of CaPC" if kind == "run" else "Study of CaPC")
    assert len(headings) == (8 if kind == "run" else 3)
    assert shown.count("<svg") == (5 if kind == "run" else 3)
    assert "<script" not in shown
    assert "<img" not in shown
    assert "<title>ran" not in shown


def test_a_page_prints(browser: str, tmp_path: Path) -> None:
    file, paper = tmp_path / "page.html", tmp_path / "page.pdf"
    file.write_text(page(hostile()), encoding="utf-8")
    opened(browser, file, f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF-")
