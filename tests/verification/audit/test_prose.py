"""A statement's sentence on a page: its table, list or listing is one there, and nothing of it is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from capc_verify.audit.report.prose import belonging_block, parted
from capc_verify.trace.spec import Statement, read_specification

ROOT = Path(__file__).parents[3]
STATEMENTS = read_specification(ROOT).statements
BEGINS = re.compile(r"\| |- |1\. |`")


def written(statement: Statement) -> tuple[str, str]:
    """The paragraph of a statement in the specification, and the block after it if it ends with a colon."""
    lines = (ROOT / statement.file).read_text(encoding="utf-8").splitlines()[statement.line - 1 :]
    paragraph, *more = re.split(r"\n\s*\n|\n(?=- |1\. |\| )", "\n".join(lines), maxsplit=1)
    if not paragraph.rstrip().endswith(":"):
        return paragraph, ""
    return paragraph, re.split(r"\n\s*\n(?![ -]|\d+\. )", more[0].strip(), maxsplit=1)[0]


@pytest.mark.parametrize("name", STATEMENTS)
def test_what_belongs_to_a_sentence_is_apart_and_nothing_is_lost(name: str) -> None:
    sentence = STATEMENTS[name].sentence
    told, belonging = parted(sentence)
    assert f"{told} {belonging}".strip() == re.sub(r"<!--[^>]*--> ?", "", sentence)
    assert bool(belonging) == bool(written(STATEMENTS[name])[1])
    assert not belonging or BEGINS.match(belonging)
    assert "|---" not in told


def plain(text: str) -> str:
    """Without the signs of spans."""
    return " ".join(re.sub(r"[`*]", "", text).split())


@pytest.mark.parametrize("name", [name for name in STATEMENTS if parted(STATEMENTS[name].sentence)[1]])
def test_a_table_has_its_rows_and_a_list_its_items(name: str) -> None:
    block = belonging_block(parted(STATEMENTS[name].sentence)[1])
    source = written(STATEMENTS[name])[1]
    rows = [line for line in re.findall(r"^\|.*", source, re.MULTILINE) if not re.fullmatch(r"[|-]+", line)]
    cells = [[plain("".join(cell.itertext())) for cell in row] for row in block.iter("tr")]
    assert cells == [[plain(cell) for cell in row.strip()[1:-1].split("|")] for row in rows]
    begins = r"^\d+\. " if source.startswith("1. ") else r"^ *- "
    assert len(list(block.iter("li"))) == (0 if rows else len(re.findall(begins, source, re.MULTILINE)))


def test_code_after_a_colon_is_a_part_of_the_sentence_unless_it_is_all_that_follows() -> None:
    assert parted("It MUST be: `a`, and no more.") == ("It MUST be: `a`, and no more.", "")
    assert parted("It MUST be: `a = b`") == ("It MUST be:", "`a = b`")
