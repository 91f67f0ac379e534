"""`capc simulate` and `capc run` are one job: under the same noise they release the same labels. One protects data."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.job import job as job_module
from capc.job import plan as plan_module
from capc.job import simulation
from capc.job.config import JobConfig, resolve
from capc.job.job import Job
from capc.job.keeping.files import to_json
from capc.job.models import exact_logits, vote_counts
from capc.job.options import OF_THE_PROTOCOL
from capc.job.plan import prepare
from capc.job.report import document
from capc.job.simulation import Draw, Simulation
from capc.models.model import QuantisedModel
from capc.noise.release_noise import ReleaseNoise
from capc.privacy.account import Account
from capc.privacy.accountants.policies import policy_budget
from capc.privacy.multi_label import SetVoting
from capc.protocol import collaboration
from capc.session.parameters import Charge, Parameters
from job.stand_in import Recorder, validate
from support.builders import (
    confident_policy,
    constant_model,
    make_parameters,
    make_policy,
    make_widths,
    models,
    single_draw_policy,
)
from support.sizes import some

FRACTION_BITS = 4
SMALL = {"parties": "3", "queries": "3", "queriers": "2", "rounds": "2", "sigma": "2", "parameters": "test"}
Noise = tuple[ReleaseNoise, int]


@st.composite
def admitted(draw: st.DrawFn) -> tuple[QuantisedModel, list[tuple[int, ...]], int]:
    """A model of one to three layers that the widest ring which floats hold admits, and queries at the ends too."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    bits = draw(st.sampled_from([16, 37, 53, 54]))
    one = 1 << FRACTION_BITS
    feature = st.integers(-one, one) | st.sampled_from([-one, 0, one])
    queries = draw(st.lists(st.tuples(*[feature] * sizes[0]), max_size=4))
    return draw(models(sizes, FRACTION_BITS, bits)), queries, bits


@pytest.mark.req("CAPC-RUN-042")
@given(admitted())
def test_logits_of_all_queries_at_once_are_those_of_the_model(case: Any) -> None:
    """To the last bit, up to the largest sums that a range check admits, and of no query at all."""
    model, queries, bits = case
    model.check_ranges(bits)
    assert exact_logits(model, queries).tolist() == [list(model.logits(query)) for query in queries]


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-042")
@given(st.data())
def test_votes_are_counted_as_the_protocol_counts_them(data: st.DataObject) -> None:
    """Each party has one vote, which among equal logits goes to the lowest class: models of few values tie often."""
    sizes = data.draw(st.lists(st.integers(2, 3), min_size=2, max_size=3))
    of_size = models(sizes, 1, data.draw(st.sampled_from([6, 12])))
    voters = data.draw(st.lists(of_size, min_size=1, max_size=4))
    queries = data.draw(st.lists(st.tuples(*[st.integers(-2, 2)] * sizes[0]), max_size=3))
    expected = np.zeros((len(queries), sizes[-1]), dtype=np.int64)
    for row, query in enumerate(queries):
        for model in voters:
            logits = list(model.logits(query))
            expected[row, logits.index(max(logits))] += 1
    assert vote_counts(voters, queries, sizes[-1]).tolist() == expected.tolist()


POLICIES = {
    "plain": make_policy(sigma=Fraction(9)),
    "single_draw": replace(single_draw_policy(Fraction(2)), sigma=Fraction(9)),
    **{
        charge.value: replace(confident_policy(charge, Fraction(2)), sigma=Fraction(9), threshold_sigma=Fraction(9))
        for charge in Charge
    },
}


