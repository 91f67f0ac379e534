"""Turns and rounds: one account for all who query, models that answer unchanged, and no row that is asked twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.foundation.parties import organisation
from capc.job import job as job_module
from capc.job import models as models_module
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.keeping.journal import Journal
from capc.job.models import quantised
from capc.job.plan import prepare
from capc.job.report import document
from capc.job.state import Status
from capc.learning.data import Indices
from capc.learning.strategies import choose
from capc.learning.training import FloatModel, TrainingTask, train
from capc.privacy.accountants.policies import policy_epsilon
from capc.privacy.figures.rounding import rounded_up
from capc.privacy.ledger import load_known_head, reading
from job.stand_in import Opener, Recorder, finished, validate
from support.sizes import examples

OPTIONS = {"parties": "3", "queries": "4", "queriers": "3", "sigma": "9"}


class Trained:
    """Every training gives another model at once, and is written down."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.tasks: list[TrainingTask] = []
        self.given: list[FloatModel] = []
        patch.setattr(models_module, "train", self.train)
        patch.setattr(models_module, "train_side_by_side", lambda tasks, _: map(self.train, tasks))

    def train(self, task: TrainingTask) -> FloatModel:
        self.tasks.append(task)
        shift = len(self.tasks)
        weights = np.roll(np.eye(task.num_classes, task.features.shape[1]), shift, axis=1) * (1 + shift / 16)
        self.given.append(FloatModel((weights,), (np.zeros(task.num_classes),)))
        return self.given[-1]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    return Trained(monkeypatch)


def run(opener: Opener | None = None, **flags: str) -> Job:
    return finished(Job(prepare(resolve({**OPTIONS, **flags})), Recorder(), opener or Opener()))


def asked(job: Job, party: int) -> list[int]:
    return [query.row for query in job.state.queries if query.party == party]


@pytest.mark.req("CAPC-RUN-048", "CAPC-RUN-050")
def test_all_are_charged_to_one_account_and_answer_with_the_models_they_began_with(trained: Trained) -> None:
    """Party 0 has retrained when party 1 asks it, and answers with its first model all the same."""
    opener = Opener()
    job = run(opener)
    account = job.state.account
    assert [labeller.account for labeller in opener.opened] == [account] * 3
    assert account.spent == 12 * account.cost.worst_case
    assert len({(event.kind, event.session_tag, event.query) for event in account.events}) == len(account.events)
    assert opener.parties == [(0, 1, 2, 3), (1, 0, 2, 3), (2, 0, 1, 3)]
    began = [quantised(job.state.plan, model) for model in trained.given[:4]]
    assert len(trained.given) == 4 + 3
    for parties, labeller in zip(opener.parties, opener.opened, strict=True):
        assert list(labeller.models) == [began[number] for number in parties[1:]]
    assert [query.index for query in job.state.queries] == list(range(1, 13))
    assert [query.party for query in job.state.queries] == [0] * 4 + [1] * 4 + [2] * 4
    for party in range(3):
        assert set(asked(job, party)) <= set(job.state.split.pools[party].tolist())
    report: Any = document(job.state)
    assert [turn["rounds"][-1]["queries"] for turn in report["queriers"]] == [4, 4, 4]
    # What its budget paid by then, for whomever.
    readings = [
        rounded_up(policy_epsilon(account.policy, account.grid_bits, 4 * turn * account.cost.worst_case))
        for turn in (1, 2, 3)
    ]
    assert [turn["rounds"][-1]["epsilon"] for turn in report["queriers"]] == readings
    assert report["privacy"]["all_queriers"] == {"budgets": "shared", "epsilon": pytest.approx(10, abs=1e-6)}


@pytest.mark.req("CAPC-RUN-048", "CAPC-RUN-004")
@pytest.mark.parametrize("batch", ["1", "10"])
def test_a_budget_that_ends_in_the_second_turn_ends_the_run_for_all(trained: Trained, batch: str) -> None:
    """Sigma 2 costs mu^2 = 1/2 a query: 8 fit, of the 15 that are wanted."""
    job = run(queries="5", sigma="2", batch=batch, accounting="gaussian_dp")
    assert [len(asked(job, party)) for party in range(3)] == [5, 3, 0]
    assert job.state.status is Status.BUDGET_EXHAUSTED
    assert job.state.account.remaining_queries() == 0
    assert all(turn.after is not None for turn in job.state.turns)


