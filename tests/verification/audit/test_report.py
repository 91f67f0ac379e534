"""The report: its shape, what its page shows, and that a statement whose test is broken is red, with the reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from capc_verify.audit.report.failures import failures
from capc_verify.audit.report.inventory import digest, inventory
from capc_verify.audit.report.page import page
from capc_verify.audit.report.statements import Verdict, verdict_of
from capc_verify.faults import FAULTS
from capc_verify.quick import CASES
from support.toy_checkout import Audited, ToyCheckout

pytestmark = pytest.mark.slow
SCHEMA = json.loads((resources.files("capc_spec") / "schemas" / "verify_report.schema.json").read_text("utf-8"))


class Seen(HTMLParser):
    """What a browser would look up, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        told = dict(attributes)
        self.ids |= {told["id"] or ""} if "id" in told else set()
        self.links += [told["href"] or ""] if "href" in told else []
        self.loaded += [tag] if tag in {"script", "link", "img", "iframe", "object"} or "src" in told else []

    def handle_data(self, data: str) -> None:
        self.words += data


def of(report: Any, identifier: str) -> Any:
    return next(entry for entry in report["statements"] if entry["id"] == identifier)


def test_the_report_has_its_shape_and_says_what_was_run(of_all: Audited) -> None:
    report = of_all.document()
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(report)
    assert report["passes"]
    assert report["run"]["tests"] == {"passed": 9, "failed": 0, "skipped": 0}
    assert {entry["id"]: entry["verdict"] for entry in report["statements"]} == {
        "CAPC-TOY-001": "shown",
        "CAPC-TOY-002": "shown",
        "CAPC-TOY-003": "shown",
        "CAPC-TOY-004": "assumed",
    }
    (group,) = of(report, "CAPC-TOY-002")["evidence"]
    assert (group["name"], group["obtained"], group["passed"]) == (
        "tests/toy/test_toy.py::test_each",
        "enumeration",
        1,
    )
    assert of(report, "CAPC-TOY-001")["code"] == ["reference/toy/toy.py::height"]
    assert report["hashes"] == inventory(of_all.toy.root)
    assert digest(report["hashes"]) == report["tree"]
    assert len(report["commit"]["id"]) == 40
    assert {fault["name"] for fault in report["matrix"]["faults"]} == set(FAULTS)
    assert report["matrix"]["without_fault"] == ["CAPC-TOY-001", "CAPC-TOY-003"]


def test_every_part_of_the_schema_is_closed() -> None:
    def objects(part: Any) -> Any:
        if isinstance(part, dict):
            yield from [part] if part.get("type") == "object" else []
            yield from (found for value in part.values() for found in objects(value))
        elif isinstance(part, list):
            yield from (found for value in part for found in objects(value))

    for part in objects(SCHEMA):
        assert "additionalProperties" in part
        assert set(part.get("required", ())) == set(part.get("properties", {})), part


def test_the_page_opens_alone_and_says_what_an_auditor_looks_for(of_all: Audited) -> None:
    seen = Seen(of_all.page())
    assert seen.loaded == []
    assert all(link.startswith("#") and link[1:] in seen.ids for link in seen.links)
    for told in (
        "PASSES",
        "the toy stays low",
        "coins: coins are fair",
        "a push that lifts it",
        "It is low, as 2 < 3 <says> everybody.",
        "The specification does not say where it is argued.",
        "That the toy is red, or blue.",
        "Is the toy low?",
        "It is, unless somebody lifts it <b>.",
        "two pushes",
        "tests/toy/test_toy.py::test_each",
        of_all.document()["commit"]["id"],
        of_all.document()["tree"],
        of_all.document()["signed_by"],
        "mask",
    ):
        assert told in seen.words, told


def failed(toy: ToyCheckout) -> None:
    toy.edit("tests/toy/test_toy.py", "assert 2 < 3", "assert 3 < 2")


def gone(toy: ToyCheckout) -> None:
    toy.edit("tests/toy/test_toy.py", "range(6)", "range(5)")


