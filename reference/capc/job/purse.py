"""The rows of the pool that a run may ask about, and the labels of them that earlier runs bought.

Spec: CAPC-RUN-016, CAPC-RUN-019, CAPC-RUN-020, CAPC-RUN-009.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from capc.foundation.parties import organisation
from capc.job.config import JobConfig, plain
from capc.job.keeping.journal import Journal
from capc.job.options import flag
from capc.learning.data import Dataset, Indices
from capc.learning.partition import Division, Split

HELD_OUT = "the held-out rows"


class Purse:
    """Rows that can still be asked, and labels that need not be bought again.

    Rows with the same features are one row: one of them is asked.

    Args:
        dataset: all rows.
        split: who holds which.
        config: the run's options.
        party: whose purse it is.
        journal: of earlier runs; None for a run that has none.
        charged: whether the ledger has charges already.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split,
        config: JobConfig,
        party: int,
        journal: Journal | None,
        *,
        charged: bool = False,
    ) -> None:
        self._dataset = dataset
        self._pool = split.pools[party]
        self._config = config
        self._journal = journal
        self.bought: dict[int, int] = {}
        """The label of each row that an earlier run bought, as a class index."""
        self.is_new = charged and journal is not None and not journal.rows()
        """Whether the ledger has charges and the journal none of their rows: another party's, or it was lost."""
        self._asked: set[bytes] = set()
        if journal is not None:
            journal.keep_roles(_roles(dataset, split), _same_split(config))
            self._recall(journal)

    @property
    def asked_before(self) -> int:
        """How many rows of the pool earlier runs asked about."""
        return len(self._asked)

    def free(self) -> Indices:
        """The rows of the pool that may be asked.

        Raises:
            InputError: they are fewer than the run is to ask.
        """
        rows = self._pool
        if not self._config.ask_again:
            seen = set(self._asked)
            rows = np.array([row for row in rows.tolist() if self._is_new(row, seen)], dtype=np.int64)
        if len(rows) < self._config.queries:
            raise self._config.refusal(
                "queries",
                f"of the pool's {len(self._pool)} rows, {len(rows)} were not asked before: choose at most {len(rows)}, "
                f"or {flag('ask_again')} yes to pay for others again",
            )
        return rows

    def take(self, rows: Sequence[int]) -> list[int]:
        """Which of these rows may be asked now; they are written down when this returns."""
        if self._journal is None:
            return list(rows)
        admitted = self._journal.ask(self._digests(rows), again=self._config.ask_again)
        return [row for row, fits in zip(rows, admitted, strict=True) if fits]

    def take_back(self, rows: Sequence[int]) -> None:
        """Rows that were not asked after all."""
        if self._journal is not None and rows:
            self._journal.take_back(self._digests(rows))

    def settle(self, released: Iterable[tuple[int, int | None]]) -> None:
        """Writes down the class index of each row that was released, or None; then it may be used."""
        if self._journal is not None:
            classes = self._dataset.classes
            self._journal.settle(
                {self._dataset.digests[row]: None if label is None else classes[label] for row, label in released}
            )

    def _digests(self, rows: Sequence[int]) -> list[bytes]:
        return [self._dataset.digests[row] for row in rows]

    def _is_new(self, row: int, seen: set[bytes]) -> bool:
        digest = self._dataset.digests[row]
        new = digest not in seen
        seen.add(digest)
        return new

    def _recall(self, journal: Journal) -> None:
        known = journal.rows()
        indices: Mapping[int, int] = {label: index for index, label in enumerate(self._dataset.classes)}
        for row in self._pool.tolist():
            digest = self._dataset.digests[row]
            entry = known.get(journal.digest(digest))
            if entry is None or digest in self._asked:
                continue
            self._asked.add(digest)
            if entry.label is not None and entry.label in indices:
                self.bought[row] = indices[entry.label]


def _roles(dataset: Dataset, split: Split) -> dict[str, list[bytes]]:
    held = {HELD_OUT: split.test}
    for number, rows in enumerate(split.parties):
        own = [rows, split.pools[number]] if number < len(split.pools) else [rows]
        held[organisation(number)] = np.concatenate(own)
    return {role: [dataset.digests[row] for row in rows.tolist()] for role, rows in held.items()}


def _same_split(config: JobConfig) -> str:
    always = ("seed", "parties", "partition")
    names = [*always, *(name for name in _DIVIDES if name in config.places and name not in always)]
    given = ", ".join(f"{name} = {plain(getattr(config, name))} ({config.place(name)})" for name in names)
    return (
        f"{given} and the data divide the rows anew: give those of the ledger's first run, only rows that no run has "
        "seen, or another ledger"
    )


_DIVIDES = ("seed", "parties", *(name for name in Division.__dataclass_fields__ if name != "parties"))
