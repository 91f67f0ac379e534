"""Accounts that survive crashes: one append-only, hash-chained and signed log for each protected data set.

:func:`open_ledger` gives an account that is used like :class:`capc.accounting.Account`. :func:`check_proof` is what an
answering party runs before it takes part. Spec: spec/09-ledger.md; how to use it: docs/ledger.md.
"""

from capc.ledger.allowances import KeptAllowance, allowance_file, most_models
from capc.ledger.errors import LedgerError
from capc.ledger.heads import Seen, load_seen, save_seen
from capc.ledger.keys import default_key_file
from capc.ledger.ledger import Ledger, open_ledger, reading
from capc.ledger.log import LedgerLog, replay
from capc.ledger.terms import Terms
from capc.ledger.watch import Proof, check_proof

__all__ = [
    "KeptAllowance",
    "Ledger",
    "LedgerError",
    "LedgerLog",
    "Proof",
    "Seen",
    "Terms",
    "allowance_file",
    "check_proof",
    "default_key_file",
    "load_seen",
    "most_models",
    "open_ledger",
    "reading",
    "replay",
    "save_seen",
]
