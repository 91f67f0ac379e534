"""Proofs of the MPC programs at the widths of the default parameter set, and what breaks them."""

from __future__ import annotations

import shutil
from functools import lru_cache
from itertools import product
from pathlib import Path

import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.cleartext import one_hot_argmax
from capc.session.widths import ParameterSet
from capc_mpc.emulator.errors import UnknownConstructError
from capc_mpc.emulator.run import TARGETS
from capc_mpc.interface import steps
from capc_verify.proofs.programs.lemmas import NotProvedError, Proved
from capc_verify.proofs.programs.meaning import BitVectors, Integers, Meaning
from capc_verify.proofs.programs.programs import (
    PROGRAMS,
    Maker,
    argmax,
    label_release,
    lowest_maximum,
    prove_library,
    prove_program,
)

DEFAULT = ParameterSet.named("default")
CLASSES = 10
Claim = tuple[str, tuple[object, ...], Maker]
CLAIMS: dict[str, Claim] = {
    "argmax": argmax(CLASSES, DEFAULT.logit_bits, DEFAULT.vote_bits),
    **{mode: label_release(CLASSES, DEFAULT.vote_bits, mode) for mode in steps.MODES},
}


Calls = dict[tuple[object, ...], tuple[object, ...]]


@lru_cache
def proved(name: str) -> tuple[list[Proved], Calls]:
    return prove_program(*CLAIMS[name])


@pytest.fixture(scope="module")
def calls() -> Calls:
    """Every operation of the library that a proved program rests on, on every kind of operands."""
    return {key: call for name in CLAIMS for key, call in proved(name)[1].items()}


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-032", kind="proof")
@pytest.mark.parametrize("name", CLAIMS)
def test_a_program_equals_the_reference_for_all_admitted_inputs(name: str) -> None:
    """In terms of the library's operations: the next test shows what these do."""
    shown, rested_on = proved(name)
    assert len({proved.what for proved in shown}) >= 2
    assert rested_on


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-032", kind="proof")
@pytest.mark.parametrize("target", TARGETS)
def test_the_library_means_in_every_domain_what_the_proofs_take_it_to_mean(target: str, calls: Calls) -> None:
    assert len(prove_library(target, list(calls.values()))) == len(calls) > 20


def test_the_widths_are_those_of_the_issue() -> None:
    assert (CLASSES, DEFAULT.logit_bits) == (10, 37)


ADD_HALVES = "self._sum([left_half, *left], [right_half, *right], None)[1:]"
SMALL = {
    "argmax": argmax(3, 6, 3),
    "single_draw": label_release(3, 6, "single_draw"),
    "realised": label_release(3, 6, "realised"),
}
FAULTS_OF_PROGRAMS = {
    "the tie goes to the higher index": (
        "argmax",
        "right_wins = less(left, right, width)",
        "right_wins = domain.invert(less(right, left, width))",
    ),
    "the winner of a match is the loser": (
        "argmax",
        "domain.select(right_wins, right, left)",
        "domain.select(right_wins, left, right)",
    ),
    "an entrant is left out": ("argmax", "winners.append(entrants[-1])", "winners.append(winners[-1])"),
    "the threshold is missed by one": (
        "realised",
        "domain.invert(_all(domain, [domain.less_any(word, limit, width) for word in checked or [largest]]))",
        "_all(domain, [domain.less_any(limit, word, width) for word in checked or [largest]])",
    ),
    "one count is compared, and not all": (
        "realised",
        "for word in checked or [largest]",
        "for word in checked[:1] or [largest]",
    ),
    "the last count is not looked at": ("single_draw", "[largest]", "[noisy[0]]"),
    "the label is told without an answer": ("realised", "label = domain.mask(answered, label)", "pass"),
    "the guardian is told the label": (
        "realised",
        'domain.open_to(receiver, "label", label, label_bits)',
        'domain.open_to(told_if_answered, "label", label, label_bits)',
    ),
    "a noisy count is opened": (
        "realised",
        "label = domain.mask(answered, label)",
        'domain.open_to(receiver, "maximum", noisy[0], width)',
    ),
    "a loser's side keeps its flags": (
        "argmax",
        "left_won = domain.neither(won, right_won)",
        "left_won = won",
    ),
    "a flag that is not below another is taken from it": (
        "argmax",
        "left_won = domain.neither(won, right_won)",
        "left_won = domain.neither(won, right_wins)",
    ),
}


