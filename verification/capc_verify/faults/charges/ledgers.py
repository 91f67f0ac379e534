"""Faults in what a ledger holds together: its links, its key, its first record, and the proofs that it gives."""

from __future__ import annotations

from pathlib import Path

from capc.foundation.randomness import Seed
from capc.privacy.ledger import Ledger, chain, keys, records, watch
from capc.privacy.ledger.chain import Head
from capc.privacy.ledger.heads import KnownHead
from capc.privacy.ledger.log import LedgerLog
from capc.privacy.ledger.terms import Terms
from capc.privacy.ledger.watch import Proof
from capc.privacy.storage.store import Row
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault


def links_unchecked() -> None:
    """A log is read whatever the links of its records are, as long as each is signed."""

    def checked(self: LedgerLog, head: Head, row: Row) -> Head:  # noqa: ARG001
        return head

    LedgerLog._checked = checked  # type: ignore[method-assign]


def signing_key_for_everybody() -> None:
    """A signing key is made with whatever permissions a file has, and used whoever may read it."""

    def create(file: Path, text: str) -> None:
        file.write_text(text, encoding="ascii")
        file.chmod(0o644)

    def read(file: Path) -> Seed:
        return Seed(bytes.fromhex(file.read_text(encoding="ascii")))

    replace_in(keys, "create_secret", create)
    replace_everywhere(keys.read_key, read)


def heads_of_any_signer() -> None:
    """Whoever keeps a head believes a proof without the owner's signature."""

    def is_signed(self: Head, public_key: bytes, signature: bytes) -> bool:  # noqa: ARG001
        return True

    Head.is_signed = is_signed  # type: ignore[method-assign]


def roll_back_taken() -> None:
    """A proof that does not extend the head that was kept is taken."""

    def links(seen: KnownHead, proof: Proof) -> list[bytes]:
        found = [proof.before]
        for digest in proof.digests:
            found.append(chain.next_link(found[-1], digest))
        return found[max(0, seen.head.size - proof.start) + 1 :]

    replace_everywhere(watch._links, links)


def charges_of_any_cost() -> None:
    """A shown charge is not compared with what the terms say that a query costs."""

    def charge(body: bytes, terms: Terms) -> tuple[bytes, int]:  # noqa: ARG001
        record = records.read_query_record(body)
        return record.session_tag, record.query

    replace_everywhere(watch._charge, charge)


def unused_ledgers_stay() -> None:
    """A call that is refused leaves the ledger that it made."""

    def keep(self: Ledger) -> bool:  # noqa: ARG001
        return False

    Ledger.remove_unused = keep  # type: ignore[method-assign]


_LEDGER = "tests/privacy/ledger/"
_WATCH = _LEDGER + "test_watch.py::test_"

FAULTS = {
    "links_unchecked": Fault(
        links_unchecked, None, (_LEDGER + "test_damage.py::test_right_links_without_the_key_are_refused",)
    ),
    "signing_key_for_everybody": Fault(
        signing_key_for_everybody, None, (_LEDGER + "test_ledger.py::test_a_key_is_made_once_and_never_shown",)
    ),
    "heads_of_any_signer": Fault(
        heads_of_any_signer, None, (_LEDGER + "test_damage.py::test_right_links_without_the_key_are_refused",)
    ),
    "roll_back_taken": Fault(
        roll_back_taken,
        None,
        (
            _WATCH + "a_ledger_that_was_rolled_back_is_refused",
            _WATCH + "a_fork_is_refused_though_it_is_signed_and_longer[0]",
            _LEDGER + "test_heads.py::test_a_beginning_before_the_kept_head_is_the_right_one_or_refused",
        ),
    ),
    "charges_of_any_cost": Fault(
        charges_of_any_cost,
        None,
        (_WATCH + 'a_charge_below_what_a_query_costs_is_refused_though_it_is_signed["answer":"1/2"-"answer":"0"]',),
    ),
    "unused_ledgers_stay": Fault(
        unused_ledgers_stay,
        None,
        (_LEDGER + "test_sharing.py::test_an_unused_ledger_is_removed_and_a_used_one_stays",),
    ),
}
"""These faults, and the tests that must notice them."""
