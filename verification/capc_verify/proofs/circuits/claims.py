"""What is claimed of each circuit: its model on words, its precondition, and its specification.

Models follow the circuits step by step, which is what makes proofs fast. They are trusted for nothing: a model that
differs from the gates or from the specification is no proof. Preconditions and specifications are what counts here. In
the circuits of step 1 both are about z, where both parties' words add up to 2 z or 2 z + 1; nothing is assumed of
which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import combinations

import z3

from capc.session.widths import ParameterSet
from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.builder import Circuit
from capc.two_party.circuits.release import confident_release_circuit, release_circuit, single_draw_release_circuit
from capc.two_party.circuits.relu import leaky_relu_circuit, relu_circuit
from capc.two_party.circuits.vote_rounds import signs_circuit
from capc_verify.proofs.circuits.algebra import Algebra, Bit, Word

Tree = int | tuple["Tree", "Tree", Bit]
"""A class, or a match: both sides, and whether the right one won."""


@dataclass(frozen=True)
class Statement:
    """A model's outputs, and what they have to be.

    Attributes:
        precondition: holds of all admitted inputs.
        computed: the circuit's outputs, in order, as bits or words, by the model.
        specified: the same by the specification, which does not look at the model.
    """

    precondition: list[Bit]
    computed: list[Bit | Word]
    specified: list[Bit | Word]


@dataclass(frozen=True)
class Claim:
    """A circuit, and its statement in either algebra.

    Attributes:
        circuit: which is claimed to meet it.
        state: the statement.
        dropped: bits of a sum of input words that say nothing: 1, or 0.
    """

    circuit: Circuit
    state: Callable[[Algebra], Statement]
    dropped: int = 0

    @property
    def width(self) -> int:
        """Of the words of the model."""
        return self.circuit.input_bits - self.dropped


def vote_claim(num_classes: int, logit_bits: int, vote_bits: int) -> Claim:
    """The flags are onehot(argmax r), the lowest index on ties, if |r_c| < 2^(l-2)."""

    def state(algebra: Algebra) -> Statement:
        logits = [algebra.opened(f"r{c}", c) for c in range(num_classes)]
        flags = _flags(_play(algebra, logits)[0], num_classes)
        return Statement(_within(logits, 1 << (logit_bits - 2)), flags, first_largest(logits))

    return Claim(vote_circuit(num_classes, logit_bits, vote_bits), state, dropped=1)


def vote_low_depth_claim(num_classes: int, logit_bits: int, vote_bits: int) -> Claim:
    """The same, if |r_c - r_d| < 2^(l-1), where the parties put in words of r_c - r_d for c < d."""

    def state(algebra: Algebra) -> Statement:
        pairs = list(combinations(range(num_classes), 2))
        differences = {pair: algebra.opened(f"d{pair[0]}_{pair[1]}", n) for n, pair in enumerate(pairs)}
        loses = {pair: algebra.negative(word) for pair, word in differences.items()}
        wins = [
            z3.And([loses[d, c] if d < c else z3.Not(loses[c, d]) for d in range(num_classes) if d != c])
            for c in range(num_classes - 1)
        ]
        logits = [algebra.word(f"r{c}") for c in range(num_classes)]
        precondition = [word == logits[c] - logits[d] for (c, d), word in differences.items()]
        precondition += [algebra.difference_fits(logits[c], logits[d]) for c, d in pairs]
        return Statement(precondition, [*wins, z3.Not(z3.Or(wins))], first_largest(logits))

    return Claim(vote_circuit_low_depth(num_classes, logit_bits, vote_bits), state, dropped=1)


def signs_claim(matches: int, logit_bits: int, share_bits: int) -> Claim:
    """Of a round of votes: whether the right side of each match is larger, if |x - y| < 2^(l-1)."""

    def state(algebra: Algebra) -> Statement:
        differences = [algebra.opened(f"d{n}", n) for n in range(matches)]
        sides = [(algebra.word(f"x{n}"), algebra.word(f"y{n}")) for n in range(matches)]
        precondition = [word == x - y for word, (x, y) in zip(differences, sides, strict=True)]
        precondition += [algebra.difference_fits(x, y) for x, y in sides]
        return Statement(precondition, [algebra.negative(word) for word in differences], [x < y for x, y in sides])

    return Claim(signs_circuit(matches, logit_bits, share_bits), state, dropped=1)


def relu_claim(
    logit_bits: int, fraction_bits: int, window: int, cap_bits: int | None = None, cap: int | None = None
) -> Claim:
    """The word is floor(max(0, z_1, ..., z_n) / 2^f), or 2^k - 1, or c, if there is such a cap and that is less.

    For n = 1 for every z of l bits, else if |z_i| < 2^(l-2).
    """

    def state(algebra: Algebra) -> Statement:
        z = [algebra.opened(f"z{i}", i) for i in range(window)]
        _, largest = _play(algebra, z, keep_last_winner=True)
        truncated = algebra.floor_divided(largest, fraction_bits)
        computed = z3.If(algebra.negative(largest), 0, truncated)
        specified = _largest([*z, 0]) / (1 << fraction_bits)
        most = cap if cap_bits is None else (1 << cap_bits) - 1
        if most is not None:
            computed = z3.If(algebra.negative(largest), 0, z3.If(truncated > most, most, truncated))
            specified = z3.If(specified > most, most, specified)
        precondition = [algebra.fits(z[0])] if window == 1 else _within(z, 1 << (logit_bits - 2))
        return Statement(precondition, [computed], [specified])

    return Claim(relu_circuit(logit_bits, fraction_bits, window, cap_bits, cap), state, dropped=1)


def leaky_relu_claim(
    logit_bits: int, fraction_bits: int, leak_bits: int, window: int, cap_bits: int | None = None
) -> Claim:
    """The word is 2^m more than floor(z / 2^f), or floor(z / 2^(f+s)) where the largest z is negative.

    With a cap, what is divided by 2^s is not below -2^k, and what is not is at most 2^k - 1. For n = 1 for every z of l
    bits, else if |z_i| < 2^(l-2).
    """
    offset = 1 << (logit_bits - 1 - fraction_bits if cap_bits is None else cap_bits)

    def state(algebra: Algebra) -> Statement:
        z = [algebra.opened(f"z{i}", i) for i in range(window)]
        _, largest = _play(algebra, z, keep_last_winner=True)
        kept = algebra.floor_divided(largest, fraction_bits)
        real = _largest(z)
        divided = _floor(real, 1 << fraction_bits)
        if cap_bits is not None:
            kept, divided = (_clamped(word, -offset, offset - 1) for word in (kept, divided))
        leaking = algebra.floor_divided(kept, leak_bits)
        computed = z3.If(algebra.negative(largest), leaking, kept) + offset
        specified = z3.If(real < 0, _floor(divided, 1 << leak_bits), divided) + offset
        precondition = [algebra.fits(z[0])] if window == 1 else _within(z, 1 << (logit_bits - 2))
        return Statement(precondition, [computed], [specified])

    return Claim(leaky_relu_circuit(logit_bits, fraction_bits, leak_bits, window, cap_bits), state, dropped=1)


def _floor(word: Word, divisor: int) -> Word:
    """Rounded down; words of bits are divided towards 0."""
    return z3.If(word < 0, -((-word - 1) / divisor) - 1, word / divisor)


def _clamped(word: Word, least: int, most: int) -> Word:
    return z3.If(word < least, least, z3.If(word > most, most, word))


def release_claim(num_classes: int, vote_bits: int) -> Claim:
    """The bits are those of the index of the first largest noisy count, for all words."""

    def state(algebra: Algebra) -> Statement:
        noisy = [algebra.value(f"noisy{c}", c, c) for c in range(num_classes)]
        flags = _flags(_play(algebra, noisy, full_range=True)[0], num_classes)
        return Statement([algebra.fits(word) for word in noisy], _label(flags), _label(first_largest(noisy)))

    return Claim(release_circuit(num_classes, vote_bits), state)


def single_draw_release_claim(num_classes: int, vote_bits: int) -> Claim:
    """The answered bit is max(votes + noise) >= T, and the label's bits are 0 unless it is 1, for all words."""

    def state(algebra: Algebra) -> Statement:
        noisy = [algebra.value(f"noisy{c}", c, c) for c in range(num_classes)]
        limit = algebra.value("limit", num_classes, None)
        tree, largest = _play(algebra, noisy, keep_last_winner=True, full_range=True)
        answered = z3.Not(algebra.less_any(largest, limit))
        return _withheld_unless(answered, _flags(tree, num_classes), noisy, noisy, limit, algebra)

    return Claim(single_draw_release_circuit(num_classes, vote_bits), state)


