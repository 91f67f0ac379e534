"""What a cheating querying party does to a vote in rounds: rows of its choice make the vote another one.

The test is the figure of a row of section 90. What an offset of its choice does not do: test_reverse_offsets.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from capc.foundation.cleartext import one_hot_argmax
from capc.two_party.garbling.readable_vote_rounds import GarbledVote, _Evaluator
from capc.two_party.vote_rounds import EvaluatorRound, GarblerRound
from support import vote_rounds
from support.computations import stream
from support.reverse_offsets import ends, reverse_keys
from support.vote_rounds import Votes


@pytest.mark.req("CAPC-SEC-020")
def test_rows_of_choice_make_the_vote_one_comparison() -> None:
    """Rows for a difference that is larger by 2^17 move a winner if its match has sign 1: the vote tells the sign."""
    job = Votes.uniform(num_classes=3, logit_bits=20, vote_bits=16, instances=60, chunk=256)
    small = [[entry >> 3 for entry in row] for row in job.logits]
    job = replace(job, logits=small)
    garbler, evaluator, request = ends(job, reverse_keys(None))
    engine = GarbledVote(job.chunk)
    after, answer = vote_rounds.garble(engine, garbler, request, stream(0, "garble"))
    own = cast(_Evaluator, evaluator.secret)
    offset, modulus = 1 << 17 + job.shape.guard_bits, 1 << job.shape.share_bits
    moved = [own.entrants[0], [(entry - offset) % modulus for entry in own.entrants[1]], own.entrants[2]]
    evaluator = replace(evaluator, secret=replace(own, entrants=moved))
    played = vote_rounds.evaluate(engine, evaluator, answer, stream(0, "evaluate"))
    evaluator, request = cast(tuple[EvaluatorRound, bytes], played)
    theirs, answer = vote_rounds.garble(engine, cast(GarblerRound, after), request, stream(1, "garble"))
    mine = vote_rounds.evaluate(engine, evaluator, answer, stream(1, "evaluate"))
    votes = [[(a + b) % 2**16 for a, b in zip(*pair, strict=True)] for pair in zip(theirs, mine, strict=True)]
    told = [row[2] for row, logits in zip(votes, small, strict=True) if logits[1] > logits[0]]
    assert told == [1] * len(told)
    assert 15 < len(told) < 45
    kept = [row for row, logits in zip(votes, small, strict=True) if logits[1] <= logits[0]]
    expected = [one_hot_argmax([r[0], -(1 << 19), r[2]]) for r in small if r[1] <= r[0]]
    assert kept == expected
