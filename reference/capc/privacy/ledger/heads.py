"""What an answering party keeps of a ledger between its looks at it: the last head that it accepted, in a file.

Several runs of one party may share the file. Saving takes turns, and merges what the others kept meanwhile: the larger
head stays, whichever was saved last, and only if one of the two heads extends the other. So a smaller head never
replaces a larger one, and the owner cannot show one history to one run and another history to the next (CAPC-LEDG-022).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from capc.privacy.ledger.chain import HASH_BYTES, Head
from capc.privacy.ledger.terms import Terms
from capc.privacy.storage import disk
from capc.privacy.storage.errors import LedgerError
from capc.privacy.storage.file_lock import FileLock
from capc.session.parameters import canonical_json

MAX_BEGAN = 64
"""How many runs of one party may be between their two looks at once; of more, the oldest is forgotten."""
MAX_TRAIL = 256
"""How many links before the last head are kept: of runs that look at once, one may be that many records behind."""


@dataclass(frozen=True)
class KnownHead:
    """What an answering party keeps of a ledger. Nothing here is secret; losing it loses the protection.

    Attributes:
        head: the last one that it accepted.
        public_key: the owner's, from the first record.
        terms: owner, data set and policy, from the first record.
        began: how many records there were when each run began that has not asked for its charges yet, ascending.
        trail: the links of the records before the head's, at most 256, the last one last.
        known: heads that this one extends, in memory only: the one that was loaded, and those accepted since.
        looks: what each look since then did to :attr:`began`, in memory only: the size at which it began a run, and
            None; or None, and the position of the oldest charge that it asked for.
    """

    head: Head
    public_key: bytes
    terms: Terms
    began: tuple[int, ...] = ()
    trail: tuple[bytes, ...] = field(default=(), repr=False)
    known: tuple[Head, ...] = field(default=(), repr=False, compare=False)
    looks: tuple[tuple[int | None, int | None], ...] = field(default=(), repr=False, compare=False)

    def after(self, links: Sequence[bytes], oldest_charge: int | None) -> KnownHead:
        """What is kept after a look.

        Args:
            links: of the records after the head.
            oldest_charge: the position of the oldest charge that was asked for; None begins a run.
        """
        head, trail = self.head, self.trail
        if links:
            chain = (*trail, *([head.link] if head.size else []), *links)
            head, trail = Head(head.identity, head.size + len(links), links[-1]), chain[-1 - MAX_TRAIL : -1]
        look = (head.size if oldest_charge is None else None, oldest_charge)
        return replace(
            self,
            head=head,
            began=_after_look(self.began, *look),
            trail=trail,
            known=(*self.known, self.head)[-MAX_TRAIL:],
            looks=(*self.looks, look),
        )

    def link_at(self, size: int) -> bytes | None:
        """The link of the head with this many records, if it is still known."""
        for head in (self.head, *self.known):
            if head.size == size:
                return head.link
        behind = self.head.size - size
        return self.trail[-behind] if 0 < behind <= len(self.trail) else None


def load_known_head(file: Path) -> KnownHead | None:
    """What :func:`save_known_head` kept; None if there is no such file.

    Raises:
        LedgerError: the file holds something else.
    """
    if not file.exists():
        return None
    try:
        fields = json.loads(file.read_text(encoding="ascii"))
        head = Head(_digest(fields["identity"]), _size(fields["size"], 1 << 63), _digest(fields["link"]))
        # An earlier version did not keep these two.
        began = tuple(_size(size, head.size) for size in fields.get("began", [])[:MAX_BEGAN])
        trail = tuple(_digest(link) for link in fields.get("trail", [])[:MAX_TRAIL])
        if len(trail) >= head.size:
            raise ValueError
        terms = Terms.from_document(fields["terms"])
        return KnownHead(head, _digest(fields["public_key"]), terms, began, trail, (head,))
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise LedgerError(f"{file}: not a head that an answering party kept ({type(error).__name__})") from None


def save_known_head(seen: KnownHead, file: Path) -> KnownHead:
    """Keeps what was seen, durably, beside what other runs of the party kept meanwhile: call it before taking part.

    Returns:
        What is in the file now: go on with this, or load it again.

    Raises:
        LedgerError: the file is of another ledger; the ledger's owner showed another history to another run; or
            the disk refused: then the old head is still there.
    """
    path = file.resolve()
    try:
        with closing(FileLock(path)) as gate, gate.turn():
            kept = load_known_head(path)
            merged = seen if kept is None else _merged(kept, seen, file)
            disk.replace(path, _text(merged))
    except OSError as error:
        raise LedgerError(
            f"{file}: the head that was seen cannot be kept ({error.strerror}): make room, or mend the folder; the "
            "ledger and the head that is there stay as they are"
        ) from None
    return replace(merged, known=(merged.head,), looks=())


def _merged(kept: KnownHead, seen: KnownHead, file: Path) -> KnownHead:
    if kept.head.identity != seen.head.identity:
        raise LedgerError(
            f"{file}: holds the head of another ledger: name another file, or look into why there is another"
        )
    later, earlier = (seen, kept) if seen.head.size >= kept.head.size else (kept, seen)
    link = later.link_at(earlier.head.size)
    if link is None:
        raise LedgerError(
            f"{file}: while this run looked, another one kept a head more than {MAX_TRAIL} records away: look again"
        )
    if link != earlier.head.link:
        raise LedgerError(
            "the ledger was forked: its owner showed one history to this run, and another to another run of the party"
        )
    # What others began and ended meanwhile stays.
    began = kept.began
    for look in seen.looks:
        began = _after_look(began, *look)
    return replace(later, began=began)


def _after_look(began: tuple[int, ...], begins: int | None, oldest_charge: int | None) -> tuple[int, ...]:
    """Who has begun and not asked yet, after one look.

    A run that asks ends the one that began last before its charge. It may have been another one; then that one finds
    the beginning of this run in its place, which is not later.
    """
    left = [*began]
    if begins is not None:
        left.append(begins)
    elif mine := [size for size in left if oldest_charge is not None and size <= oldest_charge]:
        left.remove(max(mine))
    return tuple(sorted(left)[-MAX_BEGAN:])


def _text(seen: KnownHead) -> str:
    head = seen.head
    fields = {
        "identity": head.identity.hex(),
        "size": head.size,
        "link": head.link.hex(),
        "public_key": seen.public_key.hex(),
        "terms": seen.terms.document(),
        "began": list(seen.began),
        "trail": [link.hex() for link in seen.trail],
    }
    return canonical_json(fields).decode("ascii") + "\n"


def _size(value: Any, most: int) -> int:  # noqa: ANN401 - from JSON
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError
    return value


def _digest(value: Any) -> bytes:  # noqa: ANN401 - from JSON
    digest = bytes.fromhex(value)
    if len(digest) != HASH_BYTES:
        raise ValueError
    return digest
