"""The list of vectors that a port is known not to pass: what is on it must not pass, what is not on it must.

One entry a line: ``fail`` or ``skip``, then ``FILE::NAME`` of a vector, in which ``*`` and ``?`` stand for any
characters; ``#`` begins a remark. An entry is about every vector that it fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from capc.foundation.errors import InputError
from capc_verify.conformance.verdicts import Verdict

KINDS = ("fail", "skip")


@dataclass(frozen=True)
class Expectation:
    """An entry of the list.

    Attributes:
        kind: ``fail`` or ``skip``.
        pattern: which vectors.
    """

    kind: str
    pattern: str


def read_expectations(path: Path, names: Sequence[str]) -> list[Expectation]:
    """The entries of a list.

    Args:
        path: the file.
        names: all that could be judged.

    Raises:
        InputError: the file cannot be read, a line is no entry, or an entry fits no vector or one of another entry.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--expect {path}: cannot be read ({error})") from None
    found = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or words[0] not in KINDS:
            raise InputError(f"--expect {path}, line {number}: write `fail FILE::NAME` or `skip FILE::NAME`")
        if not any(fnmatchcase(name, words[1]) for name in names):
            raise InputError(f"--expect {path}, line {number}: no vector is called {words[1]!r}")
        found.append(Expectation(*words))
    for name in names:
        if len({entry.kind for entry in found if fnmatchcase(name, entry.pattern)}) > 1:
            raise InputError(f"--expect {path}: {name} is listed both as fail and as skip")
    return found


def with_expectations(verdicts: Sequence[Verdict], expectations: Sequence[Expectation]) -> list[Verdict]:
    """The verdicts, each with what the list says of its vector."""
    return [
        replace(
            verdict,
            listed=next((entry.kind for entry in expectations if fnmatchcase(verdict.name, entry.pattern)), ""),
        )
        for verdict in verdicts
    ]