def another_sentence(toy: ToyCheckout) -> None:
    toy.edit("spec/01-toy.md", "be low.", "be very low.")


def not_collected(toy: ToyCheckout) -> None:
    toy.edit("tests/toy/test_toy.py", "import pytest", "import pytest\nimport nothing_of_this_name")


def fixture_fails(toy: ToyCheckout) -> None:
    toy.edit("tests/toy/test_toy.py", "def test_low(toy):", "def test_low(toy, fixture_of_no_name):")


@pytest.mark.parametrize(
    ("breaking", "reason"),
    [
        (failed, r"test_low\[0\]: failed: tests/toy/test_toy.py:13: AssertionError: the toy is <b>high</b>"),
        (gone, r"test_low\[5\]: missing: there is no such test any more"),
        (another_sentence, "its sentence changed since somebody confirmed that this evidence fits it"),
        (not_collected, "cannot be collected: .*nothing_of_this_name"),
        (fixture_fails, "failed: .*fixture_of_no_name"),
    ],
)
def test_a_statement_whose_evidence_is_broken_is_red_with_the_reason(
    audited: Audited, capsys: pytest.CaptureFixture[str], breaking: Callable[[ToyCheckout], None], reason: str
) -> None:
    breaking(audited.toy)
    assert audited.verify("CAPC-TOY-001", "--json", str(audited.report)) == 1
    report = audited.document()
    Draft202012Validator(SCHEMA).validate(report)
    assert not report["passes"]
    entry = of(report, "CAPC-TOY-001")
    assert entry["verdict"] == "failed"
    assert re.search(reason, entry["reasons"][0]), entry["reasons"]
    assert re.search(reason, Seen(audited.page()).words)
    assert "<b>high" not in audited.page()
    assert '<section class="statement failed">' in audited.page()
    assert '<section class="claim failed">' in audited.page()
    first, second = report["questions"]
    assert (first["verdict"], second["verdict"]) == ("failed", "not run again")
    assert [each["verdict"] for each in first["rests_on"]] == ["failed", "assumed"]
    (red,) = re.findall(r'<section class="question failed">.*?</section>', audited.page(), re.DOTALL)
    assert "Is the toy low?" in red
    assert re.search(reason, Seen(red).words)
    assert "Not asked for in this run: CAPC-TOY-003." in Seen(audited.page()).words
    said = capsys.readouterr().out
    assert f"FAILED CAPC-TOY-001: {entry['reasons'][0]}" in said
    assert "FAILS\n" in said
    assert report["not_asked"] == ["CAPC-TOY-002", "CAPC-TOY-003", "CAPC-TOY-004"]
    # A signature of the report before would be one of something else.
    assert not audited.report.with_name("report.json.sig").exists()


def test_what_is_skipped_or_left_out_is_not_shown_by_it(audited: Audited) -> None:
    audited.toy.edit("tests/toy/test_toy.py", "def test_each():", 'def test_each():\n    pytest.skip("no toys")')
    assert audited.verify("CAPC-TOY-001", "CAPC-TOY-002", "--quick", "--json", str(audited.report)) == 0
    report = audited.document()
    assert of(report, "CAPC-TOY-002")["verdict"] == "not run again"
    assert (of(report, "CAPC-TOY-001")["verdict"], report["run"]["left_out"]) == ("shown", 6 - CASES)
    assert [claim["verdict"] for claim in report["claims"]] == ["not run again", "not run again"]
    assert f"CAPC-TOY-001 ({6 - CASES})" in Seen(audited.page()).words


def test_a_question_is_what_its_worst_statement_is(of_all: Audited) -> None:
    found = of_all.document()["questions"]
    assert [(each["number"], each["verdict"]) for each in found] == [(1, "shown"), (2, "shown")]
    assert [(each["id"], each["kind"], each["verdict"]) for each in found[0]["rests_on"]] == [
        ("CAPC-TOY-001", "test", "shown"),
        ("CAPC-TOY-004", "assumption", "assumed"),
    ]
    assert [block["kind"] for block in found[1]["answer"]] == ["paragraph", "list"]