def confident_release_claim(num_classes: int, vote_bits: int, *, evaluator_noise: bool) -> Claim:
    """The answered bit is max(votes + tau + tau') >= T, and the label's bits are 0 unless it is 1, for all words."""

    def state(algebra: Algebra) -> Statement:
        own = num_classes if evaluator_noise else 0
        checked = [algebra.value(f"checked{c}", c, own + c) for c in range(num_classes)]
        noisy = [algebra.value(f"noisy{c}", num_classes + c, c) for c in range(num_classes)]
        limit = algebra.value("limit", 2 * num_classes, None)
        below = [algebra.less_any(word, limit) for word in checked]
        flags = _flags(_play(algebra, noisy, full_range=True)[0], num_classes)
        return _withheld_unless(z3.Not(z3.And(below)), flags, noisy, checked, limit, algebra)

    return Claim(confident_release_circuit(num_classes, vote_bits, evaluator_noise=evaluator_noise), state)


def _withheld_unless(
    answered: Bit, flags: list[Bit], noisy: list[Word], checked: list[Word], limit: Word, algebra: Algebra
) -> Statement:
    """An answered bit and a label by the model, and that they are those of the largest checked and noisy words."""
    consensus = _largest(checked) >= limit
    return Statement(
        [algebra.fits(word) for word in (*checked, *noisy, limit)],
        [answered, *(z3.And(answered, bit) for bit in _label(flags))],
        [consensus, *(z3.And(consensus, bit) for bit in _label(first_largest(noisy)))],
    )


