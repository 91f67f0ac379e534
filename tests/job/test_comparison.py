"""Runs with CKKS: end to end at a small size, close to the model in the clear, and loaded only if asked for by name."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capc import cli
from capc.accounting import Account
from capc.comparison import SquareNetwork
from capc.errors import BudgetExhaustedError, InputError
from capc.fixed_point import quantise
from capc.job import comparison
from capc.job.comparison import SquareModel, open_ckks_collaboration, train_squares
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.models import hidden_widths
from capc.job.plan import Plan, prepare
from capc.job.report import LEAKS
from capc.parameters import Parameters
from capc.randomness import fresh_seed
from job.stand_in import Recorder, validate

FLAGS = ["--parameters", "test", "--parties", "2", "--queries", "3", "--batch", "2"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes that one feature each tells apart."""
    draws = np.random.default_rng(3)
    labels = np.arange(400) % 3
    file = tmp_path_factory.mktemp("rows") / "rows.npz"
    np.savez(file, x=np.eye(3)[labels] + draws.normal(0, 0.1, (400, 3)), y=labels)
    return file


@pytest.fixture(scope="module")
def plan(rows: Path) -> Plan:
    flags = {"data": str(rows), "parameters": "test", "parties": "2", "queries": "3", "inference": "ckks_comparison"}
    return prepare(resolve(flags))


