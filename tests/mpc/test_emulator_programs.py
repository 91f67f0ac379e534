"""Every program in the emulator tells every party what the reference says, and nobody anything else."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation import ring
from capc.foundation.randomness import Seed, XofSource
from capc.noise.release_noise import ReleaseNoise
from capc.protocol.functionality import ideal_functionality
from capc.session.parameters import Charge
from capc_mpc.emulator.steps import DOMAINS, EmulatedStep, emulate_step
from capc_mpc.engine import split_halves
from capc_mpc.interface import steps
from capc_mpc.interface.encoding import Case, complete
from capc_mpc.interface.expected import expected
from capc_mpc.interface.sampling import sample_cases
from capc_mpc.interface.steps import Step
from support.builders import confident_policy, make_parameters, make_policy, single_draw_policy
from support.sizes import examples

BATCH = 50
RUNS = examples(ordinary=10, nightly=200)
"""Of 50 cases each: 500 for every program, 10,000 nightly; the targets take turns."""
SEEDS = st.binary(min_size=32, max_size=32).map(Seed)
CLASSES = st.integers(2, 11)
WIDTHS = st.integers(4, 24)
VARIANCES = st.sampled_from([Fraction(1, 4), Fraction(4), Fraction(100), Fraction(3600, 7)])

STEPS = {
    "argmax": st.builds(steps.argmax, CLASSES, st.integers(3, 60), WIDTHS, st.just(BATCH)),
    "label_release": st.builds(
        steps.label_release,
        CLASSES,
        WIDTHS,
        st.just(BATCH),
        st.sampled_from(steps.MODES),
    ),
    "discrete_gaussian": st.builds(
        steps.discrete_gaussian, VARIANCES, st.integers(14, 20), st.just(BATCH), st.integers(2, 3)
    ),
    "multi_label_vote": st.builds(
        steps.multi_label_vote,
        st.sampled_from(["binary", "powerset"]),
        st.integers(1, 4),
        st.integers(3, 40),
        WIDTHS,
        st.just(BATCH),
    ),
    "multi_label_release": st.builds(
        steps.multi_label_release, st.integers(1, 5), st.just(12), st.integers(0, 100), st.just(BATCH)
    ),
    "guardian_free": st.builds(
        steps.guardian_free,
        st.integers(1, 4),
        st.integers(2, 4),
        st.just(16),
        st.integers(0, 4),
        VARIANCES,
        st.just(BATCH),
        st.none() | st.tuples(st.integers(0, 40), st.none() | VARIANCES),
    ),
}


def emulated(step: Step, seed: Seed, target: str) -> tuple[EmulatedStep, list[dict[tuple[int, str], list[int]]]]:
    sources = {party: XofSource(seed, b"test/%d" % party) for party in range(step.parties)}
    cases = complete(step, DOMAINS[target], sample_cases(step, XofSource(seed, b"test/cases")), sources)
    return emulate_step(step, cases, target), cases


@pytest.mark.req("CAPC-MPC-001")
@pytest.mark.parametrize("program", STEPS)
@settings(max_examples=RUNS, deadline=None)
@given(data=st.data(), seed=SEEDS, target=st.sampled_from(sorted(DOMAINS)))
def test_a_program_tells_what_the_reference_says(program: str, data: st.DataObject, seed: Seed, target: str) -> None:
    step = data.draw(STEPS[program])
    ran, cases = emulated(step, seed, target)
    assert ran.learnt == expected(step, cases)


@pytest.mark.req("CAPC-MPC-002")
@pytest.mark.parametrize("target", sorted(DOMAINS))
@pytest.mark.parametrize("mode", steps.MODES)
def test_only_the_receivers_of_the_table_see_an_opening(mode: str, target: str) -> None:
    """In a Boolean circuit everybody sees it, under a pad of the receiver alone."""
    step = steps.label_release(3, 8, 4, mode)
    ran, _ = emulated(step, Seed(bytes(32)), target)
    told = step.batch if mode == "realised" else 0
    to_guardian = [opening for opening in ran.emulation.openings if opening.party == 0]
    to_all = [opening for opening in ran.emulation.openings if opening.party is None]
    if target in {"ring", "field"}:
        assert (len(to_guardian), len(to_all)) == (told, 0)
        assert bool(ran.raw[0]) == bool(told)
    else:
        assert (len(to_guardian), len(to_all)) == (0, len(step.outputs) * step.batch)
    assert set(ran.learnt[0]) == ({"answered"} if told else set())


@pytest.mark.req("CAPC-MPC-002")
def test_the_answering_party_of_step_1c_is_told_nothing() -> None:
    for target in ("ring", "field"):
        ran, _ = emulated(steps.argmax(3, 8, 4, 4), Seed(bytes(32)), target)
        assert ran.raw[0] == []
        assert {opening.party for opening in ran.emulation.openings} == {1}


LOGITS = st.integers(-1023, 1023) | st.sampled_from([0, 1, 1023, -1023])
"""Within 2^(l-2) for the 12 bits of the tests' parameters."""


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-001")
@pytest.mark.parametrize("mode", steps.MODES)
@settings(max_examples=examples(ordinary=40, nightly=800), deadline=None)
@given(data=st.data(), target=st.sampled_from(sorted(DOMAINS)))
def test_a_whole_query_equals_the_ideal_functionality(mode: str, data: st.DataObject, target: str) -> None:
    """Each answering party's step 1c, the sums of step 2, and step 3, all in the emulator."""
    charge = Charge.REALISED if mode == "realised" else Charge.WORST_CASE
    policies = {"plain": make_policy(), "single_draw": single_draw_policy()}
    parameters = make_parameters(policy=policies.get(mode, confident_policy(charge)))
    classes, width, unit = parameters.num_classes, parameters.widths.vote_bits, 1 << parameters.widths.grid_bits
    models = data.draw(st.lists(st.lists(LOGITS, min_size=classes, max_size=classes), min_size=1, max_size=4))
    draws = [data.draw(st.tuples(*[st.integers(-20, 20)] * classes)) for _ in range(3)]
    apart = mode in {"worst_case", "realised"}
    seed = data.draw(SEEDS)
    draw = XofSource(seed, b"test/query")
    noise = ReleaseNoise(draws[0], draws[1] if apart else ())
    own_noise = draws[2] if mode == "realised" else ()

    guardian, querying = [0] * classes, [0] * classes
    for logits in models:
        bits = parameters.widths.logit_bits + 1
        masks, mask_halves = split_halves(words := [draw.bits(bits) for _ in logits])
        others = [(2 * r + draw.bits(1) - word) % (1 << bits) for r, word in zip(logits, words, strict=True)]
        shares, halves = split_halves(others)
        fresh = [draw.bits(width) for _ in logits]
        step = steps.argmax(classes, parameters.widths.logit_bits, width, 1)
        own = {(0, "masks"): masks, (0, "mask_halves"): mask_halves, (0, "fresh_shares"): fresh}
        told = one_case(step, own | {(1, "logit_shares"): shares, (1, "logit_halves"): halves}, target)
        guardian = [total + share for total, share in zip(guardian, fresh, strict=True)]
        querying = [total + told[1][f"vote.{c}"][0] for c, total in enumerate(querying)]
    # The grid: votes are scaled by 2^g, and noise is drawn on the grid.
    guardian = [unit * share % (1 << width) for share in guardian]
    case: dict[tuple[int, str], list[int]] = {
        (0, "noised_shares"): [(share + n) % (1 << width) for share, n in zip(guardian, noise.classes, strict=True)],
        (1, "vote_shares"): [unit * share % (1 << width) for share in querying],
    }
    if mode != "plain":
        case[0, "limit"] = [int((parameters.release.threshold or 0) * unit)]
    if apart:
        case[0, "checked_shares"] = ring.add(guardian, noise.threshold, width)
    if mode == "realised":
        case[1, "checked_shares"] = ring.add(case[1, "vote_shares"], own_noise, width)
    told = one_case(steps.label_release(classes, width, 1, mode), case, target)

    ideal = ideal_functionality(parameters, models, noise, own_noise)
    answered = told[1].get("answered", [1]) == [1]
    assert (told[1]["label"][0] if answered else None) == ideal.querying_party
    assert told[0].get("answered") == (None if ideal.privacy_guardian[1] is None else [int(ideal.privacy_guardian[1])])