def parameters_of(policy: str) -> tuple[Parameters, Account]:
    """With an account that keeps the policy's promise: a simulation makes no other."""
    parameters = make_parameters(make_widths(logit_bits=14), POLICIES[policy])
    return parameters, Account(parameters.release, parameters.widths.grid_bits, policy_budget(parameters.release))


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-042")
@pytest.mark.parametrize("policy", POLICIES)
@given(st.data())
def test_a_simulated_label_is_the_noisy_plurality_of_the_given_noise(policy: str, data: st.DataObject) -> None:
    """Held against counts and a comparison that are written out here, on the grid of the noise."""
    parameters, account = parameters_of(policy)
    classes, unit = parameters.num_classes, 1 << parameters.widths.grid_bits
    voters = data.draw(st.lists(models((2, classes), 2, 14), min_size=1, max_size=3))
    queries = data.draw(st.lists(st.tuples(*[st.integers(-4, 4)] * 2), min_size=1, max_size=2))
    draws = st.tuples(*[st.integers(-2 * unit, 2 * unit)] * classes)
    noises = [
        (
            ReleaseNoise(data.draw(draws), data.draw(draws) if parameters.release.check_draws else ()),
            data.draw(draws) if parameters.release.check_draws == 2 else (),
        )
        for _ in queries
    ]
    labeller = Simulation(parameters, voters, account, lambda number: noises[number - 1])
    results = labeller.label_batch(queries)
    expected = []
    for (noise, own), query in zip(noises, queries, strict=True):
        votes = [0] * classes
        for model in voters:
            logits = list(model.logits(query))
            votes[logits.index(max(logits))] += unit
        threshold = parameters.release.threshold
        noisy = [count + drawn for count, drawn in zip(votes, noise.classes, strict=True)]
        checks = zip(votes, noise.threshold or noise.classes, own or (0,) * classes, strict=True)
        held = threshold is None or max(map(sum, checks)) >= threshold * unit
        expected.append(noisy.index(max(noisy)) if held else None)
    assert [result.label for result in results] == expected
    assert [result.ideal_label for result in results] == expected
    if parameters.release.charge is not Charge.REALISED:
        assert account.spent == len(queries) * account.cost.worst_case


def labels(job: Job) -> list[tuple[object, ...]]:
    return [(query.party, query.round, query.row, query.label, query.votes) for query in job.state.queries]


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-042", "CAPC-RUN-044")
@pytest.mark.parametrize(
    "flags",
    some(
        [
            pytest.param({}, id="plain"),
            pytest.param({"threshold": "2", "sigma": "3"}, id="worst_case"),
            pytest.param({"threshold": "2", "sigma": "3", "threshold_mode": "single_draw"}, id="single_draw"),
            pytest.param({"threshold": "2", "sigma": "3", "charge": "realised", "batch": "1"}, id="realised"),
            pytest.param(
                {"budgets": "separate", "strategy": "entropy", "mechanism": "discrete_gaussian"}, id="separate"
            ),
        ],
        ordinary=3,
    ),
)
def test_a_simulation_releases_what_the_protocol_releases_under_the_same_noise(
    monkeypatch: pytest.MonkeyPatch, flags: dict[str, str]
) -> None:
    """Two querying parties, two rounds each: a label that differed would change what is asked after it.

    The protocol's noise is taken from where a demonstration compares with F_CaPC. No function of the simulation is
    reached in the meantime.
    """
    drawn: list[Noise] = []
    ideal = collaboration.ideal_functionality

    def remembered(parameters: Parameters, logits: Any, noise: ReleaseNoise, own: int = 0) -> Any:
        drawn.append((noise, own))
        return ideal(parameters, logits, noise, own)

    def unreachable(*arguments: object, **named: object) -> Any:
        raise AssertionError(f"noise of a simulation in a run: {arguments} {named}")

    config = resolve({**SMALL, **flags})
    with monkeypatch.context() as patch:
        patch.setattr(collaboration, "ideal_functionality", remembered)
        for module, name in (
            (simulation, "seeded_noise"),
            (simulation, "Simulation"),
            (job_module, "seeded_noise"),
            (job_module, "open_simulation"),
        ):
            patch.setattr(module, name, unreachable)
        real = Job(prepare(config), Recorder())
        real.run()
    assert len(drawn) == len(real.state.queries) == 6
    later = iter(drawn)

    def opened(parameters: Parameters, voters: Sequence[QuantisedModel], account: Account, _: object) -> Simulation:
        return Simulation(parameters, voters, account, lambda _: next(later))

    simulated = Job(prepare(config, simulated=True), Recorder(), opened)
    simulated.run()
    assert labels(simulated) == labels(real)
    assert [turn.account.spent for turn in simulated.state.turns] == [turn.account.spent for turn in real.state.turns]
    assert [turn.rounds for turn in simulated.state.turns] == [turn.rounds for turn in real.state.turns]
    first, second = (document(job.state) for job in (real, simulated))
    validate(first)
    validate(second)
    for name in ("parties", "queriers", "ensemble", "agreement", "advice", "data", "config"):
        assert first[name] == second[name]


def simulated_report(**flags: str) -> Any:
    job = Job(prepare(resolve({**SMALL, **flags}), simulated=True), Recorder())
    job.run()
    report = copy.deepcopy(document(job.state))
    validate(report)
    return report


