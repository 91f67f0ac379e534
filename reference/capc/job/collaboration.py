"""The real protocol for a run: session, suite and set-up.

Spec: CAPC-RUN-007.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from capc.foundation.parties import PRIVACY_GUARDIAN, QUERYING_PARTY, answering_party, organisation
from capc.job.keeping.files import heads_folder
from capc.job.state import Labeller
from capc.linear.bfv import BfvLinear, PooledLinear
from capc.models.model import QuantisedModel
from capc.privacy.account import Account
from capc.privacy.accountants.policies import certify, policy_budget
from capc.privacy.ledger import Ledger, Terms, check_proof, load_known_head, save_known_head
from capc.protocol.collaboration import Collaboration, PreparedQueries, QueryResult
from capc.protocol.costs import StepCost
from capc.protocol.embedded_methods import EMBEDDED
from capc.protocol.engine import SecureEngine
from capc.protocol.engine_protocol import with_engine
from capc.session.parameters import Parameters
from capc.session.session import Participant, Session, fresh_session_id
from capc.steps.suite import reference_suite
from capc.two_party.hash_use import HashUse
from capc.two_party.vectorised import VectorisedTwoParty
from capc_spec.registry import TAGS


def open_collaboration(
    parameters: Parameters,
    models: Sequence[QuantisedModel],
    account: Account,
    parties: Sequence[int] = (),
    *,
    engine: SecureEngine | None = None,
    workers: int = 0,
) -> Labeller:
    """Sets up the protocol. All of its randomness comes from the operating system (CAPC-RUN-002).

    Args:
        parameters: of the session.
        models: one for each answering party.
        account: charged for each query.
        parties: numbers of the organisations, the one that asks first; in their order if none are given.
        engine: of steps 1c and 3; None is the embedded one.
        workers: processes that share the work of HE with this one; they end with the collaboration.

    Raises:
        InputError: a model is not admitted, or the account's budget does not keep its policy's epsilon, or its joint
            cost is too low.
    """
    certify(account.policy, account.grid_bits, account.budget)
    names = [organisation(number) for number in parties or range(len(models) + 1)]
    session = open_session(parameters, models, names)
    linear = PooledLinear(parameters.widths, workers) if workers else BfvLinear(parameters.widths)
    suite = reference_suite(parameters, linear, VectorisedTwoParty())
    methods = EMBEDDED if engine is None else with_engine(engine)
    collaboration = Collaboration(session, models, suite, account, methods=methods)
    return LedgerWatch(collaboration, session, account, names[1:]) if isinstance(account, Ledger) else collaboration


def open_session(parameters: Parameters, models: Sequence[QuantisedModel], names: Sequence[str]) -> Session:
    """A session of one querying party, one answering party for each model, and one guardian, with a fresh id.

    Args:
        parameters: of the session.
        models: of the answering parties.
        names: of the organisations that ask and answer, in this order, by which their identities are told.
    """
    asking, *answering = names
    participants = (
        Participant(QUERYING_PARTY, _identity(asking)),
        *(
            Participant(answering_party(index), _identity(name), model.architecture)
            for index, (name, model) in enumerate(zip(answering, models, strict=True), start=1)
        ),
        Participant(PRIVACY_GUARDIAN, _identity(str(PRIVACY_GUARDIAN))),
    )
    return Session(parameters, fresh_session_id(secrets.token_bytes), participants)


class LedgerWatch:
    """A collaboration whose answering parties look at the ledger around each batch, and refuse to go on if it is wrong.

    Each of them keeps what it saw in a file of its own, in the folder `LEDGER.heads`. In one process this shows how;
    it protects where every party keeps its file on a machine of its own.

    Args:
        collaboration: labels the queries.
        session: whose answering parties watch.
        ledger: what the collaboration charges.
        names: of the organisations that answer.
    """

    def __init__(self, collaboration: Collaboration, session: Session, ledger: Ledger, names: Sequence[str]) -> None:
        self._collaboration = collaboration
        self._ledger = ledger
        self._tag = session.tag
        folder = heads_folder(ledger.file)
        folder.mkdir(mode=0o700, exist_ok=True)
        self._files = [folder / f"{name}.json" for name in names]
        release = session.parameters.release
        owner, data_set, grid_bits = ledger.terms.owner, ledger.terms.data_set, session.parameters.widths.grid_bits
        self._terms = Terms(owner, data_set, release, grid_bits, policy_budget(release))

    @property
    def costs(self) -> Mapping[str, StepCost]:
        """The cost of every step so far; the proofs are not among the protocol's messages."""
        return self._collaboration.costs

    @property
    def hash_use(self) -> HashUse:
        """What garblers hashed so far, and under how many keys."""
        return self._collaboration.hash_use

    @property
    def results(self) -> Sequence[QueryResult]:
        """Every query that was released so far."""
        return self._collaboration.results

    def remaining_queries(self) -> int:
        """How many queries the ledger still admits."""
        return self._collaboration.remaining_queries()

    def label_batch(self, queries: Sequence[Sequence[int]]) -> list[QueryResult]:
        """Asks between two looks.

        Raises:
            LedgerError: an answering party refuses to take part.
            BudgetExhaustedError: the ledger does not admit as many queries.
        """
        with self._looking():
            return self._collaboration.label_batch(queries)

    def prepare(self, count: int) -> PreparedQueries:
        """Charges nothing, so that nobody need look."""
        return self._collaboration.prepare(count)

    def label_prepared(self, prepared: PreparedQueries, queries: Sequence[Sequence[int]]) -> list[QueryResult]:
        """Asks between two looks, with the same errors."""
        with self._looking():
            return self._collaboration.label_prepared(prepared, queries)

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Every answering party looks at the ledger before and after a batch, the second time for its charges.

        So a roll-back of the last batch is seen by the next run. An error of the batch does not prevent the second
        look.
        """
        self._look([])
        done = len(self.results)
        try:
            yield
        finally:
            self._look([(self._tag, result.index) for result in self.results[done:]])

    def _look(self, charged: Sequence[tuple[bytes, int]]) -> None:
        for file in self._files:
            seen = load_known_head(file)
            proof = self._ledger.proof(0 if seen is None else seen.head.size, charged)
            save_known_head(check_proof(seen, proof, self._terms, charged), file)


def _identity(name: str) -> bytes:
    """In one process a party's identity is a hash of its name; networked parties have certificates."""
    return hashlib.sha256(TAGS["run"] + name.encode("ascii")).digest()
