"""The pages as they are written, before anything is built: nothing is left out, and every link leads somewhere."""

from __future__ import annotations

import posixpath
import re
import subprocess
from collections.abc import Iterator

import pytest

from capc_verify.site.atlas import Atlas, evidence_page, raw_address
from capc_verify.site.staging import carried, navigation, places_for_docstrings
from capc_verify.site.text.documents import built
from capc_verify.trace.report import Traced
from support.sources import ROOT

pytestmark = pytest.mark.slow

_LINK = re.compile(r'\]\(([^)\s]+)\)|href="([^"]+)"')
_ANCHOR = re.compile(r'\bid="([^"]+)"|\{#([^}\s]+)\}')
_HEADING = re.compile(r"^#+ (.+?)(?: \{#.*)?$", re.MULTILINE)
_LISTING = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def _slug(heading: str) -> str:
    """What a heading without an id of its own is called, as GitHub and the site have it."""
    words = re.sub(r"[^\w\s-]", "", re.sub(r"[`*]|\]\([^)]*\)", "", heading)).strip().lower()
    return re.sub(r"[\s-]+", "-", words)


def _leaves(entries: object) -> Iterator[str]:
    if isinstance(entries, str):
        yield entries
    elif isinstance(entries, dict):
        for inner in entries.values():
            yield from _leaves(inner)
    elif isinstance(entries, list):
        for inner in entries:
            yield from _leaves(inner)


def test_navigation_lists_every_text_of_the_repository_and_only_pages(atlas: Atlas, pages: dict[str, str]) -> None:
    listed = list(_leaves(navigation(atlas)))
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(pages)
    tracked = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    texts = {name for name in tracked.split() if "/site/assets/" not in name and not name.startswith("tests/")}
    assert texts == set(atlas.documents)
    assert {document.page for document in atlas.documents.values()} <= set(listed)


def test_every_statement_stands_in_a_box_and_leads_to_its_evidence(atlas: Atlas, pages: dict[str, str]) -> None:
    for statement in atlas.specification.statements.values():
        text = pages[atlas.documents[statement.file].page]
        box = text.partition(f'<div class="statement statement-{statement.kind}" id="{statement.id}"')[2]
        head = box.partition("</div>")[0]
        assert f'href="../{built(evidence_page(statement.area))}#{statement.id}"' in head, statement.id
        evidence = pages[evidence_page(statement.area)].partition(f"## {statement.id} {{#{statement.id}}}")[2]
        assert f'href="../{atlas.statement_address(statement.id)}"' in evidence.partition("\n## ")[0]
    for identifier, file in atlas.withdrawn.items():
        assert f'id="{identifier}"' in pages[atlas.documents[file].page]


def test_evidence_names_all_code_tests_vectors_and_faults_of_a_statement(atlas: Atlas, pages: dict[str, str]) -> None:
    for statement in atlas.specification.statements.values():
        part = pages[evidence_page(statement.area)].partition(f"{{#{statement.id}}}")[2].partition("\n## ")[0]
        for place in atlas.traced.code.get(statement.id, ()):
            assert f"../{atlas.code_address(place)})" in part, place
        for function in atlas.functions_of(statement):
            assert f"#{function.partition('::')[2].replace('::', '.')})" in part, function
        for name in [*atlas.vectors_of(statement), *(f"fault-{name}" for name in atlas.faults.get(statement.id, ()))]:
            assert f"#{name.partition('::')[2] or name})" in part, name


def test_code_and_tests_lead_back(atlas: Atlas, pages: dict[str, str]) -> None:
    places = places_for_docstrings(atlas)
    assert set(places["statements"]) == {*atlas.specification.statements, *atlas.specification.withdrawn}
    for file, functions in atlas.tests.items():
        page = pages[f"evidence/tests/{file.removeprefix('tests/').removesuffix('.py').replace('/', '.')}.md"]
        for name, statements in functions.items():
            part = page.partition(f"## {name} {{#{name}}}")[2].partition("\n## ")[0]
            assert "```python" in part, name
            assert all(f"#{identifier})" in part for identifier in statements)


def test_listings_of_the_reference_lead_to_the_code_that_they_show(atlas: Atlas, pages: dict[str, str]) -> None:
    shown = {(listing.document.source, listing.defined.name) for listing in atlas.listings}
    for document in atlas.documents.values():
        text = (ROOT / document.source).read_text(encoding="utf-8")
        if document.source in {"spec/06-protocol.md", "spec/18-listings-and-references.md"}:
            for name in re.findall(r"^def (\w+)\(", text, re.MULTILINE):
                assert (document.source, name) in shown
                assert f'id="listing-{name}"' in pages[document.page]
    assert len(shown) >= 30


def test_every_link_leads_to_a_page_and_an_anchor(atlas: Atlas, pages: dict[str, str]) -> None:
    files = {raw_address(source) for source in carried(pages)}
    anchors = {
        built(page): {*filter(None, sum(_ANCHOR.findall(text), ())), *map(_slug, _HEADING.findall(text))}
        for page, text in pages.items()
    }
    for module in atlas.modules.values():
        anchors[f"api/{module.name}.html"] |= {f"{module.name}.{name}" for name in module.defined}
    dead = []
    for page, text in pages.items():
        for pair in _LINK.findall(_LISTING.sub("", text)):
            path, _, anchor = (link := "".join(pair)).partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else built(page)
            if target not in files and (target not in anchors or (anchor and anchor not in anchors[target])):
                dead.append(f"{page}: {link}")
    assert dead == []


def test_diagrams_are_drawn_and_nothing_of_their_source_is_left(pages: dict[str, str]) -> None:
    assert not [page for page, text in pages.items() if "```mermaid" in text]
    assert pages["spec/17-operations.md"].count("<svg ") == 6
    assert "<svg " in pages["index.md"]


def test_what_a_record_names_and_is_there_no_more_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = "tests/verification/site/test_pages.py::test_what_a_record_names_and_is_there_no_more_is_left_out"
    gone = [f"{kept}_at_all", "tests/gone/test_gone.py::test_gone[1]", f"{kept}[ring::gone]", f"{kept}[gone::gone]"]
    evidence = {"CAPC-AGG-001": (kept, *gone), "CAPC-GONE-001": (kept,)}
    code = {"CAPC-AGG-001": ("reference/capc/gone.py::f", "reference/capc/steps/zero_sum.py")}
    monkeypatch.setattr("capc_verify.site.atlas.read_report", lambda root: Traced(evidence, code))
    other = Atlas(ROOT)
    assert other.traced.evidence == {"CAPC-AGG-001": (kept,)}
    assert other.traced.code == {"CAPC-AGG-001": ("reference/capc/steps/zero_sum.py",)}
