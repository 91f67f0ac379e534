"""Which texts of the repository the site shows, in which order, and where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_HEADING = re.compile(r"^# (.+)$", re.MULTILINE)
_TITLES = {
    "spec/00-overview.md": "00 Overview",
    "README.md": "README",
    "benchmarks/evidence/mpc_classes/README.md": "MPC variants, by classes",
    "benchmarks/evidence/mpc_noise/README.md": "MPC variants of noise",
}
"""Of those whose heading names the whole that they begin, or is another's too."""
_LISTED = re.compile(r"\]\(([\w-]+\.md)\)")


@dataclass(frozen=True)
class Document:
    """A text.

    Attributes:
        source: its file, relative to the root of the repository.
        page: its page, relative to the site, as Markdown.
        title: its first heading, as a list of pages shows it.
    """

    source: str
    page: str
    title: str

    @property
    def address(self) -> str:
        """The page as it is built."""
        return built(self.page)


def built(page: str) -> str:
    """The address of a page, relative to the site."""
    return page.removesuffix(".md") + ".html"


def specification(root: Path) -> list[Document]:
    """The sections, then the derivations, then the data."""
    files = [*sorted((root / "spec").glob("[0-9]*.md")), *sorted((root / "spec" / "derivations").glob("*.md"))]
    return [_document(root, file) for file in files] + _those(root, "spec/capc_spec/README.md")


def guides(root: Path) -> list[Document]:
    """In the order in which their index lists them."""
    index = root / "docs" / "README.md"
    listed = _LISTED.findall(index.read_text(encoding="utf-8")) if index.is_file() else []
    others = sorted(file.name for file in (root / "docs").glob("*.md") if file.name not in {*listed, index.name})
    return _those(root, "docs/README.md", *(f"docs/{name}" for name in [*dict.fromkeys(listed), *others]))


def measurements(root: Path) -> list[Document]:
    """What was measured, with its figures."""
    return [_document(root, file) for file in sorted((root / "benchmarks").rglob("*.md"))]


def project(root: Path) -> list[Document]:
    """What a checkout says of itself."""
    programs = sorted((root / "mpc_programs").rglob("*.md"))
    return _those(root, "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md") + [
        _document(root, file) for file in programs
    ]


def all_documents(root: Path) -> list[Document]:
    """Every text, each once."""
    return [*specification(root), *guides(root), *measurements(root), *project(root)]


def _those(root: Path, *names: str) -> list[Document]:
    return [_document(root, root / name) for name in names if (root / name).is_file()]


def _document(root: Path, file: Path) -> Document:
    source = file.relative_to(root).as_posix()
    folder, _, name = source.rpartition("/")
    # The front page is the site's own. What a folder says of itself has the folder's name: no section begins with it.
    page = source if name != "README.md" else f"{folder or 'about'}.md"
    heading = _HEADING.search(file.read_text(encoding="utf-8"))
    title = _TITLES.get(source) or (heading[1].replace("`", "") if heading else name)
    return Document(source, page, title)
