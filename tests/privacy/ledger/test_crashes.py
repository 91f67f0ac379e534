"""Guardians that are killed: no charge is lost for what left them, and their ledgers verify and go on."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from fractions import Fraction
from pathlib import Path

import pytest

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.privacy.ledger import Ledger
from privacy.ledger.cases import COST, INPUTS, make_ledger, make_terms, read
from privacy.ledger.guardians import Guardian, Left
from support.sizes import examples

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="guardians are forked"),
    # A test elsewhere may have left a sleeping thread behind; the children use none.
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
]
TAG = b"\x01" * 32
KILLED = -9


def check(ledger: Ledger, left: list[Left]) -> None:
    """Each message that left is charged, at least its check, and is there to be sent again."""
    for message in left:
        kept = ledger.dispatched(message.session_tag, message.query)
        assert kept is not None, f"query {message.query} left without a charge"
        assert kept[:16] == message.beginning
        with pytest.raises(InputError, match="charged before"):
            ledger.reserve(message.session_tag, message.query, INPUTS)
    assert ledger.spent >= len(left)
    assert 0 <= ledger.spent <= ledger.budget


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-001", "CAPC-LEDG-006")
def test_a_guardian_killed_at_any_step_loses_no_charge(tmp_path: Path) -> None:
    """Before each statement of SQLite, and before and after each message; then it is started again."""
    terms = make_terms(queries=20)
    for step in itertools.count():
        folder = tmp_path / str(step)
        folder.mkdir()
        left, code = Guardian(folder, terms, TAG, 2, dies_at=step).start().wait()
        with make_ledger(folder, terms) as ledger:
            check(ledger, left)
            ledger.reserve(TAG, 1000, INPUTS)
        assert read(folder / "ledger")[0].spent >= len(left) + COST
        if code == 0:
            assert len(left) == 2
            assert step > 30
            break
        assert code == KILLED


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-001", "CAPC-LEDG-006")
def test_a_guardian_killed_at_any_instant_loses_no_charge(tmp_path: Path) -> None:
    """One ledger through ten deaths, each at another instant after none to three messages."""
    rounds, deaths = examples(ordinary=20, nightly=1000), 0
    for life in range(rounds // 10):
        folder = tmp_path / str(life)
        folder.mkdir()
        terms, left = make_terms(queries=10**6), []
        for death in range(10):
            guardian = Guardian(folder, terms, bytes([death]) * 32, queries=10**6).start()
            guardian.await_messages(death % 4)
            time.sleep(_instant(life, death))
            guardian.kill()
            sent, code = guardian.wait()
            assert code == KILLED
            left += sent
            with make_ledger(folder, terms) as ledger:
                check(ledger, left)
            deaths += 1
        assert len(left) >= 13
    assert deaths == rounds


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-007")
@pytest.mark.parametrize("victim", [None, 0])
def test_two_guardians_on_one_ledger_never_overspend(tmp_path: Path, victim: int | None) -> None:
    budget = 30
    terms = make_terms(queries=budget)
    guardians = [Guardian(tmp_path, terms, bytes([number]) * 32, queries=10**6).start() for number in range(2)]
    if victim is not None:
        guardians[victim].await_messages(3)
        guardians[victim].kill()
    ended = [guardian.wait() for guardian in guardians]
    left = [message for sent, _ in ended for message in sent]
    assert [code for _, code in ended] == ([0, 0] if victim is None else [ended[0][1], 0])
    with make_ledger(tmp_path, terms) as ledger:
        check(ledger, left)
        with pytest.raises(BudgetExhaustedError):
            ledger.reserve(b"\x09" * 32, 0, INPUTS)
        # Each odd query that was settled gave its answer back, and nothing else did.
        returned = sum(event.kind.value == "label_withheld" for event in ledger.events)
        reserved = sum(event.kind.value == "answer_reserved" for event in ledger.events)
        assert ledger.spent == reserved * COST - returned * Fraction(1, 2)
        assert reserved >= budget
        assert ledger.budget - ledger.spent < COST


def _instant(life: int, death: int) -> float:
    """From 0 to 30 ms: two or three queries long."""
    return hashlib.sha256(f"{life}/{death}".encode()).digest()[0] / 255 * 0.03
