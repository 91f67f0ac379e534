"""Sets of labels in a simulation: voted on by the rule, charged for what one ballot moves, told label by label."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.job.advice import Contest, chance_right
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.plan import Plan, prepare
from capc.job.report import document
from capc.job.simulation import seeded_noise
from capc.learning.data import load_digits, load_npz
from capc.learning.metrics import score
from capc.privacy.account import Account
from capc.privacy.accountants.ballots import sensitivity_of
from capc.privacy.multi_label import SetRule, SetVoting
from capc.session.parameters import Accounting, Adjacency
from job.stand_in import Recorder, validate

RULES = {"binary": {"multi_label": "binary"}, "tau": {"multi_label": "tau", "tau_squared": "1.5"}}
RULES["powerset"] = {"multi_label": "powerset"}


def plan_of(rule: str, **flags: str) -> Plan:
    defaults = {"parties": "6", "queries": "8", "party_rows": "40", "epsilon": "20", "parameters": "test"}
    return prepare(resolve({**defaults, **RULES[rule], **flags}), simulated=True)


@st.composite
def votings(draw: st.DrawFn) -> SetVoting:
    rule = draw(st.sampled_from(SetRule))
    tau_squared = draw(st.fractions(Fraction(1, 4), 9, max_denominator=8)) if rule is SetRule.TAU else None
    return SetVoting(rule, draw(st.integers(1, 4)), draw(st.integers(0, 5)), tau_squared)


def holds(number: int, label: int) -> bool:
    return number // 2**label % 2 == 1


def expected(voting: SetVoting, sets: list[int], noise: list[int]) -> int:
    """From the definition, with reals where it has roots: floors of these are exact for such small numbers."""
    unit = 2**voting.grid_bits
    if voting.rule is SetRule.POWERSET:
        counts = [unit * sets.count(number) + noise[number] for number in range(2**voting.labels)]
        return counts.index(max(counts))
    found = 0
    for label in range(voting.labels):
        count = noise[label]
        for number in sets:
            size = bin(number).count("1")
            value = unit
            if voting.tau_squared is not None and size > voting.tau_squared:
                # The largest whole number whose square is small enough.
                value = max(v for v in range(unit + 1) if v * v * size <= voting.tau_squared * unit**2)
            count += value if holds(number, label) else 0
        if 2 * count > len(sets) * unit:
            found += 2**label
    return found


@pytest.mark.req("CAPC-RUN-039", "CAPC-MPC-020", "CAPC-MPC-022")
@given(st.data())
def test_a_set_is_released_by_its_rule(data: st.DataObject) -> None:
    voting = data.draw(votings())
    sets = data.draw(st.lists(st.integers(0, 2**voting.labels - 1), min_size=1, max_size=7))
    reach = 3 << voting.grid_bits
    noise = data.draw(st.lists(st.integers(-reach, reach), min_size=voting.draws, max_size=voting.draws))
    votes = [sets.count(number) for number in range(2**voting.labels)]
    assert voting.release(votes, noise) == expected(voting, sets, noise)


@pytest.mark.req("CAPC-MPC-021")
def test_ballots_on_larger_sets_are_scaled_down() -> None:
    """One party's ballot, of which half a vote is 8: floor(16 sqrt(2 / 3)) = 13 for each of three, and 11 for four."""
    voting = SetVoting(SetRule.TAU, 4, 4, Fraction(2))
    for labels, draws, found in (
        ({1}, [0, -7, 0, 0], {1}),
        ({1, 3}, [0, -7, 0, -8], {1}),
        ({0, 1, 3}, [-4, -5, 0, -4], {0, 3}),
        ({0, 1, 2, 3}, [-2, -3, -2, -3], {0, 2}),
    ):
        asked, wanted = (sum(2**label for label in each) for each in (labels, found))
        assert voting.release([int(number == asked) for number in range(16)], draws) == wanted


