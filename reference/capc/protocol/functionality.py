"""F_CaPC and F*_CaPC, the ideal functionalities: all else in this project is held against these lines.

F_CaPC takes all inputs in the clear, and the noise, and gives each role exactly what the specification's table allows
(spec/02-roles.md). Ties go to the lowest class index, everywhere. F*_CaPC is what is left of it when the querying party
cheats: it chooses requests and offsets, and each answering party still casts one vote, which meets the noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from capc.foundation import ring
from capc.foundation.cleartext import one_hot_argmax
from capc.foundation.guarded import evaluator_word, garbler_word, opened
from capc.foundation.hidden import type_only
from capc.models.architecture import Activation
from capc.models.model import QuantisedModel
from capc.models.operators import Matrix, Operator, multiply, per_output
from capc.noise.release_noise import ReleaseNoise
from capc.session.parameters import Charge, Parameters, ThresholdMode, VoteVariant
from capc.session.widths import ParameterSet


@dataclass(frozen=True)
class IdealOutput:
    """What each role is given.

    Attributes:
        querying_party: the label, or None for "no consensus".
        privacy_guardian: its own noise; in realised mode also whether the query was answered, else None.
    """

    querying_party: int | None
    privacy_guardian: tuple[ReleaseNoise, bool | None]

    __repr__ = type_only


def ideal_functionality(
    parameters: Parameters,
    logits: Sequence[Sequence[int]],
    noise: ReleaseNoise,
    querying_party_threshold_noise: Sequence[int] = (),
) -> IdealOutput:
    """One query. Answering parties are given nothing.

    Args:
        parameters: grid, threshold and charging.
        logits: one list of C signed integers per answering party.
        noise: the guardian's, in grid units: a draw per class for the label, and as many for a check of its own.
        querying_party_threshold_noise: realised mode only, in grid units, a draw per class.
    """
    unit = 1 << parameters.widths.grid_bits
    votes = [unit * sum(column) for column in zip(*map(one_hot_argmax, logits), strict=True)]
    noisy = _added(votes, noise.classes)
    checked = _added(_checked(parameters, noisy, votes, noise), querying_party_threshold_noise)
    return _release(parameters, noisy, checked, noise)


def _checked(parameters: Parameters, noisy: list[int], votes: list[int], noise: ReleaseNoise) -> list[int]:
    """The counts that a threshold is compared with: the label's draws, or others; no count is compared without one."""
    release = parameters.release
    apart = release.threshold is not None and release.threshold_mode is ThresholdMode.TWO_DRAWS
    return _added(votes, noise.threshold) if apart else noisy


def _release(parameters: Parameters, noisy: list[int], checked: list[int], noise: ReleaseNoise) -> IdealOutput:
    release, unit = parameters.release, 1 << parameters.widths.grid_bits
    answered = release.threshold is None or max(checked) >= release.threshold * unit
    label = one_hot_argmax(noisy).index(1) if answered else None
    realised = release.charge is Charge.REALISED
    return IdealOutput(label, (noise, answered if realised else None))


def _added(counts: Sequence[int], draws: Sequence[int]) -> list[int]:
    """Sums; no draws are zeros."""
    return [count + draw for count, draw in zip(counts, draws or [0] * len(counts), strict=True)]


# F*_CaPC.

Products = Callable[[Operator, Matrix], Sequence[int]]
"""What a request makes of weights: an element of Z_{2^T} for each output, of which the sum is made."""


@dataclass(frozen=True, repr=False)
class LayerChoice:
    """What the querying party chooses of a layer. Nothing chosen is what an honest one does.

    Attributes:
        products: any function of the weights, chosen before the noise of the query's release is drawn; None for
            2^h W x with its share x of the layer's input, as it should be. Another request, off the grid too, gives
            2^T / p times what the response holds; with a key of its choice that depends on the draws u and e' of the
            response as well, which the function then makes for itself (`linear_request`, `he_public_key`).
        share: its share of the products, in Z_{2^T}: a real one follows a law that depends on nothing (CAPC-HE-009).
        offsets: what it adds to its shares where they enter circuits, in Z_{2^T}, for each input of each circuit:
            windows and pairs of classes may differ in what is one share (`choice_bits`).
        value: its share of the value that the layer makes, in Z_{2^l}; a real one is uniform (CAPC-ARG-005).
    """

    products: Products | None = None
    share: Sequence[int] = ()
    offsets: Sequence[int] = ()
    value: Sequence[int] = ()


