"""Faults of models that parties bring: what is declared of them, who trains them, and who is named."""

from __future__ import annotations

from dataclasses import replace

from capc.job.own_models import table
from capc.learning.own_models import networks
from capc.learning.own_models.networks import Named, OwnModel, OwnNetwork
from capc.learning.training import TrainingTask
from capc.models.architecture import Architecture
from capc.models.figures import without_figures
from capc.session.widths import ParameterSet
from capc_verify.faults.patching import replace_everywhere, replace_in
from capc_verify.faults.planting import Fault

_NETWORKS = "tests/learning/own_models/test_networks.py::"
_LEARNS = _NETWORKS + "test_training_learns_the_same_for_the_same_seed_and_rows"
_RUNS = "tests/job/own_models/test_runs.py::"


def figures_left_out() -> None:
    """An own model declares no bounds, so that its weights decide whether its party takes part."""

    def bounded(architecture: Architecture, _fraction_bits: int, _logit_bits: int) -> Architecture:
        return without_figures(architecture)

    replace_in(networks, "bounded", bounded)


def trained_once() -> None:
    """All parties that name the same model answer with the network of the first of them."""
    correct = networks.admit

    def admit(named: Named, features: int, classes: int, widths: ParameterSet) -> OwnModel:
        model = correct(named, features, classes, widths)
        trained: list[OwnNetwork] = []

        def train(task: TrainingTask) -> OwnNetwork:
            if not trained:
                trained.append(model.train(task))
            return trained[0]

        return replace(model, train=train)

    replace_everywhere(correct, admit)


def refused_without_a_name() -> None:
    """A refusal of an own model does not say whose it is, or where it is named."""

    def admit_all(read: table.Table, features: int, classes: int, widths: ParameterSet) -> dict[int, OwnModel]:
        return {party: networks.admit(named, features, classes, widths) for party, named in read.named.items()}

    replace_everywhere(table.admit_all, admit_all)


FAULTS = {
    "figures_left_out": Fault(figures_left_out, None, (_NETWORKS + "test_equal_shapes_declare_equal_architectures",)),
    "own_model_trained_once": Fault(
        trained_once,
        None,
        (f"{_LEARNS}[perceptron]",),
    ),
    "own_model_refused_without_a_name": Fault(
        refused_without_a_name, None, (_RUNS + "test_refusals_come_before_any_training[file]",)
    ),
}
"""These faults, and the tests that must notice them."""
