"""The account that a log tells: replayed record by record, under the rules of every account (CAPC-LEDG-008).

Spec: CAPC-LEDG-028.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.privacy.account import Account
from capc.privacy.events import Dispatch, Entry, Receipt, Reservation, Settlement
from capc.privacy.ledger.chain import Head, digest_of, first_head
from capc.privacy.ledger.checkpoints import (
    ENTRY_BYTES,
    START,
    Checkpoint,
    entries_of,
    entry_bytes,
    is_due,
    next_state,
    read_signed,
)
from capc.privacy.ledger.records import (
    BLINDING_BYTES,
    CHARGED,
    DISPATCHED,
    OPENING_BYTES,
    UNBLINDED,
    QueryRecord,
    commitment_of,
    read_opening,
    read_query_record,
)
from capc.privacy.ledger.terms import Terms
from capc.privacy.storage.errors import LedgerError
from capc.privacy.storage.store import Row, SignedCheckpoint


class LedgerLog(Account):
    """An account that only reads. What it says follows from the records alone.

    Args:
        first: the first record.

    Raises:
        LedgerError: the record does not open a ledger, or its link or signature is wrong.

    Spec: CAPC-LEDG-003, CAPC-LEDG-004, CAPC-LEDG-008.
    """

    def __init__(self, first: Row) -> None:
        opening = read_opening(first.body)
        super().__init__(opening.terms.policy, opening.terms.grid_bits, opening.terms.budget)
        self.terms: Terms = opening.terms
        self.public_key: bytes = opening.public_key
        self._head = self._checked(first_head(digest_of(first.body)), first)
        self._positions: dict[tuple[str, bytes, int], int] = {}
        self._checkpoints: list[Checkpoint] = []
        self._entries = bytearray()

    @property
    def head(self) -> Head:
        """Up to which record this account has read."""
        self._refresh()
        return self._head

    def extend(self, rows: Iterable[Row]) -> None:
        """Reads the records that follow.

        Raises:
            LedgerError: one does not follow, is not signed by the owner, or breaks a rule of the account. Those
                before it were read.
        """
        for row in rows:
            head, record, entry = self._read(row)
            self._apply(entry)
            self._positions[record.kind, record.session_tag, record.query] = self._head.size
            self._head = head
            self._entries += entry_bytes(record.kind, entry)
            if is_due(head.size):
                state = self._checkpoints[-1].state if self._checkpoints else START
                self._checkpoints.append(self.checkpoint_after(state))
                self._entries.clear()

    def checkpoint_after(self, state: bytes) -> Checkpoint:
        """What the records since the last checkpoint say.

        Args:
            state: of the last checkpoint.
        """
        entries = bytes(self._entries)
        return Checkpoint(self._head, next_state(state, entries), entries)

    def check_kept(self, kept: Sequence[SignedCheckpoint]) -> None:
        """Holds all checkpoints against the records that were replayed (CAPC-LEDG-020).

        Args:
            kept: as they were before the records were read.

        Raises:
            LedgerError: one of them says something else than the records, is of records that are not there, or is not
                signed by the owner.
        """
        own = {each.head.size: each for each in self._checkpoints}
        for each in kept:
            found = own.get(each.size)
            if found is None and each.size > self._head.size:
                raise LedgerError(
                    f"a checkpoint of the ledger is of {each.size} records, and there are {self._head.size}: it was "
                    "rolled back, or the checkpoint is not its owner's"
                )
            if found is None or (each.link, each.entries) != (found.head.link, found.entries):
                raise LedgerError(f"the ledger's checkpoint of {each.size} records does not say what the records say")
            if not found.is_signed(self.public_key, each.signature):
                raise LedgerError(f"the ledger's checkpoint of {each.size} records is not signed by its key")

    def _resume(self, kept: Sequence[SignedCheckpoint], last: Row | None) -> bool:
        """Begins at the last checkpoint instead of the first record; False if somebody else wrote one of them.

        Args:
            kept: all checkpoints.
            last: the last record that they cover, as it lies in the log; None if it is not there.

        Raises:
            LedgerError: the owner signed another history than the one that is there, or a longer one.
        """
        read = read_signed(kept, self._head.identity, self.public_key)
        if read is None:
            return False
        size = read[-1].head.size
        if last is None:
            raise LedgerError(
                f"the ledger was rolled back: its owner signed a checkpoint of {size} records, and there are fewer: "
                "put the whole file back"
            )
        if last.link != read[-1].head.link:
            raise LedgerError(f"the ledger was forked: its owner signed a checkpoint of {size} other records")
        like = Receipt(b"", 0, b"", self.cost.worst_case, self.cost.unit)
        for each in read:
            first = each.head.size - len(each.entries) // ENTRY_BYTES
            self._apply_all(self._placed(entries_of(each, self._receipts, like), first))
        self._checkpoints, self._head = read, read[-1].head
        return True

    def _placed(self, entries: Iterable[tuple[str, Entry]], first: int) -> Iterator[Entry]:
        """These entries, whose positions are noted as they pass."""
        for position, (kind, entry) in enumerate(entries, start=first):
            self._positions[kind, entry.receipt.session_tag, entry.receipt.query] = position
            yield entry

    def _read(self, row: Row) -> tuple[Head, QueryRecord, Entry]:
        """What the next record says, and the head that it makes, if it keeps the rules. It changes nothing."""
        head = self._checked(self._head.extended(digest_of(row.body)), row)
        try:
            record = read_query_record(row.body)
            entry = self._allowed_entry(record, row.message)
        except (InputError, BudgetExhaustedError) as error:
            raise self._flaw(head, str(error)) from None
        if record.body(self.cost) != row.body:
            raise self._flaw(head, "its fields are not those that the policy gives it")
        return head, record, entry

    def _allowed_entry(self, record: QueryRecord, beside: bytes | None) -> Entry:
        """What the record says, if its account allows it and what is kept beside the body belongs to it."""
        tag, query = record.session_tag, record.query
        if record.kind == CHARGED:
            if beside is None or len(beside) != OPENING_BYTES or commitment_of(beside) != record.digest:
                raise LedgerError("the opening beside it is not that of its commitment")
            return Reservation(self._admit(tag, query, beside[BLINDING_BYTES:]))
        if record.kind == DISPATCHED:
            receipt = self._receipt(record)
            if beside is None or digest_of(beside) != record.digest:
                raise LedgerError("its message is not the one that was recorded")
            if not self._check_dispatch(receipt, record.digest):
                raise LedgerError("its message was recorded before")
            return Dispatch(receipt, record.digest)
        if beside is not None:
            raise LedgerError("beside a record of its kind there is nothing")
        if record.kind == UNBLINDED:
            return Reservation(self._admit(tag, query, record.digest))
        settled = Settlement(self._receipt(record), record.answered)
        self._check_settlement(settled.receipt)
        return settled

    def _receipt(self, record: QueryRecord) -> Receipt:
        receipt = self._receipts.get((record.session_tag, record.query))
        if receipt is None:
            raise LedgerError(f"its query {record.query} was never reserved")
        return receipt

    def _checked(self, head: Head, row: Row) -> Head:
        if row.link != head.link:
            raise self._flaw(head, "its link does not follow from its body and the record before it")
        if not head.is_signed(self.public_key, row.signature):
            raise self._flaw(head, "it is not signed by the ledger's key")
        return head

    def _flaw(self, head: Head, what: str) -> LedgerError:
        return LedgerError(f"record {head.size - 1} of the ledger was edited, or is not of this ledger: {what}")

    def _turn(self) -> AbstractContextManager[object]:
        raise LedgerError("this ledger was opened for reading: open it with its signing key to charge it")


def replay(rows: Iterable[Row]) -> LedgerLog:
    """The account of a whole log.

    Raises:
        LedgerError: there is no record, or one of them is wrong.
    """
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        raise LedgerError("the ledger holds no record: it was never created, or it was truncated to nothing")
    log = LedgerLog(first)
    log.extend(remaining)
    return log