@dataclass(frozen=True, repr=False)
class RoundChoice:
    """What it chooses in a round of a vote in rounds, match after match, in Z_{2^T}.

    Attributes:
        offsets: on its share of the difference (`choice_bits`).
        shifts: what its rows add to the winner: the first number if the left side won, the second if the right one did.
            It is told neither (`choice_bits` of the next round).
        winners: its share of the winner.
    """

    offsets: Sequence[int] = ()
    shifts: Sequence[tuple[int, int]] = ()
    winners: Sequence[int] = ()


@dataclass(frozen=True, repr=False)
class PartyChoice:
    """What it chooses towards one answering party.

    Attributes:
        query: its share of the query, in Z_{2^l}; None for the query itself.
        layers: of each layer; none for all as they should be.
        rounds: of each round, likewise.
    """

    query: Sequence[int] | None = None
    layers: Sequence[LayerChoice] = ()
    rounds: Sequence[RoundChoice] = ()


@dataclass(frozen=True, repr=False)
class Choices:
    """All that a cheating querying party chooses of one query, before the noise of its release is drawn.

    Attributes:
        parties: towards each answering party; none for all as they should be.
        counts: what it adds to its shares of the counts, in grid units, mod 2^w (`choice_bits` to the guardian).
        checks: realised mode: the same for its second copy, which is checked.
    """

    parties: Sequence[PartyChoice] = ()
    counts: Sequence[int] = ()
    checks: Sequence[int] = ()


def malicious_functionality(
    parameters: Parameters,
    models: Sequence[QuantisedModel],
    query: Sequence[int],
    noise: ReleaseNoise,
    choices: Choices,
    querying_party_threshold_noise: Sequence[int] = (),
) -> IdealOutput:
    """F*_CaPC: one query of a querying party that cheats. Answering parties are given nothing.

    Whatever it chooses, a party votes for one class, as :func:`starred_vote` says, so one party's data move the counts
    by as much as in F_CaPC; every number that is compared has noise; no choice depends on that noise.

    Args:
        parameters: as of F_CaPC.
        models: of the answering parties.
        query: what the querying party says its query is.
        noise: the guardian's.
        choices: the querying party's.
        querying_party_threshold_noise: realised mode only; any numbers.

    Spec: CAPC-SEC-031, CAPC-SEC-032.
    """
    widths, unit = parameters.widths, 1 << parameters.widths.grid_bits
    parties = choices.parties or [PartyChoice()] * len(models)
    votes = [0] * parameters.num_classes
    for model, choice in zip(models, parties, strict=True):
        votes[starred_vote(parameters, model, query, choice)] += unit
    moved = _added(votes, choices.counts)
    noisy = _added(moved, noise.classes)
    copied = _added(votes, choices.checks) if parameters.release.charge is Charge.REALISED else moved
    checked = _added(_checked(parameters, noisy, copied, noise), querying_party_threshold_noise)
    return _release(parameters, _wrapped(noisy, widths.vote_bits), _wrapped(checked, widths.vote_bits), noise)


def starred_vote(parameters: Parameters, model: QuantisedModel, query: Sequence[int], choice: PartyChoice) -> int:
    """The class that an answering party votes for: exactly one, whatever the querying party chooses.

    ``mine`` are the querying party's shares of all values, ``theirs`` the answering party's.
    """
    widths, l = parameters.widths, parameters.widths.logit_bits  # noqa: E741
    entered = query if choice.query is None else choice.query
    mine, theirs = [[ring.reduce(entry, l) for entry in entered]], [[0] * len(entered)]
    for number, stage in enumerate(model.architecture.stages):
        picked = choice.layers[number] if choice.layers else LayerChoice()
        own, other = _sums(widths, model, number, picked, mine, theirs)
        if stage.activation is Activation.VOTE:
            break
        if stage.activation is Activation.NONE:
            mine.append(own)
            theirs.append(other)
            continue
        entering = [index for window in stage.pool_windows() for index in window]
        words = _opened(
            widths, [own[index] for index in entering], [other[index] for index in entering], picked.offsets
        )
        size = stage.window_size
        largest = [_winner(words[start : start + size], l)[1] for start in range(0, len(words), size)]
        made = [stage.activated(ring.signed(word, l), widths.fraction_bits) for word in largest]
        mine.append(list(picked.value) or [0] * len(made))
        theirs.append(ring.subtract(made, mine[-1], l))
    return _class_of(parameters, own, other, picked, choice.rounds)


