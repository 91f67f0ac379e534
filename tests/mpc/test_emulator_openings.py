"""What is opened, as it travels: in range, and exactly uniform, by enumeration of all inputs at small widths.

A runner that reduces afterwards would hide a value that was opened before its reduction; so these tests look at the
openings themselves, and fail for programs that were broken on purpose.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import pytest

from capc.foundation.cleartext import one_hot_argmax
from capc_mpc.emulator.run import TARGETS, Emulation, emulate
from capc_mpc.emulator.steps import DOMAINS
from capc_mpc.interface import steps
from capc_mpc.interface.encoding import input_text
from capc_mpc.interface.expected import expected
from capc_mpc.interface.steps import Step, program_file

C, L, W = 2, 3, 2
Case = dict[tuple[int, str], list[int]]
ARITHMETIC = ("ring", "field")
BOOLEAN = ("binary", "garbled")


def run_in(folder: Path, step: Step, cases: list[Case], target: str) -> Emulation:
    inputs = {
        party: [int(word) for word in input_text(step, DOMAINS[target], party, cases).split()]
        for party in range(step.parties)
    }
    return emulate(folder / f"{step.program}.mpc", step.arguments, inputs, TARGETS[target], step.parties)


def programs() -> Path:
    return program_file("argmax.mpc").parent


def vectors(width: int, count: int = C) -> Iterator[list[int]]:
    return map(list, product(range(1 << width), repeat=count))


HALVES = ([1, 0], [1, 1])
"""The answering party's and the querying party's: both of one logit, the querying party's of the other."""


def argmax_cases(
    all_masks: list[list[int]],
    pads: list[list[int]],
    halves: Sequence[tuple[list[int], list[int]]] = (HALVES,),
    shares: Sequence[list[int]] = tuple(map(list, product(range(1 << W), repeat=C))),
) -> list[Case]:
    """All admitted logits (|r| < 2), with each of these masks, pads, halves and fresh shares: all of the last."""
    logits = [list(r) for r in product((-1, 0, 1), repeat=C)]
    rows = product(all_masks, logits, halves, shares, pads)
    return [
        {
            (0, "masks"): masks,
            (0, "mask_halves"): a,
            (0, "fresh_shares"): fresh,
            (1, "logit_shares"): [(r - m - x * y) % (1 << L) for r, m, x, y in zip(values, masks, a, b, strict=True)],
            (1, "logit_halves"): b,
            **{(1, f"pad.{c}"): [pad[c]] for c in range(C)},
        }
        for masks, values, (a, b), fresh, pad in rows
    ]


def words_by_case(ran: Emulation, batch: int, outputs: int) -> list[tuple[int, ...]]:
    """The opened words of each case: outputs follow one another, and each has one word per case."""
    words = [opening.word for opening in ran.openings]
    assert len(words) == batch * outputs
    return list(zip(*(words[number * batch : (number + 1) * batch] for number in range(outputs)), strict=True))


def vote_openings(folder: Path, target: str, cases: Sequence[Case] = ()) -> Iterator[tuple[Case, tuple[int, ...]]]:
    cases = list(cases) or argmax_cases(list(vectors(L)), [[1, 2]])
    step = steps.argmax(C, L, W, len(cases))
    ran = run_in(folder, step, cases, target)
    return zip(cases, words_by_case(ran, len(cases), C), strict=True)


def opened_given_the_logits(folder: Path, target: str) -> dict[tuple[tuple[int, ...], ...], Counter[tuple[int, ...]]]:
    """For all that the querying party knows or guesses besides, how often each opened vector occurs."""
    seen: dict[tuple[tuple[int, ...], ...], Counter[tuple[int, ...]]] = {}
    for case, words in vote_openings(folder, target):
        known = (tuple(case[0, "masks"]), tuple(case[1, "logit_shares"]))
        seen.setdefault(known, Counter())[words] += 1
    return seen


def is_uniform(counts: Counter[tuple[int, ...]], unit: int) -> bool:
    everything = {tuple(unit * number for number in vector) for vector in vectors(W)}
    return set(counts) == everything and len(set(counts.values())) == 1


