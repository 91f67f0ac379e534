"""Writes the pages as Markdown, from the texts of the repository and from what stands behind the statements."""

from __future__ import annotations

import json
import posixpath
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from capc_verify.site.atlas import Atlas, api_page, evidence_page, raw_address, test_page, vectors_page
from capc_verify.site.pages import api, evidence, faults, front, suite, vectors
from capc_verify.site.settings import SHIM, STYLE, Entry, settings
from capc_verify.site.text import documents
from capc_verify.site.text.code import SHOWN, Module
from capc_verify.site.text.diagrams import sequence_diagram
from capc_verify.site.text.documents import Document
from capc_verify.site.text.prose import outside_listings, pieces, relative, with_ids, with_links, with_sections
from capc_verify.site.text.statements import boxed

ASSETS = Path(__file__).parent / "assets"
BOOK = "capc-spec.pdf"

_FENCE = re.compile(r"(\s*```\w*)")
_RAW = re.compile(r"\]\(((?:\.\./)*files/[^)\s]+)\)")
_ELSEWHERE = re.compile(r"[a-z]+:|#")


def stage(atlas: Atlas, folder: Path, book: Path | None = None) -> None:
    """Writes pages and settings into a folder that is made anew.

    Args:
        atlas: the checkout.
        folder: that will hold `pages` and `zensical.toml`.
        book: the specification as a PDF, if there is one.
    """
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "pages"
    made = written(atlas, has_book=book is not None)
    for page, text in made.items():
        path = pages / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for source in sorted(carried(made)):
        path = pages / raw_address(source)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(atlas.root / source, path)
    for asset in (STYLE, SHIM):
        path = pages / asset
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ASSETS / path.name, path)
    if book is not None:
        shutil.copyfile(book, pages / BOOK)
    places = folder / "places.json"
    places.write_text(json.dumps(places_for_docstrings(atlas)), encoding="utf-8")
    roots = [atlas.root / root for root in SHOWN.values()]
    text = settings("CaPC", navigation(atlas), [root.resolve() for root in roots], places.resolve())
    (folder / "zensical.toml").write_text(text, encoding="utf-8")


def written(atlas: Atlas, *, has_book: bool) -> dict[str, str]:
    """The text of every page, by its name."""
    made = {"index.md": front.front_page(atlas, BOOK if has_book else None)}
    for document in atlas.documents.values():
        made[document.page] = of_document(atlas, document)
    made[evidence.OVERVIEW] = evidence.overview(atlas)
    for area, statements in evidence.areas(atlas).items():
        made[evidence_page(area)] = evidence.area_page(atlas, area, statements)
    made[suite.OVERVIEW] = suite.overview(atlas)
    for file, functions in atlas.tests.items():
        made[test_page(file)] = suite.tests_page(atlas, file, functions)
    made[vectors.OVERVIEW] = vectors.overview(atlas)
    for stem, content in atlas.vectors.items():
        made[vectors_page(stem)] = vectors.file_page(atlas, stem, content)
    made[faults.PAGE] = faults.faults_page(atlas)
    made[api.OVERVIEW] = api.overview(atlas)
    inside = api.inside(atlas)
    for module in atlas.modules.values():
        made[api_page(module.name).replace(".html", ".md")] = api.module_page(module, inside.get(module.name, {}))
    return made


def of_document(atlas: Atlas, document: Document) -> str:
    """A text as a page: its statements in boxes, its diagrams drawn, its links to where things are on the site."""
    page = document.address

    def to(address: str | None) -> str | None:
        return None if address is None else relative(page, address)

    def evidence_of(identifier: str) -> str:
        return evidence.summary(atlas, atlas.specification.statements[identifier], page)

    text = (atlas.root / document.source).read_text(encoding="utf-8")
    if document.source.startswith("spec/"):
        text = boxed(text, evidence_of)
    text = "".join(_listing(atlas, document, piece) if fenced else piece for fenced, piece in pieces(text))
    text = outside_listings(text, lambda prose: with_links(prose, lambda old: target(atlas, document, old)))
    text = outside_listings(text, lambda prose: with_ids(prose, lambda name: to(atlas.statement_address(name))))
    return outside_listings(text, lambda prose: with_sections(prose, lambda number: to(atlas.section_address(number))))


