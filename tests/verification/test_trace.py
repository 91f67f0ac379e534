"""``capc-trace`` on small made-up repositories: each failure is detected, and what is right passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from capc_verify.trace.cli import main

TEST_NODE = "tests/test_ties.py::test_ties"
REPLAY_NODE = "tests/test_vectors.py::test_replay[argmax::tie]"


class Tree:
    """A repository with two covered statements, in files that a test may change."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write(
            "spec/01.md", "**CAPC-ARG-001** (test) Ties MUST go low.\n\n**CAPC-ARG-002** (vector) Bytes MUST fit.\n"
        )
        self.write("reference/capc/ties.py", '"""Ties. Spec: CAPC-ARG-001 to CAPC-ARG-002."""\n')
        self.vectors({"tie": ["CAPC-ARG-002"]})
        self.results({TEST_NODE: {"CAPC-ARG-001": "test"}, REPLAY_NODE: {"CAPC-ARG-002": "test"}})

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def read(self, path: str) -> str:
        return (self.root / path).read_text(encoding="utf-8")

    def vectors(self, listed: dict[str, list[str]]) -> None:
        tests = [{"name": name, "requirements": ids} for name, ids in listed.items()]
        self.write("spec/capc_spec/vectors/argmax.json", json.dumps({"testGroups": [{"tests": tests}]}))

    def results(self, passed: dict[str, dict[str, str]]) -> None:
        self.write(".trace/results.json", json.dumps(passed))

    def run(self, *arguments: str) -> int:
        return main(["--root", str(self.root), *arguments])

    def accept(self) -> None:
        """Confirms and reports, whatever the tree holds."""
        self.run("confirm", "--all")
        assert self.run("report") == 0


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path)
    made.accept()
    return made


