"""The shipped ledger with toy noise, in memory, and answering parties that look at it. Played from its first record."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Never, cast

from capc.foundation.parties import Party
from capc.foundation.primitives import signing_public_key
from capc.foundation.randomness import Seed
from capc.privacy.ledger import KnownHead, Ledger, Proof, Terms, check_proof
from capc.privacy.ledger.chain import digest_of, first_head
from capc.privacy.ledger.records import SALT_BYTES, Opening, opening_body
from capc.privacy.storage.connections import Connection
from capc.privacy.storage.store import Row, Store
from capc.session.parameters import Charge
from capc_verify.views.collection import Note
from capc_verify.views.toy import ToyParameters, toy_mechanisms

_KEY = Seed(bytes(32))
_OTHER_TAG = b"\xff" * 32
"""Of a session in which nobody of the enumerated one takes part."""


class MemoryStore(Store):
    """Takes the place of a file: the records of a ledger, which nobody else writes."""

    def __init__(self) -> None:
        nothing = cast("Connection", None)
        super().__init__(Path("enumeration.ledger"), nothing, (0, 0))
        self._rows: list[Row] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Nobody waits."""
        yield

    def check_in_place(self) -> None:
        """It is in its place."""

    def append(self, position: int, row: Row) -> None:
        """Adds a record at the end."""
        self._rows[position:] = [row]

    def rows(self, start: int = 0) -> Iterator[Row]:
        """The records from this position on."""
        yield from self._rows[start:]

    def checkpoints(self) -> Iterator[Never]:
        """None: a play is short."""
        return iter(())

    def close(self) -> None:
        """Nothing is open."""


class ToyLedger(Ledger):
    """A ledger whose noise is the toy's.

    Args:
        parameters: of the session.
        budget: in the unit of the policy's costs.
    """

    def __init__(self, parameters: ToyParameters, budget: Fraction) -> None:
        release, grid_bits = parameters.release, parameters.widths.grid_bits
        self.agreed = Terms("privacy_guardian", "enumeration", release, grid_bits, budget)
        self._toy_mechanisms = toy_mechanisms(parameters)
        self.begin(())

    def begin(self, before: Sequence[bool]) -> None:
        """Begins anew, with the queries of another session: whether each was answered."""
        body = opening_body(Opening(self.agreed, signing_public_key(_KEY)), secrets.token_bytes(SALT_BYTES))
        head, store = first_head(digest_of(body)), MemoryStore()
        store.append(0, Row(body, head.link, head.sign(_KEY), None))
        super().__init__(store, _KEY)
        self.mechanisms = self._toy_mechanisms
        for query, answered in enumerate(before, start=1):
            receipt = self.reserve(_OTHER_TAG, query, bytes([query, answered]) * 16)
            self.dispatch(receipt, bytes([query, answered]))
            if self.policy.charge is Charge.REALISED:
                self.settle(receipt, answered)


class Watcher:
    """An answering party that looks at the ledger, as `capc run --ledger` does, and notes what it is shown.

    Args:
        party: who looks.
        ledger: at what.
        note: told of every proof.
    """

    def __init__(self, party: Party, ledger: ToyLedger, note: Note) -> None:
        self._party = party
        self._ledger = ledger
        self._note = note
        self._seen: KnownHead | None = None

    def look(self, charged: Sequence[tuple[bytes, int]]) -> None:
        """Asks for the records added since the last look, and for the charges of these queries."""
        size = 0 if self._seen is None else self._seen.head.size
        message = self._ledger.proof(size, charged)
        self._seen = check_proof(self._seen, message, self._ledger.agreed, charged)
        self._note(self._party, Proof.from_bytes(message))
