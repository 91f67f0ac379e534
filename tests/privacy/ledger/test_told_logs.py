"""CAPC-LEDG-028 by its words: which logs are refused, over what an owner can sign, beside what can be kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.foundation.primitives import signing_public_key
from capc.foundation.randomness import Seed
from capc.privacy.ledger import Terms, replay
from capc.privacy.ledger.chain import Head, digest_of, first_head
from capc.privacy.ledger.records import CHARGED, DISPATCHED, SETTLED, UNBLINDED, Opening, QueryRecord, opening_body
from capc.privacy.query_cost import query_cost
from capc.privacy.storage.store import Row
from capc.session.parameters import Charge
from capc_spec.registry import TAGS
from privacy.ledger.cases import CHECK, COST, TAG, make_terms
from support.sizes import examples

KEY, SALT = Seed(b"\x05" * 32), b"\x06" * 16
OPENING, MESSAGES = bytes(range(64)), (b"one", b"another")
QUERIES = 2


@dataclass(frozen=True)
class Step:
    """A record that the owner signs, whatever the rules say."""

    kind: str
    query: int
    message: int = 0
    answered: bool = False
    beside: str = "right"
    cost: Fraction = COST


def steps() -> st.SearchStrategy[Step]:
    """Mostly what the rules admit, and now and then something else."""
    rarely = st.sampled_from(["right"] * 12 + ["none", "other"])
    return st.builds(
        Step,
        st.sampled_from([CHARGED, CHARGED, DISPATCHED, DISPATCHED, SETTLED, UNBLINDED]),
        st.integers(0, QUERIES),
        st.integers(0, 1),
        st.booleans(),
        rarely,
        st.sampled_from([COST] * 12 + [COST - 1]),
    )


def bytes_beside(step: Step) -> bytes | None:
    """What is kept beside the record."""
    right = {CHARGED: OPENING, DISPATCHED: MESSAGES[step.message]}.get(step.kind)
    return {"right": right, "none": None, "other": b"something else"}[step.beside]


def body_of(step: Step, terms: Terms) -> bytes:
    cost = query_cost(terms.policy, terms.grid_bits)
    commitment = hashlib.sha256(TAGS["ledger-commitment"] + OPENING).digest()
    message = hashlib.sha256(MESSAGES[step.message]).digest()
    digest = {CHARGED: commitment, UNBLINDED: OPENING[32:], DISPATCHED: message, SETTLED: b""}[step.kind]
    record = QueryRecord(step.kind, TAG, step.query, SALT, digest, step.answered and step.kind == SETTLED)
    return record.body(replace(cost, answer=cost.answer + step.cost - COST))


def log_of(taken: list[Step], terms: Terms) -> list[Row]:
    """The log, linked and signed as it should be."""
    body = opening_body(Opening(terms, signing_public_key(KEY)), SALT)
    head: Head = first_head(digest_of(body))
    rows = [Row(body, head.link, head.sign(KEY), None)]
    for step in taken:
        body = body_of(step, terms)
        head = head.extended(digest_of(body))
        rows.append(Row(body, head.link, head.sign(KEY), bytes_beside(step)))
    return rows


def sum_of(taken: list[Step], terms: Terms) -> Fraction | None:
    """What is spent in the end by the rules 3 to 5, or None if one is broken."""
    spent, charged, sent, settled = Fraction(0), set[int](), set[int](), set[int]()
    for step in taken:
        query, beside = step.query, bytes_beside(step)
        if step.kind in (CHARGED, UNBLINDED):
            right = beside == OPENING if step.kind == CHARGED else beside is None
            if query in charged or spent + COST > terms.budget or step.cost != COST or not right:
                return None
            charged.add(query)
            spent += COST
        elif step.kind == DISPATCHED:
            if query not in charged or query in sent or beside != MESSAGES[step.message]:
                return None
            sent.add(query)
        else:
            realised = terms.policy.charge is Charge.REALISED
            if not realised or query not in sent or query in settled or beside is not None:
                return None
            settled.add(query)
            spent -= 0 if step.answered else COST - CHECK
    return spent


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-028", "CAPC-LEDG-008")
@given(taken=st.lists(steps(), max_size=7), realised=st.sampled_from([True, True, False]))
@settings(max_examples=examples(ordinary=150, nightly=3000), deadline=None)
def test_a_log_is_refused_exactly_if_a_record_breaks_a_rule(taken: list[Step], realised: bool) -> None:
    terms = make_terms(QUERIES, Charge.REALISED if realised else Charge.WORST_CASE)
    wanted = sum_of(taken, terms)
    rows = log_of(taken, terms)
    if wanted is None:
        with pytest.raises(InputError):
            replay(rows)
    else:
        assert replay(rows).spent == wanted


ONE = [Step(CHARGED, 0), Step(DISPATCHED, 0), Step(SETTLED, 0)]


@pytest.mark.req("CAPC-LEDG-028")
@pytest.mark.parametrize(
    "taken",
    [
        [*ONE[:2], Step(DISPATCHED, 0)],
        [*ONE[:2], Step(DISPATCHED, 0, message=1)],
        [*ONE, Step(SETTLED, 0)],
        [*ONE, Step(CHARGED, 0)],
        [Step(UNBLINDED, 0, beside="other")],
        [ONE[0], Step(SETTLED, 0)],
        [Step(CHARGED, 0), Step(CHARGED, 1), Step(CHARGED, 2)],
    ],
)
def test_what_is_refused_was_admitted_without_its_last_record(taken: list[Step]) -> None:
    terms = make_terms(QUERIES)
    assert sum_of(taken, terms) is None
    assert replay(log_of(taken[:-1], terms)).spent == sum_of(taken[:-1], terms)
    with pytest.raises(InputError):
        replay(log_of(taken, terms))


@pytest.mark.req("CAPC-LEDG-028")
def test_the_first_record_and_no_other_opens_a_ledger() -> None:
    rows = log_of(ONE, make_terms())
    head = first_head(digest_of(rows[0].body)).extended(digest_of(rows[0].body))
    for broken in ([], rows[1:], [rows[0], Row(rows[0].body, head.link, head.sign(KEY), None)]):
        with pytest.raises(InputError):
            replay(broken)
