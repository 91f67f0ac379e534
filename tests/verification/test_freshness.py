"""Whether a record of evidence is still of this code: what makes it stale, what does not, and what is run again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc_verify import nightly
from capc_verify.freshness.covering import Covered, changes, covered_now
from capc_verify.freshness.records import EVIDENCE, OTHERS, Freshness, all_records, stale_rooms
from capc_verify.freshness.sources import SourceTree, digest_of
from capc_verify.trace.spec import read_specification

ROOT = Path(__file__).parents[2]
SENTENCE = "**CAPC-ARG-001** (test) Ties MUST go low.\n"
TEST = """from support.sizes import examples
import pytest
from toy.ties import low

@pytest.mark.req("CAPC-ARG-001")
def test_low(): assert low([2, 2]) == 0 and examples()
"""


class Checkout:
    """A checkout with one room that has a nightly size, and what its test runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in {
            ".gitignore": ".trace\n.pytest_cache\n__pycache__\n",
            "pytest.ini": "[pytest]\npythonpath = tests reference\naddopts = --import-mode=importlib\n",
            "spec/01.md": SENTENCE,
            "spec/requirements.lock.json": json.dumps({"CAPC-ARG-001": self.specification()}),
            "reference/toy/ties.py": "from toy import words\n\ndef low(values):\n    return words.first(values)\n",
            "reference/toy/words.py": "def first(values):\n    return values.index(max(values))\n",
            "reference/toy/unused.py": "WIDTH = 1\n",
            "tests/conftest.py": 'pytest_plugins = ["capc_verify.pytest_plugin"]\n',
            "tests/support/sizes.py": "def examples(): return 1\n",
            "tests/long/test_long.py": TEST,
        }.items():
            self.write(name, text)
        self.git("init", "-q")

    def specification(self) -> str:
        self.write("spec/01.md", SENTENCE)
        return read_specification(self.root).statements["CAPC-ARG-001"].hash

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text, encoding="utf-8")

    def git(self, *command: str) -> str:
        done = subprocess.run(["git", *command], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", ".")
        self.git("-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m")
        return self.git("rev-parse", "HEAD")

    def record(self, *, with_hashes: bool = True, commit: str = "") -> None:
        """A record of the room as it is, as this or an earlier version wrote it."""
        specification = read_specification(self.root)
        covers = covered_now(self.root, [Path("tests/long/test_long.py")], specification).to_json()
        record = {"commit": commit or self.commit(), "date": "2026-01-02"}
        self.write(f"{EVIDENCE.as_posix()}/long.json", json.dumps(record | ({"covers": covers} if with_hashes else {})))

    def judged(self) -> Freshness:
        (record,) = all_records(self.root, read_specification(self.root))
        return record


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_room_without_a_record_is_missing(checkout: Checkout) -> None:
    assert (checkout.judged().state, checkout.judged().reasons) == ("missing", ("it was never recorded",))


def test_the_records_of_a_statement_are_those_of_rooms_that_name_it(checkout: Checkout) -> None:
    checkout.write("tests/other/test_other.py", TEST.replace("CAPC-ARG-001", "CAPC-ARG-002"))
    specification = read_specification(checkout.root)
    found = {
        naming: [record.name for record in all_records(checkout.root, specification, naming=naming)]
        for naming in ("", "CAPC-ARG-001", "CAPC-ARG-002", "CAPC-ARG-003")
    }
    assert found == {"": ["long", "other"], "CAPC-ARG-001": ["long"], "CAPC-ARG-002": ["other"], "CAPC-ARG-003": []}


@pytest.mark.parametrize("with_hashes", [True, False], ids=["its hashes", "its commit"])
@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("reference/toy/words.py", "def first(values):\n    return 0\n", "reference/toy/words.py changed"),
        ("tests/long/test_long.py", TEST.replace("[2, 2]", "[1, 1]"), "tests/long/test_long.py changed"),
        ("reference/toy/words/__init__.py", "", "reference/toy/words/__init__.py is new"),
        ("tests/long/conftest.py", "", "tests/long/conftest.py is new"),
        ("spec/01.md", SENTENCE.replace("low", "high"), "CAPC-ARG-001 changed"),
    ],
)
def test_a_record_is_stale_when_code_or_statement_changed(
    checkout: Checkout, name: str, text: str, reason: str, with_hashes: bool
) -> None:
    checkout.record(with_hashes=with_hashes)
    assert checkout.judged().state == "fresh"
    checkout.write(name, text)
    record = checkout.judged()
    assert (record.state, record.reasons) == ("stale", (reason,))
    assert stale_rooms(checkout.root, read_specification(checkout.root)) == ["long"]


