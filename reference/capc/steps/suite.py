"""The building blocks that the step functions are given: HE, two-party computation, noise, and the expander.

The same steps run with real blocks, and with ideal ones in the hybrid model.

Spec: CAPC-ROLE-015.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NewType, cast

from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource, Seed, XofSource
from capc.linear.ideal import IdealLinear
from capc.linear.interface import LinearScheme
from capc.noise.mechanism import ReleaseMechanisms, release_mechanisms
from capc.session.parameters import Parameters
from capc.session.session import Session
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.ideal import IdealTwoParty
from capc.two_party.interface import AnyScheme, EvaluatorChoice, OfflineGarbling, TwoPartyScheme
from capc.two_party.transfers import Transfers
from capc.two_party.vote_rounds import EvaluatorRound, GarblerRound

# What a scheme keeps is of its own types, which a suite hides: a step hands back what it was given, each to its place.
SecretKey = NewType("SecretKey", object)
PublicKey = NewType("PublicKey", object)
EncodedWeights = NewType("EncodedWeights", object)
OfferState = NewType("OfferState", object)
ChoiceState = NewType("ChoiceState", object)
EvaluatorKey = NewType("EvaluatorKey", object)
GarblerKey = NewType("GarblerKey", object)
EvaluatorEnd = NewType("EvaluatorEnd", object)
GarblerEnd = NewType("GarblerEnd", object)
_Picked = NewType("_Picked", object)
_Inputs = NewType("_Inputs", object)
_EvaluatorTurn = NewType("_EvaluatorTurn", object)
_GarblerTurn = NewType("_GarblerTurn", object)
EvaluatorTransfers = Transfers[EvaluatorEnd]
GarblerTransfers = Transfers[GarblerEnd]
ChosenLabels = EvaluatorChoice[_Picked]
OfflineGarblings = OfflineGarbling[_Inputs]
EvaluatorTurn = EvaluatorRound[_EvaluatorTurn]
GarblerTurn = GarblerRound[_GarblerTurn]
Linear = LinearScheme[SecretKey, PublicKey, EncodedWeights]
TwoParty = TwoPartyScheme[
    OfferState, ChoiceState, EvaluatorKey, GarblerKey, EvaluatorEnd, GarblerEnd, _Picked, _Inputs, _EvaluatorTurn,
    _GarblerTurn,
]  # fmt: skip


@dataclass(frozen=True)
class Suite:
    """What a party runs its steps with.

    Attributes:
        parameters: what the blocks were made for; a session of other parameters refuses them.
        linear: encrypted evaluation of linear layers.
        two_party: secure evaluation of circuits.
        mechanisms: the laws of the noise that the parameters name; what samples here is what the account charges.
        expand: how a seed and a label become a stream of uniform values.
    """

    parameters: Parameters
    linear: Linear
    two_party: TwoParty
    mechanisms: ReleaseMechanisms
    expand: Callable[[Seed, bytes], RandomSource] = XofSource

    def check_session(self, session: Session) -> None:
        """Every party calls this first: no party can sample other noise than all have agreed on.

        Raises:
            InputError: the session has other parameters than the suite was made for.
        """
        if self.parameters != session.parameters:
            raise InputError("the suite was made for other parameters than the session's: make it from the session's")


def reference_suite(
    parameters: Parameters, linear: LinearScheme[Any, Any, Any], two_party: AnyScheme | None = None
) -> Suite:
    """The real suite: garbled circuits over oblivious transfer, exact noise, SHAKE-256, and the given HE layer.

    Args:
        parameters: of the session.
        linear: the HE layer.
        two_party: a faster implementation of the garbled circuits; None for the readable one.
    """
    return _suite(parameters, hide_linear(linear), hide_two_party(two_party or GarbledTwoParty()))


def hybrid_suite(parameters: Parameters) -> Suite:
    """The hybrid model: ideal HE and ideal two-party computation; noise, masks and shares are the real ones."""
    linear = IdealLinear(parameters.widths.logit_bits, parameters.widths.guard_bits)
    return _suite(parameters, hide_linear(linear), hide_two_party(IdealTwoParty()))


def hide_linear(scheme: LinearScheme[Any, Any, Any]) -> Linear:
    """The same scheme, whose own types nobody needs to know any more."""
    return cast(Linear, scheme)


def hide_two_party(scheme: AnyScheme) -> TwoParty:
    """The same scheme, likewise."""
    return cast(TwoParty, scheme)


def _suite(parameters: Parameters, linear: Linear, two_party: TwoParty) -> Suite:
    return Suite(parameters, linear, two_party, release_mechanisms(parameters.release, parameters.widths.grid_bits))
