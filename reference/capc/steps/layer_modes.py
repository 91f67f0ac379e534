"""Which steps a layer admits: a batch is prepared ahead or evaluated at once, and a vote is one circuit or in rounds.

Every refusal is a caller's mistake, comes before anything is spent, and names what to call. Spec: CAPC-AHEAD-003.
"""

from __future__ import annotations

from collections.abc import Sequence

from capc.foundation.errors import InputError
from capc.models.architecture import Activation, Architecture, StageShape
from capc.session.parameters import Parameters
from capc.steps.layer_circuits import votes_in_rounds


def require_batch(states: Sequence[object]) -> None:
    """Raises :class:`InputError` if there is no state at all."""
    if not states:
        raise InputError("no state is given: a batch has one for each answering party")


def require_layer(architecture: Architecture, layer: int) -> None:
    """Raises :class:`InputError` if all layers are done."""
    if layer >= len(architecture.stages):
        raise InputError(f"all {layer} layers are done: go on to the vote, or finish the preparation")


def require_at_once(prepared: bool) -> None:
    """Raises :class:`InputError` if a batch is prepared ahead."""
    if prepared:
        raise InputError("this batch is prepared ahead: prepare every layer, and evaluate when the queries are known")


def require_prepared(layers: int, layer: int) -> None:
    """Raises :class:`InputError` unless each of the ``layer`` layers so far was prepared."""
    if layers != layer:
        raise InputError(f"this batch is not prepared ahead, as layer {layers} was evaluated: evaluate the others too")


def require_sums_kept(stage: StageShape, prepared: bool) -> None:
    """Raises :class:`InputError` if a layer's sums go through circuits; those of a vote may go to an engine instead."""
    votes_outside = stage.activation is Activation.VOTE and not prepared
    if stage.activation is not Activation.NONE and not votes_outside:
        raise InputError("this layer has an activation: choose labels for its circuits")


def require_circuits(parameters: Parameters, stage: StageShape) -> None:
    """Raises :class:`InputError` unless a layer's sums go through circuits of their own."""
    if stage.activation is Activation.NONE:
        raise InputError("this layer has no activation: keep its sums")
    if votes_in_rounds(parameters, stage):
        raise InputError("this layer's vote is in rounds: begin the rounds; prepared batches have none")


def require_rounds(parameters: Parameters, stage: StageShape) -> None:
    """Raises :class:`InputError` unless a layer ends in a vote in rounds."""
    if not votes_in_rounds(parameters, stage):
        raise InputError("this layer has no vote in rounds: use its circuits")


def require_vote(stage: StageShape) -> None:
    """Raises :class:`InputError` unless a layer ends in the vote."""
    if stage.activation is not Activation.VOTE:
        raise InputError("this layer does not vote: use its circuits")
