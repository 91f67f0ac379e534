"""Votes in rounds: both engines send the same bytes, whichever of them is at which end."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings

from support.sizes import examples
from support.vote_rounds import ENDS, Votes, opened, play, votes


def check(job: Votes) -> None:
    plays = [play(*pair, job) for pair in itertools.product(ENDS, repeat=2)]
    assert all(played == plays[0] for played in plays)
    assert opened(plays[0], job.shape) == job.expected


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-005", "CAPC-GC-009")
@settings(max_examples=examples(ordinary=20, nightly=400))
@given(votes())
def test_any_votes(job: Votes) -> None:
    check(job)


@pytest.mark.slow
@pytest.mark.req("CAPC-ROUND-005", "CAPC-GC-009")
@pytest.mark.parametrize(("classes", "bits", "chunk"), [(10, 37, 2), (10, 32, 256), (2, 37, 1), (33, 7, 2)])
def test_protocol_sizes(classes: int, bits: int, chunk: int) -> None:
    check(Votes.uniform(classes, bits, 16, 3, chunk))
