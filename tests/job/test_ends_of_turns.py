"""A budget that ends while some party asks is said of the run, whichever turn it is and however the others end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from capc.job.config import resolve
from capc.job.job import Job
from capc.job.plan import prepare
from capc.job.state import Labeller, Status
from capc.models.model import QuantisedModel
from capc.privacy.account import Account
from capc.session.parameters import Parameters
from job.stand_in import Opener, Plurality, Recorder, finished


class Spent(Plurality):
    """Its budget was charged by others."""

    def remaining_queries(self) -> int:
        return 0


class SpentFor(Opener):
    """The account of some parties admits no query."""

    def __init__(self, parties: set[int]) -> None:
        super().__init__()
        self._spent = parties

    def __call__(
        self, parameters: Parameters, models: Sequence[QuantisedModel], account: Account, parties: Sequence[int]
    ) -> Labeller:
        opened = super().__call__(parameters, models, account, parties)
        return Spent(models, account) if parties[0] in self._spent else opened


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-048", "CAPC-RUN-004")
@pytest.mark.parametrize("spent", [set(), {0}, {1}, {2}, {0, 1}])
def test_a_run_says_in_whichever_turn_its_budget_ended(spent: set[int]) -> None:
    flags = {"parties": "2", "queriers": "3", "queries": "2", "sigma": "9", "budgets": "separate"}
    job = finished(Job(prepare(resolve(flags)), Recorder(), SpentFor(spent)))
    assert {query.party for query in job.state.queries} == {0, 1, 2} - spent
    assert job.state.status is (Status.BUDGET_EXHAUSTED if spent else Status.COMPLETE)
