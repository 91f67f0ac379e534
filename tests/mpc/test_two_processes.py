"""The embedded engine as two processes: its ways, over the emulated network, beside what the model says."""

import statistics
from collections.abc import Sequence
from dataclasses import replace

import pytest

from capc.foundation.errors import InputError
from capc_mpc.emulated.network import EmulatedNetwork, LinkSpec
from capc_mpc.interface import steps
from capc_mpc.interface.errors import MpcError
from capc_mpc.modelled.prediction import marks_of, predict
from capc_mpc.modelled.programme import programme_of
from capc_mpc.modelled.recording import Recording, recording_of
from capc_mpc.spdz.namespaces import Namespaces
from capc_mpc.two_processes.one_circuit import Evaluator
from capc_mpc.two_processes.party import Measured, Task
from capc_mpc.two_processes.placed import measure_at
from capc_mpc.two_processes.vote_rounds import VoteEvaluator
from capc_mpc.two_processes.ways import ALL_PAIRS, ONE_CIRCUIT, ROUNDS, STASH, WAYS, evaluator_of, work_of
from support.emulated import needs_network
from support.sizes import nightly_only, some

STEP = steps.argmax(3, 8, 4, 2)


def task(way: str, repeats: int = 1) -> Task:
    return Task(way, STEP.program, tuple(STEP.arguments), 1, repeats)


def seconds(measured: Measured) -> float:
    times = zip(measured.began, measured.ended, strict=True)
    return statistics.median(end - begin for begin, end in times)


@pytest.mark.slow
@pytest.mark.parametrize("way", some(WAYS, ordinary=2))
def test_a_way_runs_over_loopback_and_its_outputs_are_those_in_the_clear(way: str) -> None:
    with evaluator_of(work_of(way, STEP)) as evaluator:
        evaluator.prepare()
        evaluator.run()
        evaluator.check()
    assert all(evaluator.sent)
    assert evaluator.bytes == sum(evaluator.sent)


def test_ways_of_the_argmax_are_refused_for_other_steps() -> None:
    release = steps.label_release(3, 8, 2, "plain")
    for way in (ALL_PAIRS, ROUNDS):
        with pytest.raises(InputError, match=f"{way} is a way of argmax: choose embedded or embedded_stash"):
            work_of(way, release)
    assert work_of(STASH, release) == replace(work_of(ONE_CIRCUIT, release), stash=True)
    with pytest.raises(InputError, match="no circuit"):
        work_of(ONE_CIRCUIT, steps.discrete_gaussian(4, 8, 2, 2))


@nightly_only
@needs_network
@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_what_is_recorded_over_one_link_predicts_another(way: str) -> None:
    """By day small programs stand for it, in test_emulated_network."""
    recorded: list[Recording] = []
    for delay in (0.0, 0.01):
        with EmulatedNetwork(2, LinkSpec(delay), recording=True) as network:
            measured = measure_at(Namespaces("net", network), task(way, 3), 60)
        assert network.report is not None
        marks = marks_of(1, zip(measured.began, measured.ended, strict=True))
        recorded.append(recording_of(network.report.carried, marks))
    programme = programme_of(recorded[0], recorded[1:])
    far = LinkSpec(0.04, 2e6)
    with EmulatedNetwork(2, far) as network:
        measured = measure_at(Namespaces("net", network), task(way, 3), 60)
    assert measured.equal
    predicted, found = predict(programme, far), seconds(measured)
    assert predicted.messages == (2 * work_of(way, STEP).shape.rounds if way == ROUNDS else 2)  # type: ignore[union-attr]
    assert abs(predicted.seconds - found) < max(0.25 * found, 0.02)


def one_more(shares: Sequence[Sequence[int]]) -> list[list[int]]:
    return [[(int(share) + 1) % 16 for share in row] for row in shares]


@pytest.mark.slow
@pytest.mark.parametrize("way", [ONE_CIRCUIT, ROUNDS])
def test_a_wrong_output_is_noticed(way: str) -> None:
    work = work_of(way, STEP)
    with evaluator_of(work) as evaluator:
        assert isinstance(evaluator, VoteEvaluator | Evaluator)
        evaluator.prepare()
        evaluator.run()
        if isinstance(evaluator, VoteEvaluator):
            evaluator.votes = one_more(evaluator.votes)
        else:
            evaluator.evaluation = replace(evaluator.evaluation, outputs=one_more(evaluator.evaluation.outputs))
        with pytest.raises(ValueError, match="in the clear"):
            evaluator.check()


@needs_network
@pytest.mark.slow
def test_a_process_that_fails_is_one_error_and_leaves_nothing() -> None:
    with EmulatedNetwork(2, LinkSpec()) as network, pytest.raises(MpcError, match=r"unknown.* failed: .*unknown"):
        measure_at(Namespaces("net", network), replace(task("unknown"), program="unknown"), 60)
