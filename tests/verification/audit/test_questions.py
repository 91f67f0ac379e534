"""The questions of an auditor: the form in which they are read, and those of this repository."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc.job.rendering.markup import document
from capc_verify.audit.questions import read_questions
from capc_verify.audit.report.page import badge, link
from capc_verify.audit.report.questions import questions
from capc_verify.trace.spec import ID, read_specification
from support.toy_checkout import QUESTIONS, STATEMENTS

ROOT = Path(__file__).parents[3]


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    for folder, text in {"spec/01-toy.md": STATEMENTS, "docs/questions.md": QUESTIONS}.items():
        (tmp_path / folder).parent.mkdir()
        (tmp_path / folder).write_text(text, "utf-8")
    return tmp_path


def test_a_question_has_an_answer_and_statements_with_what_is_behind_them(toy: Path) -> None:
    first, second = read_questions(toy, read_specification(toy))
    assert (first.number, first.text) == (1, "Is the toy low?")
    assert [(each.id, each.behind) for each in first.rests_on] == [
        ("CAPC-TOY-001", "it is looked at"),
        ("CAPC-TOY-004", "nothing"),
    ]
    assert [block.kind for block in second.answer] == ["paragraph", "list"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("CAPC-TOY-003", "CAPC-TOY-009", "question 2: CAPC-TOY-009 is not a statement"),
        ("| assumption |", "| test |", "question 1: CAPC-TOY-004 is of kind assumption, not test"),
        ("## 2. Does", "## 3. Does", "'3. Does a push lift it.' is not question 2"),
        ("lift it?", "lift it.", "is not question 2: write '2. "),
        ("| two pushes |", "| two | pushes |", "the table of question 2 has other columns"),
        ("It is, unless `somebody` lifts it <b>.\n", "", "question 1 has no answer, or no table"),
        ("| two pushes |\n", "| two pushes |\n\nMore.\n", "question 2 has no answer, or no table"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_place(toy: Path, old: str, new: str, reason: str) -> None:
    assert old in QUESTIONS
    (toy / "docs/questions.md").write_text(QUESTIONS.replace(old, new), "utf-8")
    with pytest.raises(InputError, match=f"questions.md: .*{reason}"):
        read_questions(toy, read_specification(toy))


def test_where_there_are_none_the_remedy_is_told(toy: Path) -> None:
    (toy / "docs/questions.md").unlink()
    with pytest.raises(InputError, match=r"questions.md: not there; run this in a checkout"):
        read_questions(toy, read_specification(toy))


def test_fifteen_questions_of_this_repository_are_answered_shortly_with_evidence_and_assumptions() -> None:
    """That every id is a statement in force, of the kind that is said, is what reading checks."""
    specification = read_specification(ROOT)
    found = read_questions(ROOT, specification)
    assert len({question.text for question in found}) == len(found) == 15
    for question in found:
        told = " ".join(block.text for block in question.answer)
        assert 2 <= len(re.findall(r"[.?](?=\s|\Z)", told)) <= 7, question.text
        assert set(ID.findall(told)) <= {each.id for each in question.rests_on}, question.text
        assert len({each.id for each in question.rests_on}) == len(question.rests_on) >= 4, question.text
        for each in question.rests_on:
            assumed = specification.statements[each.id].kind == "assumption"
            assert each.behind.startswith("nothing: ") == assumed, each.id
    # What is taken for granted answers some question, and no assumption is left unsaid.
    named = {each.id for question in found for each in question.rests_on}
    assert {name for name, each in specification.statements.items() if each.kind == "assumption"} <= named


def test_the_page_shows_all_fifteen_and_which_of_them_a_failed_statement_is_behind() -> None:
    specification = read_specification(ROOT)
    broken = "CAPC-ACCT-009"
    entries = []
    for each in read_questions(ROOT, specification):
        rests_on = [
            {
                "id": one.id,
                "kind": "test",
                "verdict": "failed" if one.id == broken else "shown",
                "behind": one.behind,
                "sentence": specification.statements[one.id].sentence,
            }
            for one in each.rests_on
        ]
        verdict = "failed" if broken in {one.id for one in each.rests_on} else "shown"
        answer = [asdict(block) for block in each.answer]
        entries.append(
            {
                "number": each.number,
                "question": each.text,
                "verdict": verdict,
                "answer": answer,
                "rests_on": rests_on,
            }
        )
    report = {"questions": entries, "statements": [{"id": broken, "reasons": ["it broke"]}]}
    text = document("questions", "", questions(report, badge, link))
    assert len(re.findall('<section class="question( failed)?">', text)) == 15
    red = re.findall(
        r'<section class="question failed"><h3 id="question-(\d+)">.*?it broke.*?</section>', text, re.DOTALL
    )
    assert red == ["1", "8"]
    assert not re.search(r"<(script|link|img|iframe)|src=|https?:", text)