@pytest.mark.req("CAPC-MPC-032")
@pytest.mark.parametrize("fault", FAULTS_OF_PROGRAMS)
def test_a_fault_in_the_programs_text_is_found(fault: str, tmp_path: Path) -> None:
    name, old, new = FAULTS_OF_PROGRAMS[fault]
    prove_program(*SMALL[name])
    with pytest.raises(NotProvedError):
        prove_program(*SMALL[name], folder=broken(tmp_path, old, new))


SUM = "domain.add_halves(*shares, logit_bits)"


@pytest.mark.req("CAPC-MPC-032", "CAPC-MPC-007")
@pytest.mark.parametrize(
    "other",
    ["domain.add(shares[0], shares[2], logit_bits)", "domain.add_halves(*shares[:3], shares[1], logit_bits)"],
    ids=["no half", "one party's half"],
)
def test_a_program_that_forgets_halves_is_found(other: str, tmp_path: Path) -> None:
    with pytest.raises(NotProvedError):
        prove_program(*SMALL["argmax"], folder=broken(tmp_path, SUM, other, "argmax.mpc"))


FAULTS_OF_THE_LIBRARY = {
    "ring: what is taken from a flag stays": ("ring", "return flag - other", "return flag"),
    "binary: what is taken from a flag stays": ("binary", "return flag ^ other", "return flag"),
    "ring: halves do not count": ("ring", "left + right + left_half * right_half", "left + right"),
    "ring: a sum with halves is rounded up": (
        "ring",
        "left + right + left_half * right_half",
        "left + right + left_half + right_half - left_half * right_half",
    ),
    "field: halves do not count": ("field", ADD_HALVES, "self._sum(left, right, None)"),
    "binary: halves do not count": ("binary", ADD_HALVES, "self._sum(left, right, None)"),
    "garbled: the carry of halves is dropped": ("garbled", ADD_HALVES, "_ripple(left, right, left_half)"),
    "ring: compares one bit too low": ("ring", "left.less_than(right, width - 1)", "left.less_than(right, width - 2)"),
    "ring: the sign of the right side decides": (
        "ring",
        "return difference_sign + differ * (left_sign - difference_sign)",
        "return difference_sign + differ * (right_sign - difference_sign)",
    ),
    "ring: signs are not looked at": (
        "ring",
        "return difference_sign + differ * (left_sign - difference_sign)",
        "return difference_sign",
    ),
    "ring: opens without reduction": (
        "ring",
        "(word * 2 ** (self.ring_bits - width)).reveal_to(player)",
        "word.reveal_to(player)",
    ),
    "field: opens one bit more": ("field", "sint.bit_compose(word)", "sint.bit_compose([*word, word[0]])"),
    "field: opens the bits in another order": ("field", "sint.bit_compose(word)", "sint.bit_compose(word[::-1])"),
    "field: opens to the other party": (
        "field",
        "sint.bit_compose(word).reveal_to(player)",
        "sint.bit_compose(word).reveal_to(1 - player)",
    ),
    "binary: forgets the signs": (
        "binary",
        "low_left, low_right = left[:-1] + right[-1:], right[:-1] + left[-1:]",
        "low_left, low_right = left, right",
    ),
    "binary: drops a carry": ("binary", "generate[i] ^ (propagate[i] & generate[i - 1])", "generate[i]"),
    "binary: opens without the pad": ("binary", "[bit ^ mask for bit, mask in zip(word, pad)]", "word"),
    "binary: the pad is another party's": (
        "binary",
        "(pad,) = self.input_words(player, 1, width)",
        "(pad,) = self.input_words(1 - player, 1, width)",
    ),
    "garbled: one comparison is wrong": (
        "garbled",
        "flag = b ^ (~(a ^ b) & (flag ^ b))",
        "flag = b ^ (~(a ^ b) & flag)",
    ),
    "garbled: drops a carry": ("garbled", "carry = carry ^ ((a ^ carry) & (b ^ carry))", "carry = a & b"),
}