@pytest.mark.req("CAPC-RUN-048", "CAPC-RUN-006")
def test_separate_budgets_add_up_and_promise_nothing_alone(trained: Trained, tmp_path: Path) -> None:
    job = run(queries="5", sigma="2", budgets="separate")
    accounts = [turn.account for turn in job.state.turns]
    assert len(set(map(id, accounts))) == 3
    assert [account.spent for account in accounts] == [5 * account.cost.worst_case for account in accounts]
    assert job.state.status is Status.COMPLETE
    privacy: Any = document(job.state)["privacy"]
    first = accounts[0]
    together = policy_epsilon(first.policy, first.grid_bits, 3 * first.budget)
    assert privacy["all_queriers"] == {"budgets": "separate", "epsilon": rounded_up(together)}
    assert privacy["epsilon"] == 10 < privacy["all_queriers"]["epsilon"]
    told = privacy["label"].removeprefix("no guarantee: 3 budgets, which keep epsilon <= ").removesuffix(" together")
    assert together <= Fraction(told) <= together * (1 + Fraction(1, 10**5))
    alone: Any = document(run(queriers="1", budgets="separate").state)["privacy"]
    assert alone["label"] == "guarantee of the enforced budget"
    with pytest.raises(InputError, match=r"^budgets = separate \(--budgets\): a ledger holds one budget for all"):
        prepare(resolve({**OPTIONS, "budgets": "separate", "ledger": str(tmp_path / "l")}))


