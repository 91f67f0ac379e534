"""What a bench would measure, decided before anything runs: the matrix, what cannot run, and how long it takes."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_mpc.bench import forecast, plan, variants
from capc_mpc.bench.measure import LONG_SECONDS, Setting
from capc_mpc.bench.plan import make_plan
from capc_mpc.bench.rows import Link, Once, Row
from capc_mpc.bench.variants import PROGRAMS, Variant, matrix
from capc_mpc.emulated.network import LinkSpec
from capc_mpc.interface import steps
from capc_mpc.interface.protocols import PROTOCOLS, Adversary, Model
from capc_mpc.measuring import evidence
from capc_mpc.spdz.costs import Costs
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.processes import Limits
from capc_mpc.two_processes.ways import ONE_CIRCUIT, ROUNDS, STASH
from support.engines import machine_with_everything

MODES = ("worst_case", "single_draw", "realised")
ARGMAX = Variant("argmax", "semi2k", 100, classes=10, logit_bits=37, vote_bits=16, edabits=None, threads=1)


def few(**axes: list) -> dict:
    return {"batch": [1], "classes": [2], **axes}


def test_the_embedded_engine_stands_beside_each_size_that_it_has_a_circuit_of() -> None:
    points = matrix(["argmax", "discrete_gaussian"], ["yao"], few(classes=[2, 3]))
    assert [(point.program, point.protocol, point.classes) for point in points] == [
        ("argmax", "embedded", 2),
        ("argmax", "yao", 2),
        ("argmax", "embedded", 3),
        ("argmax", "yao", 3),
        ("discrete_gaussian", "yao", None),
    ]
    with pytest.raises(InputError, match="program 'argmix' is unknown"):
        matrix(["argmix"], ["yao"], {})


def test_what_has_no_meaning_is_neither_varied_nor_named() -> None:
    points = matrix(["argmax", "guardian_free"], ["semi2k"], few(answering=[2, 4], sigma=["1", "2"], logit_bits=[8, 9]))
    assert [(p.program, p.answering, p.sigma, p.logit_bits) for p in points if p.protocol == "semi2k"] == [
        ("argmax", None, None, 8),
        ("argmax", None, None, 9),
        *(("guardian_free", k, sigma, None) for k in (2, 4) for sigma in ("1", "2")),
    ]
    assert {point.edabits for point in matrix(["argmax"], ["semi2k", "yao"], few(edabits=["on", "off"]))} == {None}
    assert len(matrix(["argmax"], ["spdz2k"], few(edabits=["on", "off"]))) == 1 + 2


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_is_a_step_that_its_head_documents_at_every_size(program: str) -> None:
    axes = {"batch": [2], "classes": [3], "logit_bits": [9], "vote_bits": [12], "grid_bits": [2], "sigma": ["1.5"]}
    for variant in matrix([program], ["semi2k"], axes):
        step = variant.step()
        assert steps.parse(step.program, step.arguments) == step
        assert step.batch == 2
        for axis in set(variants.SIZES) - {"answering", "batch"}:
            assert (getattr(variant, axis) is not None) == (axis in PROGRAMS[program].axes)


def test_threads_share_a_batch() -> None:
    points = matrix(["argmax"], ["semi2k"], few(batch=[7], threads=[3]))
    assert [part.batch for part in points[-1].parts()] == [3, 2, 2]
    with pytest.raises(InputError, match="more threads than cases"):
        make_plan(["argmax"], "semi2k", few(batch=[2], threads=[3]), machine_with_everything())


def test_flags_replace_what_is_derived_and_the_runner_s_own_are_refused() -> None:
    (_, point) = matrix(["argmax"], ["spdz2k"], few(party_flags=["-b 7 --direct"], compile_flags=["--optimize-hard"]))
    assert point.choices().party_flags == ("-b", "7", "--direct")
    assert "--optimize-hard" in point.told()
    for flags in ({"party_flags": ["-p 1"]}, {"compile_flags": ["--ring=32"]}):
        with pytest.raises(InputError, match="that the runner decides: leave it out"):
            make_plan(["argmax"], "yao", few(**flags), machine_with_everything())


def test_a_protocol_that_was_named_must_run_and_one_of_many_is_left_out(tmp_path: Path) -> None:
    everything = machine_with_everything()
    with pytest.raises(InputError, match="yao has 2 parties and the program needs 3"):
        make_plan(["guardian_free"], "semi2k,yao", few(), everything)
    found = make_plan(["guardian_free"], plan.ALL, few(), everything)
    assert [variant.protocol for variant, _ in found.left_out] == ["yao"]
    assert {variant.protocol for variant in found.variants} == set(PROTOCOLS) - {"yao"}
    only_yao = Machine(tmp_path, "0", {"yao": tmp_path})
    assert {point.protocol for point in make_plan(["argmax"], plan.QUICK, few(), only_yao).variants} == {
        ONE_CIRCUIT,
        "yao",
    }
    with pytest.raises(InputError, match=r"mascot-party\.x is not in"):
        make_plan(["argmax"], "yao,mascot", few(), only_yao)
    with pytest.raises(InputError, match="nothing of discrete_gaussian runs under embedded"):
        make_plan(["discrete_gaussian"], "embedded", few(), None)
    with pytest.raises(InputError, match="no party program is in"):
        make_plan(["argmax"], plan.QUICK, few(), Machine(tmp_path, "0", {}))


@pytest.mark.parametrize("protocol", ["semi2k", "spdz2k", "mascot", "yao", "real-bmr"])
def test_more_cases_and_more_classes_are_forecast_to_take_longer(protocol: str) -> None:
    sizes = [Variant("argmax", protocol, b, classes=10, logit_bits=37, vote_bits=16) for b in (100, 1000, 10_000)]
    sizes += [Variant("argmax", protocol, 10_000, classes=50, logit_bits=37, vote_bits=16)]
    times = [forecast.seconds_of_a_run(variant) for variant in sizes]
    assert all(first < second for first, second in pairwise(times))


def test_the_defaults_are_forecast_to_end_in_fifteen_minutes() -> None:
    setting = Setting(None, repeats=3, warm_ups=1)
    whole = make_plan(list(plan.PROGRAMS), plan.QUICK, {}, machine_with_everything())
    assert len(whole.variants) > 40
    assert forecast.total(whole.variants, setting) < 15 * 60


@pytest.mark.parametrize(
    ("program", "record"),
    [("label_release", "label_release_plain"), *[(f"label_release_{mode}",) * 2 for mode in MODES]],
)
def test_modes_of_a_program_are_forecast_over_links_by_their_own_record(program: str, record: str) -> None:
    link = {"far": LinkSpec(2.0)}
    far = Setting(None, Limits(1e9), repeats=1, warm_ups=0, networks=link, links=link)
    variant = Variant(program, "spdz2k", 100, classes=10, vote_bits=16)
    costs = json.loads((evidence.folder() / f"{record}.json").read_text())["runs"]["spdz2k"]["costs"]
    assert costs["rounds"] > 1000
    assert 2 * costs["rounds"] < forecast.over_links(variant, far) < 2.1 * costs["rounds"] + 10 * costs["seconds"]


def test_links_take_their_time_in_a_forecast() -> None:
    plain = Setting(None, repeats=3, warm_ups=1)
    far = replace(plain, networks={"far": LinkSpec(2.0)}, links={"far": LinkSpec(2.0)})
    slow = replace(plain, networks={"slow": LinkSpec(0, 1e3)}, links={"slow": LinkSpec(0, 1e3)})
    assert forecast.over_links(ARGMAX, plain) == 0
    records = json.loads((evidence.folder() / "argmax.json").read_text())["runs"]["semi2k"]["costs"]
    assert forecast.total([ARGMAX], far) > forecast.total([ARGMAX], plain) + 2 * records["rounds"]
    # A run that is longer than the limit is stopped then.
    assert forecast.total([ARGMAX], slow) > forecast.total([ARGMAX], plain) + plain.limits.seconds
    embedded = replace(ARGMAX, protocol=ONE_CIRCUIT)
    assert forecast.total([embedded], far) > 4 * 2 * 2.0


def test_a_long_run_is_forecast_once_and_what_was_measured_corrects_the_rest() -> None:
    slow = Variant("argmax", "mascot", 1000, 10, None, 37, 16)
    quick = Setting(None, Limits(seconds=10 * forecast.seconds_of_a_run(slow)), repeats=3, warm_ups=1)
    assert forecast.seconds_of_a_run(slow) > LONG_SECONDS
    assert forecast.forecast(slow, quick) < 2 * forecast.seconds_of_a_run(slow)
    once = Once(2 * forecast.seconds_of_a_run(ARGMAX), 0.0, None, None, (1, 1), (None, None))
    costs = Costs(once.seconds, 2, 1)
    row = Row(ARGMAX, "loopback", 2, Model.BASE, Adversary.SEMI_HONEST, "tls", runs=(once,), costs=costs)
    assert forecast.factor_of([]) == 1.0
    over_a_link = replace(row, link=Link(1.0, None, "tun", "reno", False, 0.0, 0.0))
    assert forecast.factor_of([over_a_link]) == 1.0
    assert forecast.factor_of([row]) == pytest.approx(2)
    assert forecast.total([slow], quick, 2.0) > 1.5 * forecast.total([slow], quick, 1.0)


@pytest.mark.parametrize(("seconds", "text"), [(12.3, "12 s"), (240, "4 min"), (7200, "2.0 h")])
def test_times_are_told_for_people(seconds: float, text: str) -> None:
    assert forecast.told(seconds) == text


def test_other_ways_of_the_embedded_engine_are_named(tmp_path: Path) -> None:
    named = f"{ROUNDS},yao,{STASH}"
    found = make_plan(["argmax", "label_release"], named, few(), machine_with_everything())
    assert [(point.program, point.protocol) for point in found.variants if point.batch == 1] == [
        ("argmax", ONE_CIRCUIT),
        ("argmax", STASH),
        ("argmax", ROUNDS),
        ("argmax", "yao"),
        ("label_release", ONE_CIRCUIT),
        ("label_release", STASH),
        ("label_release", "yao"),
    ]
    assert not plan.needs_machine(f"{ROUNDS},{ONE_CIRCUIT}")
    assert plan.needs_machine(named)
