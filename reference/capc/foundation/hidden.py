"""The representation of what holds secrets: no error, log or debugger shows more than its type (CAPC-ROLE-013)."""

from __future__ import annotations


def type_only(self: object) -> str:
    """For a class whose generated representation would show fields: ``__repr__ = type_only``."""
    return f"<{type(self).__name__}>"