def target(atlas: Atlas, document: Document, link: str) -> str | None:
    """Where a link of a text leads on the site; None if the site has nothing of it."""
    if _ELSEWHERE.match(link):
        return link
    path, _, anchor = link.partition("#")
    source = posixpath.normpath(posixpath.join(posixpath.dirname(document.source), path))
    found = atlas.documents.get(source) or atlas.documents.get(f"{source}/README.md")
    if found is not None:
        return relative(document.address, found.address + (f"#{anchor}" if anchor else ""))
    if source in atlas.modules:
        return relative(document.address, api_page(atlas.modules[source].name))
    if (atlas.root / source).is_file():
        return relative(document.address, raw_address(source))
    return None


def carried(pages: Mapping[str, str]) -> set[str]:
    """The files that pages refer to and that the site carries as they are: vectors, figures, programs."""
    found = {
        posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
        for page, text in pages.items()
        for link in _RAW.findall(text)
    }
    return {address.removeprefix("files/") for address in found}


def navigation(atlas: Atlas) -> list[Entry]:
    """The pages that a reader can go to from everywhere; those of modules and tests are reached from these."""
    root = atlas.root
    rooms = api.inside(atlas)
    packages = [
        {package: [api_page(package).replace(".html", ".md"), *_modules(rooms.get(package, {}))]} for package in rooms
    ]
    top = [entry for entry in packages if next(iter(entry)) in SHOWN]
    return [
        {"Home": "index.md"},
        {"Specification": _entries(documents.specification(root))},
        {"Guides": _entries(documents.guides(root))},
        {
            "Evidence": [
                {"Evidence": evidence.OVERVIEW},
                {"Statements by area": [{area: evidence_page(area)} for area in evidence.areas(atlas)]},
                {"Tests": suite.OVERVIEW},
                {"Test vectors": [vectors.OVERVIEW, *({stem: vectors_page(stem)} for stem in atlas.vectors)]},
                {"Seeded faults": faults.PAGE},
            ]
        },
        {"Code": [api.OVERVIEW, *top]},
        {"Measurements": _entries(documents.measurements(root))},
        {"Project": _entries(documents.project(root))},
    ]


def places_for_docstrings(atlas: Atlas) -> dict[str, object]:
    """Where everything is that docstrings name, from the pages of code."""
    page = "api/index.html"
    statements = {
        identifier: relative(page, atlas.statement_address(identifier) or "")
        for identifier in [*atlas.specification.statements, *atlas.withdrawn]
    }
    objects = {
        f"{module.name}.{name}": f"{module.name}.html#{module.name}.{name}"
        for module in atlas.modules.values()
        for name in module.defined
    }
    objects |= {module.name: f"{module.name}.html" for module in atlas.modules.values()}
    listings: dict[str, list[tuple[str, str]]] = {}
    for listing in atlas.listings:
        address = relative(page, f"{listing.document.address}#{listing.anchor}")
        where = f"section {listing.document.title}"
        listings.setdefault(f"{listing.module.name}.{listing.defined.name}", []).append((where, address))
    return {"statements": statements, "objects": objects, "listings": listings}


def _modules(modules: Mapping[str, Module]) -> Iterator[Entry]:
    for module in modules.values():
        yield {module.name.rpartition(".")[2]: api_page(module.name).replace(".html", ".md")}


def _entries(listed: list[Document]) -> list[Entry]:
    return [{document.title: document.page} for document in listed]


def _listing(atlas: Atlas, document: Document, text: str) -> str:
    """A listing with what it is of, a diagram as a picture; others as they are."""
    first, _, rest = text.partition("\n")
    inside = rest.rpartition("```")[0]
    if first == "```mermaid":
        return f'<figure class="diagram">{sequence_diagram(inside)}</figure>\n'
    # A language alone: of what else a fence may say, the highlighter of the site would make nothing of the listing.
    language = _FENCE.match(first)
    text = text.replace(first, language[1], 1) if language else text
    if first != "```python" or not document.source.startswith("spec/"):
        return text
    whose = [
        f'<a id="{listing.anchor}" href="{relative(document.address, atlas.code_address(listing.place) or "")}">'
        f"{listing.module.name}.{listing.defined.name}</a>"
        for listing in atlas.listings
        if listing.document == document and listing.shown == inside
    ]
    return (f'<div class="listing-of">{", ".join(whose)}</div>\n\n' if whose else "") + text
