"""Sessions with leaks and caps: labels are those of the models' own integers, at once and prepared."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from capc.linear.ideal import IdealLinear
from capc.models.architecture import Activation, Architecture, StageShape
from capc.models.model import QuantisedLayer, QuantisedModel
from capc.models.operators import Dense
from capc.session.parameters import Charge, NoiseName
from capc.session.session import Session
from protocol.cases import Case
from support.builders import make_parameters, make_participants, make_policy, make_widths

QUERIES = ((-4, -4), (-4, 3), (-1, 0), (0, 0), (2, -3), (4, 4))
HIDDEN = QuantisedLayer(((3, -5), (-4, 2), (1, 1)), (-3, 1, 0))
LAST = QuantisedLayer(((3, -2, 1), (-1, 2, 5), (-2, -3, -1)), (0, 1, 1))


def case_of(*kinds: dict[str, object]) -> Case:
    """A session in which AP_i has this kind of ReLU in its first layer; three classes, f = 2."""
    vote = StageShape(Dense(3, 3), 1, Activation.VOTE)
    models = [
        QuantisedModel(
            Architecture((StageShape(Dense(2, 3), 0, Activation.RELU, **kind), vote)), (HIDDEN, LAST), fraction_bits=2
        )
        for kind in kinds
    ]
    policy = make_policy(Fraction(1, 2), None, None, Charge.WORST_CASE, NoiseName.ROUNDED_GAUSSIAN)
    parameters = make_parameters(make_widths(16, vote_bits=12, fraction_bits=2), policy, 3, 2)
    participants = make_participants([model.architecture for model in models])
    return Case(Session(parameters, bytes(32), participants), tuple(models), QUERIES, (0, 0, 0))


def hidden(kind: dict[str, object], query: tuple[int, ...]) -> list[int]:
    """The first layer's value, by other means than the model's own."""
    sums = [
        sum(w * x for w, x in zip(row, query, strict=True)) + HIDDEN.biases[o] for o, row in enumerate(HIDDEN.weights)
    ]
    values = [z // 4 for z in sums]
    if "cap_bits" in kind:
        values = [max(-(2 ** kind["cap_bits"]), min(y, 2 ** kind["cap_bits"] - 1)) for y in values]
    if "cap" in kind:
        values = [min(y, int(4 * kind["cap"])) for y in values]
    return [y if y >= 0 else y // 2 ** kind["leak_bits"] if "leak_bits" in kind else 0 for y in values]


KINDS = [
    {"leak_bits": 0},
    {"leak_bits": 1},
    {"leak_bits": 3},
    {"leak_bits": 1, "cap_bits": 2},
    {"cap": Fraction(3, 2)},
    {"cap": Fraction(1)},
]


@pytest.mark.req("CAPC-PARAM-066", "CAPC-PARAM-067", "CAPC-PARAM-042", "CAPC-ARG-023", "CAPC-ARG-024")
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_labels_follow_the_models_integers(kind: dict[str, object]) -> None:
    """One answering party and no noise, so that the label is its vote; prepared ahead, with noise, it is F_CaPC's."""
    case = case_of(kind)
    labels = []
    for query in QUERIES:
        logits = [sum(w * y for w, y in zip(row, hidden(kind, query), strict=True)) for row in LAST.weights]
        logits = [logit + bias for logit, bias in zip(logits, LAST.biases, strict=True)]
        assert case.models[0].logits(query) == logits
        labels.append(logits.index(max(logits)))
        assert case.collaborate(None).label(query).label == labels[-1]
    assert len(set(labels)) > 1
    noisy = replace(case, given_noise=None).collaborate(None)
    results = noisy.label_prepared(noisy.prepare(len(QUERIES)), QUERIES)
    assert [result.label for result in results] == [result.ideal_label for result in results]


@pytest.mark.req("CAPC-PARAM-066", "CAPC-PARAM-067")
def test_a_leak_under_real_garbling() -> None:
    case = case_of({"leak_bits": 2, "cap_bits": 3})
    labels = [case.models[0].logits(query) for query in QUERIES[:1]]
    results = case.collaborate(IdealLinear(16)).label_batch(QUERIES[:1])
    assert [result.label for result in results] == [logits.index(max(logits)) for logits in labels]
