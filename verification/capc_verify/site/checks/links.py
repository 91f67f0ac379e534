"""Links of a built site: every page, every anchor, every file that a page names is there, and nothing is elsewhere."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

_LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}
_EXTERNAL = ("http:", "https:", "//")
_NO_LINKS = ("mailto:", "data:", "javascript:")


@dataclass
class Page:
    """What a page has and names.

    Attributes:
        anchors: its ids.
        links: where its links lead.
        loaded: what a browser loads for it.
    """

    anchors: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    loaded: set[str] = field(default_factory=set)


def findings(site: Path) -> list[str]:
    """One line for each link that leads nowhere, and for each thing that would be loaded from elsewhere.

    Args:
        site: its folder.
    """
    pages = {path.relative_to(site).as_posix(): read_page(path) for path in sorted(site.rglob("*.html"))}
    # Its links are from the root of wherever a server puts the site.
    pages.pop("404.html", None)
    return [finding for name, page in pages.items() for finding in _of_page(site, pages, name, page)]


def read_page(path: Path) -> Page:
    """What a file of HTML has and names."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def _of_page(site: Path, pages: dict[str, Page], name: str, page: Page) -> Iterator[str]:
    for link in sorted(page.loaded):
        if link.startswith(_EXTERNAL):
            yield f"{name}: loads {link}, which is elsewhere"
        elif not link.startswith(_NO_LINKS) and not (site / _resolved(name, link)[0]).is_file():
            yield f"{name}: loads {link}, which is not there"
    for link in sorted(page.links):
        if link.startswith((*_EXTERNAL, *_NO_LINKS)):
            continue
        target, anchor = _resolved(name, link)
        if not (site / target).is_file():
            yield f"{name}: links to {link}, which is not there"
        elif anchor and target in pages and anchor not in pages[target].anchors:
            yield f"{name}: links to {link}, which has no such anchor"


def _resolved(name: str, link: str) -> tuple[str, str]:
    path, _, anchor = link.partition("#")
    path = unquote(path.partition("?")[0])
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
    return f"{target}/index.html" if path.endswith("/") or target == "." else target, unquote(anchor)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value}
        self.page.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.page.links.add(values["href"])
        elif tag in _LOADED and _LOADED[tag] in values and values.get("rel") not in {"prev", "next", "canonical"}:
            self.page.loaded.add(values[_LOADED[tag]])
