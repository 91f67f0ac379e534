"""A checkout of a toy with two claims, four statements and their tests, whose evidence is run again in a moment."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capc import cli
from capc_verify.trace.cli import main as trace

CLAIMS = """# 90 Security claims

| tag | assumption |
|---|---|
| honest | parties follow the *toy* |
| coins | coins are fair |

| claim | assumptions | shown by | falsified by |
|---|---|---|---|
| 1. the toy is low | honest | CAPC-TOY-001 to CAPC-TOY-002 | a toy that is high |
| 1*. the toy stays low | as of 1, with coins | CAPC-TOY-003, and those of claim 1 | a push that lifts it |

## The arguments

| claim | argued in |
|---|---|
| 1 | 90 Lowness |

### Lowness

It is low, as `2 < 3` <says> everybody.

## Not claimed

- That the toy is red,
  or blue.
"""
STATEMENTS = """# 01 The toy

**CAPC-TOY-001** (test) The toy MUST be low.

**CAPC-TOY-002** (enumeration) Each toy MUST be low:

| toy | height |
|---|---|
| one | 1 |

**CAPC-TOY-003** (test) A push MUST NOT lift it.

**CAPC-TOY-004** (assumption) Coins MUST be fair.
"""
QUESTIONS = """# Questions

## 1. Is the toy low?

It is, unless `somebody` lifts it <b>.

| statement | kind | what stands behind it |
|---|---|---|
| CAPC-TOY-001 | test | it is looked at |
| CAPC-TOY-004 | assumption | nothing |

## 2. Does a push lift it?

No push that was tried.

- Others may.

| statement | kind | what stands behind it |
|---|---|---|
| CAPC-TOY-003 | test | two pushes |
"""
CODE = '''"""The toy."""


def height():
    """How high it is. Spec: CAPC-TOY-001 to CAPC-TOY-002."""

    return 2
'''
TESTS = """import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

@pytest.mark.req("CAPC-TOY-001")
@pytest.mark.parametrize("toy", range(6))
def test_low(toy):
    with (ROOT / "ran.txt").open("a") as ran:
        ran.write("low ")
    assert 2 < 3, "the toy is <b>high</b>"

@pytest.mark.req("CAPC-TOY-002", kind="enumeration")
def test_each():
    while (ROOT / "wait.txt").exists():
        time.sleep(0.05)

@pytest.mark.slow
@pytest.mark.req("CAPC-TOY-003")
@pytest.mark.parametrize("push", "ab")
def test_push(push): pass
"""
NODES = {
    **{f"tests/toy/test_toy.py::test_low[{n}]": {"CAPC-TOY-001": "test"} for n in range(6)},
    "tests/toy/test_toy.py::test_each": {"CAPC-TOY-002": "enumeration"},
    **{f"tests/toy/test_toy.py::test_push[{push}]": {"CAPC-TOY-003": "test"} for push in "ab"},
}


class ToyCheckout:
    """Its files, which a test may change."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def made(cls, root: Path) -> ToyCheckout:
        """A new one, committed, whose statements are traced and confirmed."""
        toy = cls(root)
        toy.write("spec/90-security-claims.md", CLAIMS)
        toy.write("spec/01-toy.md", STATEMENTS)
        toy.write("docs/questions.md", QUESTIONS)
        toy.write("reference/toy/toy.py", CODE)
        toy.write("tests/toy/test_toy.py", TESTS)
        toy.write("tests/conftest.py", 'pytest_plugins = ["capc_verify.pytest_plugin"]\n')
        toy.write("pytest.ini", "[pytest]\naddopts = --import-mode=importlib -p no:cacheprovider\n")
        toy.write(".gitignore", ".trace/\n__pycache__/\nbuild/\n*.txt\n")
        toy.write(".trace/results.json", json.dumps(NODES))
        trace(["--root", str(root), "confirm", "--all"])
        trace(["--root", str(root), "report"])
        for command in (
            ["init", "-q"],
            ["add", "."],
            ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m"],
        ):
            subprocess.run(["git", *command], cwd=root, check=True)
        return toy

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        assert old in self.read(name)
        self.write(name, self.read(name).replace(old, new))


@dataclass(frozen=True)
class Audited:
    """A toy, its report, and the key that signed it."""

    toy: ToyCheckout
    report: Path
    key: Path

    def document(self) -> Any:
        return json.loads(self.report.read_text("utf-8"))

    def page(self) -> str:
        return self.report.with_suffix(".html").read_text("utf-8")

    def verify(self, *arguments: str) -> int:
        return cli.run(["verify", *arguments, "--root", str(self.toy.root)])

    def check(self) -> int:
        return self.verify("check", str(self.report), "--key", f"{self.key}.pub")
