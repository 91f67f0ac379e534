"""The statements: each program opens what the reference computes, to whom it may, for all admitted inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import z3

import capc_mpc
from capc_mpc.emulator.machine import Machine
from capc_mpc.emulator.run import TARGETS, emulate_on
from capc_mpc.emulator.solver import Formulas, FreshInputs
from capc_verify.proofs.programs.lemmas import PARTIES, NotProvedError, Proved, prove, prove_call
from capc_verify.proofs.programs.meaning import Integers
from capc_verify.proofs.programs.words import Flag, Word, Words, rounded_sum

PROGRAMS = Path(capc_mpc.__file__).parent / "programs"
FIRST, QUERYING_PARTY = 0, 1
"""Player 0 is the answering party in step 1c and the guardian in step 3."""


@dataclass(frozen=True)
class Statement:
    """What a program is proved to do.

    Attributes:
        program: the file's name.
        arguments: its arguments.
        assumptions: on the inputs.
        expected: the openings, in order: (party, output, width, value in [0, 2^width)).
        general: terms that stand for any number: a claim about all of these is stronger, and easier to decide.
    """

    program: str
    arguments: tuple[object, ...]
    assumptions: list[z3.BoolRef]
    expected: list[tuple[int, str, int, z3.ArithRef]]
    general: list[z3.ArithRef]


Maker = Callable[[Words], Statement]
"""From the inputs that a program has read to the statement about it."""


def argmax(num_classes: int, logit_bits: int, vote_bits: int) -> tuple[str, tuple[object, ...], Maker]:
    """Step 1c: the querying party is opened onehot(argmax r) - s mod 2^w, under |r_c| < 2^(l-2).

    r_c is the sum of both shares in half units, rounded down.
    """
    arguments = (num_classes, logit_bits, vote_bits, 1)

    def statement(words: Words) -> Statement:
        first, second = words.inputs[FIRST], words.inputs[QUERYING_PARTY]
        masks, fresh = first[:num_classes], first[num_classes:]
        mine, theirs = _with_halves(masks, words.flags[FIRST]), _with_halves(second, words.flags[QUERYING_PARTY])
        logits = [rounded_sum(Integers(), a, b, logit_bits) for a, b in zip(mine, theirs, strict=True)]
        expected = [
            (
                QUERYING_PARTY,
                f"vote.{c}",
                vote_bits,
                (z3.If(lowest_maximum(logits, c), 1, 0) - _residue(fresh[c])) % 2**vote_bits,
            )
            for c in range(num_classes)
        ]
        return Statement("argmax", arguments, _below(logits, logit_bits - 2), expected, logits)

    return "argmax", arguments, statement


def label_release(num_classes: int, width: int, mode: str) -> tuple[str, tuple[object, ...], Maker]:
    """Step 3: label = argmax(noisy), and with a threshold the answered bit max(checked) >= T, for all words.

    What is checked are the noisy sums themselves, or others with noise of their own.
    """
    arguments = (num_classes, width, 1, mode)
    threshold, apart = mode != "plain", mode in {"worst_case", "realised"}
    label_bits = (num_classes - 1).bit_length()

    def statement(words: Words) -> Statement:
        guardian, querying = list(words.inputs[FIRST]), list(words.inputs[QUERYING_PARTY])
        evaluated = querying[:num_classes]
        evaluated_check = querying[num_classes:] if mode == "realised" else evaluated
        own = _sums(guardian[:num_classes], evaluated_check, width) if apart else []
        noisy = _sums(guardian[num_classes if apart else 0 :][:num_classes], evaluated, width)
        label = z3.Sum(*(z3.If(lowest_maximum(noisy, c), c, 0) for c in range(num_classes)))
        # General terms stand for numbers of w bits.
        assumptions = [_is_word(number, width) for number in (*noisy, *own)]
        expected = [(QUERYING_PARTY, "label", label_bits, label)]
        if threshold:
            limit = guardian[-1].number
            most, *others = own or noisy
            for count in others:
                most = z3.If(count > most, count, most)
            answered = z3.If(most >= limit, 1, 0)
            told = [FIRST] if mode == "realised" else []
            expected = [(party, "answered", 1, answered) for party in [QUERYING_PARTY, *told]]
            expected.append((QUERYING_PARTY, "label", label_bits, z3.If(most >= limit, label, 0)))
        return Statement("label_release", arguments, assumptions, expected, own + noisy)

    return "label_release", arguments, statement


def prove_program(
    program: str, arguments: tuple[object, ...], maker: Maker, folder: Path = PROGRAMS, seconds: int = 300
) -> tuple[list[Proved], dict[tuple[object, ...], tuple[object, ...]]]:
    """Shows the statement about the program's meaning.

    Returns:
        What was shown, and the library's operations that it rests on, for :func:`prove_library`.

    Raises:
        NotProvedError: a counterexample exists, or the solver gave up after ``seconds``.
    """
    words = Words(Integers())
    path = folder / f"{program}.mpc"
    machine = Machine(Formulas(), None, PARTIES, FreshInputs())
    # The text sees the options of some target, and gets the meanings instead of that target's domain.
    replaced = {("capc_lib", "domain_of"): lambda _options, _batch: words}
    result = emulate_on(machine, path, arguments, TARGETS["binary"], replaced)
    if result.openings or result.outputs:
        raise NotProvedError(f"{program}: it opens or prints past the library")
    statement = maker(words)
    given = [(opened.party, opened.name, opened.word.width) for opened in words.opened]
    wanted = [(party, name, width) for party, name, width, _ in statement.expected]
    if given != wanted:
        raise NotProvedError(f"{program}: it opens {given} instead of {wanted}")
    goals = [
        (f"{name} to player {party}", _residue(opened.word) == value)
        for opened, (party, name, _, value) in zip(words.opened, statement.expected, strict=True)
    ]
    goals += [(f"precondition of {method}", condition) for method, condition in words.requirements]
    shown = []
    for what, goal in _unique(goals):
        general = [(term, z3.Int(f"general_{i}")) for i, term in enumerate(statement.general)]
        facts = [z3.substitute(fact, *general) for fact in words.ranges + statement.assumptions]
        solver = z3.Solver()
        solver.set("timeout", seconds * 1000)
        shown.append(prove(f"{program}{arguments}: {what}", [z3.substitute(goal, *general)], facts, solver))
    return shown, words.calls


def prove_library(
    target: str, calls: Sequence[tuple[object, ...]], folder: Path = PROGRAMS, seconds: int = 300
) -> list[Proved]:
    """Shows that the library's operations mean what the programs' proofs take them to mean.

    Raises:
        NotProvedError: one does not.
    """
    return [prove_call(folder / "argmax.mpc", target, call, seconds) for call in calls]


def _unique(goals: Sequence[tuple[str, z3.BoolRef]]) -> list[tuple[str, z3.BoolRef]]:
    """Every formula once: a tournament that is played twice has the same preconditions."""
    return list({goal.get_id(): (what, goal) for what, goal in goals}.values())


def _sums(left: Sequence[Word], right: Sequence[Word], width: int) -> list[z3.ArithRef]:
    return [Integers().add(a.number, b.number, width) for a, b in zip(left, right, strict=False)]


def _with_halves(words: Sequence[Word], halves: Sequence[Flag]) -> list[tuple[z3.ExprRef, z3.BoolRef]]:
    return [(word.number, half.bit) for word, half in zip(words, halves, strict=True)]


def _residue(word: Word) -> z3.ArithRef:
    return z3.If(word.number < 0, word.number + 2**word.width, word.number)


def _within(number: z3.ArithRef, bits: int) -> z3.BoolRef:
    return z3.And(-(2**bits) < number, number < 2**bits)


def _is_word(number: z3.ArithRef, width: int) -> z3.BoolRef:
    return z3.And(-(2 ** (width - 1)) <= number, number < 2 ** (width - 1))


def _below(numbers: Sequence[z3.ArithRef], bits: int) -> list[z3.BoolRef]:
    return [_within(number, bits) for number in numbers]


def lowest_maximum(numbers: Sequence[z3.ArithRef], c: int) -> z3.BoolRef:
    """c is the lowest index of a maximum: above all before it, and not below any after it."""
    return z3.And(
        *(numbers[c] > number for number in numbers[:c]), *(numbers[c] >= number for number in numbers[c + 1 :])
    )
