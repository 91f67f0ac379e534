"""Section 90 as it is read: of a toy, and of this repository, where nothing that an auditor needs may be missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_verify.audit.claims import read_claims
from capc_verify.audit.markdown import blocks, items, rows, under
from capc_verify.audit.selection import select
from capc_verify.trace.spec import read_specification
from support.toy_checkout import CLAIMS, STATEMENTS

ROOT = Path(__file__).parents[3]


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    (tmp_path / "spec").mkdir()
    (tmp_path / "spec/90-security-claims.md").write_text(CLAIMS, "utf-8")
    (tmp_path / "spec/01-toy.md").write_text(STATEMENTS, "utf-8")
    return tmp_path


def test_claims_take_over_what_they_refer_to(toy: Path) -> None:
    found = read_claims(toy, read_specification(toy))
    first, starred = found.claims.values()
    assert (first.name, first.text, first.tags) == ("1", "the toy is low", ("honest",))
    assert first.statements == ("CAPC-TOY-001", "CAPC-TOY-002")
    assert starred.tags == ("honest", "coins")
    assert starred.statements == ("CAPC-TOY-003", "CAPC-TOY-001", "CAPC-TOY-002")
    assert starred.falsified_by == "a push that lifts it"
    (argument,) = first.arguments
    assert (argument.file, argument.heading) == ("spec/90-security-claims.md", "Lowness")
    assert [block.text for block in argument.text] == ["It is low, as `2 < 3` <says> everybody."]
    assert starred.arguments == ()
    assert found.not_claimed == ("That the toy is red, or blue.",)


def test_what_is_asked_for_is_a_claim_a_statement_or_all(toy: Path) -> None:
    specification = read_specification(toy)
    claims = read_claims(toy, specification)

    def asked(*names: str) -> tuple[str, ...]:
        return select(names, specification, claims, quick=False).statements

    assert asked("1") == ("CAPC-TOY-001", "CAPC-TOY-002")
    assert asked("1*", "CAPC-TOY-004") == tuple(f"CAPC-TOY-00{number}" for number in (1, 2, 3, 4))
    assert asked() == tuple(specification.statements)
    for name, reason in {
        "7": "'7': neither a claim nor a statement: give one of 1, 1*, or an id",
        "CAPC-TOY-009": "CAPC-TOY-009 is not a statement",
    }.items():
        with pytest.raises(InputError, match=reason.replace("*", r"\*")):
            asked(name)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("| 1 | 90 Lowness |", "| 1 | 90 Highness |", "'90 Highness': there is no such heading"),
        ("| 1. the", "| one. the", "'one. the toy is low' is no claim"),
    ],
)
def test_a_section_that_cannot_be_read_is_refused_with_the_place(toy: Path, old: str, new: str, reason: str) -> None:
    (toy / "spec/90-security-claims.md").write_text(CLAIMS.replace(old, new), "utf-8")
    with pytest.raises(InputError, match=f"90-security-claims.md: .*{reason}"):
        read_claims(toy, read_specification(toy))


def test_every_claim_of_this_repository_has_an_argument_assumptions_and_statements_in_force() -> None:
    specification = read_specification(ROOT)
    found = read_claims(ROOT, specification)
    assert list(found.claims) == ["1", "2", "3", "4", "5", "6", "1*", "5*"]
    for claim in found.claims.values():
        assert claim.arguments, claim.name
        assert set(claim.statements) <= set(specification.statements), claim.name
        assert claim.tags or claim.assumptions == "as their members'", claim.name
        assert claim.falsified_by, claim.name
    assert set(found.claims["5"].statements) < set(found.claims["5*"].statements)
    # An assumption of claims about parties that follow the protocol is none of the others.
    assert "semi-honest" not in found.claims["5*"].tags
    assert len(found.not_claimed) >= 10


def test_blocks_are_told_apart() -> None:
    text = "# A\n\nb\nc\n\n- d\n  e\n- f\n\n```sh\n# g\n\nh\n```\n<!-- i -->\n| j | k |\n|---|---|\n| l | m |\n"
    text += "## B\n\nn\n# C\n"
    found = list(blocks(text))
    kinds = ["heading", "paragraph", "list", "listing", "table", "heading", "paragraph", "heading"]
    assert [block.kind for block in found] == kinds
    assert items(found[2].text) == ["d e", "f"]
    assert found[3].text == "# g\n\nh"
    assert rows(found[4].text) == [["j", "k"], ["l", "m"]]
    assert [block.text for block in under(text, "A") or []] == [block.text for block in found[1:7]]
    assert [block.text for block in under(text, "B") or []] == ["n"]
    assert under(text, "D") is None