def claims(widths: ParameterSet, num_classes: int, windows: Sequence[int]) -> dict[str, Callable[[], Claim]]:
    """Every circuit at the widths of a parameter set, by name."""
    l, w, f = widths.logit_bits, widths.vote_bits, widths.fraction_bits  # noqa: E741
    confident = partial(confident_release_claim, num_classes, w)
    return {
        "vote": lambda: vote_claim(num_classes, l, w),
        "vote_low_depth": lambda: vote_low_depth_claim(num_classes, l, w),
        "vote_signs": lambda: signs_claim(num_classes // 2, l, widths.share_bits),
        **{f"relu_window{n}": partial(relu_claim, l, f, n) for n in windows},
        **{f"capped_relu_window{n}": partial(relu_claim, l, f, n, min(f + 3, l - 2 - f)) for n in windows},
        **{f"relu6_window{n}": partial(relu_claim, l, f, n, cap=min(6 << f, (1 << l - 2 - f) - 2)) for n in windows},
        **{f"leaky_relu_window{n}": partial(leaky_relu_claim, l, f, 3, n) for n in windows},
        **{f"no_relu_window{n}": partial(leaky_relu_claim, l, f, 0, n) for n in windows},
        **{
            f"capped_leaky_relu_window{n}": partial(leaky_relu_claim, l, f, 3, n, min(f + 3, l - 2 - f))
            for n in windows
        },
        "release": lambda: release_claim(num_classes, w),
        "single_draw_release": lambda: single_draw_release_claim(num_classes, w),
        "confident_release_worst_case": lambda: confident(evaluator_noise=False),
        "confident_release_realised": lambda: confident(evaluator_noise=True),
    }


def first_largest(values: Sequence[Word]) -> list[Bit]:
    """For each value whether it is the first of the largest."""
    return [
        z3.And([*(other < value for other in values[:c]), *(other <= value for other in values[c + 1 :])])
        for c, value in enumerate(values)
    ]


def _largest(values: Sequence[Word | int]) -> Word:
    return reduce(lambda best, value: z3.If(best < value, value, best), values)


def _within(values: Sequence[Word], bound: int) -> list[Bit]:
    """|value| < bound."""
    return [z3.And(-bound < value, value < bound) for value in values]


def _label(flags: Sequence[Bit]) -> list[Bit]:
    """The bits of the index of the only flag that is set."""
    positions = range((len(flags) - 1).bit_length())
    return [z3.Or([flag for c, flag in enumerate(flags) if c >> position & 1]) for position in positions]


def _play(
    algebra: Algebra, values: Sequence[Word], *, keep_last_winner: bool = False, full_range: bool = False
) -> tuple[Tree, Word]:
    """The matches of the tournament, and the value that won it (the first value, if the last winner is not kept)."""
    less = algebra.less_any if full_range else algebra.less
    entrants: list[tuple[Tree, Word]] = list(enumerate(values))
    while len(entrants) > 1:
        winners: list[tuple[Tree, Word]] = []
        for (left, left_value), (right, right_value) in zip(entrants[::2], entrants[1::2], strict=False):
            right_wins = less(left_value, right_value)
            carried_on = keep_last_winner or len(entrants) > 2
            winner = algebra.select(right_wins, right_value, left_value) if carried_on else left_value
            winners.append(((left, right, right_wins), winner))
        entrants = winners + entrants[2 * len(winners) :]
    return entrants[0]


def _flags(tree: Tree, num_classes: int) -> list[Bit]:
    """For each class whether it won all its matches."""
    flags = [z3.BoolVal(True)] * num_classes

    def walk(node: Tree, won: Bit) -> None:
        if isinstance(node, int):
            flags[node] = won
            return
        left, right, right_wins = node
        walk(left, z3.And(won, z3.Not(right_wins)))
        walk(right, z3.And(won, right_wins))

    walk(tree, z3.BoolVal(True))
    return flags
