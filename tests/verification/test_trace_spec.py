"""The parser of the specification: what a statement is, and each way of writing one wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc_verify.trace.spec import BINDING_LEVELS, KINDS, Specification, read_specification

WORDS = st.text(alphabet="abcdefghij ", min_size=1, max_size=30).filter(str.strip)


def parse(tmp_path: Path, text: str, name: str = "01-text.md") -> Specification:
    (tmp_path / "spec").mkdir(exist_ok=True)
    (tmp_path / "spec" / name).write_text(text, encoding="utf-8")
    return read_specification(tmp_path)


def only_finding(specification: Specification) -> str:
    (finding,) = specification.findings
    return str(finding)


def test_statement_is_read_with_its_level_area_place_and_sentence(tmp_path: Path) -> None:
    text = "# Ties\n\n**CAPC-ARG-002** (test) Ties MUST\ngo to the lowest class index.\n\nMore words.\n"
    specification = parse(tmp_path, text)
    statement = specification.statements["CAPC-ARG-002"]
    assert statement.sentence == "Ties MUST go to the lowest class index."
    assert (statement.kind, statement.level, statement.area) == ("test", "MUST", "ARG")
    assert statement.place == "spec/01-text.md:3"
    assert statement.needs_test
    assert specification.findings == ()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", ["MUST", "MUST NOT", "SHALL", "SHALL NOT", "REQUIRED", "SHOULD", "MAY"])
def test_only_binding_statements_of_tested_kinds_need_a_test(tmp_path: Path, kind: str, level: str) -> None:
    statement = parse(tmp_path, f"**CAPC-A-001** ({kind}) It {level} hold.").statements["CAPC-A-001"]
    assert statement.level == level
    assert statement.needs_test == (level in BINDING_LEVELS and kind not in {"review", "assumption"})


@pytest.mark.slow
@given(before=WORDS, after=WORDS, breaks=st.lists(st.sampled_from([" ", "\n", "  ", "\n  "]), min_size=3, max_size=3))
def test_hash_ignores_white_space_and_sees_words(
    tmp_path_factory: pytest.TempPathFactory, before: str, after: str, breaks: list[str]
) -> None:
    tmp_path = tmp_path_factory.mktemp("tree")
    words = [before.strip(), "MUST NOT", after.strip()]
    plain = parse(tmp_path, f"**CAPC-A-001** (test) {' '.join(words)}").statements["CAPC-A-001"]
    broken = parse(tmp_path, f"**CAPC-A-001** (test){breaks[0]}{words[0]}{breaks[1]}MUST{breaks[2]}NOT {words[2]}")
    changed = parse(tmp_path, f"**CAPC-A-001** (test) {' '.join(words)}x").statements["CAPC-A-001"]
    assert broken.statements["CAPC-A-001"].hash == plain.hash
    assert broken.statements["CAPC-A-001"].level == "MUST NOT"
    assert changed.hash != plain.hash


@pytest.mark.parametrize("block", ["- one\n- two", "| one | b |\n|---|---|", "```text\none MUST not count\n```"])
def test_a_sentence_that_ends_with_a_colon_includes_the_next_block(tmp_path: Path, block: str) -> None:
    first = parse(tmp_path, f"**CAPC-A-001** (test) It MUST be one of:\n\n{block}\n\nMore.\n")
    second = parse(tmp_path, f"**CAPC-A-001** (test) It MUST be one of:\n\n{block.replace('one', 'three')}\n\nx\n")
    without = parse(tmp_path, f"**CAPC-A-001** (test) It MUST be one of.\n\n{block}\n")
    assert first.findings == second.findings == ()
    assert first.statements["CAPC-A-001"].hash != second.statements["CAPC-A-001"].hash
    assert without.statements["CAPC-A-001"].sentence == "It MUST be one of."


def test_a_colon_does_not_swallow_the_next_statement_or_heading(tmp_path: Path) -> None:
    text = "**CAPC-A-001** (test) It MUST be:\n\n**CAPC-A-002** (test) It MAY be:\n# Heading\nText.\n"
    specification = parse(tmp_path, text)
    assert [entry.sentence for entry in specification.statements.values()] == ["It MUST be:", "It MAY be:"]


@pytest.mark.parametrize("keywords", ["is", "MUST and MAY", "MUST MUST", "`MUST`"])
def test_not_exactly_one_keyword_is_found(tmp_path: Path, keywords: str) -> None:
    finding = only_finding(parse(tmp_path, f"**CAPC-A-001** (test) It {keywords} so."))
    assert "needs exactly one RFC 2119 keyword" in finding


@pytest.mark.parametrize("text", ["You MUST.", "- a SHOULD b", "# SHALL", "a\nMAY b", "x\n\nNOT RECOMMENDED"])
def test_keyword_outside_a_statement_is_found(tmp_path: Path, text: str) -> None:
    assert "outside a numbered statement" in only_finding(parse(tmp_path, text))


@pytest.mark.parametrize(
    "text", ["You must.", "`MUST`", "```\nMUST\n```", "The key words MUST and MAY are those of RFC 2119.", "MUSTER"]
)
def test_lower_case_code_and_the_definition_of_keywords_are_free(tmp_path: Path, text: str) -> None:
    assert parse(tmp_path, text).findings == ()


def test_an_id_used_twice_is_found_across_files(tmp_path: Path) -> None:
    parse(tmp_path, "**CAPC-A-001** (test) It MUST.", "01.md")
    finding = only_finding(parse(tmp_path, "\n**CAPC-A-001** (test) It MAY.", "02.md"))
    assert finding.startswith("spec/02.md:2: CAPC-A-001 is already used at spec/01.md:1")


@pytest.mark.parametrize("order", [("withdrawn", "test"), ("test", "withdrawn"), ("withdrawn", "withdrawn")])
def test_a_withdrawn_id_is_not_used_again(tmp_path: Path, order: tuple[str, str]) -> None:
    text = "\n\n".join(f"**CAPC-A-001** ({kind}) It MUST." for kind in order)
    assert "ids are never used twice" in only_finding(parse(tmp_path, text))


def test_withdrawn_ids_are_kept_apart(tmp_path: Path) -> None:
    specification = parse(tmp_path, "**CAPC-A-003** (withdrawn) Was: it MUST and SHOULD.")
    assert specification.withdrawn == {"CAPC-A-003"}
    assert (specification.statements, specification.findings, specification.mentions) == ({}, (), ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("**CAPC-A-1** (test) Short number.", "not a statement"),
        ("**CAPC-A-001** No kind.", "not a statement"),
        ("**CAPC-A-001** (guess) It MUST.", "unknown kind 'guess'"),
        ("**CAPC-A-001** (test) It MUST.\n**CAPC-A-002** (test) Also.", "a paragraph of its own"),
        ("- **CAPC-A-001** (test) It holds.", "a paragraph of its own"),
    ],
)
def test_malformed_statements_are_found(tmp_path: Path, text: str, reason: str) -> None:
    assert reason in only_finding(parse(tmp_path, text))


def test_review_note_is_read_and_is_no_part_of_the_sentence(tmp_path: Path) -> None:
    text = "**CAPC-A-001** (review) It MUST NOT leak.\nReviewed by A. Reader, 2026-02-03, hash 0123abcd."
    statement = parse(tmp_path, text).statements["CAPC-A-001"]
    assert statement.sentence == "It MUST NOT leak."
    assert statement.review_hash == "0123abcd"


def test_ids_in_prose_are_mentions_with_their_place(tmp_path: Path) -> None:
    specification = parse(tmp_path, "As CAPC-B-001 says.\n\n**CAPC-A-001** (test) It MUST follow CAPC-B-002.")
    assert [(entry.place, entry.id) for entry in specification.mentions] == [
        ("spec/01-text.md:1", "CAPC-B-001"),
        ("spec/01-text.md:3", "CAPC-B-002"),
    ]
