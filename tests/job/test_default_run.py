"""The run that `capc run` does by default, with nothing replaced: real HE, garbled circuits and noise.

Some ten seconds of protocol for each run; `CAPC_NIGHTLY=1` plays five seeds of each partition instead of one. One draw
of noise may lower an accuracy, so that models improve is a claim about means: of the nightly runs, of nightly
simulations of the same run, whose noise has a seed, and of the ten that are recorded.
"""

from __future__ import annotations

from statistics import mean
from typing import Any, cast

import pytest

from capc.job import collaboration
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.plan import prepare
from capc.job.report import document
from capc.linear.bfv import BfvLinear
from capc.protocol.collaboration import Collaboration
from capc.steps.suite import Suite
from capc.two_party.vectorised import VectorisedTwoParty
from job.stand_in import Recorder, validate
from support.sizes import examples, is_nightly, nightly_only, some

pytestmark = pytest.mark.usefixtures("real_label_costs")

SEEDS = range(examples(ordinary=1, nightly=5))


@pytest.fixture
def suites(monkeypatch: pytest.MonkeyPatch) -> list[Suite]:
    """The suites that the collaborations are opened with, which are otherwise as the job makes them."""
    opened: list[Suite] = []

    def remembered(session: Any, models: Any, suite: Suite, account: Any, **options: Any) -> Collaboration:
        opened.append(suite)
        return Collaboration(session, models, suite, account, **options)

    monkeypatch.setattr(collaboration, "Collaboration", remembered)
    return opened


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-007", "CAPC-REL-001")
@pytest.mark.parametrize("partition", some(["iid", "dirichlet"], ordinary=1))
def test_the_default_run_releases_the_ideal_labels_within_its_budget(suites: list[Suite], partition: str) -> None:
    before, after = [], []
    for seed in SEEDS:
        job = Job(prepare(resolve({"partition": partition, "seed": str(seed)})), Recorder())
        job.run()
        report: Any = document(job.state)
        validate(report)
        check_run(report)
        before.append(report["queriers"][0]["before"]["accuracy"])
        after.append(report["queriers"][0]["after"]["accuracy"])
    assert len(suites) == len(SEEDS)
    assert all(isinstance(suite.linear, BfvLinear) for suite in suites)
    assert all(isinstance(suite.two_party, VectorisedTwoParty) for suite in suites)
    if is_nightly():
        assert mean(after) >= mean(before)


@nightly_only
@pytest.mark.slow
@pytest.mark.parametrize("partition", ["iid", "dirichlet"])
def test_the_default_run_improves_the_model_in_the_mean(partition: str) -> None:
    gains = []
    for seed in range(10):
        plan = prepare(resolve({"partition": partition, "seed": str(seed)}), simulated=True)
        job = Job(plan, Recorder())
        job.run()
        (querier,) = cast("Any", document(job.state))["queriers"]
        gains.append(querier["after"]["accuracy"] - querier["before"]["accuracy"])
    assert mean(gains) > 0


def check_run(report: Any) -> None:
    assert report["status"] == "complete"
    assert report["config"]["parameters"] == "default"
    assert len(report["parties"]) == 21
    assert len(report["queries"]) == 20
    assert all(query["label"] is not None for query in report["queries"])
    assert [query["label"] for query in report["queries"]] == [query["ideal_label"] for query in report["queries"]]
    privacy = report["privacy"]
    assert privacy["label"] == "guarantee of the enforced budget"
    assert privacy["delta"] == 1e-5
    assert privacy["realised"] <= privacy["epsilon"] <= 10
    assert all(cost["bytes"] > 0 for cost in report["steps"].values())