def _sums(
    widths: ParameterSet,
    model: QuantisedModel,
    number: int,
    picked: LayerChoice,
    mine: Sequence[Sequence[int]],
    theirs: Sequence[Sequence[int]],
) -> tuple[list[int], list[int]]:
    """Both parties' shares of a layer's sums, in Z_{2^T}."""
    stage, layer, bits = model.architecture.stages[number], model.layers[number], widths.share_bits

    def due(operator: Operator, weights: Matrix, values: Sequence[Sequence[int]] = mine) -> list[int]:
        inputs = stage.pool_share(values[stage.source], widths.logit_bits)
        return ring.scale(multiply(operator, weights, inputs, widths.logit_bits), 1 << widths.guard_bits, bits)

    own = list(picked.share) or [0] * stage.sums
    products = (picked.products or due)(stage.operator, layer.weights)
    biases = ring.scale(per_output(stage.operator, layer.biases), 1 << widths.guard_bits, bits)
    parts = [products, due(stage.operator, layer.weights, theirs), biases]
    other = ring.subtract(ring.sum_shares(parts, bits), own, bits)
    scale_bits = stage.scale_bits(widths.fraction_bits) + widths.guard_bits
    totals = [
        model.architecture.add_skipped(number, [sums], [[value] for value in values], scale_bits, bits)[0]
        for sums, values in ((own, mine), (other, theirs))
    ]
    return list(totals[0]), list(totals[1])


def _class_of(
    parameters: Parameters, own: list[int], other: list[int], picked: LayerChoice, rounds: Sequence[RoundChoice]
) -> int:
    """The vote on shares of logits, as the circuits compare them: signs of differences that may wrap."""
    widths, classes = parameters.widths, parameters.num_classes
    l, bits = widths.logit_bits, widths.share_bits  # noqa: E741
    if parameters.vote_variant is VoteVariant.MULTI_ROUND:
        return _class_in_rounds(widths, own, other, rounds)
    if parameters.vote_variant is VoteVariant.TOURNAMENT:
        return _winner(_opened(widths, own, other, picked.offsets), l)[0]
    pairs = list(combinations(range(classes), 2))
    mine, theirs = ([ring.reduce(share[c] - share[d], bits) for c, d in pairs] for share in (own, other))
    beaten = set()
    for (c, d), word in zip(pairs, _opened(widths, mine, theirs, picked.offsets), strict=True):
        right_wins = _is_negative(word, l)
        beaten.add((c, d) if right_wins else (d, c))
    # The last class wins if no other beats all.
    unbeaten = [c for c in range(classes) if not any(loser == c for loser, _ in beaten)]
    return unbeaten[0] if unbeaten else classes - 1


def _class_in_rounds(widths: ParameterSet, own: list[int], other: list[int], rounds: Sequence[RoundChoice]) -> int:
    """The same in rounds: a winner's share has what the querying party's rows added to it."""
    l, bits = widths.logit_bits, widths.share_bits  # noqa: E741
    entrants, number = list(zip(range(len(own)), own, other, strict=True)), 0
    while len(entrants) > 1:
        picked = rounds[number] if rounds else RoundChoice()
        matches, number = list(zip(entrants[::2], entrants[1::2], strict=False)), number + 1
        mine, theirs = ([ring.reduce(a[part] - b[part], bits) for a, b in matches] for part in (1, 2))
        won = []
        for match, word in enumerate(_opened(widths, mine, theirs, picked.offsets)):
            sign = int(_is_negative(word, l))
            index, left, right = matches[match][sign]
            shift = picked.shifts[match][sign] if picked.shifts else 0
            share = picked.winners[match] if picked.winners else 0
            won.append((index, share, ring.reduce(left + right + shift - share, bits)))
        entrants = won + entrants[2 * len(matches) :]
    return entrants[0][0]


def _opened(widths: ParameterSet, mine: Sequence[int], theirs: Sequence[int], offsets: Sequence[int]) -> list[int]:
    """What a circuit computes of both parties' words of shares: elements of Z_{2^l}."""
    l, h, bits = widths.logit_bits, widths.guard_bits, widths.share_bits  # noqa: E741
    pairs = zip(_added(mine, offsets), theirs, strict=True)
    return [opened(evaluator_word(ring.reduce(a, bits), h), garbler_word(b, l, h), l) for a, b in pairs]


def _winner(words: Sequence[int], width: int) -> tuple[int, int]:
    """The tournament: neighbours meet, the right one wins if it is larger, an odd one out passes."""
    entrants = list(enumerate(words))
    while len(entrants) > 1:
        matches = zip(entrants[::2], entrants[1::2], strict=False)
        won = [right if _is_negative(left[1] - right[1], width) else left for left, right in matches]
        entrants = won + entrants[2 * len(won) :]
    return entrants[0]


def _is_negative(word: int, width: int) -> bool:
    return ring.signed(ring.reduce(word, width), width) < 0


def _wrapped(counts: Sequence[int], width: int) -> list[int]:
    return [ring.signed(ring.reduce(count, width), width) for count in counts]