@pytest.mark.req("CAPC-MPC-020")
def test_exactly_half_of_the_votes_is_not_more_than_half() -> None:
    odd = SetVoting(SetRule.BINARY, 1, 0)
    assert [odd.release([1, 2], [draw]) for draw in (-1, 0, 1)] == [0, 1, 1]
    voting = SetVoting(SetRule.BINARY, 1, 4)
    assert [voting.release([2, 2], [draw]) for draw in (-1, 0, 1)] == [0, 0, 1]
    assert [voting.release([1, 2], [draw]) for draw in (-9, -8, -7)] == [0, 0, 1]


@pytest.mark.req("CAPC-RUN-040", "CAPC-ACCT-109")
@given(votings())
def test_no_ballot_moves_counts_farther_than_is_charged(voting: SetVoting) -> None:
    """All pairs of ballots, in votes; the bound is met by some pair but where ballots are rounded down."""
    unit = 2**voting.grid_bits
    ballots = [[Fraction(entry, unit) for entry in ballot] for ballot in voting._ballots]

    def distance(one: list[Fraction], other: list[Fraction]) -> Fraction:
        return sum(((a - b) ** 2 for a, b in zip(one, other, strict=True)), Fraction(0))

    farthest = max(distance(one, other) for one, other in product(ballots, repeat=2))
    charged = sensitivity_of(voting, Adjacency.REPLACE_ONE).squared
    assert farthest <= charged
    if voting.rule is not SetRule.TAU:
        assert farthest == charged
    none = [Fraction(0)] * voting.draws
    assert max(distance(one, none) for one in ballots) <= sensitivity_of(voting, Adjacency.NULL_VOTE).squared


@pytest.mark.req("CAPC-RUN-040", "CAPC-ACCT-109")
@pytest.mark.parametrize(("rule", "squared"), [("binary", 4), ("tau", 3), ("powerset", 2)])
@pytest.mark.parametrize("adjacency", ["replace_one", "null_vote"])
def test_a_query_costs_what_its_rule_moves(rule: str, squared: int, adjacency: str) -> None:
    """Of four labels, mu^2 = D^2 / sigma^2; and the noise that a budget asks for grows with D."""
    moved = {("tau", "null_vote"): Fraction(3, 2), ("powerset", "null_vote"): Fraction(1)}
    squared = moved.get((rule, adjacency), Fraction(squared))
    flags = {"adjacency": adjacency, "accounting": "gaussian_dp"}
    account = plan_of(rule, sigma="4", **flags).open_account()
    assert account.cost.worst_case == Fraction(squared, 16)
    calibrated = plan_of(rule, queries="30", **flags)
    sigma, budget = calibrated.parameters.release.sigma, calibrated.budget
    assert 30 * squared / sigma**2 <= budget < 30 * squared / (sigma - Fraction(1, 64)) ** 2
    assert calibrated.open_account().remaining_queries() == 30


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-039", "CAPC-RUN-040", "CAPC-RUN-043", "CAPC-ACCT-109")
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("partition", ["iid", "missing"])
def test_the_job_releases_and_charges_by_the_rule(rule: str, partition: str) -> None:
    """From the votes of the report, and from noise drawn a second time."""
    plan = plan_of(rule, partition=partition, queriers="2", rounds="2", baselines="noiseless,pate")
    job = Job(plan, Recorder())
    job.run()
    report: Any = document(job.state)
    validate(report)
    assert report["data"]["classes"] == list(range(16))
    assert report["data"]["labels_of_sets"] == 4
    assert plan.voting is not None
    account, number = job.state.account, {0: 0, 1: 0}
    for query in report["queries"]:
        asking = query["party"]
        number[asking] += 1
        noise, _ = seeded_noise(
            plan.parameters, Account(account.policy, plan.voting.grid_bits, account.budget), "0", asking, plan.voting
        )(number[asking])
        sets = [value for value, count in enumerate(query["votes"]) for _ in range(count)]
        assert len(noise.classes) == plan.voting.draws
        assert query["label"] == expected(plan.voting, sets, list(noise.classes))
    assert number == {0: 8, 1: 8}
    squared = {"binary": 4, "tau": 3, "powerset": 2}[rule]
    if rule == "powerset":
        # A set is one label of 16.
        assert account.policy.method is Accounting.ARGMAX_RENYI
        assert account.spent == 16 * (account.policy.argmax_cost or 0) > 0
    else:
        assert account.spent == 16 * squared / account.policy.sigma**2
    assert "no guarantee" in report["privacy"]["label"]
    for turn in report["queriers"]:
        assert [len(turn[when]["per_label"]) for when in ("before", "after")] == [4, 4]
        assert turn["after"]["accuracy"] > 0.2


