"""Costs that are computed are those of the protocol; the bits that floats find are those of the integers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from capc.foundation.errors import InputError
from capc.job.model_check.costs import measure, parameters_for, query_cost
from capc.job.own_models.sessions import session_of
from capc.linear.bfv import BfvLinear
from capc.models.figures import bounded
from capc.models.importing.evaluate import stage_bits
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.lower import lower
from capc.models.importing.quantise import quantise_graph, rounded, stating
from capc.privacy.account import Account
from capc.privacy.accountants.policies import policy_budget
from capc.protocol.collaboration import Collaboration
from capc.session.widths import ParameterSet
from capc.steps.suite import reference_suite
from capc.two_party.vectorised import VectorisedTwoParty
from protocol.cases import Case
from protocol.stages import staged_cases
from support.networks import Shape, networks, seeded

WIDTHS = ParameterSet.named("default")
SMALL = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 3)), (1, 3, 3)


@pytest.mark.slow
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(network=networks(), batch=st.integers(1, 3))
def test_bytes_are_those_that_a_batch_sends(network: tuple[nn.Module, Shape], batch: int) -> None:
    """The real protocol, skips, pools, groups and sums that are kept included."""
    module, shape = network
    graph = graph_from_torch(module, shape)
    architecture = bounded(lower(graph).architecture, WIDTHS.fraction_bits, WIDTHS.logit_bits)
    model = quantise_graph(graph, WIDTHS.fraction_bits, architecture)
    cost = query_cost(architecture, WIDTHS, batch)
    measured = measure(model, WIDTHS, [[0] * architecture.inputs] * batch)
    assert cost.bytes == pytest.approx(measured.bytes, abs=1e-6)
    assert measured.batch == batch
    assert measured.seconds > 0


@pytest.mark.slow
def test_a_release_costs_so_much_in_the_mean_and_a_batch_has_so_many_rounds() -> None:
    module, shape = SMALL
    graph = graph_from_torch(seeded(module), shape)
    architecture = bounded(lower(graph).architecture, WIDTHS.fraction_bits, WIDTHS.logit_bits)
    parameters = parameters_for(architecture, WIDTHS)
    account = Account(parameters.release, WIDTHS.grid_bits, policy_budget(parameters.release))
    suite = reference_suite(parameters, BfvLinear(WIDTHS), VectorisedTwoParty())
    model = quantise_graph(graph, WIDTHS.fraction_bits, architecture)
    collaboration = Collaboration(session_of(parameters, [architecture]), [model], suite, account)
    collaboration.label_batch([[0] * 9] * 32)
    cost = query_cost(architecture, WIDTHS, 32)
    assert collaboration.costs["3_release"].bytes == pytest.approx(32 * cost.release_bytes)
    rounds = sum(found.rounds for step, found in collaboration.costs.items() if step != "setup")
    assert rounds == cost.rounds


@pytest.mark.slow
def test_a_stage_has_the_ands_of_its_circuits() -> None:
    """A ReLU of the largest of four sums, twice; and one vote."""
    from capc.two_party.circuits.argmax import vote_circuit
    from capc.two_party.circuits.relu import relu_circuit

    graph = graph_from_torch(seeded(SMALL[0]), SMALL[1])
    architecture = bounded(lower(graph).architecture, WIDTHS.fraction_bits, WIDTHS.logit_bits)
    first, last = query_cost(architecture, WIDTHS, 4).stages
    stage = architecture.stages[0]
    relu = relu_circuit(WIDTHS.logit_bits, stage.scale_bits(WIDTHS.fraction_bits), 4, stage.cap_bits)
    assert first.ands == 2 * relu.and_count
    assert last.ands == vote_circuit(3, WIDTHS.logit_bits, WIDTHS.vote_bits).and_count


@pytest.mark.slow
def test_a_window_that_fits_no_polynomial_is_refused() -> None:
    graph = graph_from_torch(
        seeded(nn.Sequential(nn.Conv2d(1, 1, 2, dilation=80), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))), (1, 82, 82)
    )
    architecture = bounded(lower(graph).architecture, WIDTHS.fraction_bits, WIDTHS.logit_bits)
    with pytest.raises(InputError, match="a window that spans 81 x 81 values does not fit he_poly_degree"):
        query_cost(architecture, WIDTHS, 1)


@pytest.mark.slow
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(network=networks())
def test_bits_are_those_of_the_integers(network: tuple[nn.Module, Shape]) -> None:
    module, shape = network
    lowered = stating(lower(graph_from_torch(module, shape)), WIDTHS.fraction_bits, None)
    model = rounded(lowered, WIDTHS.fraction_bits)
    assert stage_bits(model) == model.stage_bits()


@pytest.mark.slow
@settings(max_examples=40)
@given(case=staged_cases())
def test_bits_are_those_of_the_integers_with_caps_and_leaks(case: Case) -> None:
    for model in case.models:
        assert stage_bits(model) == model.stage_bits()


@pytest.mark.slow
def test_bits_of_weights_beyond_any_ring_are_found() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(1e12)
    lowered = stating(lower(graph_from_torch(module, (3,))), WIDTHS.fraction_bits, None)
    model = rounded(lowered, WIDTHS.fraction_bits)
    assert stage_bits(model) == model.stage_bits()
    assert max(stage_bits(model)) > 80
