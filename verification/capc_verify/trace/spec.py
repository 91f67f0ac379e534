"""Reads the normative statements of ``spec/*.md``, and says what is wrong with them.

A statement is a paragraph of its own: ``**CAPC-<AREA>-<nnn>** (kind) sentence``, with exactly one RFC 2119
keyword. A sentence that ends with a colon includes the list, table or listing after it. A withdrawn
statement keeps its id, with ``(withdrawn)`` for a kind, so that no number is ever used twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TESTED_KINDS = ("test", "enumeration", "vector", "proof", "model")
"""Kinds whose evidence is a test that passed."""
KINDS = (*TESTED_KINDS, "review", "assumption")
WITHDRAWN = "withdrawn"
BINDING_LEVELS = frozenset({"MUST", "MUST NOT", "SHALL", "SHALL NOT", "REQUIRED"})

ID = re.compile(r"\bCAPC-[A-Z][A-Z0-9]*-\d{3}\b")

_STATEMENT = re.compile(rf"\*\*({ID.pattern})\*\* \(([a-z]+)\)\s*(.*)", re.DOTALL)
_STATEMENT_INSIDE = re.compile(rf"(?<!\A)\*\*{ID.pattern}\*\* \(")
_KEYWORD = re.compile(
    r"\b(?:MUST NOT|MUST|SHALL NOT|SHALL|SHOULD NOT|SHOULD|REQUIRED|NOT RECOMMENDED|RECOMMENDED|MAY|OPTIONAL)\b"
)
_REVIEW = re.compile(r"\s*Reviewed by ([^,]+), (\d{4}-\d{2}-\d{2}), hash ([0-9a-f]{8})\.\s*\Z")
_INLINE_CODE = re.compile(r"`[^`]*`")
_HASH_DIGITS = 8


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong, where it is, and what to do about it."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True)
class Statement:
    """A normative statement.

    Attributes:
        id: its id, which is never used again.
        kind: the kind of evidence that it needs, one of ``KINDS``.
        level: its keyword; empty if it does not have exactly one.
        sentence: its text without id and kind, white space normalised.
        file: the file's path within the repository.
        line: the line of the id.
        review_hash: for kind `review`, the hash of the sentence that was reviewed; empty without a review.
    """

    id: str
    kind: str
    level: str
    sentence: str
    file: str
    line: int
    review_hash: str = ""

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}"

    @property
    def area(self) -> str:
        """The middle part of the id."""
        return self.id.split("-")[1]

    @property
    def hash(self) -> str:
        """The first eight hexadecimal digits of the sentence's SHA-256."""
        return hashlib.sha256(self.sentence.encode()).hexdigest()[:_HASH_DIGITS]

    @property
    def binding(self) -> bool:
        """Whether the keyword is an absolute one; recommendations and permissions need no evidence."""
        return self.level in BINDING_LEVELS

    @property
    def needs_test(self) -> bool:
        """Whether a passing test must stand behind it."""
        return self.binding and self.kind in TESTED_KINDS


@dataclass(frozen=True)
class Mention:
    """An id that some text names, and where."""

    place: str
    id: str


@dataclass(frozen=True)
class Specification:
    """All statements, the withdrawn ids, the ids that the text mentions, and what is wrong with the text."""

    statements: dict[str, Statement]
    withdrawn: frozenset[str]
    mentions: tuple[Mention, ...]
    findings: tuple[Finding, ...]


@dataclass
class _Block:
    """A paragraph, list, table, heading or fenced listing."""

    line: int
    text: str
    fenced: bool = False


def spec_files(root: Path) -> list[Path]:
    """The specification's text files under the repository's root, in order."""
    return sorted((root / "spec").glob("*.md"))


