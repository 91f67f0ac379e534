"""Shares of logits in half units: words of l + 1 bits, cut into a word and a half, and what programs make of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest

from capc.foundation.cleartext import one_hot_argmax
from capc.protocol.engine import ArgmaxCase
from capc_mpc import engine as mpc_engine
from capc_mpc.emulator.algebra import Integers
from capc_mpc.emulator.domains import Ring
from capc_mpc.emulator.machine import Machine
from capc_mpc.emulator.run import TARGETS, QueuedInputs, emulate, emulate_on
from capc_mpc.emulator.steps import DOMAINS, emulate_step
from capc_mpc.engine import MpSpdzEngine, split_halves
from capc_mpc.interface import steps
from capc_mpc.interface.encoding import FullCase, input_text
from capc_mpc.interface.expected import expected
from capc_mpc.interface.steps import Step, program_file
from support.builders import make_parameters
from support.engines import emulating, machine_with_everything

L = 3
SUM = "domain.add_halves(*shares, logit_bits)"


def rounded_sums(guard_bits: int, error: int) -> Iterator[tuple[int, int, int]]:
    """(z, lowest bit of A' + B', what word + word + half * half is) for all A and z, where A + B = 2^h z + v mod 2^T.

    As an engine is given raw shares: A' = A >> h - 1 and B' = B + 3 2^(h - 2) >> h - 1, of l + 1 bits each.
    """
    modulus = 1 << L + guard_bits
    for mine, number in product(range(modulus), range(1 << L)):
        other = ((number << guard_bits) + error - mine) % modulus
        first = mine >> guard_bits - 1
        second = (other + (3 << guard_bits - 2)) % modulus >> guard_bits - 1
        ((a,), (a_half,)), ((b,), (b_half,)) = split_halves([first]), split_halves([second])
        assert max(a, b) < 1 << L
        yield number, (first + second) & 1, (a + b + a_half * b_half) % (1 << L)


@pytest.mark.req("CAPC-MPC-007", kind="enumeration")
@pytest.mark.parametrize("guard_bits", [2, 3, 4, 5])
def test_word_and_half_of_each_party_give_the_number_exactly_while_the_error_fits(guard_bits: int) -> None:
    """For all shares and every error within bounds, for both lowest bits; one beyond either edge is off by one."""
    low, high = -(1 << guard_bits - 2) - 1, (1 << guard_bits - 2) - 1
    lowest = set()
    for error in range(low, high + 1):
        for number, bit, found in rounded_sums(guard_bits, error):
            assert found == number
            lowest.add(bit)
    assert lowest == {0, 1}
    for error, off in ((low - 1, -1), (high + 1, 1)):
        differences = {(found - number) % (1 << L) for number, _, found in rounded_sums(guard_bits, error)}
        assert differences == {0, off % (1 << L)}


def all_cases(count: int) -> list[FullCase]:
    """All pairs of words of l + 1 bits that stand for admitted logits of 3 bits, ``count`` of them in each case."""
    words = range(2 << L)
    pairs = [(a, (2 * r + low - a) % (2 << L)) for a in words for r in (-1, 0, 1) for low in (0, 1)]
    cases = []
    for row in product(pairs, repeat=count):
        masks, mask_halves = split_halves([a for a, _ in row])
        shares, halves = split_halves([b for _, b in row])
        cases.append(
            {
                (0, "masks"): masks,
                (0, "mask_halves"): mask_halves,
                (1, "logit_shares"): shares,
                (1, "logit_halves"): halves,
            }
        )
    return cases


def with_shares(step: Step, cases: list[FullCase]) -> list[FullCase]:
    count = next(field.count for field in step.fields if field.name == "fresh_shares")
    drawn = {(0, "fresh_shares"): [1 + c for c in range(count)]}
    pads = {(1, f"pad.{number}"): [number % 2] for number in range(len(step.outputs))}
    return [case | drawn | pads for case in cases]


@pytest.mark.req("CAPC-MPC-007", "CAPC-MPC-020", "CAPC-MPC-022", kind="enumeration")
@pytest.mark.parametrize("target", sorted(TARGETS))
@pytest.mark.parametrize("rule", ["binary", "tau", "powerset"])
def test_a_multi_label_vote_counts_halves_for_every_input_of_small_widths(rule: str, target: str) -> None:
    cases = all_cases(1)
    tau = (2, Fraction(1, 4)) if rule == "tau" else None
    step = steps.multi_label_vote(rule, 1, L, 5, len(cases), tau)
    full = with_shares(step, cases)
    learnt = emulate_step(step, full, target).learnt
    assert learnt == expected(step, full)
    last = step.outputs[-1].name
    positive = [(value + full[0][0, "fresh_shares"][-1]) % 32 > 0 for value in learnt[1][last]]
    assert positive == [doubled_logit(case, 0) >= 2 for case in cases]


def doubled_logit(case: FullCase, label: int) -> int:
    words = [2 * case[0, "masks"][label] + case[0, "mask_halves"][label]]
    words.append(2 * case[1, "logit_shares"][label] + case[1, "logit_halves"][label])
    return (sum(words) + (1 << L)) % (2 << L) - (1 << L)


COMPARED_WITH_THE_LOWEST_BIT = {
    f"logits = [{SUM} for shares in zip(masks, mask_halves, evaluated, halves)]": (
        "logits = [m * 2 + a + s * 2 + b for m, a, s, b in zip(masks, mask_halves, evaluated, halves)]"
    ),
    "argmax_flags(domain, logits, logit_bits)": "argmax_flags(domain, logits, logit_bits + 1)",
}
HALVES_FORGOTTEN = {SUM: "domain.add(shares[0], shares[2], logit_bits)"}


def changed(folder: Path, changes: dict[str, str], program: str = "argmax") -> Path:
    copied = folder / "programs"
    shutil.copytree(program_file("argmax.mpc").parent, copied)
    file = copied / f"{program}.mpc"
    text = file.read_text()
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    file.write_text(text)
    return file


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-007", "CAPC-ARG-002")
@pytest.mark.parametrize("changes", [{}, COMPARED_WITH_THE_LOWEST_BIT, HALVES_FORGOTTEN], ids=["", "lowest", "none"])
def test_a_tie_goes_to_the_lowest_index_whatever_the_lowest_bits_are(changes: dict[str, str], tmp_path: Path) -> None:
    """A program that compares before it drops them, or drops them too early, is found."""
    cases = [case for case in all_cases(2) if len({doubled_logit(case, label) >> 1 for label in range(2)}) == 1]
    step = steps.argmax(2, L, 4, len(cases))
    full = with_shares(step, cases)
    inputs = {party: list(map(int, input_text(step, DOMAINS["ring"], party, full).split())) for party in range(2)}
    ran = emulate(changed(tmp_path, changes), step.arguments, inputs, TARGETS["ring"], 2)
    votes = [[((word >> 60) + c + 1) % 16 for word in line[1]] for c, line in enumerate(ran.printed_to(1))]
    right = [list(vote) == one_hot_argmax([0, 0]) for vote in zip(*votes, strict=True)]
    assert all(right) == (not changes)


class CountedRing(Ring):
    """Counts products, those with public numbers included."""

    products = 0

    def multiply(self, a: int, b: int) -> int:
        self.products += 1
        return super().multiply(a, b)


class CountedBits(Integers):
    """Counts ANDs."""

    products = 0

    def conjunction(self, a: int, b: int) -> int:
        self.products += 1
        return super().conjunction(a, b)


def products_of(file: Path, step: Step, target: str) -> int:
    case = with_shares(step, [{(f.party, f.name): [0] * f.count for f in step.fields}])
    inputs = {party: list(map(int, input_text(step, DOMAINS[target], party, case).split())) for party in range(2)}
    bits = CountedBits()
    ring = CountedRing(bits)
    machine = Machine(bits, ring if target == "ring" else None, 2, QueuedInputs(inputs))
    emulate_on(machine, file, step.arguments, TARGETS[target])
    return ring.products if target == "ring" else bits.products


@pytest.mark.req("CAPC-MPC-007")
@pytest.mark.parametrize(("target", "each"), [("ring", 1), ("garbled", 1), ("binary", 2)])
def test_halves_cost_one_product_a_logit_and_two_where_depth_is_low(target: str, each: int, tmp_path: Path) -> None:
    for step in (steps.argmax(10, 37, 16, 1), steps.multi_label_vote("binary", 10, 37, 16, 1)):
        without = changed(tmp_path / step.program, HALVES_FORGOTTEN, step.program)
        present = program_file(f"{step.program}.mpc")
        assert products_of(present, step, target) == products_of(without, step, target) + 10 * each


@pytest.mark.parametrize("classes", [2, 3, 9, 10])
def test_a_tournament_takes_two_products_for_each_match_but_the_last(classes: int) -> None:
    """The winner, and the flag that it won on; besides a product a logit for halves, and one by a public number."""
    argmax = products_of(program_file("argmax.mpc"), steps.argmax(classes, 12, 5, 1), "ring")
    assert argmax == 2 * classes + 2 * (classes - 2)


@pytest.mark.req("CAPC-MPC-007", "CAPC-MPC-040")
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_an_engine_that_gets_words_in_half_units_cuts_them(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ties among logits whose words have other lowest bits."""
    parameters = make_parameters()
    bits, classes = parameters.widths.logit_bits + 1, parameters.num_classes
    logits = [[5, 5, -5], [-7, -7, -7], [0, 1, 1], [1, 0, 1], [-1, -2, -1]]
    lows = list(product((0, 1), repeat=classes))
    masks = tuple((1 << bits) - 1 - 3 * c for c in range(classes))
    rows = []
    for row, low in product(logits, lows):
        others = tuple((2 * r + e - m) % (1 << bits) for r, e, m in zip(row, low, masks, strict=True))
        rows.append(ArgmaxCase(masks, (0,) * classes, others))
    monkeypatch.setattr(mpc_engine, "run", emulating(target))
    votes, _ = MpSpdzEngine("semi2k", machine=machine_with_everything()).argmax(parameters, rows)
    assert [list(vote) for vote in votes] == [one_hot_argmax(r) for r, _ in product(logits, lows)]
