"""Random schedules: processes with several handles on one ledger, which come, charge, look, and go or are killed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from capc.foundation.errors import BudgetExhaustedError
from capc.privacy.ledger import Ledger, Terms, check_proof, load_known_head, open_ledger, save_known_head
from privacy.ledger.cases import INPUTS, Tap, message_of
from privacy.ledger.guardians import Steps, ended, forked

MOST_HANDLES = 3
T = TypeVar("T")


class Chance:
    """What a seed decides."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def number(self, least: int, most: int) -> int:
        return int(self._generator.integers(least, most + 1))

    def one_of(self, things: Sequence[T], weights: Sequence[int] | None = None) -> T:
        shares = None if weights is None else np.array(weights) / sum(weights)
        return things[int(self._generator.choice(len(things), p=shares))]

    def happens(self, probability: float) -> bool:
        return self.part() < probability

    def part(self) -> float:
        return float(self._generator.random())


def make_paths(folder: Path) -> list[Path]:
    """Names of one file: its own, a symbolic link, one through a linked folder, and one with a detour."""
    data = folder / "data"
    data.mkdir()
    (folder / "link").symlink_to(data / "ledger")
    (folder / "elsewhere").symlink_to(data)
    return [data / "ledger", folder / "link", folder / "elsewhere" / "ledger", data / ".." / "data" / "ledger"]


@dataclass
class Outcome:
    """What the processes of a schedule told.

    Attributes:
        left: session tag and query of each message that left.
        complaints: errors that no honest process may see.
        killed: how many processes were killed.
    """

    left: list[tuple[bytes, int]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    killed: int = 0


def play(folder: Path, terms: Terms, seed: int) -> Outcome:
    """Plays one schedule to its end.

    Args:
        folder: an empty one.
        terms: of the ledger.
        seed: of everything but the order in which the system runs the processes.
    """
    chance, paths, outcome = Chance(seed), make_paths(folder), Outcome()
    pipe, end = os.pipe()
    workers = []
    for number in range(chance.number(2, 4)):
        workers.append(forked(Worker(folder, paths, terms, (seed << 8) + number, end).live))
    os.close(end)
    if chance.happens(0.4):
        time.sleep(chance.part() * 0.05)
        os.kill(chance.one_of(workers), signal.SIGKILL)
    told = b""
    while chunk := os.read(pipe, 1 << 16):
        told += chunk
    os.close(pipe)
    for pid in workers:
        code = ended(pid)
        outcome.killed += code == -signal.SIGKILL
        if code not in (0, -signal.SIGKILL):
            outcome.complaints.append(f"a worker ended with {code}")
    for line in told.splitlines():
        kind, *rest = json.loads(line)
        if kind == "left":
            outcome.left.append((bytes.fromhex(rest[0]), rest[1]))
        else:
            outcome.complaints.append(rest[0])
    return outcome


class Worker:
    """A process of a schedule."""

    def __init__(self, folder: Path, paths: list[Path], terms: Terms, seed: int, end: int) -> None:
        self.chance = Chance(seed)
        self.folder, self.paths, self.terms, self.end = folder, paths, terms, end
        self.tag = seed.to_bytes(32, "big")
        self.queries = 0
        self.handles: list[Ledger] = []
        self.steps = Steps(self.chance.number(0, 120) if self.chance.happens(0.4) else None)

    def live(self) -> None:
        """Does everything."""
        acts = [self._open, self._close, self._charge, self._batch, self._visitor, self._backup]
        try:
            self._open()
            for _ in range(self.chance.number(3, 8)):
                self.chance.one_of(acts, weights=[3, 2, 5, 3, 2, 2])()
        except BaseException as error:  # noqa: BLE001 - told to the parent
            self._tell("complaint", f"{type(error).__name__}: {error}")

    def _open(self) -> None:
        if len(self.handles) < MOST_HANDLES:
            self.handles.append(
                open_ledger(
                    self.chance.one_of(self.paths),
                    self.terms,
                    key_file=self.folder / "key",
                    connector=lambda file: Tap(file, self.steps.next),
                )
            )

    def _close(self) -> None:
        if len(self.handles) > 1:
            self.handles.pop(self.chance.number(0, len(self.handles) - 1)).close()

    def _charge(self) -> int | None:
        """One query, whose message leaves; None if the budget is spent."""
        ledger, query = self.chance.one_of(self.handles), self.queries
        self.queries += 1
        try:
            receipt = ledger.reserve(self.tag, query, INPUTS)
        except BudgetExhaustedError:
            return None
        # Any handle may go on.
        self.chance.one_of(self.handles).dispatch(receipt, message_of(query))
        self.steps.next()
        self._tell("left", self.tag.hex(), query)
        self.steps.next()
        return query

    def _batch(self) -> None:
        """A party's two looks around a few queries."""
        heads = self.folder / f"party_{self.chance.number(1, 2)}.json"
        self._look(heads, [])
        charged = [query for query in (self._charge() for _ in range(self.chance.number(1, 2))) if query is not None]
        self._look(heads, charged)

    def _look(self, file: Path, queries: list[int]) -> None:
        seen, charged = load_known_head(file), [(self.tag, query) for query in queries]
        proof = self.chance.one_of(self.handles).proof(0 if seen is None else seen.head.size, charged)
        self.steps.next()
        save_known_head(check_proof(seen, proof, self.terms, charged), file)

    def _visitor(self) -> None:
        """Another process opens and closes the ledger; it is forked while handles are open here."""
        path = self.chance.one_of(self.paths)
        if ended(forked(lambda: open_ledger(path, self.terms, key_file=self.folder / "key").close())):
            self._tell("complaint", "a visitor was refused")

    def _backup(self) -> None:
        """Somebody in this process reads the file beside SQLite, which drops SQLite's locks."""
        self.chance.one_of(self.paths).read_bytes()

    def _tell(self, *what: object) -> None:
        os.write(self.end, json.dumps(what).encode() + b"\n")