@pytest.mark.req("CAPC-MPC-032")
@pytest.mark.parametrize("fault", FAULTS_OF_THE_LIBRARY)
def test_a_fault_in_the_librarys_text_is_found(fault: str, tmp_path: Path) -> None:
    target, old, new = FAULTS_OF_THE_LIBRARY[fault]
    calls = [call for claim in SMALL.values() for call in prove_program(*claim)[1].values()]
    with pytest.raises(NotProvedError):
        prove_library(target, calls, folder=broken(tmp_path, old, new))


@pytest.mark.req("CAPC-MPC-032")
def test_a_program_that_goes_past_the_library_is_refused(tmp_path: Path) -> None:
    """What is proved of meanings holds for values only if the program uses nothing but the library's operations."""
    folder = broken(tmp_path, "domain.select(right_wins, right, left)", "left + right")
    with pytest.raises(UnknownConstructError, match=r"capc_lib\.py"):
        prove_program(*SMALL["argmax"], folder=folder)


def broken(folder: Path, old: str, new: str, name: str = "capc_lib.py") -> Path:
    copied = folder / "programs"
    shutil.copytree(PROGRAMS, copied)
    file = copied / name
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    return copied


@pytest.mark.req("CAPC-MPC-032")
def test_both_theories_mean_the_same() -> None:
    """Every operation on all numbers of three bits, as bit-vectors and as integers."""
    width = 3
    bits, integers = BitVectors(), Integers()
    for a, b in product(range(1 << width), repeat=2):
        results = []
        for meaning in (bits, integers):
            x, y = meaning.constant(a, width), meaning.constant(b, width)
            flags = [z3.BoolVal(a == place) for place in range(5)]
            results.append(
                (
                    number(meaning.add(x, y, width), width),
                    number(meaning.subtract(x, y, width), width),
                    number(meaning.select(z3.BoolVal(a < b), x, y), width),
                    number(meaning.position(flags, width), width),
                    z3.is_true(z3.simplify(meaning.less(x, y))),
                    z3.is_true(z3.simplify(meaning.difference_fits(x, y, width))),
                )
            )
        assert results[0] == results[1]
        signed = [n - (n >> width - 1 << width) for n in (a, b)]
        assert results[0] == (
            (a + b) % 8,
            (a - b) % 8,
            a if a < b else b,
            a if a < 5 else 0,
            signed[0] < signed[1],
            -4 <= signed[0] - signed[1] < 4,
        )


def number(formula: z3.ExprRef, width: int) -> int:
    return z3.simplify(formula).as_long() % (1 << width)


@pytest.mark.req("CAPC-MPC-032")
@pytest.mark.parametrize("meaning", [BitVectors(), Integers()])
def test_a_variable_may_be_every_number_of_its_width(meaning: Meaning) -> None:
    variable, is_number = meaning.variable("x", 3)
    solver = z3.Solver()
    solver.add(is_number)
    seen = set()
    while solver.check() == z3.sat:
        value = solver.model().eval(variable, model_completion=True)
        seen.add(value.as_long() % 8)
        solver.add(variable != value)
    assert seen == set(range(8))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=6))
def test_the_statements_argmax_is_the_references(values: list[int]) -> None:
    formulas = [lowest_maximum([z3.IntVal(value) for value in values], c) for c in range(len(values))]
    assert [int(z3.is_true(z3.simplify(formula))) for formula in formulas] == one_hot_argmax(values)