@pytest.mark.req("CAPC-RUN-041")
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=12))
def test_each_label_is_scored_by_itself(pairs: list[tuple[int, int]]) -> None:
    predicted, truth = (np.array(part, dtype=np.int64) for part in zip(*pairs, strict=True))
    found = score(predicted, truth, 8, labels_of_sets=3)
    for label in range(3):
        rates = []
        for held in (False, True):
            rows = [holds(p, label) == held for p, t in pairs if holds(t, label) == held]
            rates += [sum(rows) / len(rows)] if rows else []
        assert found.per_label[label] == pytest.approx(sum(rates) / len(rates))
    assert score(predicted, truth, 8).per_label == ()


@given(st.floats(0.5, 30), st.integers(1, 6))
def test_labels_are_advised_for_one_by_one(votes_per_sigma: float, labels: int) -> None:
    generator = np.random.default_rng(7)
    noise = generator.normal(size=(4000, labels))
    right = np.mean((0.25 * votes_per_sigma + noise > 0).all(axis=1))
    assert abs(chance_right(votes_per_sigma, Contest(2**labels, labels)) - right) < 0.05


def test_an_archive_holds_numbers_of_sets(tmp_path: Path) -> None:
    file = tmp_path / "rows.npz"
    np.savez(file, x=np.eye(6), y=np.array([1, 5, 0, 1, 5, 0]))
    found = load_npz(file, sets=True)
    assert found.classes == tuple(range(8))
    assert found.labels_of_sets == 3
    assert found.labels.tolist() == [1, 5, 0, 1, 5, 0]
    assert load_npz(file).labels_of_sets == 0
    assert load_digits(sets=True).num_classes == 16
    for bad in (-1, 1024, 2**63 - 1):
        np.savez(file, x=np.eye(6), y=np.array([1, 5, 0, bad, 5, 0]))
        with pytest.raises(InputError, match=rf"y holds {bad}, which is no set of labels: give numbers from 0 to 1023"):
            load_npz(file, sets=True)


@pytest.mark.req("CAPC-RUN-041")
@pytest.mark.parametrize(
    ("flags", "simulated", "line"),
    [
        (RULES["binary"], False, r"multi_label = binary \(--multi-label\): .* use capc simulate"),
        ({"multi_label": "tau"}, True, r"tau_squared = not given .*: tau voting \(--multi-label\) needs it"),
        ({"tau_squared": "2"}, True, r"tau_squared = 2 \(--tau-squared\): give --multi-label tau too"),
        ({**RULES["powerset"], "threshold": "3"}, True, r"threshold = 3 \(--threshold\): voting on sets"),
        ({**RULES["binary"], "sigma": "0.01"}, True, r"sigma = 0.01 .* one query costs more than the whole budget"),
    ],
    ids=["run", "tau", "no rule", "threshold", "sigma"],
)
def test_what_sets_go_without_is_refused(flags: dict[str, str], simulated: bool, line: str) -> None:
    with pytest.raises(InputError, match=line):
        prepare(resolve(flags), simulated=simulated)


@pytest.mark.parametrize("labels", [0, 17])
def test_too_many_labels_are_refused(labels: int) -> None:
    with pytest.raises(InputError, match=f"{labels} labels: voting on sets takes 1 to 16"):
        SetVoting(SetRule.BINARY, labels, 4)
    with pytest.raises(InputError, match="tau_squared = None: give one for tau voting"):
        SetVoting(SetRule.TAU, 3, 4)
