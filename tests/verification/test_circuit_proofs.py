"""Proofs for all admitted inputs: the circuits have them at the default widths, wrong circuits have counterexamples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import product

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation import guarded, ring
from capc.session.widths import ParameterSet
from capc.two_party.circuits import arithmetic, tournament
from capc.two_party.circuits.argmax import vote_circuit, vote_circuit_low_depth
from capc.two_party.circuits.builder import Builder, Circuit, Gate, Operation, Wire, evaluate
from capc.two_party.circuits.release import confident_release_circuit, release_circuit, single_draw_release_circuit
from capc.two_party.circuits.relu import relu_circuit
from capc.two_party.circuits.vote_rounds import final_circuit, signs_circuit
from capc_verify.proofs.circuits import gates, prove, solver
from capc_verify.proofs.circuits.algebra import Algebra, Integers
from capc_verify.proofs.circuits.claims import (
    Claim,
    Statement,
    claims,
    confident_release_claim,
    leaky_relu_claim,
    release_claim,
    relu_claim,
    signs_claim,
    single_draw_release_claim,
    vote_claim,
    vote_low_depth_claim,
)
from capc_verify.proofs.circuits.one_hot import prove_last_round, prove_one_hot
from capc_verify.proofs.circuits.prove import find_counterexample, prove_claim, prove_gates, prove_model
from capc_verify.proofs.circuits.solver import ProofFailedError
from capc_verify.proofs.circuits.words import prove_words
from support.guarded import errors_within
from support.sizes import examples, some

PROVED_WITH = {
    **dict.fromkeys(("vote", "vote_low_depth"), "CAPC-ARG-013"),
    **dict.fromkeys(
        ("release", "single_draw_release", "confident_release_worst_case", "confident_release_realised"), "CAPC-ARG-016"
    ),
    **dict.fromkeys(("single_draw", "worst_case", "realised"), "CAPC-ARG-016"),
}
"""Statements about some of the circuits, which their proofs prove beside what they prove of all."""


def marked(names: Iterable[str]) -> list[object]:
    """The circuits, each with what its proof proves beside the statement that is about all of them."""
    also = ((name, PROVED_WITH.get(name)) for name in names)
    return [pytest.param(name, marks=[pytest.mark.req(of, kind="proof")] if of else []) for name, of in also]


WINDOWS = (1, 4, 9)
DEFAULT = claims(ParameterSet.named("default"), num_classes=10, windows=some(WINDOWS, ordinary=2))


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-010", kind="proof")
@pytest.mark.parametrize("name", marked(DEFAULT))
def test_circuit_meets_its_specification_for_all_admitted_inputs_of_the_default_set(name: str) -> None:
    prove_claim(DEFAULT[name]())


MORE = [*product(["toy", "default"], range(2, examples(ordinary=3, nightly=14)))]


@pytest.mark.slow
@pytest.mark.parametrize(("widths", "num_classes"), MORE)
def test_circuits_meet_their_specifications_for_other_numbers_of_classes(widths: str, num_classes: int) -> None:
    windows = (num_classes,)
    for make in claims(ParameterSet.named(widths), num_classes, windows).values():
        prove_claim(make())


@pytest.mark.slow
@pytest.mark.parametrize("name", marked(["vote", "vote_low_depth", "vote_signs"]))
def test_votes_meet_their_specifications_at_the_widths_of_every_set(name: str) -> None:
    for widths in some(("toy", "conservative", "test"), ordinary=1):
        prove_claim(claims(ParameterSet.named(widths), 10, WINDOWS)[name]())


# Words.


@pytest.mark.req("CAPC-HE-001", kind="proof")
@pytest.mark.parametrize(("logit_bits", "guard_bits"), [(37, 8), (32, 8), (12, 8), (37, 1), (37, 2), (43, 16), (3, 3)])
def test_words_stand_for_the_value_for_errors_within_the_room_and_no_others(logit_bits: int, guard_bits: int) -> None:
    within = errors_within(guard_bits)
    least, most = within[0], within[-1]
    prove_words(logit_bits, guard_bits, least=least, most=most)
    for outside in (least - 1, most + 1):
        with pytest.raises(ProofFailedError) as caught:
            prove_words(logit_bits, guard_bits, least=outside, most=outside)
        garbler, evaluator, value = (caught.value.values[name] for name in ("garbler", "evaluator", "value"))
        words = guarded.evaluator_word(evaluator, guard_bits), guarded.garbler_word(garbler, logit_bits, guard_bits)
        assert (garbler + evaluator - (value << guard_bits) - outside) % (1 << logit_bits + guard_bits) == 0
        off = 1 if outside > 0 else -1
        assert guarded.opened(*words, logit_bits) == (value + off) % (1 << logit_bits)


def test_a_forgotten_addend_has_a_counterexample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "garbler_word", lambda share, _, guard_bits: guarded.evaluator_word(share, guard_bits))
    with pytest.raises(ProofFailedError):
        prove_words(37, 8, least=0, most=0)


# One-hot for all words.


ONE_HOT: dict[str, Callable[[int, int], Circuit]] = {
    "tournament": lambda classes, bits: vote_circuit(classes, bits, 16),
    "all_pairs": lambda classes, bits: vote_circuit_low_depth(classes, bits, 16),
    "last_round": lambda classes, bits: final_circuit(classes, bits, 16),
}
"""Every circuit whose outputs are a vote."""
SHAPES = some([(10, 37), (2, 37), (7, 37), (3, 12), (33, 5), (17, 37), (10, 32)], ordinary=3)
"""Classes, and bits of a logit."""


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-015", kind="proof")
@pytest.mark.parametrize("kind", ONE_HOT)
@pytest.mark.parametrize(("classes", "bits"), SHAPES)
def test_a_vote_is_one_hot_whatever_anybody_adds_to_a_share(kind: str, classes: int, bits: int) -> None:
    prove_one_hot(ONE_HOT[kind](classes, bits))


@pytest.mark.req("CAPC-ARG-015")
@pytest.mark.parametrize("kind", ONE_HOT)
def test_a_vote_of_another_number_of_flags_has_a_counterexample(kind: str) -> None:
    """The last flag is that of all matches: a copy of the first one in its place gives two votes, or none."""
    circuit = ONE_HOT[kind](4, 5)
    wrong = replace(circuit, outputs=(*circuit.outputs[:-1], circuit.outputs[0]))
    with pytest.raises(ProofFailedError) as caught:
        prove_one_hot(wrong)
    sides = (("garbler", circuit.garbler_words), ("evaluator", circuit.evaluator_words))
    words = ([caught.value.values.get(f"{side}{n}", 0) for n in range(count)] for side, count in sides)
    assert sum(evaluate(wrong, *words)) != 1


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-010", "CAPC-ARG-022", kind="proof")
@pytest.mark.parametrize(("classes", "bits"), SHAPES)
def test_a_last_round_names_the_winner_of_all_matches_whatever_the_words_are(classes: int, bits: int) -> None:
    prove_last_round(final_circuit(classes, bits, 16), classes, bits)


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-022")
@pytest.mark.parametrize("fault", ["two flags", "a sign", "the dropped bit"])
def test_another_last_round_has_a_counterexample(fault: str) -> None:
    """One-hot circuits: two classes change places, a kept sign is turned, the dropped bit is the sign."""
    circuit = final_circuit(4, 5, 16)
    first, second = circuit.inputs - 2, circuit.inputs - 1
    # The highest bits of both words, of 6 bits each, count as the lowest ones.
    dropped = {5: 0, 0: 5, 11: 6, 6: 11}
    swap = {"two flags": {}, "a sign": {first: second, second: first}, "the dropped bit": dropped}[fault]
    gates = [Gate(each.operation, *(swap.get(wire, wire) for wire in each[1:])) for each in circuit.gates]
    outputs = [swap.get(wire, wire) for wire in circuit.outputs]
    if fault == "two flags":
        outputs[:2] = outputs[1::-1]
    wrong = replace(circuit, gates=tuple(gates), outputs=tuple(outputs))
    prove_one_hot(wrong)
    with pytest.raises(ProofFailedError) as caught:
        prove_last_round(wrong, 4, 5)
    assert caught.value.values


# Small circuits, proved in one question without the help of models.

SMALL: dict[str, Callable[[int, int], Claim]] = {
    "vote": lambda size, width: vote_claim(size, width, 4),
    "vote_low_depth": lambda size, width: vote_low_depth_claim(size, width, 4),
    "signs": lambda size, width: signs_claim(size, width, width + 3),
    "relu": lambda size, width: relu_claim(width, 1, size),
    "capped relu": lambda size, width: relu_claim(width, 0, size, 1),
    "relu at most": lambda size, width: relu_claim(width + 2, 0, size, cap=5),
    "leaky relu": lambda size, width: leaky_relu_claim(width, 1, 1, size),
    "capped leaky relu": lambda size, width: leaky_relu_claim(width, 0, 1, size, 1),
    "release": release_claim,
    "single_draw": single_draw_release_claim,
    "worst_case": lambda size, width: confident_release_claim(size, width, evaluator_noise=False),
    "realised": lambda size, width: confident_release_claim(size, width, evaluator_noise=True),
}
SIZES = [(2, 3), (2, 4), (3, 3), (3, 5), (4, 4), (5, 3)][: examples(ordinary=2, nightly=6)]


@pytest.mark.req("CAPC-ARG-010", kind="proof")
@pytest.mark.parametrize("name", marked(SMALL))
@pytest.mark.parametrize(("size", "width"), SIZES)
def test_both_ways_prove_small_circuits(name: str, size: int, width: int) -> None:
    claim = SMALL[name](size, width)
    assert find_counterexample(claim) is None
    prove_claim(claim)


@pytest.mark.req("CAPC-ARG-011", kind="proof")
@pytest.mark.parametrize("width", [2, 16, 37, 64])
def test_comparisons_are_right_exactly_within_their_preconditions(width: int) -> None:
    def claim(compare: Callable[[Builder, list[Wire], list[Wire]], Wire], *, bounded: bool) -> Claim:
        builder = Builder(width, 2, 0)
        flag = compare(builder, builder.garbler_word(0), builder.garbler_word(1))

        def state(algebra: Algebra) -> Statement:
            left, right = algebra.value("left", 0, None), algebra.value("right", 1, None)
            precondition = [algebra.difference_fits(left, right)] if bounded else []
            return Statement(precondition, [algebra.less(left, right)], [left < right])

        return Claim(builder.build("comparison", [flag]), state)

    assert find_counterexample(claim(arithmetic.less_than_any, bounded=False)) is None
    assert find_counterexample(claim(arithmetic.less_than, bounded=True)) is None
    prove_claim(claim(arithmetic.less_than, bounded=True))
    witness = find_counterexample(claim(arithmetic.less_than, bounded=False))
    assert witness is not None
    left, right = (ring.signed(word, width) for word in witness[0])
    assert not -(1 << (width - 1)) <= left - right < 1 << (width - 1)


# Wrong circuits. Each is told apart by evaluation on a counterexample, against integers.

SIZE, WIDTH = 3, 5
GUARDED = ("vote", "vote_low_depth", "signs", "relu", "capped relu")
"""Circuits whose words have a bit that is dropped."""
BUILDERS: dict[str, Callable[[], Circuit]] = {
    "vote": lambda: vote_circuit.__wrapped__(SIZE, WIDTH, 4),
    "vote_low_depth": lambda: vote_circuit_low_depth.__wrapped__(SIZE, WIDTH, 4),
    "signs": lambda: signs_circuit.__wrapped__(SIZE, WIDTH, WIDTH + 3),
    "relu": lambda: relu_circuit.__wrapped__(WIDTH, 1, SIZE),
    "capped relu": lambda: relu_circuit.__wrapped__(WIDTH, 0, SIZE, 1),
    "release": lambda: release_circuit.__wrapped__(SIZE, WIDTH),
    "single_draw": lambda: single_draw_release_circuit.__wrapped__(SIZE, WIDTH),
    "worst_case": lambda: confident_release_circuit.__wrapped__(SIZE, WIDTH, evaluator_noise=False),
    "realised": lambda: confident_release_circuit.__wrapped__(SIZE, WIDTH, evaluator_noise=True),
}


RELEASES = ("release", "single_draw", "worst_case", "realised")
"""Without a precondition: every word of either party is admitted."""


def expected_outputs(name: str, mine: Sequence[int], theirs: Sequence[int]) -> list[int]:
    """What the circuit has to give, computed on integers from both parties' words."""

    def shared(first: int) -> list[int]:
        return [ring.signed((mine[first + c] + theirs[c]) % (1 << WIDTH), WIDTH) for c in range(SIZE)]

    def opened(number: int) -> int:
        total = (mine[number] + theirs[number]) % (2 << WIDTH)
        return ring.signed(total >> 1, WIDTH)

    values = [opened(c) for c in range(SIZE)] if name in GUARDED else shared(0)
    if name == "signs":
        return [int(value < 0) for value in values]
    if name in {"relu", "capped relu"}:
        return [min(max(0, *values), 1)] if name == "capped relu" else ring.to_bits(max(0, *values) >> 1, WIDTH - 2)
    if name == "vote":
        return [int(c == values.index(max(values))) for c in range(SIZE)]
    if name == "vote_low_depth":
        # The words are of r_0 - r_1, r_0 - r_2, r_1 - r_2: place r_0 at 0.
        logits = [0, -values[0], -values[1]]
        return [int(c == logits.index(max(logits))) for c in range(SIZE)]
    if name == "release":
        return ring.to_bits(values.index(max(values)), 2)
    limit = ring.signed(mine[-1], WIDTH)
    noisy = values if name == "single_draw" else shared(SIZE)
    if name == "realised":
        values = [ring.signed((mine[c] + theirs[SIZE + c]) % (1 << WIDTH), WIDTH) for c in range(SIZE)]
    answered = max(values) >= limit
    return [int(answered), *ring.to_bits(noisy.index(max(noisy)) if answered else 0, 2)]