@pytest.mark.parametrize("with_hashes", [True, False], ids=["its hashes", "its commit"])
def test_what_does_not_run_makes_nothing_stale(checkout: Checkout, with_hashes: bool) -> None:
    checkout.record(with_hashes=with_hashes)
    checkout.write("reference/toy/unused.py", "WIDTH = 2\n")
    checkout.write(
        "reference/toy/words.py", 'def first(values):\n    """It."""\n\n    return values.index(max(values))  # !\n'
    )
    checkout.write("spec/02.md", "**CAPC-ARG-002** (test) It MUST.\n")
    assert checkout.judged().state == "fresh"


def test_a_file_that_is_gone_makes_a_record_stale(checkout: Checkout) -> None:
    checkout.record()
    (checkout.root / "reference/toy/words.py").unlink()
    assert checkout.judged().reasons == ("reference/toy/words.py is gone",)


def test_a_commit_that_nobody_has_proves_nothing(checkout: Checkout) -> None:
    checkout.record(with_hashes=False, commit="0" * 40)
    assert checkout.judged().reasons == ("nobody can tell: 000000000000 is not in this repository",)


@pytest.mark.slow
def test_stale_rooms_are_run_and_then_nothing_is_stale(checkout: Checkout, capfd: pytest.CaptureFixture[str]) -> None:
    checkout.write("tests/other/test_other.py", "from support.sizes import examples\n\ndef test_it(): pass\n")
    checkout.record()
    checkout.commit()
    assert nightly.main(["--root", str(checkout.root), "--workers", "0", "stale"]) == 0
    assert "1 of 2 rooms are stale: other" in capfd.readouterr().out
    assert nightly.main(["--root", str(checkout.root), "--workers", "0", "stale"]) == 0
    assert capfd.readouterr().out == "nightly: 0 of 2 rooms are stale\n"
    record = json.loads((checkout.root / EVIDENCE / "other.json").read_text(encoding="utf-8"))
    assert "tests/other/test_other.py" in record["covers"]["files"]


@pytest.mark.slow
def test_records_of_this_repository_are_judged_each_by_itself() -> None:
    """Whatever they are now: a room, or a record of its own, and a reason where it is not fresh."""
    specification = read_specification(ROOT)
    records = {record.name: record for record in all_records(ROOT, specification)}
    assert set(records) == {*nightly.rooms(ROOT), *OTHERS}
    for record in records.values():
        assert bool(record.reasons) == (record.state != "fresh"), record
        assert set(record.statements) <= set(specification.statements)
    covered = SourceTree(ROOT).covered([Path("tests/two_party/test_two_party.py")])
    assert {"reference/capc/two_party/ideal.py", "tests/support/sizes.py"} <= set(covered)
    assert not any(name.startswith("reference/capc/cli") for name in covered)


def test_names_that_a_package_hands_on_lead_to_their_homes() -> None:
    tree = SourceTree(ROOT)
    (name,) = (name for name in tree._read_imports(ROOT / "tests/repository/test_faces.py") if name == "capc")
    assert tree._files_of(name)[0] == ROOT / "reference/capc/__init__.py"
    assert tree._home("capc", "Account") == "capc.privacy.account.Account"


