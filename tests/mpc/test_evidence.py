"""Recorded runs of the real machine, replayed through the reference and the decoder; and live ones where it exists."""

import pytest

from capc_mpc.interface.expected import expected
from capc_mpc.interface.protocols import Domain, protocol_named
from capc_mpc.measuring import evidence, main_job
from capc_mpc.measuring.evidence import Recorded
from capc_mpc.spdz.machine import the_machine
from capc_mpc.spdz.running import run
from support.mpc import needs_mp_spdz
from support.sizes import is_nightly

ALL_NAMES = list(evidence.recorded_steps())
NAMES = [name for name in ALL_NAMES if evidence.is_of_the_present_text(name)]
RECORDS = {f"{name}-{record.protocol}": record for name in NAMES for record in evidence.load(name)}
"""Of the present programs only."""

SLOW = {"spdz2k", "mascot", "tinier", "lowgear", "real-bmr"}


@pytest.mark.parametrize("name", [*ALL_NAMES, main_job.NAME])
def test_a_record_is_of_what_is_here_or_waits_by_name(name: str) -> None:
    present = main_job.is_of_the_present() if name == main_job.NAME else name in NAMES
    assert present != (name in evidence.AWAITING)
    if not present:
        pytest.skip(f"no machine has run {name} as it is now: capc mpc record --programs {name}, with MP-SPDZ")


def test_what_waits_is_a_record() -> None:
    assert {*ALL_NAMES, main_job.NAME} >= evidence.AWAITING


@pytest.mark.req("CAPC-MPC-001")
@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_every_recorded_outcome_is_the_reference_s(record: Recorded) -> None:
    wanted, learnt = expected(record.step, record.cases), record.learnt()
    assert learnt[: record.step.parties] == wanted
    assert not any(learnt[record.step.parties :])


@pytest.mark.req("CAPC-MPC-002")
@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_whoever_should_learn_nothing_got_nothing(record: Recorded) -> None:
    """In the Boolean domain everybody sees what was opened, and it is masked by the receiver's recorded pad."""
    receivers = {output.party for output in record.step.outputs}
    boolean = protocol_named(record.protocol).domain is Domain.BOOLEAN
    for party, lines in enumerate(record.raw):
        assert bool(lines) == (boolean or party in receivers)
    if boolean:
        assert all(lines == record.raw[0] for lines in record.raw)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_those_that_anybody_draws_again(name: str) -> None:
    step = evidence.recorded_steps()[name]
    drawn = evidence.recorded_cases(name, step)
    for record in evidence.load(name):
        assert record.step == step
        assert [{key: case[key] for key in drawn[0]} for case in record.cases] == drawn


@pytest.mark.req("CAPC-MPC-001")
@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("_two_parties")])
def test_a_hundred_cases_are_recorded_under_each_protocol(name: str) -> None:
    """Two-party garbling has its own record of the program for three."""
    records = [record for record in RECORDS.values() if record.name.startswith(name)]
    assert set(evidence.PROTOCOLS) <= {record.protocol for record in records}
    assert {record.step.program for record in records} == {evidence.recorded_steps()[name].program}
    assert all(len(record.cases) >= 100 for record in records)


@pytest.mark.req("CAPC-MPC-001")
def test_ties_and_wraps_are_among_the_inputs() -> None:
    cases = evidence.recorded_cases("argmax", evidence.recorded_steps()["argmax"])
    halves = [[a + b for a, b in zip(case[0, "mask_halves"], case[1, "logit_halves"], strict=True)] for case in cases]
    assert all(sum(row.count(number) for row in halves) >= 100 for number in (0, 1, 2))
    words = [[case[0, "masks"], case[1, "logit_shares"]] for case in cases]
    sums = [
        [m + e + h // 2 for m, e, h in zip(*row, both, strict=True)] for row, both in zip(words, halves, strict=True)
    ]
    logits = [[(value + 2**36) % 2**37 - 2**36 for value in row] for row in sums]
    assert sum(len(set(row)) < len(row) for row in logits) >= 25
    assert sum(len(set(row)) == 1 for row in logits) >= 25
    assert sum(value >= 2**37 for row in sums for value in row) >= 100
    assert any(abs(value) == 2**35 - 1 for row in logits for value in row)


def test_a_changed_output_is_found() -> None:
    record = RECORDS["discrete_gaussian-semi-bin"]
    name, values = record.raw[1][0]
    record = Recorded(record.name, record.step, record.protocol, record.cases, [list(lines) for lines in record.raw])
    record.raw[1][0] = (name, [values[0] ^ 1, *values[1:]])
    assert record.learnt()[1] != expected(record.step, record.cases)[1]


@needs_mp_spdz
@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_the_machine_here_gives_the_recorded_outcome(record: Recorded) -> None:
    row = protocol_named(record.protocol)
    if record.protocol in SLOW and not is_nightly():
        pytest.skip(f"{record.protocol} takes long: CAPC_NIGHTLY=1 runs it")
    if record.protocol not in the_machine().protocols():
        pytest.skip(f"{row.program}-party.x is not in this MP-SPDZ")
    done = run(record.step, record.cases, record.protocol, model=row.model)
    assert done.learnt == record.learnt()
