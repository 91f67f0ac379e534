"""Who saw what: wrappers that note every message received, and everything an ideal functionality gives to a party.

Nothing here is re-derived from inputs: what is not noted was not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from capc.costs import Step
from capc.ideal_two_party import IdealTwoParty
from capc.linear import IdealLinear
from capc.operators import Operator
from capc.parties import QUERYING_PARTY, Party
from capc.two_party import Chosen, Evaluation, OutputCheck, accept_any

Note = Callable[[Party, Hashable], None]


class Notebook:
    """What each party saw since the last :meth:`clear`, in order. It is also the protocol's observer."""

    def __init__(self) -> None:
        self._seen: list[tuple[Party, Hashable]] = []

    def clear(self) -> None:
        """Forgets everything."""
        self._seen.clear()

    def note(self, party: Party, what: Hashable) -> None:
        """The party saw something."""
        self._seen.append((party, what))

    def message(self, step: Step, sender: Party, receiver: Party, message: bytes) -> None:
        """The receiver saw the whole message, header included."""
        self._seen.append((receiver, (step, sender, message)))

    def seen_by(self, coalition: frozenset[Party]) -> tuple[Hashable, ...]:
        """Everything that its members saw."""
        return tuple(entry for entry in self._seen if entry[0] in coalition)


@dataclass
class NotedLinear(IdealLinear):
    """F_linear, which notes what it gives to the querying party. The answering party is given nothing."""

    note: Note = field(kw_only=True)

    def decrypt(self, secret_key: object, operator: Operator, count: int, response: bytes) -> list[list[int]]:
        """As the base class; the results are part of the querying party's view."""
        results = super().decrypt(secret_key, operator, count, response)
        self.note(QUERYING_PARTY, ("decrypted", tuple(map(tuple, results))))
        return results

    def forget(self) -> None:
        """Drops all values, so that handles begin at 0 again."""
        self._entries.clear()


@dataclass
class NotedTwoParty(IdealTwoParty):
    """F_2PC, which notes what it gives to the evaluator, the querying party.

    The garbler is given its shares: they are draws of its own step, and count as its randomness.
    """

    note: Note = field(kw_only=True)

    def evaluate(self, chosen: Chosen, payload: bytes, check: OutputCheck = accept_any) -> Evaluation:
        """As the base class; all outputs, also unused ones, are part of the querying party's view."""
        evaluation = super().evaluate(chosen, payload, check)
        self.note(QUERYING_PARTY, ("evaluated", chosen.circuit.name, tuple(map(tuple, evaluation.outputs))))
        return evaluation

    def forget(self) -> None:
        """Drops all batches, so that handles begin at 0 again."""
        self._batches.clear()
