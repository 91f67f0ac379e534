"""MP-SPDZ as the engine of the main job: the programs' text everywhere, and the machine where it exists."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capc import cli
from capc.foundation.errors import InputError
from capc.job import plan as plan_module
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.plan import find_engine, prepare
from capc.job.report import document
from capc.job.state import JobState
from capc.privacy.events import EventKind
from capc.protocol.collaboration import Collaboration
from capc.protocol.engine_protocol import with_engine as engine_methods
from capc.session.parameters import Charge
from capc.steps.suite import hybrid_suite
from capc_mpc import engine as mpc_engine
from capc_mpc.emulator.steps import DOMAINS
from capc_mpc.engine import MpSpdzEngine, open_engine
from capc_mpc.interface.errors import MpcError
from capc_mpc.interface.protocols import Model
from capc_mpc.measuring import evidence, main_job
from capc_mpc.spdz import machine
from job.stand_in import Recorder, validate
from protocol.cases import MODES, Case, cases
from support.builders import confident_policy, constant_model, make_account, make_parameters, make_session
from support.engines import emulating, machine_with_everything
from support.label_costs import set_label_costs
from support.mpc import DECLARED, needs_mp_spdz
from support.sizes import examples

RELAXED = settings(deadline=None, suppress_health_check=list(HealthCheck))
ENGINES = {
    name: told.get("declare_model", "base") for name, told in main_job.ENGINES.items() if told["engine"] != "embedded"
}
RECORDED = {name: main_job.load(name) for name in main_job.ENGINES}


@pytest.fixture(autouse=True)
def _extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """The declared entry points, whatever metadata is installed."""

    def declared(group: str) -> list[EntryPoint]:
        return [EntryPoint(name, value, group) for name, value in DECLARED[group].items()]

    monkeypatch.setattr(plan_module, "entry_points", declared)


def with_engine(case: Case, engine: MpSpdzEngine) -> Collaboration:
    embedded = case.collaborate(None)
    return Collaboration(
        case.session, case.models, embedded.table.guardian.suite, embedded._account, engine_methods(engine)
    )


@pytest.mark.slow
@pytest.mark.req("CAPC-MPC-040", "CAPC-MPC-001")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("target", DOMAINS)
@settings(RELAXED, max_examples=examples(ordinary=6, nightly=300))
@given(data=st.data())
def test_the_programs_text_releases_what_the_embedded_engine_does(mode: str, target: str, data) -> None:
    case = data.draw(cases(mode))
    engine = MpSpdzEngine("semi2k", machine=machine_with_everything())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mpc_engine, "run", emulating(target))
        results = with_engine(case, engine).label_batch(case.queries)
    assert [result.label for result in results] == [result.ideal_label for result in results]
    if case.given_noise is not None:
        assert [result.label for result in results] == [case.collaborate(None).label(q).label for q in case.queries]


@needs_mp_spdz
@pytest.mark.req("CAPC-MPC-040", "CAPC-MPC-042")
@pytest.mark.parametrize(("protocol", "model"), ENGINES.items())
@pytest.mark.parametrize("mode", ["plain", "worst_case", "realised"])
def test_the_machine_releases_the_ideal_labels(protocol: str, model: str, mode: str) -> None:
    policy = {} if mode == "plain" else {"policy": confident_policy(Charge(mode))}
    parameters = make_parameters(**policy)
    models = [constant_model((2, 3), winner, 2) for winner in (1, 1, 2)]
    account = make_account(parameters, 4)
    collaboration = Collaboration(
        make_session(parameters, num_answering=3),
        models,
        hybrid_suite(parameters),
        account,
        engine_methods(MpSpdzEngine(protocol, Model(model))),
    )
    results = collaboration.label_batch([[0, 1], [1, 0], [-4, 4], [2, 2]])
    assert [result.label for result in results] == [result.ideal_label for result in results]
    answered = sum(result.label is not None for result in results)
    if mode == "realised":
        assert sum(event.kind is EventKind.LABEL_RELEASED for event in account.events) == answered
    else:
        assert account.remaining_queries() == 0


@pytest.fixture(scope="module")
def embedded_labels() -> list[tuple[int, int | None]]:
    """Trained here: other machines may train other models."""
    return labels(main_job.run_job("embedded"))


@needs_mp_spdz
@pytest.mark.req("CAPC-MPC-040", "CAPC-RUN-007")
@pytest.mark.parametrize(("protocol", "model"), ENGINES.items())
def test_the_main_job_on_the_machine_gives_the_labels_of_the_embedded_engine(
    protocol: str, model: str, embedded_labels: list[tuple[int, int | None]]
) -> None:
    report = main_job.run_job(protocol)
    validate(report)
    assert report["engine"]["model"] == model
    assert labels(report) == embedded_labels
    assert report["agreement"]["equal_to_ideal"] == len(embedded_labels)
    assert report["engine"] == {**RECORDED[protocol]["engine"], "version": report["engine"]["version"]}


def labels(report: dict) -> list[tuple[int, int | None]]:
    return [(query["row"], query["label"]) for query in report["queries"]]


def test_the_recorded_runs_released_the_labels_of_the_embedded_engine() -> None:
    """Each has the published shape, so its options are those that `capc run` has, or its name waits to be recorded."""
    for name, report in RECORDED.items():
        if main_job.NAME not in evidence.AWAITING:
            validate(report)
        asked = report["agreement"]["queries"]
        assert report["agreement"]["equal_to_ideal"] == asked == 10
        assert labels(report) == labels(RECORDED["embedded"])
        assert report["engine"]["name"] == (name if name == "embedded" else f"mp-spdz:{name}")
        assert report["engine"]["model"] == ENGINES.get(name, "base")
        # Another engine is not known to tell labels only, so its counts are charged.
        outside = name != "embedded"
        assert report["privacy"]["accounting"] == ("gaussian_dp" if outside else "argmax_renyi")
        remaining = RECORDED["semi2k" if outside else name]["privacy"]["remaining_queries"]
        assert report["privacy"]["remaining_queries"] == remaining


@pytest.mark.req("CAPC-MPC-005")
def test_the_report_names_a_declared_weaker_model_and_whom_it_does_not_withstand() -> None:
    report = RECORDED["replicated-ring"]
    assert "privacy_guardian_and_answering_parties" in report["engine"]["not_withstood"]
    assert any(
        "declared model honest_majority: no guarantee towards" in line for line in report["privacy"]["hypotheses"]
    )
    assert "under the declared model honest_majority only" in report["privacy"]["label"]
    assert not RECORDED["semi2k"]["engine"]["not_withstood"]
    assert not any("declared model" in line for line in RECORDED["semi2k"]["privacy"]["hypotheses"])


REFUSED = [
    (["mp-spdz:replicated-ring"], ["assumes an honest majority", "--engine", "--declare-model"]),
    (["mp-spdz:unheard-of"], ["protocol 'unheard-of' is unknown: choose one of"]),
    (["mp-spdz"], ["no protocol after mp-spdz: choose one of semi2k"]),
    (["mp-spdz:semi2k", "weak"], ["model 'weak' is unknown: choose one of base, honest_majority"]),
    (["other:semi2k"], ["engine = other:semi2k (--engine)", "choose one of embedded, mp-spdz:PROTOCOL"]),
    (["embedded", "honest_majority"], ["declare_model = honest_majority (--declare-model)", "leave this out"]),
]


@pytest.mark.req("CAPC-MPC-005", "CAPC-RUN-001")
@pytest.mark.parametrize(("options", "fragments"), REFUSED)
def test_an_engine_that_cannot_be_used_is_refused(
    options: list[str], fragments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mpc_engine, "the_machine", machine_with_everything)
    config = resolve(dict(zip(("engine", "declare_model"), options, strict=False)))
    with pytest.raises(InputError) as refusal:
        find_engine(config)
    assert all(fragment in str(refusal.value) for fragment in fragments), str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.req("CAPC-MPC-005")
def test_a_declared_model_admits_a_weaker_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpc_engine, "the_machine", machine_with_everything)
    engine = find_engine(resolve({"engine": "mp-spdz:replicated-ring", "declare_model": "honest_majority"}))
    assert engine is not None
    assert (engine.description.name, engine.description.parties) == ("mp-spdz:replicated-ring", 3)
    assert "querying_party_and_answering_parties" in engine.description.not_withstood
    assert find_engine(resolve({})) is None


def test_without_mp_spdz_the_run_is_one_line_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "find_machine", lambda: None)
    report = tmp_path / "report.json"
    assert cli.run(["run", "--engine", "mp-spdz:semi2k", "--json", str(report)]) == cli.EXIT_INPUT
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert machine.REMEDY in said
    assert not report.exists()


def test_a_machine_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise MpcError("argmax under semi2k: party 0 failed", "terminate called")

    monkeypatch.setattr(mpc_engine, "the_machine", machine_with_everything)
    monkeypatch.setattr(mpc_engine, "run", fail)
    parameters = make_parameters()
    models = [constant_model((2, 3), 1, 2)]
    session, suite = make_session(parameters, num_answering=1), hybrid_suite(parameters)
    engine = open_engine("semi2k", "base")
    collaboration = Collaboration(session, models, suite, make_account(parameters), engine_methods(engine))
    with pytest.raises(InputError, match="party 0 failed: terminate called"):
        collaboration.label([0, 1])


@pytest.mark.slow
def test_a_state_without_an_engine_is_described_as_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    set_label_costs(monkeypatch)
    plan = prepare(resolve({"parties": "2", "queries": "1"}))
    state = Job(plan, Recorder()).state
    assert isinstance(state, JobState)
    assert document(state)["engine"]["name"] == "embedded"