def read_specification(root: Path) -> Specification:
    """Parses every ``spec/*.md`` under ``root``."""
    reader = _Reader()
    for path in spec_files(root):
        reader.read(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
    return Specification(
        dict(sorted(reader.statements.items())),
        frozenset(reader.withdrawn),
        tuple(reader.mentions),
        tuple(reader.findings),
    )


def explain_unknown(identifier: str, specification: Specification) -> str | None:
    """Why this id may not be named, or None if it is a statement in force."""
    if identifier in specification.statements:
        return None
    if identifier in specification.withdrawn:
        return f"{identifier} is withdrawn; name the statement that replaced it, or none"
    return f"{identifier} is not a statement of spec/*.md"


def end_of_statement(lines: Sequence[str], begin: int) -> int:
    """The line after a statement as it is written: its paragraph, and the block after it if it ends with a colon.

    Args:
        lines: of a section.
        begin: of the statement, from 0.
    """
    place = _paragraph_end(lines, begin)
    if not lines[place - 1].rstrip().endswith(":"):
        return place
    following = place
    while following < len(lines) and not lines[following].strip():
        following += 1
    if following == len(lines) or lines[following].startswith(("#", "**CAPC-")):
        return place
    if lines[following].startswith("<!--"):
        following += 1
    if lines[following].lstrip().startswith("```"):
        closing = next(n for n in range(following + 1, len(lines)) if lines[n].lstrip().startswith("```"))
        return closing + 1
    return _paragraph_end(lines, following)


def _paragraph_end(lines: Sequence[str], begin: int) -> int:
    place = begin
    while place < len(lines) and lines[place].strip() and not lines[place].lstrip().startswith("```"):
        place += 1
    return place


class _Reader:
    """Collects statements over several files."""

    def __init__(self) -> None:
        self.statements: dict[str, Statement] = {}
        self.withdrawn: dict[str, str] = {}
        self.mentions: list[Mention] = []
        self.findings: list[Finding] = []

    def read(self, file: str, text: str) -> None:
        for block in _joined(_blocks(text)):
            place = f"{file}:{block.line}"
            if block.text.startswith("**CAPC-"):
                self._read_statement(file, block)
            else:
                self._read_prose(place, block)
            if not block.fenced and _STATEMENT_INSIDE.search(block.text):
                self._find(place, "a statement must begin a paragraph of its own: put an empty line before it")

    def _read_prose(self, place: str, block: _Block) -> None:
        self.mentions += [Mention(place, identifier) for identifier in ID.findall(block.text)]
        keyword = None if block.fenced or "RFC 2119" in block.text else _keywords(block.text)
        if keyword:
            self._find(place, f"{keyword[0]} outside a numbered statement: give it an id, or use lower case")

    def _read_statement(self, file: str, block: _Block) -> None:
        place = f"{file}:{block.line}"
        parts = _STATEMENT.match(block.text)
        if parts is None:
            self._find(place, "not a statement: write **CAPC-<AREA>-<nnn>** (kind) and one sentence")
            return
        identifier, kind, body = parts.groups()
        self.mentions += [Mention(place, mentioned) for mentioned in ID.findall(body)]
        earlier = self.statements[identifier].place if identifier in self.statements else None
        earlier = earlier or self.withdrawn.get(identifier)
        if earlier:
            self._find(place, f"{identifier} is already used at {earlier}; ids are never used twice")
        elif kind == WITHDRAWN:
            self.withdrawn[identifier] = place
        else:
            self._add(identifier, kind, body, file, block.line)

    def _add(self, identifier: str, kind: str, body: str, file: str, line: int) -> None:
        keywords = _keywords(body)
        review = _REVIEW.search(body) if kind == "review" else None
        sentence = " ".join((body[: review.start()] if review else body).split())
        level = keywords[0] if len(keywords) == 1 else ""
        statement = Statement(identifier, kind, level, sentence, file, line, review.group(3) if review else "")
        self.statements[identifier] = statement
        if kind not in KINDS:
            self._find(statement.place, f"{identifier} has the unknown kind {kind!r}: use one of {', '.join(KINDS)}")
        if not level:
            found = ", ".join(keywords) or "none"
            self._find(statement.place, f"{identifier} needs exactly one RFC 2119 keyword, and has {found}")

    def _find(self, place: str, message: str) -> None:
        self.findings.append(Finding(place, message))


def _keywords(text: str) -> list[str]:
    """The keywords of a text, without those inside inline code, across line breaks."""
    return _KEYWORD.findall(" ".join(_INLINE_CODE.sub(" ", text).split()))


def _blocks(text: str) -> Iterator[_Block]:
    """Splits Markdown at empty lines, headings and fences."""
    current: _Block | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        fence = line.lstrip().startswith("```")
        if current and current.fenced:
            current.text += "\n" + line
            if not fence:
                continue
            yield current
            current = None
        elif fence or line.startswith("#") or not line.strip():
            if current:
                yield current
            current = _Block(number, line, fenced=fence) if fence else None
            if line.startswith("#"):
                yield _Block(number, line)
        elif current:
            current.text += "\n" + line
        else:
            current = _Block(number, line)
    if current:
        yield current


def _joined(blocks: Iterable[_Block]) -> Iterator[_Block]:
    """Appends to a statement that ends with a colon the block after it."""
    waiting: _Block | None = None
    for block in blocks:
        if waiting and not block.text.startswith(("#", "**CAPC-")):
            waiting.text += "\n" + (f"`{block.text.replace('`', '')}`" if block.fenced else block.text)
            yield waiting
            waiting = None
            continue
        if waiting:
            yield waiting
        ends_open = block.text.startswith("**CAPC-") and block.text.rstrip().endswith(":")
        waiting = block if ends_open else None
        if not ends_open:
            yield block
    if waiting:
        yield waiting
