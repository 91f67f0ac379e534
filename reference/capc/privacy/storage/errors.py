"""The error of this room."""

from __future__ import annotations

from capc.foundation.errors import InputError


class LedgerError(InputError):
    """A ledger that cannot be used: damaged, edited, truncated, rolled back, forked, busy, or not a ledger."""
