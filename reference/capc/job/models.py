"""The parties' models: how they are trained, and what an answering party brings to the protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from capc.foundation.errors import InputError
from capc.foundation.parties import answering_party
from capc.job.config import JobConfig
from capc.job.options import flag
from capc.job.plan import Plan
from capc.learning.data import Floats, Indices
from capc.learning.quantise import quantise
from capc.learning.training import ARCHITECTURES, FloatModel, TrainingTask, train, weight_bound
from capc.models.model import QuantisedModel
from capc.session.parameters import ParameterSet


class AnsweringModel(NamedTuple):
    """What an answering party trained.

    Attributes:
        model: as the protocol takes it.
        predict: the classes of n x d features, before quantisation.
    """

    model: QuantisedModel
    predict: Callable[[Floats], Indices]


def train_relus(plan: Plan, rows: Indices, number: int) -> AnsweringModel:
    """A network with ReLUs, which the protocol evaluates exactly. The parties' architectures differ.

    Args:
        plan: the data, and the parameters.
        rows: the answering party's.
        number: which one it is, from 1.

    Raises:
        InputError: it could wrap in the logit ring.
    """
    widths = plan.parameters.widths
    hidden = ARCHITECTURES[(number - 1) % len(ARCHITECTURES)]
    model = train_float(plan, rows, plan.dataset.labels[rows], hidden, number)
    quantised = quantise(model, widths.fraction_bits)
    try:
        quantised.check_ranges(widths.logit_bits)
    except InputError:
        raise _range_refusal(plan, number, model) from None
    return AnsweringModel(quantised, model.predict)


def train_float(plan: Plan, rows: Indices, labels: Indices, hidden: Sequence[int], party: int) -> FloatModel:
    """Trains a party's network on these rows; the querying party is party 0."""
    data, widths = plan.dataset, plan.parameters.widths
    sizes = (data.num_features, *hidden, data.num_classes)
    bound = weight_bound(sizes, widths.fraction_bits, widths.logit_bits)
    return train(
        TrainingTask(data.features[rows], labels, data.num_classes, tuple(hidden), (plan.config.seed, party), bound)
    )


def _range_refusal(plan: Plan, number: int, model: FloatModel) -> InputError:
    """A user of the job cannot shrink the weights, but can choose the set, or what the weights come from."""
    widths, default = plan.parameters.widths, ParameterSet.named(JobConfig.parameters)
    remedy = f"choose {flag('parameters')} {default.name}"
    try:
        quantise(model, default.fraction_bits).check_ranges(default.logit_bits)
    except InputError:
        remedy = f"no set is made for such weights: choose other {flag('data')}, or another {flag('seed')}"
    return plan.config.refusal(
        "parameters",
        f"the model that {answering_party(number)} trained could wrap in the logit ring of {widths.logit_bits} "
        f"bits: {remedy}",
    )
