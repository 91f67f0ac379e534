"""Sessions with CKKS, by the roles' programs: what is shared and voted on, what is refused, and who may import it."""

from __future__ import annotations

import ast
import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from capc.foundation.errors import BudgetExhaustedError, InputError
from capc.foundation.fixed_point import quantise
from capc.foundation.randomness import fresh_seed
from capc.privacy.account import Account
from capc.protocol.collaboration import Collaboration, QueryResult
from capc.protocol.costs import Step
from capc.session.parameters import Parameters
from capc.session.widths import ParameterSet
from capc_bench.ckks.inference import CkksInference, SquareModel, open_ckks_collaboration
from capc_bench.ckks.network import Floats, SquareNetwork
from capc_bench.ckks.training import train
from support.builders import make_policy

ROOT = Path(__file__).parents[2]
SHIPPED = ("spec", "reference", "mpc_programs", "verification")
WIDTHS = ParameterSet.named("test")
HIDDEN: tuple[list[int], ...] = ([], [12])


class Asked(NamedTuple):
    features: Floats
    labels: list[int]
    networks: list[SquareNetwork]
    collaboration: Collaboration
    account: Account
    results: list[QueryResult]


def words(features: Floats) -> list[int]:
    return quantise(features.tolist(), WIDTHS.fraction_bits)


def turned(network: SquareNetwork) -> SquareNetwork:
    """The network with classes in another order, so that what it answers is not what the data say."""
    last, biases = np.roll(network.weights[-1], 1, axis=0), np.roll(network.biases[-1], 1)
    return SquareNetwork((*network.weights[:-1], last), (*network.biases[:-1], biases))


@pytest.fixture(scope="module")
def asked() -> Asked:
    """Three classes that one feature each tells apart; three queries to two parties, almost without noise."""
    labels = np.arange(120) % 3
    features = np.clip(np.eye(3)[labels] + np.random.default_rng(3).normal(0, 0.1, (120, 3)), -1, 1)
    networks = [turned(train(features[:100], labels[:100], 3, hidden, 0)) for hidden in HIDDEN]
    policy = dataclasses.replace(make_policy(sigma=Fraction(1, 1000)), epsilon=Fraction(2 * 10**8))
    account = Account(policy, WIDTHS.grid_bits, Fraction(10**8))
    collaboration = open_ckks_collaboration(Parameters(WIDTHS, 3, 3, policy), networks, account)
    rows = [100, 101, 102]
    results = [*collaboration.label_batch([words(features[row]) for row in rows[:2]])]
    results += collaboration.label_batch([words(features[rows[2]])])
    return Asked(features[rows], labels[rows].tolist(), networks, collaboration, account, results)


@pytest.mark.slow
def test_labels_are_those_of_the_networks_in_the_clear_and_are_charged(asked: Asked) -> None:
    """Classes are apart and CKKS is close: there is no near tie. What the data say would be another class."""
    for features, label, result in zip(asked.features, asked.labels, asked.results, strict=True):
        votes = {int(network.logits(features).argmax()) for network in asked.networks}
        assert votes == {result.label} == {result.ideal_label} == {(label + 1) % 3}
    assert asked.account.spent == 3 * asked.account.cost.worst_case


@pytest.mark.slow
def test_every_step_but_the_relus_has_its_messages(asked: Asked) -> None:
    costs = asked.collaboration.costs
    assert set(costs) == set(Step) - {Step.RELU}
    assert costs[Step.SETUP].bytes > 10**7
    assert all(cost.bytes > 0 and cost.rounds > 0 for cost in costs.values())


@pytest.mark.slow
def test_shares_that_go_into_the_vote_are_the_logits_within_the_error(asked: Asked) -> None:
    half, modulus = 1 << (WIDTHS.logit_bits - 1), 1 << WIDTHS.logit_bits
    inference = asked.collaboration.table.querying.methods.inference
    assert isinstance(inference, CkksInference)
    query = [-100, 0, 256]
    request = inference.comparison.encrypt([value / (1 << WIDTHS.fraction_bits) for value in query])
    for index, network in enumerate(asked.networks, start=1):
        response, mask = inference.comparison.respond(index, request, fresh_seed())
        shares = zip(inference.comparison.open(response), mask, strict=True)
        shared = [(one + other + half) % modulus - half for one, other in shares]
        logits = SquareModel.of(network, WIDTHS.fraction_bits).logits(query)
        # Two roundings of shares, one of the clear logits; CKKS' own error is far below a unit of 2^-f.
        assert max(abs(one - other) for one, other in zip(shared, logits, strict=True)) <= 2


@pytest.mark.slow
def test_what_the_protocol_refuses_is_refused_here(asked: Asked) -> None:
    collaboration, account = asked.collaboration, asked.account
    spent = account.spent
    with pytest.raises(InputError, match="4 features"):
        collaboration.label_batch([[0, 0, 0, 0]])
    with pytest.raises(InputError, match="no quantised number"):
        collaboration.label_batch([[0, 0, 257]])
    with pytest.raises(BudgetExhaustedError):
        collaboration.label_batch([[0, 0, 0]] * (account.remaining_queries() + 1))
    with pytest.raises(InputError, match="no batch can be prepared"):
        collaboration.prepare(1)
    assert account.spent == spent


@pytest.mark.slow
def test_a_network_that_does_not_fit_is_refused_before_the_set_up(asked: Asked) -> None:
    huge = SquareNetwork((np.full((3, 3), 1e6),), (np.zeros(3),))
    parameters = Parameters(WIDTHS, 3, 3, asked.account.policy)
    with pytest.raises(InputError, match="a logit could reach"):
        open_ckks_collaboration(parameters, [asked.networks[0], huge], asked.account)


def test_the_seed_decides_the_network() -> None:
    features, labels = np.eye(3), np.arange(3)
    first, same, other = (train(features, labels, 3, [4], number).logits(features) for number in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.slow
def test_nothing_that_is_shipped_imports_it() -> None:
    """It leaks, so no user may come upon it by an option: benchmarks are no part of the wheel."""
    files = [file for folder in SHIPPED for file in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 100
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            found = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.split(".")[0] == "capc_bench" for name in found), file
