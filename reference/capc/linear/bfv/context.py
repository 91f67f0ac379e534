"""The SEAL context of a parameter set, and the rules that a set keeps before it is used.

Source: Brakerski 2012, Fan and Vercauteren 2012 (BFV); the 128-bit table of the Homomorphic Encryption Security
Standard 2018, as SEAL checks it. Spec: CAPC-HE-006, CAPC-HE-007.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from math import prod

from tenseal import sealapi

from capc.foundation.errors import InputError, ParameterError
from capc.session.parameters import ParameterSet

ROUNDING_ROOM_BITS = 10
"""Bits that the last prime must have above l: the rounding noise of the modulus switch lives there."""

FLOOD_ROOM_BITS = 2
"""Bits of q above l + he_flood_bits: one for the sign, one so that flooding takes half of the noise room."""


@dataclass(frozen=True, eq=False)
class HeContext:
    """A SEAL context and what is read from it. Public; shared by every user of the same figures.

    Attributes:
        seal: the SEALContext.
        evaluator: SEAL's evaluator; it has no state.
        degree: N.
        plain_bits: l; the plaintext modulus is 2^l.
        flood_bits: b; flooding noise is uniform in [-2^b, 2^b).
        key_primes: primes at key level, the special prime last.
        data_primes: primes of q, at which requests are sent.
        response_primes: the single prime at which responses are sent.
        key_id: SEAL's parms_id of the key level.
        data_id: SEAL's parms_id of the level of requests.
        response_id: SEAL's parms_id of the last level.
    """

    seal: sealapi.SEALContext
    evaluator: sealapi.Evaluator
    degree: int
    plain_bits: int
    flood_bits: int
    key_primes: tuple[int, ...]
    data_primes: tuple[int, ...]
    response_primes: tuple[int, ...]
    key_id: tuple[int, ...]
    data_id: tuple[int, ...]
    response_id: tuple[int, ...]

    @property
    def modulus(self) -> int:
        """q, the product of the data primes."""
        return prod(self.data_primes)


def context_for(widths: ParameterSet) -> HeContext:
    """The context of a parameter set: built at the first use, checked, and kept for every later use.

    Args:
        widths: the parameter set; l and the HE figures are used.

    Raises:
        ParameterError: SEAL refuses the figures at its 128-bit level; the last prime has fewer than l + 10 bits;
            or q leaves no room for the flooding noise.
        InputError: the operating system has no anonymous memory files.
    """
    return _context(widths.he_poly_degree, widths.he_coefficient_bits, widths.logit_bits, widths.he_flood_bits)


@cache
def _context(degree: int, coefficient_bits: tuple[int, ...], plain_bits: int, flood_bits: int) -> HeContext:
    if not hasattr(os, "memfd_create"):
        raise InputError("this system lacks memfd_create, without which keys would touch a disk: use Linux")
    seal = _accepted(degree, coefficient_bits, plain_bits)
    key_primes = _primes(seal.key_context_data())
    data_primes = _primes(seal.first_context_data())
    if len(data_primes) != len(coefficient_bits) - 1:
        raise ParameterError(
            f"he_coefficient_bits = {list(coefficient_bits)}: "
            f"give at least two primes, of which all but the last exceed l = {plain_bits} bits together"
        )
    context = HeContext(
        seal=seal,
        evaluator=sealapi.Evaluator(seal),
        degree=degree,
        plain_bits=plain_bits,
        flood_bits=flood_bits,
        key_primes=key_primes,
        data_primes=data_primes,
        response_primes=_primes(seal.last_context_data()),
        key_id=tuple(seal.key_parms_id()),
        data_id=tuple(seal.first_parms_id()),
        response_id=tuple(seal.last_parms_id()),
    )
    _check_noise_room(context)
    return context


def _accepted(degree: int, coefficient_bits: tuple[int, ...], plain_bits: int) -> sealapi.SEALContext:
    figures = f"he_poly_degree = {degree}, he_coefficient_bits = {list(coefficient_bits)}"
    remedy = "take the figures of a named parameter set, for example 8192 with [48, 40, 40, 17]"
    try:
        parms = sealapi.EncryptionParameters(sealapi.SCHEME_TYPE.BFV)
        parms.set_poly_modulus_degree(degree)
        parms.set_coeff_modulus(sealapi.CoeffModulus.Create(degree, list(coefficient_bits)))
        parms.set_plain_modulus(1 << plain_bits)
        seal = sealapi.SEALContext(parms, True, sealapi.SEC_LEVEL_TYPE.TC128)
    except (ValueError, RuntimeError, TypeError) as error:
        raise ParameterError(f"{figures}: SEAL refuses them ({error}): {remedy}") from None
    if not seal.parameters_set():
        raise ParameterError(f"{figures}: SEAL refuses them at 128 bits ({seal.parameters_error_message()}): {remedy}")
    return seal


def _check_noise_room(context: HeContext) -> None:
    last_bits = min(prime.bit_length() for prime in context.response_primes)
    if last_bits < context.plain_bits + ROUNDING_ROOM_BITS:
        raise ParameterError(
            f"he_coefficient_bits: the last level has {last_bits} bits, but results of l = {context.plain_bits} "
            f"bits need {context.plain_bits + ROUNDING_ROOM_BITS}: enlarge the first prime or lower logit_bits"
        )
    # SEAL's primes lie just below a power of two, so q has its nominal bits but is slightly smaller.
    most = context.modulus.bit_length() - 1 - context.plain_bits - FLOOD_ROOM_BITS
    if not 0 <= context.flood_bits <= most:
        raise ParameterError(
            f"he_flood_bits = {context.flood_bits}: results of l = {context.plain_bits} bits "
            f"leave room for 0 to {most}: lower he_flood_bits or logit_bits, or enlarge the primes"
        )


def _primes(level: sealapi.SEALContext.ContextData) -> tuple[int, ...]:
    return tuple(modulus.value() for modulus in level.parms().coeff_modulus())
