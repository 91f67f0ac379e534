"""Faults in bounds and comparisons: a model, a ring or a text that is taken although one number of it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from capc.foundation.parties import Party
from capc.foundation.randomness import Seed
from capc.models.model import QuantisedModel
from capc.session.parameters import Parameters
from capc.session.session import Session
from capc.steps.answering_party import setup
from capc.steps.suite import Suite
from capc.two_party.circuits import bristol
from capc_verify.faults.patching import replace_everywhere
from capc_verify.faults.planting import Fault


def _begin_with(change: Callable[[Session, Party, QuantisedModel], QuantisedModel]) -> None:
    """An answering party checks another model than the one that it was given."""
    correct = setup.answering_party_begin_setup

    def begin(session: Session, suite: Suite, me: Party, model: QuantisedModel, seed: Seed) -> object:
        return correct(session, suite, me, change(session, me, model), seed)

    replace_everywhere(correct, begin)


def models_of_fewer_fraction_bits() -> None:
    """A model of fewer fraction bits than the session's is taken, and counts for less than it says."""

    def change(session: Session, _: Party, model: QuantisedModel) -> QuantisedModel:
        return replace(model, fraction_bits=max(model.fraction_bits, session.parameters.widths.fraction_bits))

    _begin_with(change)


def architectures_of_equal_operators() -> None:
    """Of the declared architecture the operators are compared alone: neither caps, nor skips, nor figures."""

    def change(session: Session, me: Party, model: QuantisedModel) -> QuantisedModel:
        declared = session.architecture(me)
        mine, theirs = ([stage.operator for stage in each.stages] for each in (model.architecture, declared))
        return replace(model, architecture=declared) if mine == theirs else model

    _begin_with(change)


def half_of_the_vote_ring() -> None:
    """Votes and noise may reach half of the vote ring exactly, where the largest count is a negative number."""
    check, bound = Parameters.check_vote_range, Parameters.noise_bound

    def less_one(self: Parameters, sigma: Fraction) -> int:
        return bound(self, sigma) - 1

    def check_less(self: Parameters, num_answering: int) -> None:
        Parameters.noise_bound = less_one  # type: ignore[method-assign]
        try:
            check(self, num_answering)
        finally:
            Parameters.noise_bound = bound  # type: ignore[method-assign]

    Parameters.check_vote_range = check_less  # type: ignore[method-assign]


def gates_of_any_outputs() -> None:
    """How many wires come out of a gate is not read, as all gates have one."""
    correct = bristol._Reader._gate

    def gate(self: bristol._Reader) -> tuple[str, list[int], int]:
        line = self._line
        self._line = line._replace(fields=[*line.fields[:1], "1", *line.fields[2:]])
        return correct(self)

    bristol._Reader._gate = gate  # type: ignore[method-assign]


_DECLARED = "tests/steps/test_declared_models.py::test_"
_GATES = "tests/two_party/circuits/test_bristol_gate_lines.py::test_a_gate_with_other_counts_of_wires_is_refused"

FAULTS = {
    "models_of_fewer_fraction_bits": Fault(
        models_of_fewer_fraction_bits, None, (_DECLARED + "models_of_fewer_and_of_more_fraction_bits_are_refused",)
    ),
    "architectures_of_equal_operators": Fault(
        architectures_of_equal_operators,
        None,
        (
            _DECLARED + "a_model_with_another_stage_is_refused[skips]",
            _DECLARED + "a_model_with_another_stage_is_refused[cap]",
        ),
    ),
    "half_of_the_vote_ring": Fault(
        half_of_the_vote_ring,
        None,
        ("tests/session/test_edge_of_the_vote_ring.py::test_half_of_the_ring_is_refused_and_one_unit_less_admitted",),
    ),
    "gates_of_any_outputs": Fault(gates_of_any_outputs, None, (_GATES + "[outputs-AND]", _GATES + "[outputs-INV]")),
}
"""These faults, and the tests that must notice them."""
