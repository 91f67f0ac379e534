"""Accounts that survive crashes: one append-only, hash-chained and signed log for each protected data set.

:func:`open_ledger` gives an account that is used like :class:`capc.privacy.account.Account`. :func:`check_proof` is
what an answering party runs before it takes part. Spec: spec/09-ledger.md; how to use it: docs/ledger.md.
"""

from capc.privacy.ledger.heads import KnownHead, load_known_head, save_known_head
from capc.privacy.ledger.keys import default_key_file
from capc.privacy.ledger.ledger import Ledger, kept_terms, open_ledger, reading
from capc.privacy.ledger.log import LedgerLog, replay
from capc.privacy.ledger.terms import Terms
from capc.privacy.ledger.watch import Proof, check_proof
from capc.privacy.storage.errors import LedgerError

__all__ = [
    "KnownHead",
    "Ledger",
    "LedgerError",
    "LedgerLog",
    "Proof",
    "Terms",
    "check_proof",
    "default_key_file",
    "kept_terms",
    "load_known_head",
    "open_ledger",
    "reading",
    "replay",
    "save_known_head",
]
