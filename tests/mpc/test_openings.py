"""The raw opened values of every party, in every domain: in range, and exactly uniform by enumeration at w = 2."""

from collections import Counter
from itertools import product

import pytest

from capc_mpc.emulator.steps import DOMAINS, emulate_step
from capc_mpc.interface import steps
from capc_mpc.interface.encoding import Case, decode
from capc_mpc.interface.errors import MpcError
from capc_mpc.interface.protocols import Domain
from capc_mpc.interface.steps import Step

CLASSES, LOGIT_BITS, VOTE_BITS = 2, 4, 2
SHARES = list(product(range(1 << VOTE_BITS), repeat=CLASSES))
UNIFORM = Counter(SHARES)
LOGITS = [[1, -1], [-3, 3], [2, 2]]


def case(logits: list[int], fresh: tuple[int, ...], pads: tuple[int, ...]) -> Case:
    masks = [5, 11]
    found: dict[tuple[int, str], list[int]] = {
        (0, "masks"): masks,
        (0, "mask_halves"): [1, 1],
        (0, "fresh_shares"): list(fresh),
        (1, "logit_shares"): [(r - m - h) % (1 << LOGIT_BITS) for r, m, h in zip(logits, masks, [1, 0], strict=True)],
        (1, "logit_halves"): [1, 0],
    }
    return found | {(1, f"pad.{number}"): [pad] for number, pad in enumerate(pads)}


def opened(target: str, step: Step, cases: list[Case]) -> list[list[tuple[int, ...]]]:
    """For each party, the tuples of raw values of each case, as numbers of w bits; a value out of range fails."""
    emulated = emulate_step(step, cases, target)
    views = []
    for lines in emulated.raw:
        columns = [[_number(value, DOMAINS[target]) for value in values] for _, values in lines]
        views.append(list(zip(*columns, strict=True)))
    return views


def _number(value: int, domain: Domain) -> int:
    if domain is Domain.RING:
        high, low = divmod(value % 2**64, 2**62)
        assert low == 0
        return high
    assert 0 <= value < 4
    return value


@pytest.mark.req("CAPC-MPC-003", "CAPC-MPC-002", "CAPC-ARG-003")
@pytest.mark.parametrize("logits", LOGITS)
@pytest.mark.parametrize("target", ["ring", "field"])
def test_the_querying_party_s_share_is_uniform_over_all_fresh_shares(target: str, logits: list[int]) -> None:
    step = steps.argmax(CLASSES, LOGIT_BITS, VOTE_BITS, len(SHARES))
    answering, querying = opened(target, step, [case(logits, fresh, (0, 0)) for fresh in SHARES])
    assert answering == []
    assert Counter(querying) == UNIFORM


@pytest.mark.req("CAPC-MPC-003", "CAPC-MPC-004", "CAPC-ARG-003")
@pytest.mark.parametrize("logits", LOGITS)
@pytest.mark.parametrize("target", ["binary", "garbled"])
def test_a_boolean_protocol_opens_uniform_values_to_all(target: str, logits: list[int]) -> None:
    """To the answering party, who knows its shares: uniform over the pads. Unmasked by its pad: over the shares."""
    step = steps.argmax(CLASSES, LOGIT_BITS, VOTE_BITS, len(SHARES))
    answering, querying = opened(target, step, [case(logits, (1, 3), pads) for pads in SHARES])
    assert answering == querying
    assert Counter(answering) == UNIFORM
    _, querying = opened(target, step, [case(logits, fresh, (2, 1)) for fresh in SHARES])
    assert Counter(tuple(v ^ p for v, p in zip(view, (2, 1), strict=True)) for view in querying) == UNIFORM


@pytest.mark.req("CAPC-MPC-003")
@pytest.mark.parametrize(
    ("domain", "value"), [(Domain.RING, 1), (Domain.FIELD, 4), (Domain.FIELD, -1), (Domain.BOOLEAN, 4)]
)
def test_a_value_that_was_not_reduced_inside_is_refused(domain: Domain, value: int) -> None:
    """A vote minus a share, opened over the whole ring or field, tells the vote: the runner does not hide it."""
    step = steps.argmax(CLASSES, LOGIT_BITS, VOTE_BITS, 1)
    lines = [("vote.0", [value]), ("vote.1", [0])]
    raw = [lines, lines] if domain is Domain.BOOLEAN else [[], lines]
    with pytest.raises(MpcError, match="not reduced inside"):
        decode(step, domain, raw, [case([0, 0], (0, 0), (0, 0))])


@pytest.mark.req("CAPC-MPC-002")
@pytest.mark.parametrize("domain", [Domain.RING, Domain.FIELD])
def test_a_line_to_a_party_that_learns_nothing_is_refused(domain: Domain) -> None:
    step = steps.argmax(CLASSES, LOGIT_BITS, VOTE_BITS, 1)
    lines = [("vote.0", [0]), ("vote.1", [0])]
    with pytest.raises(MpcError, match="party 0"):
        decode(step, domain, [lines, lines], [case([0, 0], (0, 0), (0, 0))])


@pytest.mark.req("CAPC-MPC-002")
@pytest.mark.parametrize("target", ["ring", "field"])
@pytest.mark.parametrize(
    ("mode", "told"), [("plain", set()), ("single_draw", set()), ("worst_case", set()), ("realised", {"answered"})]
)
def test_the_guardian_is_told_the_answered_bit_in_realised_mode_only(target: str, mode: str, told: set[str]) -> None:
    step = steps.label_release(2, 8, 1, mode)
    zeros: Case = {(field.party, field.name): [0] * field.count for field in step.fields}
    assert set(emulate_step(step, [zeros], target).learnt[0]) == told
