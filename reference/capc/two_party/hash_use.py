"""What garblers hashed under how many keys, for the concrete bound of a run (CAPC-GC-011)."""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple


class HashUse(NamedTuple):
    """What was hashed under how many keys.

    Attributes:
        keys: how many were used.
        rows: hashed under all of them.
        most: rows under the one that hashed most.
        squares: the sum over all keys of the square of its rows.
    """

    keys: int = 0
    rows: int = 0
    most: int = 0
    squares: int = 0

    def with_key(self, rows: int) -> HashUse:
        """The same and one more key, of these rows."""
        return self.joined(HashUse(1, rows, rows, rows * rows))

    def joined(self, other: HashUse) -> HashUse:
        """Both together, which have no key in common."""
        most = max(self.most, other.most)
        return HashUse(self.keys + other.keys, self.rows + other.rows, most, self.squares + other.squares)


_ADDING = Lock()


class HashTally:
    """Adds up what garblers hashed; several threads may."""

    def __init__(self) -> None:
        self._use = HashUse()

    def add(self, use: HashUse) -> None:
        """One more batch."""
        with _ADDING:
            self._use = self._use.joined(use)

    @property
    def use(self) -> HashUse:
        """All batches so far."""
        return self._use
