"""A querying party that cheats in a real session, at every place where it has a choice, and what F*_CaPC calls that.

The session is played by its steps; the cheat replaces states and shares of its own, never anybody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from capc.foundation import ring
from capc.foundation.guarded import evaluator_word
from capc.models.architecture import StageShape
from capc.models.model import QuantisedModel
from capc.models.operators import Matrix, Operator, multiply
from capc.noise.release_noise import ReleaseNoise
from capc.protocol.functionality import (
    Choices,
    IdealOutput,
    LayerChoice,
    PartyChoice,
    Products,
    RoundChoice,
    malicious_functionality,
)
from capc.session.parameters import Charge, Parameters
from capc.steps import layer_circuits
from capc.steps.querying_party import inference, release
from capc.steps.querying_party.inference import querying_party_request_layer
from capc.steps.querying_party.vote_rounds import querying_party_evaluate_round
from support.driver import Driver, Outcome


@dataclass(frozen=True)
class LayerMove:
    """What the cheat does in a layer.

    Attributes:
        asked: added to its share of the layer's source in the request, and nowhere else.
        kept: added to its share of the products, wherever it is used.
        entered: added to what enters the circuits, for each input.
        fine: added to the request below the grid of numbers, in parts of 2^h; real HE only.
    """

    asked: Sequence[int]
    kept: Sequence[int]
    entered: Sequence[int]
    fine: Sequence[int] = ()


@dataclass(frozen=True)
class Moves:
    """What it does in a query.

    Attributes:
        layers: for each answering party, of each layer.
        rounds: for each answering party, for each round but the last, what is added to its share of each entrant
            that has a match, when the rows of the round are made and afterwards.
        counts: added to its words of the release.
        checks: realised mode: added to its second copy.
    """

    layers: Sequence[Sequence[LayerMove]]
    rounds: Sequence[Sequence[Sequence[int]]]
    counts: Sequence[int]
    checks: Sequence[int]


@dataclass
class CheatingDriver(Driver):
    """One session whose querying party makes its moves."""

    moves: Moves = field(kw_only=True)
    at: tuple[int, int] = (0, 0)
    """The answering party and the layer whose response is read next."""
    shares: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """Its shares of products, as it takes them."""
    beside: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """What both shares of products add up to beside what was asked for, without what it added."""
    errors: list[int] = field(default_factory=list)
    """All that no draw of the answering party explains."""
    requested: tuple[int, ...] = ()
    """All that it asked for in the layer's request."""
    theirs: list[int] = field(default_factory=list)
    """The answering party's shares of the same products."""
    won: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """Its shares of the winners of each round."""
    drawn: tuple[ReleaseNoise, tuple[int, ...]] | None = None

    def consume(self, step: Callable[..., Any], state: Any, *arguments: object) -> Any:
        if step is querying_party_request_layer:
            return self._request(state)
        if step is querying_party_evaluate_round:
            return self._evaluate_round(state, *arguments)
        return super().consume(step, state, *arguments)

    def _request(self, state: Any) -> Any:
        """The honest state goes on; the request is made of another one."""
        self.at = state.peer.index - 1, state.layer
        source, width = state.stage.source, self.session.parameters.widths.logit_bits
        moved = [list(row) for row in state.values]
        (row,) = state.values[source]
        moved[source] = [tuple(ring.add(row, self._move().asked, width))]
        self.requested = moved[source][0]
        asked = replace(state, values=tuple(tuple(map(tuple, rows)) for rows in moved), request=None)
        awaiting, message = super().consume(querying_party_request_layer, asked)
        return replace(awaiting, layer_input=state), self.altered(message, state.stage)

    def altered(self, message: bytes, stage: StageShape) -> bytes:
        """The request that leaves."""
        return message

    def evaluated(self, answer: tuple[list[list[int]], bytes]) -> tuple[list[list[int]], bytes]:
        """Notes what the answering party keeps; a test needs it to know the errors of real HE."""
        (self.theirs,), _ = answer
        return answer

    def explained(self) -> Sequence[int]:
        """What the answering party's draws add to each sum, that a test knows of."""
        return [0] * len(self.theirs)

    def _evaluate_round(self, state: Any, *arguments: object) -> Any:
        turn, peer = state.turn, state.layer_input.peer.index - 1
        added = self.moves.rounds[peer][turn.number]
        bits = self.session.parameters.widths.share_bits
        # The readable engine has a column for each entrant, the fast one a row for each query; here there is one query.
        before = turn.secret.entrants
        row = [int(share) for share in np.ravel(before)]
        entrants: Any = [[share] for share in ring.add(row, added, bits)]
        if isinstance(before, np.ndarray):
            entrants = np.array(entrants, before.dtype).reshape(before.shape)
        moved = replace(state, turn=replace(turn, secret=replace(turn.secret, entrants=entrants)))
        after, request = super().consume(querying_party_evaluate_round, moved, *arguments)
        self.won[peer, turn.number] = [int(share) for share in np.ravel(after.turn.secret.entrants)]
        return after, request

    def _move(self) -> LayerMove:
        peer, layer = self.at
        return self.moves.layers[peer][layer]

    def _release_embedded(self, *arguments: Any) -> tuple[Any, ...]:
        result = super()._release_embedded(*arguments)
        self.drawn = result[2], tuple(result[3])
        return result

    def decrypted(self, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """What the cheat takes for its shares of the products."""
        (row,) = rows
        bits = self.session.parameters.widths.share_bits
        peer, layer = self.at
        stage, weights = self.models[peer].architecture.stages[layer], self.models[peer].layers[layer].weights
        due = products_of(self.session.parameters, stage, self.requested, [0] * stage.sums, self._move().fine)
        opened = ring.add(row, self.theirs, bits)
        self.beside[self.at] = ring.subtract(opened, due(stage.operator, weights), bits)
        rest = ring.subtract(self.beside[self.at], self.explained(), bits)
        self.errors += [ring.signed(error, bits) for error in rest]
        moved = ring.add(row, self._move().kept, bits)
        self.shares[self.at] = moved
        return [moved]

    def words(self, parameters: Parameters, stage: StageShape, sums: Sequence[Sequence[int]]) -> list[list[int]]:
        """The words that it enters instead."""
        widths, entered = parameters.widths, list(self._move().entered)
        words = []
        for row in layer_circuits._instances(stage, layer_circuits._compared(parameters, stage, sums)):
            offsets, entered = entered[: len(row)], entered[len(row) :]
            moved = ring.add(row, offsets, widths.share_bits)
            words.append([evaluator_word(share, widths.guard_bits) for share in moved])
        assert not entered
        return words

    def cheat(self, query: Sequence[int]) -> Outcome:
        """One query, with all moves."""
        linear, release_words = self.suite.linear, release.release_words
        decrypt, evaluate = linear.decrypt, linear.evaluate
        width = self.session.parameters.widths.vote_bits

        def moved_words(*arguments: Any) -> tuple[list[int], tuple[int, ...]]:
            words, own_noise = release_words(*arguments)
            return ring.add(words, [*self.moves.counts, *self.moves.checks], width), own_noise

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(linear, "decrypt", lambda *rest: self.decrypted(decrypt(*rest)))
            patch.setattr(linear, "evaluate", lambda *rest: self.evaluated(evaluate(*rest)))
            patch.setattr(inference, "evaluator_words", self.words)
            patch.setattr(release, "release_words", moved_words)
            return self.run_query(query)

    # What F*_CaPC calls it.

    def starred(self, query: Sequence[int]) -> IdealOutput:
        """F*_CaPC on the same noise, with the same choices."""
        assert self.drawn is not None
        noise, own_noise = self.drawn
        parameters, moves = self.session.parameters, self.moves
        parties = []
        for peer, model in enumerate(self.models):
            numbers = range(len(model.layers))
            shares = [self.shares[peer, layer] for layer in numbers]
            beside = [self.beside[peer, layer] for layer in numbers]
            won = [self.won[peer, number] for number in range(len(moves.rounds[peer]))]
            chosen = moves.layers[peer], moves.rounds[peer]
            parties.append(party_choice(parameters, model, *chosen, query, shares, won, beside))
        choices = Choices(parties, moves.counts, moves.checks)
        return malicious_functionality(parameters, self.models, query, noise, choices, own_noise)


def party_choice(
    parameters: Parameters,
    model: QuantisedModel,
    moves: Sequence[LayerMove],
    added: Sequence[Sequence[int]],
    query: Sequence[int],
    shares: Sequence[Sequence[int]] = (),
    won: Sequence[Sequence[int]] = (),
    beside: Sequence[Sequence[int]] = (),
) -> PartyChoice:
    """What F*_CaPC calls moves towards one answering party: of its layers, and of its rounds.

    ``shares`` are the querying party's of the products of each layer, ``won`` those of each round's winners, or zeros.
    ``beside`` is what products have beside what was asked for: errors of real HE, and what a key of choice adds.
    """
    layers = []
    for number, (stage, move) in enumerate(zip(model.architecture.stages, moves, strict=True)):
        # Of later values F* is given the share 0, so that a request of this share plus a number asks for that.
        source = list(query) if stage.source == 0 else [0] * stage.inputs
        asked = [share + more for share, more in zip(source, move.asked, strict=True)]
        share = shares[number] if shares else ()
        kept = ring.add(move.kept, beside[number], parameters.widths.share_bits) if beside else move.kept
        products = products_of(parameters, stage, asked, kept, move.fine)
        layers.append(LayerChoice(products, share, move.entered))
    rounds = []
    for number, row in enumerate(added):
        shifts = list(zip(row[::2], row[1::2], strict=False))
        rounds.append(RoundChoice(shifts=shifts, winners=won[number][: len(shifts)] if won else ()))
    return PartyChoice(layers=layers, rounds=[*rounds, RoundChoice()])


def products_of(
    parameters: Parameters, stage: StageShape, asked: Sequence[int], kept: Sequence[int], fine: Sequence[int] = ()
) -> Products:
    """Of a request of these numbers, with ``fine`` parts of 2^h each, to which the cheat adds others."""
    widths = parameters.widths

    def evaluated(operator: Operator, weights: Matrix) -> list[int]:
        due = multiply(operator, weights, stage.pool_share(asked, widths.logit_bits), widths.logit_bits)
        below = multiply(operator, weights, fine, widths.share_bits) if fine else [0] * len(due)
        scaled = [(entry << widths.guard_bits) + part for entry, part in zip(due, below, strict=True)]
        return ring.add(scaled, kept, widths.share_bits)

    return evaluated


def circuit_inputs(parameters: Parameters, stage: StageShape) -> int:
    """How many shares the querying party enters into a layer's circuits."""
    after = layer_circuits.ending(parameters, stage)
    if after in (layer_circuits.Ending.SUMS, layer_circuits.Ending.ROUNDS):
        return 0
    shares = layer_circuits._compared(parameters, stage, [[0] * stage.sums])
    return sum(len(row) for row in layer_circuits._instances(stage, shares))


def adds_own_noise(parameters: Parameters) -> bool:
    """Whether the release takes a second copy of the querying party's words."""
    return parameters.release.charge is Charge.REALISED
