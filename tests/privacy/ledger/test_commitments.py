"""What a coalition tries on the charges that it has opened: candidates for the votes of honest answering parties.

The coalition is the querying party and all answering parties but one or two. It knows its own shares, messages and keys
of pairs, so it can form what the guardian received from the honest ones, up to few candidates for their votes.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from capc.foundation import ring
from capc.foundation.parties import PRIVACY_GUARDIAN, Party, Role
from capc.foundation.randomness import Seed, XofSource
from capc.linear.ideal import IdealLinear
from capc.models.model import QuantisedLayer, QuantisedModel, dense_model
from capc.privacy.accountants.policies import policy_budget
from capc.privacy.events import Receipt
from capc.privacy.ledger import Ledger, Proof, Terms, check_proof, open_ledger
from capc.privacy.ledger.records import BLINDING_BYTES, commitment_of
from capc.protocol.collaboration import Collaboration
from capc.protocol.costs import Step
from capc.session.parameters import Charge, NoiseName, Parameters
from capc.session.widths import ParameterSet
from capc.steps.suite import reference_suite
from capc.two_party.vectorised.vectorised import VectorisedTwoParty
from support.builders import make_policy, make_session
from support.header import payload_of

NUM_ANSWERING, NUM_FEATURES, NUM_QUERIES = 4, 4, 3
Votes = tuple[int, ...]


class Batch:
    """One batch charged to a ledger, as the coalition of querying party and AP_1 ... AP_(4 - honest) sees it.

    Attributes:
        truth: for each query the votes of the honest parties; the coalition does not know it.
        digests: for each query what the guardian bound the charge to; the coalition does not know it.
        bodies: for each query the charge, opened.
    """

    def __init__(self, ledger: Ledger, parameters: Parameters, honest: int) -> None:
        source = XofSource(Seed(bytes(32)), b"candidates")
        self.parameters = parameters
        self.members = range(1, NUM_ANSWERING - honest + 1)
        self.honest = range(NUM_ANSWERING - honest + 1, NUM_ANSWERING + 1)
        self.digests: dict[int, bytes] = {}
        self._sent: dict[tuple[int, int], bytes] = {}
        models = [_model(parameters, source) for _ in range(NUM_ANSWERING)]
        session = make_session(parameters, [(NUM_FEATURES, parameters.num_classes)] * NUM_ANSWERING, bytes(32))
        suite = reference_suite(parameters, IdealLinear(parameters.widths.logit_bits), VectorisedTwoParty())
        reserve = ledger.reserve

        def noting(session_tag: bytes, query: int, inputs_digest: bytes) -> Receipt:
            self.digests[query] = inputs_digest
            return reserve(session_tag, query, inputs_digest)

        ledger.reserve = noting  # type: ignore[method-assign]
        collaboration = Collaboration(session, models, suite, ledger, observer=self)
        one = 1 << parameters.widths.fraction_bits
        queries = [_numbers(source, NUM_FEATURES, one) for _ in range(NUM_QUERIES)]
        collaboration.label_batch(queries)
        self.tag = session.tag
        self.truth = {
            number: tuple(_winner(models[index - 1], features) for index in self.honest)
            for number, features in enumerate(queries, start=1)
        }
        names = [(self.tag, number) for number in self.truth]
        proof = ledger.proof(0, names)
        check_proof(None, proof, ledger.terms, names)
        self.bodies: dict[int, dict[str, Any]] = {
            body["query"]: body for body in map(json.loads, Proof.from_bytes(proof).opened[1:])
        }

    def message(self, step: Step, sender: Party, receiver: Party, message: bytes) -> None:
        if receiver == PRIVACY_GUARDIAN and sender.role is Role.ANSWERING_PARTY:
            self._sent[int.from_bytes(message[33:37], "little"), sender.index] = payload_of(message)

    def masked_vote(self, query: int, index: int, vote: int) -> list[int]:
        """What AP_index sends if it votes so: the same share of the querying party, the same masks, another vote.

        The coalition computes it from the querying party's share and its own keys of pairs, but for the mask between
        two honest parties, which cancels in their sum.
        """
        width, classes = self.parameters.widths.vote_bits, self.parameters.num_classes
        truth = self.truth[query][index - self.honest[0]]
        change = [int(c == vote) - int(c == truth) for c in range(classes)]
        return ring.add(self.words_sent(query, index), change, width)

    def digest(self, query: int, honest_payloads: Sequence[Sequence[int]]) -> bytes:
        """What the guardian is bound to, if the honest parties sent this."""
        size = (self.parameters.widths.vote_bits + 7) // 8
        digest = hashlib.sha256(b"CaPC/0.1/noise-binding" + self.tag + query.to_bytes(4, "little"))
        for member in self.members:
            digest.update(self._sent[query, member])
        for payload in honest_payloads:
            digest.update(b"".join(word.to_bytes(size, "little") for word in payload))
        return digest.digest()

    def words_sent(self, query: int, index: int) -> tuple[int, ...]:
        """What AP_index sent."""
        size = (self.parameters.widths.vote_bits + 7) // 8
        payload = self._sent[query, index]
        return tuple(int.from_bytes(payload[i : i + size], "little") for i in range(0, len(payload), size))


def _numbers(source: XofSource, count: int, limit: int) -> list[int]:
    return [source.below(2 * limit + 1) - limit for _ in range(count)]


def _model(parameters: Parameters, source: XofSource) -> QuantisedModel:
    limit = (1 << (parameters.widths.logit_bits - 3 - parameters.widths.fraction_bits)) // NUM_FEATURES
    rows = [tuple(_numbers(source, NUM_FEATURES, limit)) for _ in range(parameters.num_classes)]
    return dense_model((QuantisedLayer(tuple(rows), (0,) * len(rows)),), parameters.widths.fraction_bits)


def _winner(model: QuantisedModel, features: Sequence[int]) -> int:
    logits = model.logits(features)
    return logits.index(max(logits))


def known_hashes(digest: bytes, body: dict[str, Any]) -> set[str]:
    """What can be computed of a candidate's digest from the body alone: with what is shown in the blinding's place."""
    shown = [bytes.fromhex(body["salt"]), bytes.fromhex(body["session"]), b"", bytes(BLINDING_BYTES)]
    shown += [bytes.fromhex(body["salt"]) * 2]
    hashes = {digest, hashlib.sha256(digest).digest()}
    hashes |= {hashlib.sha256(part + digest).digest() for part in shown}
    hashes |= {hashlib.sha256(digest + part).digest() for part in shown}
    hashes |= {commitment_of(part + digest) for part in shown}
    return {value.hex() for value in hashes}


def charged(folder: Path, parameters: Parameters, honest: int) -> Batch:
    """A batch on a new ledger in this folder."""
    release = parameters.release
    terms = Terms("privacy_guardian", "archive", release, parameters.widths.grid_bits, policy_budget(release))
    with open_ledger(folder / "ledger", terms) as ledger:
        return Batch(ledger, parameters, honest)


def ten_classes(charge: Charge) -> Parameters:
    threshold = Fraction(2) if charge is Charge.REALISED else None
    policy = make_policy(Fraction(50), threshold, threshold and Fraction(50), charge, NoiseName.ROUNDED_GAUSSIAN)
    return Parameters(ParameterSet.named("default"), 10, NUM_FEATURES, policy)


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-015", "CAPC-SEC-005")
@pytest.mark.parametrize("charge", list(Charge))
def test_no_hash_of_a_candidate_vote_of_the_one_honest_party_is_in_an_opened_charge(
    tmp_path: Path, charge: Charge
) -> None:
    batch = charged(tmp_path, ten_classes(charge), honest=1)
    (index,) = batch.honest
    for query, body in batch.bodies.items():
        candidates = [batch.digest(query, [batch.masked_vote(query, index, vote)]) for vote in range(10)]
        # The coalition's candidates are right: one of them is what the guardian was bound to.
        assert candidates.index(batch.digests[query]) == batch.truth[query][0]
        values = set(map(str, body.values()))
        assert not [vote for vote, digest in enumerate(candidates) if known_hashes(digest, body) & values]


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-015", "CAPC-SEC-005")
def test_no_hash_of_a_candidate_histogram_of_two_honest_parties_is_in_an_opened_charge(tmp_path: Path) -> None:
    policy = make_policy(Fraction(4), mechanism=NoiseName.ROUNDED_GAUSSIAN)
    batch = charged(tmp_path, Parameters(ParameterSet.named("toy"), 2, NUM_FEATURES, policy), honest=2)
    found: dict[int, set[Votes]] = defaultdict(set)
    for query, body in batch.bodies.items():
        values = set(map(str, body.values()))
        for votes, digest in _histogram_candidates(batch, query):
            if digest == batch.digests[query]:
                found[query].add(votes)
            assert not known_hashes(digest, body) & values
    assert found == {query: {tuple(sorted(votes))} for query, votes in batch.truth.items()}


def _histogram_candidates(batch: Batch, query: int) -> Iterator[tuple[Votes, bytes]]:
    """For each histogram of two votes all first words that one honest party may have sent, and the digests that follow.

    Their common mask is unknown: what one of them sent is any vector, and then the other one's is known. A coalition
    would try all; here it is given the second word, to shorten its search.
    """
    width, (left, right) = batch.parameters.widths.vote_bits, batch.honest
    _, second = batch.words_sent(query, left)
    for votes in ((0, 0), (0, 1), (1, 1)):
        parts = zip((left, right), votes, strict=True)
        total = ring.add(*(batch.masked_vote(query, index, vote) for index, vote in parts), width)
        for first in range(1 << width):
            sent = [first, second]
            yield votes, batch.digest(query, [sent, ring.subtract(total, sent, width)])


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-015")
def test_equal_inputs_have_unlike_commitments_and_a_fresh_blinding_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the operating system, as long as it is said to be, and not the salt, which is shown."""
    drawn: list[bytes] = []
    honest = secrets.token_bytes

    def noting(length: int) -> bytes:
        drawn.append(honest(length))
        return drawn[-1]

    with monkeypatch.context() as patch:
        patch.setattr(secrets, "token_bytes", noting)
        batch = charged(tmp_path, ten_classes(Charge.WORST_CASE), honest=1)
    blindings = [value for value in drawn if len(value) == BLINDING_BYTES]
    for query, body in batch.bodies.items():
        made = [value for value in blindings if commitment_of(value + batch.digests[query]).hex() == body["commitment"]]
        assert len(made) == 1
        assert made[0].hex() not in json.dumps(batch.bodies)
    assert len({body["commitment"] for body in batch.bodies.values()}) == NUM_QUERIES
