"""A model that differs in one thing from what the session declares is refused, whatever it is."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import pytest

from capc.foundation.errors import InputError
from capc.foundation.parties import answering_party
from capc.foundation.randomness import Seed
from capc.models.architecture import Activation, Architecture, StageShape
from capc.models.model import QuantisedLayer, QuantisedModel
from capc.models.operators import Dense, Grid, SumPool
from capc.steps.answering_party.setup import answering_party_begin_setup
from capc.steps.suite import hybrid_suite
from support.builders import make_session

STAGES = (
    StageShape(Dense(2, 4), 0, Activation.RELU),
    StageShape(Dense(4, 4), 1, Activation.RELU),
    StageShape(Dense(4, 3), 2, Activation.VOTE),
)
ONE_EACH = Grid(4, 1, 1, (1, 1))
CHANGES: list[tuple[int, dict[str, Any]]] = [
    (2, {"source": 1}),
    (1, {"skips": (1,)}),
    (1, {"sum_pool": SumPool(ONE_EACH)}),
    (1, {"max_pool": ONE_EACH, "activation": Activation.RELU_MAX_POOL}),
    (1, {"cap": Fraction(2)}),
    (0, {"leak_bits": 1}),
    (0, {"cap_bits": 3}),
    (2, {"weight_bits": 1}),
    (2, {"sum_bits": 4}),
]
"""The stage, and what is different in it, of a model that has as many weights as the declared one."""


def begin(stages: tuple[StageShape, ...], fraction_bits: int = 2) -> None:
    """A model of zeros joins a session that declares :data:`STAGES`."""
    session = make_session(layer_sizes=[(2, 4, 4, 3), (2, 3)])
    sizes = [(stage.operator.inputs, stage.operator.outputs) for stage in stages]
    layers = tuple(QuantisedLayer(((0,) * before,) * after, (0,) * after) for before, after in sizes)
    model = QuantisedModel(Architecture(stages), layers, fraction_bits)
    suite = hybrid_suite(session.parameters)
    answering_party_begin_setup(session, suite, answering_party(1), model, Seed(bytes(32)))


@pytest.mark.req("CAPC-ROLE-012")
@pytest.mark.parametrize(("number", "changes"), CHANGES, ids=["-".join(changes) for _, changes in CHANGES])
def test_a_model_with_another_stage_is_refused(number: int, changes: dict[str, Any]) -> None:
    stages = (*STAGES[:number], replace(STAGES[number], **changes), *STAGES[number + 1 :])
    with pytest.raises(InputError, match="another architecture than the session declares"):
        begin(stages)


def test_every_field_of_a_stage_is_changed_above() -> None:
    """But for the operator, without which the weights are others too."""
    changed = {name for _, changes in CHANGES for name in changes}
    assert changed == {field.name for field in fields(StageShape)} - {"operator"}


@pytest.mark.req("CAPC-ROLE-012")
def test_models_of_fewer_and_of_more_fraction_bits_are_refused() -> None:
    begin(STAGES)
    for fraction_bits in (0, 1, 3, 12):
        with pytest.raises(InputError, match=f"has {fraction_bits} fraction bits, the session 2"):
            begin(STAGES, fraction_bits)
