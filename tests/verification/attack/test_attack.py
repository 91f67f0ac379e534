"""The attack on released labels: never above what is printed, near it where theory says so, and faults are found."""

from __future__ import annotations

from fractions import Fraction

import pytest

from capc_verify.attack.attack import FAILURE, attack
from capc_verify.attack.cases import CASES, SEEN, STATED, Case
from support.sizes import examples, is_nightly

ORDINARY = 3
"""So many cases are attacked in every run, nightly all of them."""
TRIED = CASES[: examples(ordinary=ORDINARY, nightly=len(CASES))]

DELTAS = (STATED, SEEN) if is_nightly() else (SEEN,)
"""What is printed at the stated delta towards a cheat takes a quarter of a minute."""


def trials_of(case: Case) -> int:
    """Under each hypothesis."""
    if case.whole_sessions:
        return examples(ordinary=400, nightly=4000)
    return examples(ordinary=8000, nightly=40000)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-160")
@pytest.mark.parametrize("case", TRIED, ids=range(len(TRIED)))
def test_no_label_tells_more_than_is_printed(case: Case) -> None:
    """An estimate is too high with probability 1e-6, so this fails by chance next to never."""
    outcome = attack(case, trials_of(case), FAILURE / len(TRIED), DELTAS)
    for finding in outcome.findings:
        least = finding.least_printed(case.cheating)
        assert finding.estimate <= least
        # What an adversary reaches exactly is below, too, if the release has the law that it should.
        assert max(finding.played, finding.best) <= float(least) * (1 + 1e-9)
        few = case.labels <= 2 and not case.cheating and not case.whole_sessions
        if is_nightly() and finding.delta == STATED and few:
            # Of longer histories most are too rare to count.
            assert finding.estimate > finding.played * Fraction(1, 2)


@pytest.mark.req("CAPC-ACCT-160")
def test_few_trials_tell_where_a_class_has_no_noise() -> None:
    """The case of one draw, in a moment; what is found is far below what is printed as long as all have noise."""
    outcome = attack(CASES[2], 400, FAILURE, (SEEN,))
    assert not outcome.refuted
