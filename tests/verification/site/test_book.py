"""The specification as one text for paper: whole, and every reference in it leads to a place in it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_verify.site.atlas import Atlas
from capc_verify.site.book import as_html, write_book
from capc_verify.site.text.documents import specification
from support.sources import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def book(atlas: Atlas) -> str:
    return as_html(atlas)


def test_every_section_statement_and_name_is_in_the_book(atlas: Atlas, book: str) -> None:
    for document in specification(ROOT):
        if not document.source.endswith("README.md"):
            stem = document.page.rpartition("/")[2].removesuffix(".md")
            assert f'<h1 id="section-{stem}">' in book
            assert f'<li class="level-1"><a href="#section-{stem}">' in book
    for identifier in [*atlas.specification.statements, *atlas.withdrawn]:
        assert book.count(f'id="{identifier}"') == 1
    registries = book.partition('id="registries"')[2].partition('id="index-of-statements"')[0]
    names = re.sub("\N{ZERO WIDTH SPACE}", "", registries)
    assert all(f"<code>{name}</code>" in names for name in ("base-ot", "garbled_circuits", "malformed_length"))
    assert "<th>toy</th>" in names


def test_every_reference_leads_to_one_place_in_the_book_or_out_of_it(book: str) -> None:
    anchors = re.findall(r'\bid="([^"]+)"', book)
    references = set(re.findall(r'<a\b[^>]*\bhref="([^"]*)"', book))
    assert {anchor for anchor in references if anchor.startswith("#")} <= {f"#{anchor}" for anchor in anchors}
    assert not {address for address in references if address and not address.startswith(("#", "https://"))}
    wanted = {reference.removeprefix("#") for reference in references}
    assert not [anchor for anchor in wanted if anchors.count(anchor) > 1]


def test_names_in_tables_may_end_a_line_at_their_joints_and_nowhere_else(book: str) -> None:
    assert "<td><code>querying_\N{ZERO WIDTH SPACE}party_\N{ZERO WIDTH SPACE}begin_" in book
    outside = re.sub(r"<table>.*?</table>", "", book, flags=re.DOTALL)
    assert "\N{ZERO WIDTH SPACE}" not in outside


def test_without_what_it_needs_no_book_is_written_and_the_remedy_is_told(
    atlas: Atlas, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(InputError, match="WeasyPrint is not installed: `make site` installs it"):
        write_book(atlas, tmp_path / "book.pdf")
    assert not list(tmp_path.iterdir())
