"""All that the pages are made from, and where everything is on the site."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from capc.foundation.errors import InputError
from capc_verify.audit.claims import Claims, read_claims
from capc_verify.audit.matrix import faults_of_statements
from capc_verify.audit.report.statements import function_of
from capc_verify.freshness.checkout import git
from capc_verify.site.text.code import Defined, Module, by_last_name, listings_in, modules, read_module
from capc_verify.site.text.documents import Document, all_documents, built
from capc_verify.site.text.prose import pieces
from capc_verify.trace.evidence import VECTORS, replayed_vector
from capc_verify.trace.lock import read_lock
from capc_verify.trace.report import REPORT, Traced, read_report
from capc_verify.trace.spec import Specification, Statement, read_specification


@dataclass(frozen=True)
class Listing:
    """A function of the reference that a section shows.

    Attributes:
        place: as the trace calls it.
        module: that defines it.
        defined: the function.
        document: the section.
        shown: the text of the listing, in which there may be other functions.
    """

    place: str
    module: Module
    defined: Defined
    document: Document
    shown: str

    @property
    def anchor(self) -> str:
        """Of the listing, on the section's page."""
        return f"listing-{self.defined.name}"


class Atlas:
    """A checkout, read once; everything is read when it is first asked for."""

    def __init__(self, root: Path) -> None:
        """Reads nothing yet.

        Args:
            root: of the repository.
        """
        self.root = root

    @cached_property
    def documents(self) -> Mapping[str, Document]:
        """The texts, by their files."""
        return {document.source: document for document in all_documents(self.root)}

    @cached_property
    def specification(self) -> Specification:
        """Its statements."""
        return read_specification(self.root)

    @cached_property
    def withdrawn(self) -> Mapping[str, str]:
        """The file of each statement that is withdrawn."""
        texts = {name: (self.root / name).read_text(encoding="utf-8") for name in self.documents if name[:5] == "spec/"}
        return {
            identifier: next(name for name, text in texts.items() if f"\n**{identifier}** (" in text)
            for identifier in self.specification.withdrawn
        }

    @cached_property
    def traced(self) -> Traced:
        """Code and evidence of each statement, as the last whole run left them, but for what is there no more."""
        statements = self.specification.statements
        return Traced(
            {
                identifier: tuple(filter(self._is_there, nodes))
                for identifier, nodes in self._recorded.evidence.items()
                if identifier in statements
            },
            {
                identifier: tuple(place for place in places if (self.root / place.partition("::")[0]).is_file())
                for identifier, places in self._recorded.code.items()
                if identifier in statements
            },
        )

    @cached_property
    def _recorded(self) -> Traced:
        return read_report(self.root)

    def _is_there(self, node: str) -> bool:
        """Whether a test, and the vector that it replays, are in the checkout: the record may be older than it."""
        file, _, within = function_of(node).partition("::")
        name = within.replace("::", ".")
        module = self.test_modules.get(file)
        stem, _, vector = replayed_vector(node).partition("::")
        is_defined = module is not None and bool({name, name.rpartition(".")[0]} & set(module.defined))
        return is_defined and (not stem or vector in self._vector_names.get(stem, ()))

    @cached_property
    def _vector_names(self) -> Mapping[str, frozenset[str]]:
        return {
            stem: frozenset(test["name"] for group in file["testGroups"] for test in group["tests"])
            for stem, file in self.vectors.items()
        }

    @cached_property
    def claims(self) -> Claims:
        """Of section 90."""
        return read_claims(self.root, self.specification)

    @cached_property
    def lock(self) -> Mapping[str, str]:
        """The hash of each sentence when its evidence was confirmed."""
        return read_lock(self.root)

    @cached_property
    def faults(self) -> Mapping[str, list[str]]:
        """The seeded faults that tests of a statement catch."""
        return faults_of_statements(self.traced.evidence)

    @cached_property
    def modules(self) -> Mapping[str, Module]:
        """The modules with pages, by their files."""
        return {module.file: module for module in modules(self.root)}

    @cached_property
    def listings(self) -> tuple[Listing, ...]:
        """What the specification lists of the reference."""
        known = by_last_name(self.modules.values())
        return tuple(
            Listing(module.place(defined.name), module, defined, document, inside)
            for document in self.documents.values()
            if document.source.startswith("spec/")
            for fenced, text in pieces((self.root / document.source).read_text(encoding="utf-8"))
            if fenced and text.startswith("```python")
            for inside in [text.partition("\n")[2].rpartition("```")[0]]
            for module, defined in listings_in(inside, known)
        )

    @cached_property
    def vectors(self) -> Mapping[str, Mapping[str, Any]]:
        """The files of vectors, by their names."""
        files = sorted((self.root / VECTORS).glob("*.json"))
        return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}

    @cached_property
    def tests(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        """Of each file of tests its functions that are evidence, and how many of their cases for which statement."""
        found: dict[str, dict[str, dict[str, int]]] = {}
        for identifier, nodes in self.traced.evidence.items():
            for node in nodes:
                file, _, name = function_of(node).partition("::")
                counts = found.setdefault(file, {}).setdefault(name.replace("::", "."), {})
                counts[identifier] = counts.get(identifier, 0) + 1
        return found

    @cached_property
    def test_modules(self) -> Mapping[str, Module]:
        """The files of tests that the record names, as they are."""
        files = {node.partition("::")[0] for nodes in self._recorded.evidence.values() for node in nodes}
        return {
            file: read_module(self.root, "tests", self.root / file)
            for file in sorted(files)
            if (self.root / file).is_file()
        }

    @cached_property
    def run(self) -> str:
        """When the trace was last recorded, and at which commit; empty outside of a checkout of git."""
        try:
            return git(self.root, "log", "-1", "--format=%cs, commit %h", "--", REPORT.as_posix())
        except InputError:
            return ""

    def statement_address(self, identifier: str) -> str | None:
        """Where a statement stands in the text; None if there is none."""
        statement = self.specification.statements.get(identifier)
        file = statement.file if statement else self.withdrawn.get(identifier)
        return f"{self.documents[file].address}#{identifier}" if file and file in self.documents else None

    def section_address(self, number: str) -> str | None:
        """The page of a section, by the two digits of its number."""
        found = (document.address for name, document in self.documents.items() if name.startswith(f"spec/{number}-"))
        return next(found, None)

    def code_address(self, place: str) -> str | None:
        """Where the code of a place is shown; None if the site has nothing of it."""
        file, _, name = place.partition("::")
        module = self.modules.get(file)
        if module is None:
            # Programs in a dialect have no pages.
            return raw_address(file) if (self.root / file).is_file() else None
        return f"{api_page(module.name)}#{module.name}.{name}" if name in module.defined else api_page(module.name)

    def functions_of(self, statement: Statement) -> Mapping[str, int]:
        """The test functions behind a statement, with the number of their cases; replays of vectors are left out."""
        counts: dict[str, int] = {}
        for node in self.traced.evidence.get(statement.id, ()):
            if not replayed_vector(node):
                counts[function_of(node)] = counts.get(function_of(node), 0) + 1
        return counts

    def vectors_of(self, statement: Statement) -> list[str]:
        """The vectors behind a statement, as `file::name`."""
        return sorted(filter(None, map(replayed_vector, self.traced.evidence.get(statement.id, ()))))


def raw_address(source: str) -> str:
    """Where the site carries a file as it is."""
    return f"files/{source}"


def api_page(module: str) -> str:
    """The address of a module's page."""
    return f"api/{module}.html"


def evidence_page(area: str) -> str:
    """The page of an area's evidence, as Markdown."""
    return f"evidence/{area.lower()}.md"


def evidence_address(statement: Statement) -> str:
    """Where the evidence of a statement is listed."""
    return f"{built(evidence_page(statement.area))}#{statement.id}"


def test_page(file: str) -> str:
    """The page of a file of tests, as Markdown."""
    return "evidence/tests/" + file.removeprefix("tests/").removesuffix(".py").replace("/", ".") + ".md"


def test_address(function: str) -> str:
    """Where a test function is shown, by its node id."""
    file, _, name = function.partition("::")
    return f"{built(test_page(file))}#{name.replace('::', '.')}"


def vectors_page(stem: str) -> str:
    """The page of a file of vectors, as Markdown."""
    return f"evidence/vectors/{stem}.md"


def vector_address(vector: str) -> str:
    """Where a vector is listed."""
    stem, _, name = vector.partition("::")
    return f"{built(vectors_page(stem))}#{name}"