def check_wrong(name: str, claim: Claim) -> None:
    """Both ways refuse the claim, and the counterexample is one."""
    with pytest.raises(ProofFailedError):
        prove_claim(claim)
    witness = find_counterexample(claim)
    assert witness is not None
    assert evaluate(claim.circuit, *witness) != expected_outputs(name, *witness)


def at_most(builder: Builder, left: Sequence[Wire], right: Sequence[Wire]) -> Wire:
    """The right side also wins a tie."""
    return builder.invert(arithmetic.less_than(builder, right, left))


def at_most_any(builder: Builder, left: Sequence[Wire], right: Sequence[Wire]) -> Wire:
    """Likewise, over the full range."""
    return builder.invert(arithmetic.less_than_any(builder, right, left))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vote", *RELEASES])
def test_swapped_ties_have_a_counterexample(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tournament, "less_than", at_most)
    monkeypatch.setattr(tournament, "less_than_any", at_most_any)
    circuit = BUILDERS[name]()
    monkeypatch.undo()
    check_wrong(name, replace(SMALL[name](SIZE, WIDTH), circuit=circuit))


@pytest.mark.slow
@pytest.mark.req("CAPC-ARG-016")
@pytest.mark.parametrize("name", RELEASES)
def test_a_wrapped_comparison_in_a_release_has_a_counterexample(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right for votes and noise in their range; what a party adds to its share makes another class the largest."""
    monkeypatch.setattr(tournament, "less_than_any", arithmetic.less_than)
    circuit = BUILDERS[name]()
    monkeypatch.undo()
    check_wrong(name, replace(SMALL[name](SIZE, WIDTH), circuit=circuit))


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDERS)
def test_a_missing_carry_has_a_counterexample(name: str) -> None:
    """The first AND of the circuit, a carry of its first sum, copies one of its inputs to the next place instead."""
    circuit = BUILDERS[name]()
    first = next(i for i, gate in enumerate(circuit.gates) if gate.operation is Operation.AND)
    broken = list(circuit.gates)
    broken[first] = Gate(Operation.XOR, *circuit.gates[first][1:])
    check_wrong(name, replace(SMALL[name](SIZE, WIDTH), circuit=replace(circuit, gates=tuple(broken))))


@pytest.mark.slow
@settings(max_examples=examples(ordinary=10, nightly=500))
@given(st.sampled_from(sorted(BUILDERS)), st.data())
def test_any_changed_gate_is_found_if_it_matters(name: str, data: st.DataObject) -> None:
    circuit = BUILDERS[name]()
    position = data.draw(st.integers(0, len(circuit.gates) - 1))
    old = circuit.gates[position]
    operation = data.draw(st.sampled_from([entry for entry in Operation if entry is not old.operation]))
    left = data.draw(st.integers(0, circuit.inputs + position - 1))
    new = Gate(operation, left, left if operation is Operation.INV else old.right)
    changed = replace(circuit, gates=(*circuit.gates[:position], new, *circuit.gates[position + 1 :]))
    claim = replace(SMALL[name](SIZE, WIDTH), circuit=changed)
    if find_counterexample(claim) is not None:
        check_wrong(name, claim)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BUILDERS if name not in RELEASES])
def test_a_dropped_precondition_has_a_counterexample(name: str) -> None:
    """Of circuits that take differences what is dropped is the bound: they are still those of logits."""
    claim = SMALL[name](SIZE, WIDTH)

    def state(algebra: Algebra) -> Statement:
        statement = claim.state(algebra)
        kept = [entry for entry in statement.precondition if entry.decl().kind() == z3.Z3_OP_EQ]
        return replace(statement, precondition=kept)

    unbounded = replace(claim, state=state)
    prove_gates(unbounded)
    with pytest.raises(ProofFailedError, match=r"the model of .* meets its specification"):
        prove_model(unbounded)
    witness = find_counterexample(unbounded)
    assert witness is not None
    if name not in ("vote_low_depth", "signs"):
        assert evaluate(claim.circuit, *witness) != expected_outputs(name, *witness)


def test_preconditions_are_as_wide_as_they_can_be() -> None:
    """With |r_c| = 2^(l-2) admitted too, the comparison of both ends of the range is wrong."""
    claim = vote_claim(2, 37, 16)

    def state(algebra: Algebra) -> Statement:
        statement = claim.state(algebra)
        values = [algebra.word(f"r{c}") for c in range(2)]
        return replace(statement, precondition=[z3.And(r >= -(1 << 35), r <= 1 << 35) for r in values])

    with pytest.raises(ProofFailedError) as caught:
        prove_model(replace(claim, state=state))
    assert {caught.value.values[name] for name in ("r0", "r1")} == {1 << 35, -(1 << 35)}


# The method itself.


def test_wires_are_guessed_and_then_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "LANES", 1)
    with pytest.raises(ProofFailedError, match="wires of vote_C3_l5_w4 carry"):
        prove_gates(vote_claim(SIZE, WIDTH, 4))


def test_a_circuit_that_changes_on_export_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "from_bristol", lambda text, name, words, width: relu_circuit(WIDTH, 2))
    with pytest.raises(ProofFailedError, match="comes back unchanged"):
        prove_claim(relu_claim(WIDTH, 1, 1))


def test_no_answer_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(z3.Solver, "check", lambda self: z3.unknown)
    with pytest.raises(ProofFailedError, match="not proved: b") as caught:
        solver.prove("b", [], z3.Bool("b"))
    assert caught.value.values == {}


def test_every_sign_that_a_model_reads_must_fit() -> None:
    integers = Integers(8)
    word = integers.word("word")
    integers.negative(word)
    (obligation,) = integers.obligations
    solver.prove("in range", [word == 127], obligation)
    solver.prove("in range", [word == -128], obligation)
    for outside in (128, -129):
        with pytest.raises(ProofFailedError):
            solver.prove("in range", [word == outside], obligation)