@pytest.mark.req("CAPC-RUN-049")
def test_each_round_chooses_with_the_model_of_the_one_before(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """7 queries in 3 rounds are 2, 2 and 3; what was asked counts as labelled for the choice, and is learned from."""
    chosen: list[tuple[FloatModel, list[int], set[int], set[int]]] = []

    def remembered(strategy: Any, own: FloatModel, features: Any, labelled: Indices, pool: Indices, *rest: Any) -> Any:
        order = choose(strategy, own, features, labelled, pool, *rest)
        chosen.append((own, order.tolist(), set(labelled.tolist()), set(pool.tolist())))
        return order

    monkeypatch.setattr(job_module, "choose", remembered)
    job = run(Opener(withhold=frozenset({2, 5})), queries="7", rounds="3", queriers="2")
    for party in (0, 1):
        (turn, rows) = job.state.turns[party], asked(job, party)
        own_rows = set(job.state.split.parties[party].tolist())
        assert [record.queries for record in turn.rounds] == [2, 4, 7]
        assert Counter(query.round for query in job.state.queries if query.party == party) == {1: 2, 2: 2, 3: 3}
        retrained = trained.given[4 + 3 * party : 7 + 3 * party]
        for number, done in enumerate((0, 2, 4)):
            model, order, labelled, pool = chosen[3 * party + number]
            assert model is [trained.given[party], *retrained][number]
            assert rows[done : (2, 4, 7)[number]] == order[: (2, 2, 3)[number]]
            assert labelled == own_rows | set(rows[:done])
            assert not pool & set(rows[:done])
        released = [query for query in job.state.queries if query.party == party and query.label is not None]
        assert len(trained.tasks[6 + 3 * party].labels) == len(own_rows) + len(released)
        assert trained.tasks[6 + 3 * party].labels[len(own_rows) :].tolist() == [query.label for query in released]


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-048", "CAPC-RUN-049")
@settings(max_examples=examples(ordinary=15, nightly=300), suppress_health_check=list(HealthCheck))
@given(
    queries=st.integers(1, 9),
    rounds=st.integers(1, 9),
    queriers=st.integers(1, 4),
    batch=st.integers(1, 5),
    sigma=st.sampled_from(["1.5", "2", "9"]),
    strategy=st.sampled_from(["random", "margin", "k_centre"]),
)
def test_no_row_is_asked_twice_over_rounds_and_turns_and_rounds_divide_the_queries(
    trained: Trained, queries: int, rounds: int, queriers: int, batch: int, sigma: str, strategy: str
) -> None:
    flags = {
        **{"queries": str(queries), "rounds": str(min(rounds, queries)), "queriers": str(queriers)},
        **{"batch": str(batch), "sigma": sigma, "strategy": strategy},
    }
    job = run(**flags)
    account = job.state.account
    rows = [query.row for query in job.state.queries]
    assert len(set(rows)) == len(rows)
    assert account.spent == len(rows) * account.cost.worst_case <= account.budget
    if job.state.status is not Status.COMPLETE:
        assert account.remaining_queries() == 0
        return
    for turn in job.state.turns:
        counts = np.diff([0, *(record.queries for record in turn.rounds)])
        assert sum(counts) == queries
        assert len(counts) == min(rounds, queries)
        assert max(counts) - min(counts) <= 1


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-050", "CAPC-RUN-016", "CAPC-RUN-020")
def test_each_querying_party_keeps_a_journal_of_its_own_with_the_roles_of_all(trained: Trained, tmp_path: Path) -> None:
    place = {"ledger": str(tmp_path / "ledger"), "journal": str(tmp_path / "own" / "journal")}
    first = run(queriers="2", **place)
    digests = first.state.plan.dataset.digests
    with reading(tmp_path / "ledger") as (log, _):
        identity = log.head.identity
        assert log.spent == 8 * log.cost.worst_case
    files = [tmp_path / "own" / "journal", tmp_path / "own" / f"journal.{organisation(1)}"]
    for party, file in enumerate(files):
        journal = Journal(file, identity)
        assert set(journal.rows()) == {journal.digest(digests[row]) for row in asked(first, party)}
    second = run(Opener(first_query=100), queriers="2", **place)
    for party, turn in enumerate(second.state.turns):
        assert turn.purse.asked_before == 4
        assert not set(asked(first, party)) & set(asked(second, party))
        assert set(turn.purse.bought) == set(asked(first, party))
    # Another seed makes a labelled row of one party a row of another one, which its journal knows.
    with pytest.raises(InputError, match=r"^a row of .* in an earlier run would be one of .* now: seed = "):
        run(Opener(first_query=200), queriers="2", seed="1", **place)


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-048", "CAPC-LEDG-009")
def test_every_party_that_answers_watches_the_ledger_in_each_turn(tmp_path: Path) -> None:
    """The real protocol, at the sizes of tests: party 0 looks when party 1 asks, and sessions are distinct."""
    flags = {"parties": "2", "queries": "2", "queriers": "2", "sigma": "5", "parameters": "test"}
    job = Job(prepare(resolve({**flags, "ledger": str(tmp_path / "ledger")})), Recorder())
    job.run()
    validate(document(job.state))
    job.close()
    heads = {number: load_known_head(tmp_path / "ledger.heads" / f"{organisation(number)}.json") for number in range(3)}
    with reading(tmp_path / "ledger") as (log, _):
        assert log.spent == 4 * log.cost.worst_case
        assert len({event.session_tag for event in log.events}) == 2
        size = log.head.size
    sizes = {number: seen.head.size for number, seen in heads.items() if seen}
    # Party 1 asks last, and saw what party 0 was charged.
    assert sizes[0] == sizes[2] == size > sizes[1] > 0


def small(folder: Path) -> str:
    generator = np.random.default_rng(5)
    labels = np.arange(600) % 3
    features = generator.normal(size=(600, 6)) + np.eye(3, 6)[labels] * 2
    np.savez(folder / "rows.npz", x=features, y=labels, ward=generator.integers(0, 6, 600))
    return str(folder / "rows.npz")


def comparable(job: Job) -> Any:
    report: Any = document(job.state)
    for query in report["queries"]:
        query.pop("seconds")
    report["config"].pop("keep")
    return report


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-051")
def test_a_run_with_kept_models_is_the_same_and_trains_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def counted(tasks: Sequence[TrainingTask], _: int) -> Any:
        counts.append(len(tasks))
        return map(train, tasks)

    monkeypatch.setattr(models_module, "train_side_by_side", counted)
    flags = {"data": small(tmp_path), "queriers": "2", "rounds": "2"}
    without = comparable(run(**flags))
    kept = [comparable(run(**flags, keep=str(tmp_path / "kept"))) for _ in range(2)]
    assert counts == [4, 4, 0]
    assert kept == [without, without]
    # Over epsilon and strategy the parties' models stay; another seed or another way of training trains all of them.
    run(**flags, keep=str(tmp_path / "kept"), epsilon="9", strategy="random")
    run(**flags, keep=str(tmp_path / "kept"), seed="1")
    monkeypatch.setattr(models_module, "RECIPE", "another")
    run(**flags, keep=str(tmp_path / "kept"))
    assert counts[3:] == [0, 4, 4]


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-050")
@pytest.mark.parametrize(
    ("flags", "empty"),
    [
        ({"partition": "iid"}, False),
        ({"partition": "weak", "weak_classes": "1", "weak_ratio": "0"}, True),
        ({"partition": "missing", "missing_classes": "1"}, True),
        ({"partition": "missing", "missing_classes": "2", "skewed": "querying"}, True),
        ({"partition": "dirichlet", "alpha": "1"}, False),
        ({"partition": "column", "column": "ward"}, False),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
)
def test_each_partition_goes_through_the_job(
    tmp_path: Path, trained: Trained, flags: dict[str, str], empty: bool
) -> None:
    """Its report tells every party's classes, the querying ones included, as the split has them."""
    job = run(data=small(tmp_path), queriers="2", **flags)
    report: Any = document(job.state)
    labels = job.state.plan.dataset.labels
    assert len(report["parties"]) == 4
    for party, rows in zip(report["parties"], job.state.split.parties, strict=True):
        assert party["per_class"] == np.bincount(labels[rows], minlength=3).tolist()
        assert party["name"] == organisation(party["party"])
    skewed = report["parties"][:2] if flags.get("skewed") == "querying" else report["parties"]
    if empty:
        assert all(0 in party["per_class"] for party in skewed)
    if flags.get("skewed") == "querying":
        assert all(0 not in party["per_class"] for party in report["parties"][2:])
