"""What a run on MP-SPDZ can fail with, besides a caller's mistakes."""

from __future__ import annotations

from collections.abc import Iterable

from capc.foundation.errors import CapcError

_SHOWN_LINES = 12
_TELLING = ("error", "exception", "terminate", "what()", "insecure", "abort", "killed", "require", "invalid", "cannot")


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
    """Lines that name a fault, or the last ones if none does."""
    said = [line.strip() for line in lines if line.strip()]
    telling = [line for line in said if any(word in line.lower() for word in _TELLING)]
    return (telling or said)[-_SHOWN_LINES:]
