"""The session of one answering party whose model has every kind of step from layer to layer."""

from __future__ import annotations

from dataclasses import replace

from capc.models.architecture import Activation, Architecture, StageShape
from capc.models.model import QuantisedLayer, QuantisedModel
from capc.models.operators import Dense
from capc.session.session import Participant, Session
from capc_verify.vectors.cases.common import TOY_CLASSES, TOY_FEATURES, policy, toy_session
from capc_verify.vectors.derive import Source

_SQUARE = Dense(TOY_FEATURES, TOY_FEATURES)
_ARCHITECTURE = Architecture(
    (
        StageShape(_SQUARE, 0, Activation.RELU, (0,), weight_bits=3),
        StageShape(_SQUARE, 1, Activation.NONE, weight_bits=3),
        StageShape(_SQUARE, 1, Activation.RELU, (1, 2), weight_bits=3),
        StageShape(Dense(TOY_FEATURES, TOY_CLASSES), 3, Activation.VOTE),
    )
)
_LAYERS = (
    QuantisedLayer(((3, -2), (-4, 5)), (2, -1)),
    QuantisedLayer(((-3, 2), (1, 4)), (-5, 3)),
    QuantisedLayer(((2, 3), (-1, 4)), (1, -2)),
    QuantisedLayer(((3, -1), (-2, 4), (1, 1)), (0, -3, 5)),
)


def session_of_layers(source: Source) -> Session:
    """The toy session, of which AP_1 alone takes part, with this architecture."""
    toy = toy_session(source, policy(), "layers")
    asking, answering, _, guarding = toy.participants
    only = Participant(answering.party, answering.identity, _ARCHITECTURE)
    return replace(toy, participants=(asking, only, guarding))


def model_of_layers(session: Session) -> QuantisedModel:
    """Its model."""
    return QuantisedModel(_ARCHITECTURE, _LAYERS, session.parameters.widths.fraction_bits)
