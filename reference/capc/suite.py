"""The building blocks that the step functions are given: HE, two-party computation, noise, and the expander.

The same steps run with real blocks, and with ideal ones in the hybrid model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from capc.linear import IdealLinear, LinearScheme
from capc.noise.mechanism import ReleaseMechanisms, release_mechanisms
from capc.parameters import Parameters
from capc.randomness import RandomSource, Seed, XofSource
from capc.two_party import GarbledTwoParty, IdealTwoParty, TwoPartyScheme


@dataclass(frozen=True)
class Suite:
    """What a party runs its steps with.

    Attributes:
        linear: encrypted evaluation of linear layers.
        two_party: secure evaluation of circuits.
        mechanisms: the laws of the noise; what samples here is what the account charges.
        expand: how a seed and a label become a stream of uniform values.
    """

    linear: LinearScheme
    two_party: TwoPartyScheme
    mechanisms: ReleaseMechanisms
    expand: Callable[[Seed, bytes], RandomSource] = XofSource


def reference_suite(parameters: Parameters, linear: LinearScheme) -> Suite:
    """The real suite: garbled circuits over oblivious transfer, exact noise, SHAKE-256, and the given HE layer."""
    return _suite(parameters, linear, GarbledTwoParty())


def hybrid_suite(parameters: Parameters) -> Suite:
    """The hybrid model: ideal HE and ideal two-party computation; noise, masks and shares are the real ones."""
    return _suite(parameters, IdealLinear(parameters.widths.logit_bits), IdealTwoParty())


def _suite(parameters: Parameters, linear: LinearScheme, two_party: TwoPartyScheme) -> Suite:
    mechanisms = release_mechanisms(parameters.release, parameters.widths.grid_bits)
    return Suite(linear, two_party, mechanisms)
