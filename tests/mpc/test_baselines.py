"""MP-SPDZ's own means beside this project's: the same inputs, what they must tell, and where their rows stand."""

from dataclasses import replace

import pytest

from capc.foundation.randomness import XofSource, fresh_seed
from capc_mpc.bench.rows import Once, Row
from capc_mpc.bench.tables import label, sections
from capc_mpc.bench.variants import PROGRAMS, Variant, matrix
from capc_mpc.interface import steps
from capc_mpc.interface.expected import expected, logits_of
from capc_mpc.interface.protocols import Adversary, Domain, Model, protocol_named
from capc_mpc.interface.sampling import sample_cases
from capc_mpc.interface.steps import program_file
from capc_mpc.spdz.costs import Costs
from capc_mpc.spdz.machine import the_machine
from capc_mpc.spdz.running import run
from capc_mpc.two_processes.ways import circuit_of
from support.mpc import needs_mp_spdz

BASELINES = {name: program for name, program in PROGRAMS.items() if program.beside is not None}
SIZES = {"batch": [20], "classes": [5], "logit_bits": [12], "vote_bits": [7]}


def test_a_baseline_has_the_inputs_of_the_program_that_it_stands_beside() -> None:
    own, ml, types = (getattr(steps, name)(5, 12, 7, 20) for name in ("argmax", "argmax_ml", "argmax_types"))
    shared = [field for field in own.fields if not field.uniform]
    assert [field for field in ml.fields if not field.uniform] == shared
    assert (types.fields, types.outputs) == (own.fields, own.outputs)
    assert set(BASELINES) == {"argmax_ml", "argmax_types"}
    for name in BASELINES:
        assert program_file(f"{name}.mpc").parent.name == "baselines"
        assert steps.parse(name, ["5", "12", "7", "20"]) == getattr(steps, name)(5, 12, 7, 20)


def test_a_baseline_is_measured_under_protocols_of_its_domain_only() -> None:
    points = matrix(list(BASELINES), ["semi2k", "mascot", "yao"], SIZES)
    assert [(point.program, point.protocol) for point in points] == [("argmax_ml", "semi2k"), ("argmax_types", "yao")]


def test_what_ml_argmax_must_tell_is_the_last_of_the_largest() -> None:
    step = steps.argmax_ml(5, 12, 7, 40)
    cases = sample_cases(step, XofSource(fresh_seed(), b"baselines"))
    told = expected(step, cases)[1]["label.0"]
    for case, share in zip(cases, told, strict=True):
        logits = logits_of(case, 12)
        label_ = (share + case[0, "fresh_share"][0]) % 2**7
        assert logits[label_] == max(logits)
        assert max(logits) not in logits[label_ + 1 :]


def test_rows_of_a_baseline_stand_among_those_of_its_program() -> None:
    row = Row(
        Variant("argmax", "semi2k", 2, 5, None, 12, 7, threads=1),
        "loopback",
        2,
        Model.BASE,
        Adversary.SEMI_HONEST,
        "tls",
        runs=(Once(1.0, None, None, None, (1, 1), (None, None)),),
        costs=Costs(1.0, 2, 1),
    )
    other = replace(row, variant=replace(row.variant, program="argmax_ml"))
    (section,) = sections([row, other])
    assert [label(entry) for entry in section.rows] == ["semi2k", "semi2k (argmax_ml)"]


@needs_mp_spdz
@pytest.mark.parametrize("name", BASELINES)
def test_the_machine_tells_what_a_baseline_must_tell(name: str) -> None:
    step = getattr(steps, name)(5, 12, 7, 20)
    protocol = "semi2k" if Domain.RING in BASELINES[name].domains else "yao"
    if protocol not in the_machine().protocols():
        pytest.skip(f"{protocol}-party.x is not installed")
    cases = sample_cases(step, XofSource(fresh_seed(), b"baselines"))
    done = run(step, cases, protocol, model=protocol_named(protocol).model)
    assert done.learnt[1] == expected(step, done.cases)[1]
    assert done.learnt[0] == {}


@needs_mp_spdz
def test_this_project_s_argmax_takes_little_more_than_the_machine_s_own_and_tells_a_vote() -> None:
    """At the default sizes: 26 products a case, and MP-SPDZ's own 23 for the label alone."""
    if "semi2k" not in the_machine().protocols():
        pytest.skip("semi2k-party.x is not installed")
    costs = {}
    for step in (steps.argmax(10, 37, 16, 100), steps.argmax_ml(10, 37, 16, 100)):
        cases = sample_cases(step, XofSource(fresh_seed(), b"baselines"))
        costs[step.program] = run(step, cases, "semi2k").costs
    products = {name: cost.counts["integer multiplications"] for name, cost in costs.items()}
    assert products == {"argmax": 2600, "argmax_ml": 2300}
    assert costs["argmax"].bytes_sent < 1.15 * costs["argmax_ml"].bytes_sent


def test_the_embedded_engine_has_no_circuit_of_a_baseline() -> None:
    assert all(circuit_of(getattr(steps, name)(5, 12, 7, 20)) is None for name in BASELINES)