def test_a_page_is_made_of_its_document_alone(of_all: Audited) -> None:
    assert page(of_all.document()) == of_all.page()


def test_a_claim_is_what_its_worst_statement_is() -> None:
    worst = [Verdict.FAILED, Verdict.NOT_RERUN, Verdict.SHOWN, Verdict.ASSUMED]
    for place, verdict in enumerate(worst):
        assert verdict_of(worst[place:]) is verdict


def test_one_cause_of_many_failures_is_the_first_row() -> None:
    """The same error in other phases, statements and files is one; what failed once comes after it."""
    one = "model.py:3{0} (from t.py:{0}): {1}InputError: no <layer>"
    statements = [
        {"id": "CAPC-TOY-001", "verdict": "failed", "reasons": ["t.py::a[x: y]: failed: t.py:1: assert 1 == 2"]},
        {
            "id": "CAPC-TOY-002",
            "verdict": "failed",
            "reasons": [f"t.py::{name}: failed: {one.format(name, '')}" for name in "12"],
        },
        {"id": "CAPC-TOY-003", "verdict": "failed", "reasons": [f"t.py::1: failed: {one.format(1, 'in setup: ')}"]},
        {"id": "CAPC-TOY-004", "verdict": "shown", "reasons": []},
    ]
    # All but the first are named by a claim or a question.
    named = {"claims": [{"statements": ["CAPC-TOY-002"]}], "questions": [{"rests_on": [{"id": "CAPC-TOY-003"}]}]}
    broken = [{"file": "u.py", "reason": "InputError: no <layer>"}]
    report = {"statements": statements, "run": {"broken": broken}, **named}
    heading, beneath, _, table, *_, by_statement = failures(report, lambda name, _: f"[{name}]")
    assert "".join(heading.itertext()) == "What failed"
    assert "".join(beneath.itertext()).startswith("No claim and no question names these")
    assert "".join(beneath.itertext()).endswith("believe no green beside it. [CAPC-TOY-001] ")
    body = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")][1:]
    assert body == [
        [one.format(1, ""), "3", "[CAPC-TOY-002] [CAPC-TOY-003] "],
        ["t.py:1: assert 1 == 2", "1", "[CAPC-TOY-001] "],
    ]
    assert "By statement (3)" in "".join(by_statement.itertext())
    none = {**report, "run": {"broken": []}}
    assert failures({**none, "statements": statements[-1:]}, lambda name, _: name) == []
    # Where no two failures are alike, a list says all.
    assert len(failures({**none, "statements": statements[:1]}, lambda name, _: name)) == 3


def test_errors_that_differ_in_their_bytes_are_one() -> None:
    """Tags, digests and large numbers of a run are no other cause; small ones and names may be."""
    told = [
        "assert b'x\\xfe' == b''",
        "assert b'y' == b''",
        f"{'0f' * 16} is no tag",
        f"{'a1' * 16} is no tag",
        "queries = 393217: give less",
        "queries = 458753: give less",
        "1 is none",
    ]
    reasons = [f"t.py::{place}: failed: t.py:1: {error}" for place, error in enumerate([*told, "2 is none"])]
    statements = [{"id": "CAPC-TOY-001", "verdict": "failed", "reasons": reasons}]
    report = {"statements": statements, "run": {"broken": []}, "questions": [], "claims": []}
    rows = [
        ["".join(cell.itertext()) for cell in row][:2] for row in failures(report, lambda name, _: name)[3].iter("tr")
    ]
    assert rows[1:] == [
        [f"t.py:1: {told[0]}", "2"],
        [f"t.py:1: {told[2]}", "2"],
        [f"t.py:1: {told[4]}", "2"],
        ["t.py:1: 1 is none", "1"],
        ["t.py:1: 2 is none", "1"],
    ]
