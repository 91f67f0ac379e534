"""Faults that open more than the vote share in step 1c."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, count
from types import SimpleNamespace

from capc.foundation import ring
from capc.foundation.parties import Party
from capc.foundation.randomness import RandomSource, Seed
from capc.models.architecture import Activation, Rows
from capc.protocol.embedded_methods import EmbeddedInference
from capc.protocol.seats import Queries, QueryingSeat
from capc.steps.answering_party import inference
from capc.steps.answering_party.inference import AnsweringLayer, AnsweringVoteShare
from capc.steps.querying_party import inference as querying_party
from capc.steps.querying_party.inference import QueryingLayer, VoteShare
from capc.steps.querying_party.party import OpenBatch
from capc.two_party import ideal
from capc.two_party.circuits import argmax
from capc.two_party.circuits.arithmetic import Word
from capc.two_party.circuits.builder import Builder, Circuit, Wire
from capc.two_party.circuits.tournament import argmax_flags as correct_flags
from capc.two_party.circuits.tournament import maximum
from capc.two_party.transfers import Words
from capc_verify.faults.patching import FirstDraws, replace_everywhere, replace_in


def open_maximum() -> None:
    """The vote circuit also gives the largest logit to the evaluator."""

    def argmax_flags(builder: Builder, values: Sequence[Word], *, full_range: bool = False) -> list[Wire]:
        return [*correct_flags(builder, values, full_range=full_range), *maximum(builder, values)]

    _open_more(argmax_flags)


def open_vote() -> None:
    """The vote is opened to both parties of step 1c."""

    def argmax_flags(builder: Builder, values: Sequence[Word], *, full_range: bool = False) -> list[Wire]:
        flags = correct_flags(builder, values, full_range=full_range)
        return [*flags, *flags]

    _open_more(argmax_flags)
    infer = EmbeddedInference.querying_party

    async def tell_the_garblers(
        self: EmbeddedInference,
        seat: QueryingSeat,
        opened: Sequence[OpenBatch],
        transfers: Mapping[Party, bytes],
        queries: Queries,
    ) -> list[tuple[VoteShare, ...]]:
        shares = await infer(self, seat, opened, transfers, queries)
        for share in chain(*shares):
            # With its own share, the garbler has the vote.
            await seat.link.send(share.peer, bytes(share.share))
        return shares

    EmbeddedInference.querying_party = tell_the_garblers  # type: ignore[method-assign]


def open_before_reduction() -> None:
    """The vote share is opened as the integer flag - s: its sign tells the vote whenever s is 0 or the flag is."""

    def subtract(left: Sequence[int], right: Sequence[int], width: int) -> list[int]:  # noqa: ARG001
        return [a - b for a, b in zip(left, right, strict=True)]

    replace_in(ideal, "ring", SimpleNamespace(uniform=ring.uniform, subtract=subtract))


def _open_more(argmax_flags: Callable[[Builder, Sequence[Word]], list[Wire]]) -> None:
    """Makes the vote circuit put out what is given after the C flags too, opened to the evaluator.

    The garbler's shares of it are 0. Both parties drop it from their votes.
    """
    open_choice, answering_vote_shares = inference.open_choice, inference.answering_vote_shares
    read_votes = querying_party.read_votes

    def open_zeros(step: str, at: AnsweringLayer, bits: bytes, seed: Seed) -> tuple[Circuit, bytes, RandomSource]:
        circuit, payload, source = open_choice(step, at, bits, seed)
        if at.stage.activation is not Activation.VOTE:
            return circuit, payload, source
        words, place = len(circuit.outputs), count()
        return circuit, payload, FirstDraws(lambda _: None if next(place) % words < at.stage.sums else 0, source)

    def ready(at: AnsweringLayer, shares: Rows) -> tuple[AnsweringVoteShare, ...]:
        return answering_vote_shares(at, tuple(row[: at.stage.sums] for row in shares))

    def read(at: QueryingLayer, outputs: Sequence[Words]) -> tuple[VoteShare, ...]:
        classes = at.party.session.parameters.num_classes
        return read_votes(at, [words[:classes] for words in outputs])

    replace_in(argmax, "argmax_flags", argmax_flags)
    replace_everywhere(open_choice, open_zeros)
    replace_everywhere(answering_vote_shares, ready)
    replace_everywhere(read_votes, read)