def unlike(networks: list[SquareNetwork]) -> list[SquareNetwork]:
    """The networks with classes in another order, so that what they answer is not what the data say."""
    return [
        replace(
            network,
            weights=(*network.weights[:-1], np.roll(network.weights[-1], 1, axis=0)),
            biases=(*network.biases[:-1], np.roll(network.biases[-1], 1)),
        )
        for network in networks
    ]


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-013")
def test_a_run_with_ckks_works_end_to_end_and_says_that_it_leaks(
    rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    file = tmp_path / "report.json"
    arguments = ["run", *FLAGS, "--data", str(rows), "--inference", "ckks_comparison", "--json", str(file)]
    assert cli.run(arguments) == 0
    report = json.loads(file.read_text())
    validate(report)
    assert report["status"] == "complete"
    assert report["leaks"] == LEAKS
    assert "docs/ckks-comparison.md" in LEAKS
    label = "no guarantee: inference ckks_comparison leaks the models"
    assert report["privacy"]["label"] == label
    # The account charged every label, and its epsilon is the one that was asked for.
    assert report["privacy"]["epsilon"] == 10
    assert Fraction(report["privacy"]["spent"]) == 3 * Fraction(report["privacy"]["query_cost"])
    assert [len(model["layer_sizes"]) for model in report["models"]] == [2, 3]
    # Classes are apart and CKKS is close: there is no near tie, and both agree.
    assert report["agreement"]["equal_to_ideal"] == 3
    assert set(report["steps"]) == {
        "setup", "ahead", "1a_linear", "1b_masked_logits", "1c_argmax", "2_aggregation", "3_release",
    }  # fmt: skip
    assert report["steps"]["setup"]["bytes"] > 10**7
    assert all(cost["bytes"] > 0 and cost["rounds"] > 0 for cost in report["steps"].values())
    printed = capsys.readouterr().out
    assert f"This run leaks: {LEAKS}." in printed
    assert "guarantee of" not in printed
    (enforced,) = [line for line in printed.splitlines() if "enforced" in line]
    assert label in enforced


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-012")
def test_an_exact_run_does_not_even_load_the_comparison(rows: Path) -> None:
    script = """
import sys
from capc import cli
code = cli.run(sys.argv[1:])
loaded = [name for name in sys.modules if "comparison" in name and name.startswith("capc")]
sys.exit(f"{code} {loaded}" if code or loaded else 0)
"""
    arguments = [sys.executable, "-c", script, "run", *FLAGS, "--queries", "1", "--data", str(rows)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 asked" in done.stdout
    assert "leak" not in done.stdout
    assert "capc.comparison" in sys.modules, "the name that the script looks for"


@pytest.fixture(scope="module")
def asked(plan: Plan) -> tuple[list[SquareModel], Any, Account, list[int], list[Any]]:
    """Three queries to two parties whose networks have their classes in another order than the data."""
    networks = []
    for number in (1, 2):
        model = train_squares(plan, np.arange(100, dtype=np.int64), number).model
        assert isinstance(model, SquareModel)
        networks.append(model.network)
    models = [SquareModel.of(network, plan.parameters.widths.fraction_bits) for network in unlike(networks)]
    release = replace(plan.parameters.release, sigma=Fraction(1, 1000), epsilon=Fraction(2 * 10**8))
    parameters = Parameters(plan.parameters.widths, 3, 3, release)
    account = Account(release, parameters.widths.grid_bits, Fraction(10**8))
    labeller = open_ckks_collaboration(parameters, models, account)
    rows = [200, 201, 202]
    queries = [quantise(plan.dataset.features[row].tolist(), parameters.widths.fraction_bits) for row in rows]
    return models, labeller, account, rows, labeller.label_batch(queries)  # type: ignore[return-value]


@pytest.mark.slow
def test_labels_are_those_of_the_networks_in_the_clear(plan: Plan, asked: Any) -> None:
    """Almost without noise: the label is what the networks say, which is not what the data say."""
    models, _, account, rows, results = asked
    for row, result in zip(rows, results, strict=True):
        features = quantise(plan.dataset.features[row].tolist(), models[0].fraction_bits)
        votes = {int(np.argmax(model.logits(features))) for model in models}
        assert votes == {result.label} == {result.ideal_label}
        assert result.label == (int(plan.dataset.labels[row]) + 1) % 3
    assert account.spent == 3 * account.cost.worst_case


@pytest.mark.slow
def test_shares_that_go_into_the_vote_are_the_logits_within_the_error(plan: Plan, asked: Any) -> None:
    models, labeller, *_ = asked
    widths = plan.parameters.widths
    half, modulus = 1 << (widths.logit_bits - 1), 1 << widths.logit_bits
    query = [-100, 0, 256]
    inference = labeller.table.querying.methods.inference
    reals = [value / (1 << widths.fraction_bits) for value in query]
    shares = inference.comparison.logit_shares(reals, [fresh_seed(), fresh_seed()])
    for model, share in zip(models, shares, strict=True):
        pairs = zip(share.querying_party, share.answering_party, strict=True)
        shared = [(one + other + half) % modulus - half for one, other in pairs]
        # Two roundings of shares, one of the clear logits; CKKS' own error is far below a unit of 2^-f.
        assert max(abs(one - other) for one, other in zip(shared, model.logits(query), strict=True)) <= 2


@pytest.mark.slow
def test_what_the_protocol_refuses_is_refused_here(asked: Any) -> None:
    _, labeller, account, *_ = asked
    spent = account.spent
    with pytest.raises(InputError, match="4 features"):
        labeller.label_batch([[0, 0, 0, 0]])
    with pytest.raises(InputError, match="no quantised number"):
        labeller.label_batch([[0, 0, 257]])
    with pytest.raises(BudgetExhaustedError):
        labeller.label_batch([[0, 0, 0]] * (account.remaining_queries() + 1))
    with pytest.raises(InputError, match="no batch can be prepared"):
        labeller.prepare(1)
    assert account.spent == spent


@pytest.mark.req("CAPC-RUN-005")
def test_a_network_that_does_not_fit_is_refused_before_the_session_is_set_up(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = SquareNetwork((np.full((3, 3), 1e6),), (np.zeros(3),))
    monkeypatch.setattr(comparison, "train", lambda *_: huge)
    monkeypatch.setattr(comparison, "open_comparison", lambda *_: pytest.fail("the session was set up"))
    with pytest.raises(InputError) as refusal:
        Job(plan, Recorder()).run()
    line = str(refusal.value)
    assert line.startswith("inference = ckks_comparison (--inference): the model that answering_party_1 trained")
    assert "choose --inference exact" in line


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-002")
def test_the_seed_decides_the_networks_and_nothing_else(plan: Plan) -> None:
    rows = np.arange(60, dtype=np.int64)
    other = replace(plan, config=replace(plan.config, seed=1))
    first, same, second = (train_squares(of, rows, 2).model for of in (plan, plan, other))
    features = [10, 20, -30]
    assert first.logits(features) == same.logits(features) != second.logits(features)
    assert first.layer_sizes == (3, *hidden_widths(2), 3)
    assert train_squares(plan, rows, 6).model.layer_sizes == (3, 16, 3)
