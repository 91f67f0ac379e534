"""The vote in rounds: its circuits, its arithmetic, its messages."""

from __future__ import annotations

from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.circuits.vote import one_hot_argmax
from capc.garbled_two_party import GarbledTwoParty
from capc.multi_round import EvaluatorRound, GarblerRound, Shares, VoteShape
from capc.multi_round_vote import GarbledVote
from capc.randomness import Seed, XofSource

REAL = GarbledTwoParty()
ZERO = Seed(bytes(32))


@lru_cache
def keys(label: bytes) -> tuple[object, object]:
    state, offer = REAL.evaluator_offer(XofSource(ZERO, label + b"offer"))
    waiting, choice = REAL.garbler_choose(offer, b"context", XofSource(ZERO, label + b"choice"))
    key, trees = REAL.evaluator_finish(state, choice, b"context", XofSource(ZERO, label + b"trees"))
    return REAL.garbler_finish(waiting, trees), key


def play(shape, mine, theirs, chunk=256):
    (ours,), ext = REAL.extend_evaluator(keys(b"f")[1], 5, [shape.all_transfers])
    (garblers,) = REAL.extend_garbler(keys(b"f")[0], 5, [shape.all_transfers], ext)
    scheme = GarbledVote(chunk)
    e, message = scheme.begin(ours, keys(b"r")[0], shape, theirs)
    g = scheme.await_begin(garblers, keys(b"r")[1], shape, mine)
    for n in range(shape.rounds):
        assert len(message) == scheme.request_length(shape, n)
        g, message = scheme.garble(g, message, XofSource(ZERO, b"g%d" % n))
        assert len(message) == scheme.answer_length(shape, n)
        result = scheme.evaluate(e, message, XofSource(ZERO, b"e%d" % n))
        if n == shape.rounds - 1:
            return g, result
        e, message = result


@pytest.mark.parametrize("classes", [2, 3, 4, 5, 7, 10])
def test_x(classes):
    import random
    l, w, B = 9, 6, 5
    shape = VoteShape(classes, l, w, B)
    for _ in range(5):
        x = [[random.randrange(-(2**(l-2))+1, 2**(l-2)) for _ in range(classes)] for _ in range(B)]
        mine = [[random.randrange(2**l) for _ in range(classes)] for _ in range(B)]
        theirs = [[(a - b) % 2**l for a, b in zip(*p)] for p in zip(x, mine)]
        a, b = play(shape, mine, theirs, 2)
        assert [[(c + d) % 2**w for c, d in zip(*p)] for p in zip(a, b)] == [one_hot_argmax(r) for r in x]
