"""The emulator against the real machine: generated small programs and recorded steps, live where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from capc.foundation.randomness import XofSource, fresh_seed
from capc_mpc.emulator.steps import emulate_step
from capc_mpc.interface.protocols import RING_BITS, Domain, protocol_named
from capc_mpc.measuring import evidence
from capc_mpc.spdz.machine import the_machine
from support.dialect import (
    PROTOCOLS,
    RECORDED,
    emulated,
    load,
    record,
    reduced,
    run_for_real,
    sample,
    sources,
)
from support.mpc import needs_mp_spdz

RECORDS = load(RECORDED)
STEPS = {f"{name}-{record.protocol}": record for name in evidence.recorded_names() for record in evidence.load(name)}
TARGET = {Domain.RING: "ring", Domain.FIELD: "field", Domain.BOOLEAN: "binary"}
GARBLED = ("yao", "real-bmr")


@pytest.mark.req("CAPC-MPC-031")
@pytest.mark.parametrize("number", range(len(RECORDS)))
def test_a_recorded_program_prints_the_same_in_the_emulator(number: int, tmp_path: Path) -> None:
    recorded = RECORDS[number]
    assert reduced(recorded.raw, recorded.made, tmp_path) == emulated(recorded.made, tmp_path)


def test_the_records_are_of_the_programs_that_anybody_generates_again() -> None:
    for target, protocols in PROTOCOLS.items():
        mine = [recorded for recorded in RECORDS if recorded.made.target == target]
        made = {recorded.made.text for recorded in mine}
        assert made == {sample(target, source).text for source in sources(len(made))}
        assert len(made) >= 6
        assert {protocol for recorded in mine for protocol in recorded.protocols} == set(protocols)


@pytest.mark.req("CAPC-MPC-031")
def test_a_changed_output_is_noticed(tmp_path: Path) -> None:
    recorded = RECORDS[0]
    name, values = recorded.raw[1][5]
    raw = [recorded.raw[0], [*recorded.raw[1][:5], (name, [values[0] ^ 1, *values[1:]]), *recorded.raw[1][6:]]]
    assert reduced(raw, recorded.made, tmp_path) != emulated(recorded.made, tmp_path)


@needs_mp_spdz
@pytest.mark.parametrize("target", sorted(PROTOCOLS))
def test_a_new_program_prints_the_same_on_the_machine(target: str, tmp_path: Path) -> None:
    installed = [protocol for protocol in PROTOCOLS[target] if protocol in the_machine().protocols()]
    if not installed:
        pytest.skip(f"none of {', '.join(PROTOCOLS[target])} is in this MP-SPDZ")
    made = sample(target, XofSource(fresh_seed(), b"capc tests/dialect/live"))
    raw = run_for_real(made, installed[0], the_machine())
    assert reduced(raw, made, tmp_path) == emulated(made, tmp_path), made


@needs_mp_spdz
def test_a_record_of_today_equals_the_recorded_one() -> None:
    (again,) = record(PROTOCOLS["binary"], sources(1), "binary", the_machine())
    first = next(recorded for recorded in RECORDS if recorded.made == again.made)
    assert (again.raw, again.protocols) == (first.raw, first.protocols)


@pytest.mark.req("CAPC-MPC-031")
@pytest.mark.parametrize("recorded", STEPS.values(), ids=STEPS)
def test_a_recorded_step_opens_the_same_in_the_emulator(recorded: evidence.Recorded) -> None:
    """Not only what is learnt but the raw printed words, for every protocol on record."""
    domain = protocol_named(recorded.protocol).domain
    target = "garbled" if recorded.protocol in GARBLED else TARGET[domain]
    ran = emulate_step(recorded.step, recorded.cases, target)
    widths = {output.name: output.width for output in recorded.step.outputs}
    for party in range(recorded.step.parties):
        printed = [
            (name, [value % (1 << (RING_BITS if domain is Domain.RING else widths[name])) for value in values])
            for name, values in recorded.raw[party]
        ]
        assert printed == ran.raw[party]
