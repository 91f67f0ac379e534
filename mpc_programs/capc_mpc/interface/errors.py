"""What a run on MP-SPDZ can fail with, besides a caller's mistakes."""

from __future__ import annotations

from collections.abc import Iterable

from capc.foundation.errors import CapcError

_SHOWN_LINES, _SHOWN_CHARACTERS = 6, 200
_TELLING = (
    "error",
    "exception",
    "terminate",
    "what()",
    "insecure",
    "abort",
    "killed",
    "require",
    "invalid",
    "cannot",
    "timed out",
    "failed",
    "missing",
)
"""Words of lines that name a fault."""
_BANNER = (
    "truncation error probability",
    "trying to run",
    "using ",
    "compiler:",
    "signature (",
    "see also",
    "the certificates should",
    "the following benchmarks",
    "this is probably because another party",
    "terminate called",
)
"""How lines begin that every run has, or that only lead to the line beside them."""


class MpcError(CapcError):
    """Compiler or virtual machine failed: one line that says where, and the lines of their output that say why.

    A program's inputs, outputs and pads never appear in it: only the error stream is quoted.

    Attributes:
        lines: the relevant lines of the error stream.
    """

    def __init__(self, where: str, error_stream: str = "") -> None:
        self.lines = tuple(_relevant(error_stream.splitlines()))
        super().__init__(": ".join([where, " | ".join(self.lines)]) if self.lines else where)


def _relevant(lines: Iterable[str]) -> list[str]:
    """Lines that name a fault, or the last ones if none does; those that every run has are neither."""
    said = [line.strip() for line in lines if line.strip()]
    own = [line for line in said if not line.lower().startswith(_BANNER)] or said
    telling = [line for line in own if any(word in line.lower() for word in _TELLING)]
    return [_first_sentence(line) for line in (telling or own)[-_SHOWN_LINES:]]


def _first_sentence(line: str) -> str:
    """A line as it is, or the beginning of a long one."""
    return line if len(line) <= _SHOWN_CHARACTERS else line.partition(". ")[0][:_SHOWN_CHARACTERS]
