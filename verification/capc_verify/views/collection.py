"""Who saw what: wrappers that note every message received, and everything an ideal functionality gives to a party.

Nothing here is re-derived from inputs: what is not noted was not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, fields

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, Party
from capc.linear.ideal import IdealLinear
from capc.models.operators import Operator
from capc.privacy.ledger import Proof
from capc.protocol.costs import Step
from capc.two_party.ideal import IdealTwoParty
from capc.two_party.interface import Evaluation, EvaluatorChoice, OutputCheck, accept_any
from capc_verify.views.symbols import Reader, Symbols

Note = Callable[[Party, Hashable], None]


class Notebook:
    """What each party saw, in order: in the set-up, and since the last :meth:`rewind`. It observes the protocol."""

    def __init__(self) -> None:
        self._seen: list[tuple[Party, Hashable]] = []
        self._kept = 0

    def keep(self) -> None:
        """What was seen so far, in the set-up, is seen in every play."""
        self._kept = len(self._seen)

    def rewind(self) -> None:
        """Forgets everything since the set-up."""
        del self._seen[self._kept :]

    def note(self, party: Party, what: Hashable) -> None:
        """The party saw something."""
        self._seen.append((party, what))

    def message(self, step: Step, sender: Party, receiver: Party, message: bytes) -> None:
        """The receiver saw the whole message, header included."""
        self._seen.append((receiver, (step, sender, message)))

    def seen_by(self, coalition: frozenset[Party], symbols: Symbols) -> tuple[Hashable, ...]:
        """Everything that its members saw; of a ledger's proofs what its hashes and signatures tell them."""
        entries = [entry for entry in self._seen if entry[0] in coalition]
        proofs = [what for _, what in entries if isinstance(what, Proof)]
        # What is opened in one proof may be what blinds another. The guardian draws all that a ledger draws.
        opened = [body for proof in proofs for body in proof.opened]
        reader = symbols.reader(opened, drew=PRIVACY_GUARDIAN in coalition)
        return tuple((party, _told(what, reader) if isinstance(what, Proof) else what) for party, what in entries)


def _told(proof: Proof, reader: Reader) -> Hashable:
    """Every field of a proof."""
    told: list[Hashable] = []
    for name in (entry.name for entry in fields(Proof)):
        value = getattr(proof, name)
        if isinstance(value, tuple):
            told.append(tuple(map(reader.shown, value)))
        else:
            told.append(reader.shown(value) if isinstance(value, bytes) else value)
    return ("ledger", *told)


@dataclass
class NotedLinear(IdealLinear):
    """F_linear, which notes what it gives to the querying party. The answering party is given nothing."""

    note: Note = field(kw_only=True)

    def decrypt(self, secret_key: None, operator: Operator, count: int, response: bytes) -> list[list[int]]:
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

    def evaluate(
        self, chosen: EvaluatorChoice[list[list[int]]], payload: bytes, check: OutputCheck = accept_any
    ) -> Evaluation:
        """As the base class; all outputs, also unused ones, are part of the querying party's view."""
        evaluation = super().evaluate(chosen, payload, check)
        self.note(QUERYING_PARTY, ("evaluated", chosen.circuit.name, tuple(map(tuple, evaluation.outputs))))
        return evaluation

    def forget(self) -> None:
        """Drops all batches, so that handles begin at 0 again."""
        self._batches.clear()