def findings(tree: Tree, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of a failing check, without its last line, the count."""
    capsys.readouterr()
    assert tree.run("check") == 1
    *lines, count = capsys.readouterr().out.splitlines()
    assert count.startswith(f"{len(lines)} findings")
    return lines


def test_a_tied_tree_passes(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert tree.run("check") == 0
    assert capsys.readouterr().out.endswith("2 statements, no finding\n")


def test_uncovered_must_is_found(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.results({REPLAY_NODE: {"CAPC-ARG-002": "test"}})
    tree.accept()
    assert findings(tree, capsys) == ["spec/01.md:1: CAPC-ARG-001 (MUST) has no passing evidence of kind test"]


@pytest.mark.parametrize("level", ["SHOULD", "SHOULD NOT", "MAY", "RECOMMENDED", "OPTIONAL"])
def test_recommendations_need_no_evidence(tree: Tree, level: str) -> None:
    tree.write("spec/02.md", f"**CAPC-ARG-003** (test) It {level} be.\n")
    tree.accept()
    assert tree.run("check") == 0


def test_assumption_needs_no_evidence_and_is_listed(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("spec/02.md", "**CAPC-ROLE-001** (assumption) They MUST NOT collude.\n")
    tree.accept()
    assert "  CAPC-ROLE-001  They MUST NOT collude." in capsys.readouterr().out.splitlines()
    assert tree.run("check") == 0


@pytest.mark.parametrize("kind", ["enumeration", "proof", "model"])
def test_other_kinds_accept_only_tests_that_declare_them(
    tree: Tree, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    replay = {REPLAY_NODE: {"CAPC-ARG-002": "test"}}
    tree.write("spec/01.md", tree.read("spec/01.md").replace("(test)", f"({kind})"))
    tree.accept()
    (line,) = findings(tree, capsys)
    assert line.endswith(f"of kind {kind}: if {TEST_NODE} is one, mark it req(..., kind='{kind}')")
    tree.results(replay | {TEST_NODE: {"CAPC-ARG-001": kind}})
    tree.accept()
    assert tree.run("check") == 0


def test_evidence_of_a_stronger_kind_counts_as_a_test(tree: Tree) -> None:
    tree.results({TEST_NODE: {"CAPC-ARG-001": "enumeration"}, REPLAY_NODE: {"CAPC-ARG-002": "test"}})
    assert tree.run("check") == 0


def test_vector_kind_needs_the_replay_of_a_vector_that_lists_the_id(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.vectors({"tie": []})
    tree.accept()
    (line,) = findings(tree, capsys)
    assert line.endswith(f"{REPLAY_NODE} names it, but replays no vector that lists it")


def test_vector_that_no_passing_test_replays_is_found(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.vectors({"tie": ["CAPC-ARG-002"], "edge": ["CAPC-ARG-002"]})
    (line,) = findings(tree, capsys)
    assert line.startswith("spec/capc_spec/vectors argmax::edge: no test that passed")


@pytest.mark.parametrize("identifier", ["CAPC-ARG-009", "CAPC-ARG-004"])
@pytest.mark.parametrize("where", ["docstring", "comment", "vector", "test", "prose", "statement"])
def test_unknown_or_withdrawn_id_is_found_wherever_it_is_named(
    tree: Tree, capsys: pytest.CaptureFixture[str], where: str, identifier: str
) -> None:
    tree.write("spec/03.md", "**CAPC-ARG-004** (withdrawn) It MUST.\n")
    if where == "vector":
        tree.vectors({"tie": ["CAPC-ARG-002", identifier]})
    elif where == "test":
        passed = {TEST_NODE: {"CAPC-ARG-001": "test"}, REPLAY_NODE: {"CAPC-ARG-002": "test", identifier: "test"}}
        tree.results(passed)
    else:
        path, text = {
            "docstring": ("verification/capc_verify/a.py", f'"""See {identifier}."""\n'),
            "comment": ("reference/capc/b.py", f"# {identifier}\n"),
            "prose": ("spec/02.md", f"See {identifier}.\n"),
            "statement": ("spec/02.md", f"**CAPC-ARG-005** (test) It MAY follow {identifier}.\n"),
        }[where]
        tree.write(path, text)
    tree.accept()
    (line,) = findings(tree, capsys)
    assert f": {identifier} is " in line


def test_a_range_over_a_withdrawn_id_is_found(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """It names neither end of the gap; the place is told."""
    tree.write(
        "spec/03.md",
        "**CAPC-ARG-003** (test) It MUST.\n\n**CAPC-ARG-004** (withdrawn)\n\n**CAPC-ARG-005** (test) It MUST.\n",
    )
    tree.results(
        {
            TEST_NODE: dict.fromkeys(["CAPC-ARG-001", "CAPC-ARG-003", "CAPC-ARG-005"], "test"),
            REPLAY_NODE: {"CAPC-ARG-002": "test"},
        }
    )
    tree.write("reference/capc/b.py", '"""Spec: CAPC-ARG-003 to CAPC-ARG-005."""\n')
    tree.accept()
    (line,) = findings(tree, capsys)
    assert line.startswith("reference/capc/b.py: CAPC-ARG-004 is withdrawn")


def test_problems_of_the_text_are_findings_of_the_check(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("spec/02.md", "You MUST.\n\n**CAPC-ARG-001** (test) It MAY be twice.\n")
    tree.accept()
    assert len(findings(tree, capsys)) == 2


def test_changed_sentence_is_stale_until_confirmed(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("spec/01.md", tree.read("spec/01.md").replace("go low", "go high"))
    tree.run("report")
    (line,) = findings(tree, capsys)
    assert "CAPC-ARG-001 changed since its evidence was confirmed" in line
    assert tree.run("confirm", "CAPC-ARG-001") == 0
    assert tree.run("check") == 0


def test_new_statement_is_not_confirmed_by_itself(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("spec/02.md", "**CAPC-ARG-003** (test) It MUST be.\n")
    tree.results(json.loads(tree.read(".trace/results.json")) | {"tests/t.py::t": {"CAPC-ARG-003": "test"}})
    tree.run("report")
    (line,) = findings(tree, capsys)
    assert "CAPC-ARG-003 was never confirmed" in line


@pytest.mark.parametrize("replacement", ["", "**CAPC-ARG-001** (withdrawn) Gone.", "**CAPC-ARG-001** (test) It MAY."])
def test_locked_statement_that_is_gone_is_found(
    tree: Tree, capsys: pytest.CaptureFixture[str], replacement: str
) -> None:
    tree.write("spec/01.md", f"{replacement}\n\n**CAPC-ARG-002** (vector) Bytes MUST fit.\n")
    tree.write("reference/capc/ties.py", "")
    tree.results({REPLAY_NODE: {"CAPC-ARG-002": "test"}})
    tree.run("report")
    (line,) = findings(tree, capsys)
    assert line.startswith("spec/requirements.lock.json: CAPC-ARG-001 no longer needs a test")
    tree.run("confirm", "--all")
    assert tree.run("check") == 0


def test_report_that_was_not_regenerated_is_found(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("reference/capc/more.py", '"""Spec: CAPC-ARG-001."""\n')
    (line,) = findings(tree, capsys)
    assert line.startswith("spec/traceability.json: not what the present tree gives")


def test_review_needs_a_note_with_the_hash_of_the_sentence(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "**CAPC-ROLE-001** (review) It MUST NOT leak."
    tree.write("spec/02.md", sentence)
    tree.accept()
    (line,) = findings(tree, capsys)
    assert "has no review" in line
    note = line[line.index("Reviewed by") :].replace("NAME", "R. Reader").replace("YYYY-MM-DD", "2026-01-02")
    tree.write("spec/02.md", f"{sentence} {note}")
    assert tree.run("check") == 0
    tree.write("spec/02.md", f"{sentence.replace('leak', 'tell')} {note}")
    tree.accept()
    (line,) = findings(tree, capsys)
    assert "was reviewed with another text" in line


def test_report_holds_code_places_and_sorted_evidence(tree: Tree) -> None:
    tree.write(
        "verification/capc_verify/ties.py",
        'class Ties:\n    """CAPC-ARG-001."""\n\n    width = 1\n    """Spec: CAPC-ARG-001."""\n\n'
        '    def low(self):\n        """CAPC-ARG-001."""\n        return "CAPC-ARG-002"\n',
    )
    tree.results({f"tests/t.py::{name}": {"CAPC-ARG-001": "test"} for name in ("b", "a")})
    tree.accept()
    report = json.loads(tree.read("spec/traceability.json"))
    first, second = report["requirements"]
    assert first == {
        "id": "CAPC-ARG-001",
        "kind": "test",
        "level": "MUST",
        "file": "spec/01.md",
        "sentence_hash": json.loads(tree.read("spec/requirements.lock.json"))["CAPC-ARG-001"],
        "code": [
            "reference/capc/ties.py",
            "verification/capc_verify/ties.py::Ties",
            "verification/capc_verify/ties.py::Ties.low",
        ],
        "evidence": ["tests/t.py::a", "tests/t.py::b"],
    }
    assert second["code"] == ["reference/capc/ties.py"], "an id inside a range A to B, or in a plain string"


def test_report_is_the_same_whatever_the_order_of_results(tree: Tree) -> None:
    before = tree.read("spec/traceability.json")
    results = json.loads(tree.read(".trace/results.json"))
    tree.results(dict(reversed(results.items())))
    tree.run("report")
    assert tree.read("spec/traceability.json") == before


def test_table_counts_per_kind_and_per_area(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    tree.write("spec/02.md", "**CAPC-WIRE-001** (test) It MAY be.\n")
    tree.run("report")
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.split()[1:]}
    assert rows["test"] == ["2", "1", "1", "1"]
    assert rows["vector"] == ["1", "1", "1", "1"]
    assert rows["ARG"] == ["2", "2", "2", "2"]
    assert rows["WIRE"] == ["1", "0", "0", "0"]


def test_confirm_all_leaves_out_what_has_no_evidence(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.results({REPLAY_NODE: {"CAPC-ARG-002": "test"}})
    tree.write("spec/requirements.lock.json", "{}")
    assert tree.run("confirm", "--all") == 1
    assert list(json.loads(tree.read("spec/requirements.lock.json"))) == ["CAPC-ARG-002"]
    assert "CAPC-ARG-001 has no passing evidence; not confirmed" in capsys.readouterr().out


def test_confirm_of_one_statement_leaves_the_others(tree: Tree) -> None:
    before = json.loads(tree.read("spec/requirements.lock.json"))
    tree.write("spec/01.md", tree.read("spec/01.md").replace("go low", "go high").replace("fit", "match"))
    assert tree.run("confirm", "CAPC-ARG-002") == 0
    after = json.loads(tree.read("spec/requirements.lock.json"))
    assert after["CAPC-ARG-001"] == before["CAPC-ARG-001"]
    assert after["CAPC-ARG-002"] != before["CAPC-ARG-002"]


@pytest.mark.parametrize("identifier", ["CAPC-ARG-009", "CAPC-ARG-003"])
def test_confirm_refuses_what_needs_no_test(tree: Tree, capsys: pytest.CaptureFixture[str], identifier: str) -> None:
    tree.write("spec/02.md", "**CAPC-ARG-003** (assumption) It MUST be.\n")
    assert tree.run("confirm", identifier) == 2
    assert identifier in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [(), ("confirm",), ("confirm", "--all", "CAPC-ARG-001"), ("guess",)])
def test_wrong_arguments_are_refused(tree: Tree, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as refusal:
        tree.run(*arguments)
    assert refusal.value.code == 2


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("spec/01.md", None, "holds no spec/*.md"),
        (".trace/results.json", None, "run `make test` first"),
        (".trace/results.json", "{", "not JSON"),
        ("spec/requirements.lock.json", "{", "not JSON"),
        ("spec/capc_spec/vectors/argmax.json", "{", "not a file of test vectors"),
        ("spec/capc_spec/vectors/argmax.json", "[]", "not a file of test vectors"),
        ("spec/capc_spec/vectors/argmax.json", '{"testGroups": [{"tests": [{}]}]}', "not a file of test vectors"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_the_file(
    tree: Tree, capsys: pytest.CaptureFixture[str], path: str, text: str | None, reason: str
) -> None:
    capsys.readouterr()
    if text is None:
        (tree.root / path).unlink()
    else:
        tree.write(path, text)
    assert tree.run("check") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tree.root) in line
    assert reason in line
