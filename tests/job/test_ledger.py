"""Runs that charge a ledger: a later run goes on where an earlier one stopped, and answering parties look on."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from capc.accountants.conversion import epsilon_upper
from capc.errors import InputError
from capc.job import collaboration
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.plan import prepare
from capc.job.report import document
from capc.job.state import Status
from capc.ledger import LedgerError, check_proof, load_seen, reading
from job.stand_in import Opener, Recorder, validate

COST = Fraction(2, 25)
"""mu^2 of a query at sigma 5."""


def options(folder: Path, **flags: str) -> dict[str, str]:
    return {"parties": "2", "queries": "2", "sigma": "5", "ledger": str(folder / "ledger"), **flags}


def run(folder: Path, opener: Opener | None = None, **flags: str) -> Job:
    plan = prepare(resolve(options(folder, **flags)))
    job = Job(plan, Recorder(), opener) if opener else Job(plan, Recorder())
    try:
        job.run()
        validate(document(job.state))
    finally:
        job.close()
    return job


@pytest.mark.req("CAPC-LEDG-007", "CAPC-LEDG-008", "CAPC-RUN-009")
def test_a_second_run_continues_from_the_ledger(tmp_path: Path) -> None:
    readings = []
    for number in (1, 2):
        plan = prepare(resolve(options(tmp_path)))
        job = Job(plan, Recorder(), Opener(first_query=10 * number))
        job.run()
        report = document(job.state)
        validate(report)
        privacy = report["privacy"]
        assert isinstance(privacy, dict)
        assert Fraction(privacy["spent"]) == 2 * number * COST
        readings.append(privacy["realised"])
        job.close()
    with reading(tmp_path / "ledger") as (log, _):
        assert log.spent == 4 * COST
        figure = epsilon_upper(log.cost.unit, log.spent, log.policy.delta)
        assert Fraction(readings[0]) < figure <= Fraction(readings[1])


@pytest.mark.req("CAPC-LEDG-007", "CAPC-RUN-004")
def test_a_run_on_a_spent_ledger_stops_at_once(tmp_path: Path) -> None:
    first = run(tmp_path, Opener(), queries="4", sigma="1")
    assert first.state.status is Status.BUDGET_EXHAUSTED
    second = run(tmp_path, Opener(first_query=50), queries="4", sigma="1")
    assert second.state.status is Status.BUDGET_EXHAUSTED
    assert second.state.queries == []


@pytest.mark.req("CAPC-LEDG-002", "CAPC-RUN-001")
def test_another_policy_is_refused_before_training(tmp_path: Path) -> None:
    run(tmp_path, Opener())
    place = r"the ledger was created with .* \(--ledger\)"
    for flags, field in (({"sigma": "6"}, "sigma = 6"), ({"epsilon": "9"}, "epsilon = 9")):
        with pytest.raises(InputError, match=f"^{field}: {place}"):
            Job(prepare(resolve(options(tmp_path, **flags))), Recorder(), Opener())


def test_a_key_without_a_ledger_is_refused() -> None:
    with pytest.raises(InputError, match=r"^ledger_key = key \(--ledger-key\): give --ledger too"):
        prepare(resolve({"ledger_key": "key"}))


@pytest.mark.req("CAPC-LEDG-009", "CAPC-LEDG-010")
def test_answering_parties_keep_heads_and_refuse_a_ledger_that_was_rolled_back(tmp_path: Path) -> None:
    """The real protocol, at the sizes of tests."""
    run(tmp_path, parameters="test")
    shutil.copy(tmp_path / "ledger", tmp_path / "old")
    # One batch: its own charges are all that the old copy lacks.
    run(tmp_path, parameters="test")
    heads = tmp_path / "ledger.heads"
    kept = [load_seen(heads / f"answering_party_{number}.json") for number in (1, 2)]
    with reading(tmp_path / "ledger") as (log, _):
        assert [seen.head.size for seen in kept if seen] == [log.head.size] * 2
        assert log.head.size == 9
    shutil.copy(tmp_path / "old", tmp_path / "ledger")
    with pytest.raises(LedgerError, match="rolled back"):
        run(tmp_path, parameters="test")


@pytest.mark.req("CAPC-LEDG-010")
def test_answering_parties_ask_for_the_charges_of_each_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real protocol in batches of 2 and 1: each party asks for nothing first, and for the charges afterwards."""
    asked: list[list[int]] = []

    def remember(seen: Any, proof: bytes, terms: Any, charged: list[tuple[bytes, int]]) -> Any:
        asked.append([query for _, query in charged])
        return check_proof(seen, proof, terms, charged)

    monkeypatch.setattr(collaboration, "check_proof", remember)
    run(tmp_path, parameters="test", queries="3", batch="2")
    assert asked == [[], [], [1, 2], [1, 2], [], [], [3], [3]]
    heads = tmp_path / "ledger.heads"
    kept = [load_seen(heads / f"answering_party_{number}.json") for number in (1, 2)]
    with reading(tmp_path / "ledger") as (log, _):
        assert [seen.head.size for seen in kept if seen] == [log.head.size] * 2


@pytest.mark.req("CAPC-RUN-014")
def test_a_run_that_leaks_is_refused_a_ledger(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^inference = ckks_comparison \(--inference\): it leaks .*--ledger"):
        prepare(resolve(options(tmp_path, inference="ckks_comparison")))
    assert not (tmp_path / "ledger").exists()