UNIT = {"ring": 1 << 64 - W, "field": 1}


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-003", kind="enumeration")
@pytest.mark.parametrize("target", ARITHMETIC)
def test_the_opened_vote_shares_are_uniform_whatever_the_logits_are(target: str) -> None:
    seen = opened_given_the_logits(programs(), target)
    assert len(seen) == 9 * (1 << L) ** C
    assert all(is_uniform(counts, UNIT[target]) for counts in seen.values())


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-004", kind="enumeration")
@pytest.mark.parametrize("target", BOOLEAN)
def test_the_masked_vote_shares_are_uniform_for_whoever_lacks_the_pads(target: str) -> None:
    cases = argmax_cases([[5, 2]], list(vectors(W)))
    step = steps.argmax(C, L, W, len(cases))
    ran = run_in(programs(), step, cases, target)
    assert {(opening.party, opening.width) for opening in ran.openings} == {(None, W)}
    seen: dict[object, Counter[tuple[int, ...]]] = {}
    for case, words in zip(cases, words_by_case(ran, len(cases), C), strict=True):
        known = (tuple(case[1, "logit_shares"]), tuple(case[0, "fresh_shares"]))
        seen.setdefault(known, Counter())[words] += 1
    assert all(is_uniform(counts, 1) for counts in seen.values())


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-001", "CAPC-ARG-002", "CAPC-ARG-004", kind="enumeration")
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_argmax_for_every_input_of_small_widths(target: str) -> None:
    """All words and halves of both parties that stand for admitted logits, ties with every halves among them."""
    halves = list(product(vectors(1), repeat=2))
    cases = argmax_cases(list(vectors(L)), [[1, 2]], halves, [[3, 1]])
    assert len(cases) == 9 * (2 << L + 1) ** C
    for case, words in vote_openings(programs(), target, cases):
        doubled = [
            [2 * word + half for word, half in zip(case[party, name], case[party, halves_of], strict=True)]
            for party, name, halves_of in ((0, "masks", "mask_halves"), (1, "logit_shares", "logit_halves"))
        ]
        numbers = [sum(words) >> 1 for words in zip(*doubled, strict=True)]
        vote = one_hot_argmax([(number + (1 << L - 1)) % (1 << L) - (1 << L - 1) for number in numbers])
        shares_of_votes = [(v - s) % (1 << W) for v, s in zip(vote, case[0, "fresh_shares"], strict=True)]
        if target in BOOLEAN:
            shares_of_votes = [number ^ case[1, f"pad.{c}"][0] for c, number in enumerate(shares_of_votes)]
        assert list(words) == [UNIT.get(target, 1) * number for number in shares_of_votes]


BROKEN = {
    "ring": (
        "capc_lib.py",
        "(word * 2 ** (self.ring_bits - width)).reveal_to(player)",
        "word.reveal_to(player)",
    ),
    "field": (
        "argmax.mpc",
        'domain.open_to(QUERYING_PARTY, "vote.%d" % c, share, vote_bits)',
        "(sint.bit_compose([flags[c]]) - sint.bit_compose(fresh_shares[c])).reveal_to(QUERYING_PARTY)",
    ),
}


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-003")
@pytest.mark.parametrize("target", ARITHMETIC)
def test_a_vote_share_opened_before_its_reduction_is_found(target: str, tmp_path: Path) -> None:
    """The first trap: such a value tells the vote with probability 2^-w in each entry."""
    folder = broken(tmp_path, *BROKEN[target])
    seen = opened_given_the_logits(folder, target)
    assert not all(is_uniform(counts, UNIT[target]) for counts in seen.values())


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-004")
def test_a_vote_share_opened_without_its_pad_is_found(tmp_path: Path) -> None:
    """The second trap: everybody sees what a Boolean protocol opens."""
    folder = broken(tmp_path, "capc_lib.py", "[bit ^ mask for bit, mask in zip(word, pad)]", "word")
    cases = argmax_cases([[5, 2]], list(vectors(W)))
    ran = run_in(folder, steps.argmax(C, L, W, len(cases)), cases, "binary")
    for case, words in zip(cases, words_by_case(ran, len(cases), C), strict=True):
        if case[0, "fresh_shares"] == [0, 0]:
            assert sum(words) == 1


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-003", kind="enumeration")
@pytest.mark.parametrize("target", ARITHMETIC)
@pytest.mark.parametrize("mode", steps.MODES)
def test_what_a_release_opens_is_a_function_of_label_and_answer(mode: str, target: str) -> None:
    """Over all shares of votes: the raw openings are the outputs, each to its receiver, and nothing else."""
    width, bits = 4, 1
    rows = product(product((-8, 0, 1, 7), repeat=C), vectors(width), (-2, 1), (0, 3))
    cases: list[Case] = []
    for noisy, evaluated, limit, own in rows:
        shares = [(vote - e) % (1 << width) for vote, e in zip(noisy, evaluated, strict=True)]
        cases.append(
            {
                (0, "checked_shares"): [(share + own) % (1 << width) for share in shares],
                (0, "noised_shares"): shares,
                (0, "limit"): [limit % (1 << width)],
                (1, "vote_shares"): evaluated,
                (1, "checked_shares"): [(share - own + 1) % (1 << width) for share in evaluated],
            }
        )
    step = steps.label_release(C, width, len(cases), mode)
    ran = run_in(programs(), step, cases, target)
    unit = 1 << 64 - bits if target == "ring" else 1
    told = expected(step, cases)
    outputs = [(output.party, unit * number) for output in step.outputs for number in told[output.party][output.name]]
    assert [(opening.party, opening.word) for opening in ran.openings] == outputs


def broken(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of the programs with one change."""
    copied = folder / "programs"
    shutil.copytree(programs(), copied)
    text = (copied / file).read_text()
    assert text.count(old) == 1
    (copied / file).write_text(text.replace(old, new))
    return copied