def without_time(report: Any) -> Any:
    for query in report["queries"]:
        query.pop("seconds")
    report.pop("versions")
    return report


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-044")
def test_the_seed_decides_the_whole_of_a_simulation() -> None:
    """Twice the same report; another seed gives other noise, also on the same models and queries."""
    flags = {"threshold": "2", "charge": "realised", "baselines": "pate"}
    first, again = (without_time(simulated_report(**flags)) for _ in range(2))
    assert first == again
    plan = prepare(resolve({**SMALL, **flags}), simulated=True)
    account = plan.open_account()
    draws = {
        (seed, party): [simulation.seeded_noise(plan.parameters, account, seed, party)(number) for number in (1, 2)]
        for seed in ("0", "1")
        for party in (0, 1)
    }
    each = [repr((noise.classes, noise.threshold, own)) for pair in draws.values() for noise, own in pair]
    assert len(set(each)) == len(each)


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-002", "CAPC-RUN-044")
def test_the_noise_of_a_comparison_in_a_real_run_is_from_no_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trusted place of the baseline `pate`: a simulation repeats it, a run draws a fresh secret for it."""
    given: list[str] = []
    seeded = simulation.seeded_noise

    def remembered(
        parameters: Parameters, account: Account, seed: str, party: int, voting: SetVoting | None = None
    ) -> Draw:
        given.append(seed)
        return seeded(parameters, account, seed, party, voting)

    monkeypatch.setattr(job_module, "seeded_noise", remembered)
    flags = {"parties": "2", "queries": "2", "sigma": "2", "parameters": "test", "baselines": "pate"}
    for _ in range(2):
        Job(prepare(resolve(flags)), Recorder()).run()
    assert len(set(given)) == 2
    assert all(len(seed) >= 32 and not seed.startswith("pate/") for seed in given)


@pytest.mark.req("CAPC-RUN-043")
@pytest.mark.parametrize("name", OF_THE_PROTOCOL)
def test_what_a_simulation_cannot_keep_is_refused_however_it_is_given(tmp_path: Path, name: str) -> None:
    """As an option, and by code that sets it without a place."""
    values: dict[str, tuple[str, object]] = {
        "ledger": (str(tmp_path / "l"), tmp_path / "l"),
        "ledger_key": (str(tmp_path / "k"), tmp_path / "k"),
        "journal": (str(tmp_path / "j"), tmp_path / "j"),
        "workers": ("1", 1),
        "network": ("lan", "lan"),
        "vote_variant": ("all_pairs", "all_pairs"),
        "prepare": ("yes", True),
        "ask_again": ("yes", True),
    }
    text, value = values.get(name, ("x", "x"))
    for config in (resolve({name: text}), JobConfig(**{name: value})):  # type: ignore[arg-type]
        with pytest.raises(InputError, match=rf"^{name} = .*: a simulation runs no protocol and charges no ledger"):
            prepare(config, simulated=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-043", "CAPC-RUN-006")
@pytest.mark.parametrize("parameters", ["default", "test"])
@pytest.mark.parametrize("budgets", ["shared", "separate"])
def test_a_simulation_opens_no_ledger_and_calls_nothing_a_guarantee(
    monkeypatch: pytest.MonkeyPatch, parameters: str, budgets: str
) -> None:
    def opened(*_: object, **__: object) -> Any:
        raise AssertionError("a ledger or a journal in a simulation")

    for name in ("open_ledger", "Journal"):
        monkeypatch.setattr(plan_module, name, opened)
    report = simulated_report(parameters=parameters, budgets=budgets, rounds="1")
    assert (report["simulated"], report["ledger"], report["journal"], report["steps"]) == (True, None, None, {})
    text = to_json(report).lower()
    for phrase in ("no guarantee", "not a guarantee"):
        text = text.replace(phrase, "")
    assert "guarantee" not in text


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-042", "CAPC-RUN-048")
@given(st.integers(0, 3), st.integers(1, 4))
def test_a_simulation_charges_a_session_of_its_own_for_each_turn(party: int, count: int) -> None:
    (parameters, account), tags = parameters_of("plain"), []
    voters = [constant_model((2, parameters.num_classes), 1, 2)]
    for number in range(2):
        seen = len(account.events)
        simulation.open_simulation(parameters, voters, account, (party + number, 9), seed=1).label_batch(
            [(0, 0)] * count
        )
        tags += sorted({event.session_tag for event in account.events[seen:]})
    assert len(tags) == len(set(tags)) == 2
    assert account.spent == 2 * count * account.cost.worst_case