@given(st.sampled_from(["", "# a", "   # b"]), st.sampled_from(["", '    """Words."""\n']), st.integers(0, 3))
def test_a_digest_is_of_what_runs(comment: str, docstring: str, empty: int) -> None:
    text = f"def f():{comment}\n{docstring}" + "\n" * empty + "    return '# not a comment'\n"
    assert digest_of("a.py", text.encode()) == digest_of("a.py", b"def f():\n    return '# not a comment'\n")
    assert digest_of("a.py", text.replace("not", "no").encode()) != digest_of("a.py", text.encode())
    assert digest_of("a.json", text.encode() + b" ") != digest_of("a.json", text.encode())


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("f(a, b)\n", "f(\n    a,\n    b,\n)\n"),
        ("x = 'a'\n", 'x = "a"\n'),
        ("if a:\n    b = (1 + 2)\n", "if (a): b = 1 + 2\n"),
        ('class A:\n    """It."""\n\n    x = 1\n    """Of x."""\n', "class A:\n    x = 1\n"),
    ],
)
def test_layout_is_not_part_of_what_runs(text: str, other: str) -> None:
    assert digest_of("a.py", text.encode()) == digest_of("a.py", other.encode())


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ('def f(): "It."; return 1\n', 'def f(): "It."; return 2\n'),
        ("x = 1\n", "x = True\n"),
        ("x = 'a'\n", "x = b'a'\n"),
        ("return_ = None\n", "return_ = ()\n"),
        ("f(a)\n", "f(*a)\n"),
        ("a < b\n", "a <= b\n"),
        ("if a:\n    b\nc\n", "if a:\n    b\n    c\n"),
        ("x = f'{a}'\n", "x = f'{a!r}'\n"),
        ("@d\ndef f(): pass\n", "def f(): pass\n"),
        ("def f(a=1, *, b=2): pass\n", "def f(*, a=1, b=2): pass\n"),
    ],
)
def test_all_that_runs_is_in_a_digest(text: str, other: str) -> None:
    assert digest_of("a.py", text.encode()) != digest_of("a.py", other.encode())


def test_digests_of_an_earlier_form_are_made_again_at_their_commit(checkout: Checkout) -> None:
    checkout.record()
    file = checkout.root / EVIDENCE / "long.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    del record["covers"]["form"]
    record["covers"]["files"] = dict.fromkeys(record["covers"]["files"], "0123456789abcdef")
    file.write_text(json.dumps(record), encoding="utf-8")
    assert checkout.judged().state == "fresh"
    checkout.write("reference/toy/words.py", "def first(values):\n    return 0\n")
    assert checkout.judged().reasons == ("reference/toy/words.py changed",)


def test_data_beside_a_test_that_names_it_is_covered(checkout: Checkout) -> None:
    checkout.write("tests/long/test_long.py", TEST + '# It reads "kept.json".\n')
    for name in ("kept.json", "unnamed.json"):
        checkout.write(f"tests/long/{name}", "1")
    checkout.record()
    checkout.write("tests/long/unnamed.json", "2")
    assert checkout.judged().state == "fresh"
    checkout.write("tests/long/kept.json", "2")
    assert checkout.judged().reasons == ("tests/long/kept.json changed",)


_DIGESTS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["0", "1"]))


@given(_DIGESTS, _DIGESTS, _DIGESTS, _DIGESTS)
def test_what_changed_is_what_differs(
    files: dict[str, str], sentences: dict[str, str], other_files: dict[str, str], other_sentences: dict[str, str]
) -> None:
    found = changes(Covered(files, sentences), Covered(other_files, other_sentences))
    differing = [
        name
        for a, b in ((files, other_files), (sentences, other_sentences))
        for name in "abcd"
        if a.get(name) != b.get(name)
    ]
    assert sorted(line[0] for line in found) == sorted(differing)
    assert changes(Covered(files, sentences), Covered(files, sentences)) == []
