"""The building blocks that the step functions are given: HE, two-party computation, noise, and the expander.

The same steps run with real blocks, and with ideal ones in the hybrid model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from capc.foundation.errors import InputError
from capc.foundation.randomness import RandomSource, Seed, XofSource
from capc.linear.ideal import IdealLinear
from capc.linear.interface import LinearScheme
from capc.noise.mechanism import ReleaseMechanisms, release_mechanisms
from capc.session.parameters import Parameters
from capc.session.session import Session
from capc.two_party.garbling.readable import GarbledTwoParty
from capc.two_party.ideal import IdealTwoParty
from capc.two_party.interface import TwoPartyScheme


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
    linear: LinearScheme
    two_party: TwoPartyScheme
    mechanisms: ReleaseMechanisms
    expand: Callable[[Seed, bytes], RandomSource] = XofSource

    def check_session(self, session: Session) -> None:
        """Every party calls this first: no party can sample other noise than all have agreed on.

        Raises:
            InputError: the session has other parameters than the suite was made for.
        """
        if self.parameters != session.parameters:
            raise InputError("the suite was made for other parameters than the session's: make it from the session's")


def reference_suite(parameters: Parameters, linear: LinearScheme, two_party: TwoPartyScheme | None = None) -> Suite:
    """The real suite: garbled circuits over oblivious transfer, exact noise, SHAKE-256, and the given HE layer.

    Args:
        parameters: of the session.
        linear: the HE layer.
        two_party: a faster implementation of the garbled circuits; None for the readable one.
    """
    return Suite(parameters, linear, two_party or GarbledTwoParty(), _mechanisms(parameters))


def hybrid_suite(parameters: Parameters) -> Suite:
    """The hybrid model: ideal HE and ideal two-party computation; noise, masks and shares are the real ones."""
    linear = IdealLinear(parameters.widths.logit_bits)
    return Suite(parameters, linear, IdealTwoParty(), _mechanisms(parameters))


def _mechanisms(parameters: Parameters) -> ReleaseMechanisms:
    return release_mechanisms(parameters.release, parameters.widths.grid_bits)
