"""The questions of docs/questions.md: each with its answer, and the statements that the answer rests on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from capc.foundation.errors import InputError
from capc_verify.audit.markdown import Block, blocks, rows, under
from capc_verify.trace.spec import Specification, explain_unknown

QUESTIONS = Path("docs") / "questions.md"
COLUMNS = ["statement", "kind", "what stands behind it"]

_HEADING = re.compile(r"(\d+)\. (.+\?)")


@dataclass(frozen=True)
class Rests:
    """A statement that an answer rests on.

    Attributes:
        id: of the statement.
        behind: what stands behind it, in words.
    """

    id: str
    behind: str


@dataclass(frozen=True)
class Question:
    """A question with its answer.

    Attributes:
        number: from 1.
        text: the question.
        answer: its blocks, without the table.
        rests_on: the statements of the table, in order.
    """

    number: int
    text: str
    answer: tuple[Block, ...]
    rests_on: tuple[Rests, ...]


def read_questions(root: Path, specification: Specification) -> tuple[Question, ...]:
    """Reads the questions.

    Raises:
        InputError: they are not there, do not have the form that is read here, or name what is no statement.
    """
    try:
        text = (root / QUESTIONS).read_text(encoding="utf-8")
    except OSError:
        raise InputError(f"{root / QUESTIONS}: not there; run this in a checkout, or give --root") from None
    headings = [block.text for block in blocks(text) if block.kind == "heading" and block.level > 1]
    return tuple(
        _question(root, number, heading, under(text, heading) or [], specification)
        for number, heading in enumerate(headings, 1)
    )


def _question(root: Path, number: int, heading: str, parts: Sequence[Block], specification: Specification) -> Question:
    match = _HEADING.fullmatch(heading)
    if match is None or match[1] != str(number):
        raise InputError(f"{root / QUESTIONS}: {heading!r} is not question {number}: write '{number}. ...?'")
    answer = tuple(takewhile(lambda block: block.kind != "table", parts))
    if not answer or len(parts) != len(answer) + 1:
        raise InputError(f"{root / QUESTIONS}: question {number} has no answer, or no table of statements after it")
    head, *listed = rows(parts[-1].text)
    if head != COLUMNS or any(len(row) != len(COLUMNS) for row in listed):
        raise InputError(f"{root / QUESTIONS}: the table of question {number} has other columns than {COLUMNS}")
    for identifier, kind, _ in listed:
        problem = explain_unknown(identifier, specification)
        if problem is None and specification.statements[identifier].kind != kind:
            problem = f"{identifier} is of kind {specification.statements[identifier].kind}, not {kind}"
        if problem:
            raise InputError(f"{root / QUESTIONS}: question {number}: {problem}")
    return Question(number, match[2], answer, tuple(Rests(identifier, behind) for identifier, _, behind in listed))