@pytest.mark.req("CAPC-MPC-001", "CAPC-ARG-016")
@pytest.mark.parametrize("target", sorted(DOMAINS))
@pytest.mark.parametrize("program", ["label_release", "multi_label_release"])
def test_a_release_compares_any_two_words(program: str, target: str) -> None:
    """Sums of shares anywhere in the ring, each with all shares of one party: as in the reference."""
    width = 3
    cases: list[Case] = [
        {
            (0, "noised_shares"): [(number - share) % (1 << width) for number, share in zip(noisy, own, strict=True)],
            (1, "vote_shares"): own,
        }
        for noisy in product(range(1 << width), repeat=2)
        for own in ([0, 0], [7, 4], [1, 6])
    ]
    if program == "label_release":
        step = steps.label_release(2, width, len(cases), "plain")
    else:
        step = steps.multi_label_release(2, width, -2, len(cases))
    pads = {party: XofSource(Seed(bytes(32)), b"test/pads/%d" % party) for party in range(step.parties)}
    complete_cases = complete(step, DOMAINS[target], cases, pads)
    assert emulate_step(step, complete_cases, target).learnt == expected(step, complete_cases)


def one_case(step: Step, case: Case, target: str) -> list[dict[str, list[int]]]:
    pads = {party: XofSource(Seed(bytes(32)), b"test/pads/%d" % party) for party in range(step.parties)}
    return emulate_step(step, complete(step, DOMAINS[target], [case], pads), target).learnt
