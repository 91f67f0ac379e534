"""The page of a report in a real browser without a network: nothing is asked for, and nothing lies beyond the edge."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from capc_verify.audit import auditing
from capc_verify.audit.questions import read_questions
from capc_verify.audit.report import document as reports
from capc_verify.audit.report.document import Audit
from capc_verify.audit.report.page import page
from capc_verify.audit.runs.journal import Journal
from capc_verify.audit.runs.plan import Collected
from capc_verify.audit.runs.running import Run
from capc_verify.audit.selection import select
from capc_verify.trace.report import read_report
from support.browser import beyond_the_edge, browser, opened
from support.toy_checkout import Audited

ROOT = Path(__file__).parents[3]
WIDTHS = (320, 768, 1280)
BROWSERS_OWN = re.compile(r"https?://([\w-]+\.)*(google|googleapis|gvt1|gstatic)\.com/")
"""What Chromium asks for by itself, whatever it shows."""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", name="program")
def _program() -> str:
    return browser()


@pytest.fixture(scope="module")
def of_this_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run of which nothing is known: all that the page can hold but outcomes, in its real length."""
    specification, claims = auditing._read(ROOT)
    journal = Journal(
        {
            "commit": {"id": "0" * 40, "uncommitted": ["a" * 200]},
            "environment": {
                "python": "3", "implementation": "CPython", "system": "Linux", "machine": "x", "processors": 2,
                "packages": {"p" * 80: "1"},
            },
            "started": "2026-01-01T00:00:00+00:00",
            "tree": "0" * 64,
        },
        broken={f"tests/{'very_' * 30}long.py": "x" * 300},
        ended="2026-01-01T00:00:01+00:00",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reports, "all_records", lambda *_: [])
        report = reports.document(
            Audit(
                ROOT,
                specification,
                claims,
                read_questions(ROOT, specification),
                read_report(ROOT),
                select((), specification, claims, quick=False),
                Run(journal, Collected({}, {}), 0),
                {},
            )
        )
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(page(report), encoding="utf-8")
    return file


def test_the_check_sees_what_lies_beyond_the_edge(program: str, tmp_path: Path) -> None:
    """Also what is folded, and not what scrolls by itself. Without this the tests below could not fail."""
    file = tmp_path / "wide.html"
    wide = '<div class="{}" style="width: 600px; height: 300px">x</div>'
    parts = (
        f"<details><summary>s</summary>{wide.format('folded')}</details>",
        f'<div style="overflow-x: auto">{wide.format("scrolls")}</div>',
        wide.format("plain"),
    )
    file.write_text(f"<!DOCTYPE html><title>t</title>{''.join(parts)}", encoding="utf-8")
    found = beyond_the_edge(program, file, (320, 1280))
    assert [re.findall('class="(.*?)"', line) for line in found] == [["folded"], ["plain"]]


@pytest.mark.parametrize("of", ["a toy", "this repository"])
def test_no_part_of_a_page_lies_beyond_the_edge(
    program: str, of_all: Audited, of_this_repository: Path, tmp_path: Path, of: str
) -> None:
    file = tmp_path / "report.html"
    shutil.copy(of_all.report.with_suffix(".html") if of == "a toy" else of_this_repository, file)
    assert beyond_the_edge(program, file, WIDTHS) == []


def test_a_page_asks_for_nothing_and_holds_every_question_with_its_answer(
    program: str, of_this_repository: Path, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    shutil.copy(of_this_repository, file)
    shown, asked = opened(program, file, "--dump-dom")
    assert [url for url in asked if url.startswith(("http", "ws")) and not BROWSERS_OWN.match(url)] == []
    assert "<script" not in shown
    for number in range(1, 16):
        section = re.search(rf'<h3 id="question-{number}">(.*?)</section>', shown, re.DOTALL)
        assert section is not None
        assert len(re.sub("<.*?>", "", section[1])) > 600
    assert json.dumps("question-16") not in shown


def test_a_page_is_printed_with_what_is_folded(program: str, of_all: Audited, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    text = of_all.page()
    folded = tmp_path / "folded.html"
    file.write_text(text, encoding="utf-8")
    folded.write_text(text.replace("::details-content", "::nothing"), encoding="utf-8")
    sizes = []
    for each in (file, folded):
        paper = each.with_suffix(".pdf")
        opened(program, each, f"--print-to-pdf={paper}")
        sizes.append(len(paper.read_bytes()))
    assert sizes[0] > sizes[1]
