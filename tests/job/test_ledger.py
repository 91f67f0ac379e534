"""Runs that charge a ledger: a later run goes on where an earlier one stopped, and answering parties look on."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capc.foundation.errors import InputError
from capc.job import collaboration
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.plan import prepare
from capc.job.report import document
from capc.job.state import Labeller, Status
from capc.learning.data import load_digits
from capc.noise.mechanism import Skellam
from capc.privacy.accountants.conversion import epsilon_upper
from capc.privacy.figures.rounding import rounded_up
from capc.privacy.ledger import LedgerError, check_proof, load_known_head, reading, save_known_head
from job.stand_in import Opener, Recorder, finished, validate

COST = Fraction(2, 25)
"""mu^2 of a query at sigma 5."""


def options(folder: Path, **flags: str) -> dict[str, str]:
    given = {"parties": "2", "queries": "2", "sigma": "5", "ledger": str(folder / "ledger")}
    return {**given, "accounting": "gaussian_dp", **flags}


def run(folder: Path, opener: Opener | None = None, **flags: str) -> Job:
    plan = prepare(resolve(options(folder, **flags)))
    return finished(Job(plan, Recorder(), opener))


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-007", "CAPC-RUN-004")
def test_a_run_on_a_spent_ledger_stops_at_once(tmp_path: Path) -> None:
    first = run(tmp_path, Opener(), queries="4", sigma="1")
    assert first.state.status is Status.BUDGET_EXHAUSTED
    second = run(tmp_path, Opener(first_query=50), queries="4", sigma="1")
    assert second.state.status is Status.BUDGET_EXHAUSTED
    assert second.state.queries == []


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-002", "CAPC-RUN-001")
def test_another_policy_is_refused_before_training(tmp_path: Path) -> None:
    run(tmp_path, Opener())
    place = r"the ledger was created with .* \(--ledger\)"
    for flags, field in (({"sigma": "6"}, "sigma = 6"), ({"epsilon": "9"}, "epsilon = 9")):
        with pytest.raises(InputError, match=f"^{field}: {place}"):
            Job(prepare(resolve(options(tmp_path, **flags))), Recorder(), Opener())


@pytest.mark.parametrize("name", ["ledger_key", "data_set"])
def test_what_is_for_a_ledger_is_refused_without_one(name: str) -> None:
    flag = "--" + name.replace("_", "-")
    with pytest.raises(InputError, match=rf"^{name} = x \({flag}\): give --ledger too"):
        prepare(resolve({name: "x"}))


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-002")
def test_the_data_set_has_a_name_of_its_own_that_outlives_its_files(tmp_path: Path) -> None:
    """New rows in another file, under the same name: the same account. Another name: another account."""
    digits = load_digits()
    for name, rows in (("january.npz", slice(900)), ("february.npz", slice(900, None))):
        np.savez(tmp_path / name, x=digits.features[rows], y=digits.labels[rows])
    for number, name in enumerate(("january.npz", "february.npz"), start=1):
        run(tmp_path, Opener(first_query=10 * number), data=str(tmp_path / name), data_set="radiology, ward 3")
        with reading(tmp_path / "ledger") as (log, _):
            assert log.spent == 2 * number * COST
            assert log.terms.data_set == "radiology, ward 3"
    for changes, shown in (({"data_set": "cardiology"}, "cardiology"), ({}, "january.npz")):
        flags = {"data": str(tmp_path / "january.npz"), **changes}
        with pytest.raises(InputError, match=rf"^data_set = {shown}: the ledger was created with .*radiology, ward 3"):
            run(tmp_path, Opener(first_query=90), **flags)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-115", "CAPC-RUN-009")
@pytest.mark.parametrize(
    "flags",
    [
        {"mechanism": "skellam", "sigma": "3"},
        {"renyi_order": "5"},
        {"threshold": "1", "joint": "yes"},
        {"mechanism": "discrete_gaussian", "threshold": "1", "renyi_order": "4.5"},
    ],
    ids=" ".join,
)
def test_a_run_at_a_renyi_order_continues_from_its_ledger(tmp_path: Path, flags: dict[str, str]) -> None:
    for number in (1, 2):
        job = Job(prepare(resolve(options(tmp_path, **flags))), Recorder(), Opener(first_query=10 * number))
        job.run()
        report = document(job.state)
        validate(report)
        job.close()
        privacy: Any = report["privacy"]
        with reading(tmp_path / "ledger") as (account, _):
            order = account.policy.renyi_order
        assert privacy["unit"] == "renyi"
        assert order is not None
        assert Fraction(privacy["renyi_order"]) == order == Fraction(flags.get("renyi_order", order))
        assert privacy["joint"] is ("joint" in flags)
        assert account.spent == 2 * number * account.cost.worst_case
        epsilon = epsilon_upper(account.cost.unit, account.spent, account.policy.delta, order)
        assert privacy["realised"] == rounded_up(epsilon)
        assert f"at order {order}, fixed in advance" in privacy["method"]
    with pytest.raises(InputError, match=r"the ledger was created with .*\(--ledger\)"):
        run(tmp_path, Opener(first_query=90), **{**flags, "renyi_order": "9"})


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-003", "CAPC-ACCT-115")
def test_the_protocol_runs_on_skellam_noise(tmp_path: Path) -> None:
    """The real protocol, at the sizes of tests: labels are those of the ideal functionality with the same noise."""
    job = run(tmp_path, parameters="test", mechanism="skellam", sigma="2")
    assert [query.label for query in job.state.queries] == [query.ideal_label for query in job.state.queries]
    assert len(job.state.queries) == 2
    assert isinstance(job.state.account.mechanisms.answer, Skellam)


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-009", "CAPC-LEDG-010")
@pytest.mark.parametrize("prepared", ["no", "yes"])
def test_answering_parties_keep_heads_and_refuse_a_ledger_that_was_rolled_back(prepared: str, tmp_path: Path) -> None:
    """The real protocol, at the sizes of tests."""
    run(tmp_path, parameters="test", prepare=prepared)
    shutil.copy(tmp_path / "ledger", tmp_path / "old")
    # One batch: its own charges are all that the old copy lacks.
    run(tmp_path, parameters="test", prepare=prepared)
    heads = tmp_path / "ledger.heads"
    kept = [load_known_head(heads / f"answering_party_{number}.json") for number in (1, 2)]
    with reading(tmp_path / "ledger") as (log, _):
        assert [seen.head.size for seen in kept if seen] == [log.head.size] * 2
        assert log.head.size == 9
    shutil.copy(tmp_path / "old", tmp_path / "ledger")
    with pytest.raises(LedgerError, match="rolled back"):
        run(tmp_path, parameters="test", prepare=prepared)


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-024")
def test_no_ledger_is_made_where_one_is_missing_whose_heads_are_there(tmp_path: Path) -> None:
    run(tmp_path, parameters="test")
    kept = {path.name for path in tmp_path.iterdir()} - {"ledger"}
    (tmp_path / "ledger").unlink()
    with pytest.raises(
        InputError, match=r"^ledger = .* \(--ledger\): it is not there, and answering parties keep its heads"
    ):
        run(tmp_path, parameters="test")
    assert {path.name for path in tmp_path.iterdir()} == kept


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-022")
def test_what_was_paid_is_kept_when_a_head_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when the parties look after the first batch, whose labels are in the report."""
    saved: list[Path] = []

    def full(seen: Any, file: Path) -> Any:
        saved.append(file)
        if len(saved) > 2:
            raise LedgerError(f"{file}: the head that was seen cannot be kept (No space left on device)")
        return save_known_head(seen, file)

    monkeypatch.setattr(collaboration, "save_known_head", full)
    plan = prepare(resolve(options(tmp_path, parameters="test", queries="4", batch="2")))
    job = Job(plan, Recorder())
    with pytest.raises(LedgerError, match="No space left on device"):
        job.run()
    assert len(job.state.queries) == 2
    validate(document(job.state))
    job.close()
    with reading(tmp_path / "ledger") as (log, _):
        assert log.spent == 2 * log.cost.worst_case


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-010")
@pytest.mark.parametrize("prepared", ["no", "yes"])
def test_answering_parties_ask_for_the_charges_of_each_batch(
    prepared: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real protocol in batches of 2 and 1: each party asks for nothing first, and for the charges afterwards."""
    asked: list[list[int]] = []

    def remember(seen: Any, proof: bytes, terms: Any, charged: list[tuple[bytes, int]]) -> Any:
        asked.append([query for _, query in charged])
        return check_proof(seen, proof, terms, charged)

    monkeypatch.setattr(collaboration, "check_proof", remember)
    run(tmp_path, parameters="test", queries="3", batch="2", prepare=prepared)
    assert asked == [[], [], [1, 2], [1, 2], [], [], [3], [3]]
    heads = tmp_path / "ledger.heads"
    kept = [load_known_head(heads / f"answering_party_{number}.json") for number in (1, 2)]
    with reading(tmp_path / "ledger") as (log, _):
        assert [seen.head.size for seen in kept if seen] == [log.head.size] * 2


@pytest.mark.slow
@pytest.mark.req("CAPC-LEDG-024")
def test_a_refusal_before_the_first_query_tells_of_the_ledger(tmp_path: Path) -> None:
    def refuse(*_: object) -> Labeller:
        raise InputError("a model is not admitted")

    job = Job(prepare(resolve(options(tmp_path))), Recorder(), refuse)
    with pytest.raises(InputError, match=r"^a model is not admitted$"):
        job.run()
    job.close()
    # The ledger that this run made is gone; one that was there for nothing stays, and is told of.
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.key"]
    prepare(resolve(options(tmp_path))).open_account().close()
    job = Job(prepare(resolve(options(tmp_path))), Recorder(), refuse)
    with pytest.raises(InputError, match=r"^a model is not admitted\. The ledger .* has no query yet, and is fixed"):
        job.run()
    job.close()
    run(tmp_path, Opener())
    job = Job(prepare(resolve(options(tmp_path))), Recorder(), refuse)
    with pytest.raises(InputError, match=r"^a model is not admitted$"):
        job.run()
    job.close()
