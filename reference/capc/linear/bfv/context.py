"""The SEAL context of a parameter set, and the rules that a set keeps before it is used.

Source: Brakerski 2012, Fan and Vercauteren 2012 (BFV); the 128-bit table of the Homomorphic Encryption Security
Standard 2018, as SEAL checks it. Spec: CAPC-HE-006, CAPC-HE-018.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache
from math import prod

from tenseal import sealapi

from capc.foundation.errors import InputError, ParameterError
from capc.session.widths import ParameterSet, least_prime


@dataclass(frozen=True, eq=False)
class HeContext:
    """A SEAL context and what is read from it. Public; shared by every user of the same figures.

    Attributes:
        seal: the SEALContext.
        evaluator: SEAL's evaluator; it has no state.
        degree: N.
        logit_bits: l.
        guard_bits: h; the plaintext modulus is 2^(l + h).
        key_primes: primes at key level, the special prime last.
        data_primes: primes of q, at which requests are sent.
        response_primes: the single prime p at which responses are sent.
        key_id: SEAL's parms_id of the key level.
        data_id: SEAL's parms_id of the level of requests.
        response_id: SEAL's parms_id of the last level.
    """

    seal: sealapi.SEALContext
    evaluator: sealapi.Evaluator
    degree: int
    logit_bits: int
    guard_bits: int
    key_primes: tuple[int, ...]
    data_primes: tuple[int, ...]
    response_primes: tuple[int, ...]
    key_id: tuple[int, ...]
    data_id: tuple[int, ...]
    response_id: tuple[int, ...]

    @property
    def plain_bits(self) -> int:
        """T = l + h, the width of shares."""
        return self.logit_bits + self.guard_bits

    @property
    def modulus(self) -> int:
        """q, the product of the data primes."""
        return prod(self.data_primes)


def context_for(widths: ParameterSet) -> HeContext:
    """The context of a parameter set: built at the first use, checked, and kept for every later use.

    Args:
        widths: the parameter set; l and the HE figures are used.

    Raises:
        ParameterError: SEAL refuses the figures at its 128-bit level, or its primes are not just below their powers of
            two, as the rules of parameter sets take them.
        InputError: the operating system has no anonymous memory files.
    """
    return _context(widths.he_poly_degree, widths.he_coefficient_bits, widths.logit_bits, widths.guard_bits)


@cache
def _context(degree: int, coefficient_bits: tuple[int, ...], logit_bits: int, guard_bits: int) -> HeContext:
    if not hasattr(os, "memfd_create"):
        raise InputError("this system lacks memfd_create, without which keys would touch a disk: use Linux")
    seal = _accepted(degree, coefficient_bits, logit_bits + guard_bits)
    key_primes = _primes(seal.key_context_data())
    data_primes = _primes(seal.first_context_data())
    if len(data_primes) != len(coefficient_bits) - 1:
        raise ParameterError(
            f"he_coefficient_bits = {list(coefficient_bits)}: "
            f"give at least two primes, of which all but the last exceed {logit_bits + guard_bits} bits together"
        )
    context = HeContext(
        seal=seal,
        evaluator=sealapi.Evaluator(seal),
        degree=degree,
        logit_bits=logit_bits,
        guard_bits=guard_bits,
        key_primes=key_primes,
        data_primes=data_primes,
        response_primes=_primes(seal.last_context_data()),
        key_id=tuple(seal.key_parms_id()),
        data_id=tuple(seal.first_parms_id()),
        response_id=tuple(seal.last_parms_id()),
    )
    _check_primes(context, coefficient_bits)
    return context


@cache
def product_context(context: HeContext) -> HeContext:
    """The same primes with a plaintext modulus below each of them, if M is not: for products of weights.

    Products of polynomials modulo q do not depend on it. But weights below half of it reach NTT form faster: SEAL need
    not divide each coefficient by each prime first. No key belongs to this context.
    """
    bits = min(prime.bit_length() for prime in context.data_primes) - 1
    if bits >= context.plain_bits:
        return context
    seal = _accepted(context.degree, tuple(prime.bit_length() for prime in context.key_primes), bits)
    return replace(
        context,
        seal=seal,
        evaluator=sealapi.Evaluator(seal),
        logit_bits=bits,
        guard_bits=0,
        key_id=tuple(seal.key_parms_id()),
        data_id=tuple(seal.first_parms_id()),
        response_id=tuple(seal.last_parms_id()),
    )


def _accepted(degree: int, coefficient_bits: tuple[int, ...], plain_bits: int) -> sealapi.SEALContext:
    figures = f"he_poly_degree = {degree}, he_coefficient_bits = {list(coefficient_bits)}"
    remedy = "take the figures of a named parameter set, for example 4096 with [56, 36, 17]"
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


def _check_primes(context: HeContext, coefficient_bits: tuple[int, ...]) -> None:
    """What the bound of a response's error takes for granted (:attr:`ParameterSet.response_error`)."""
    for prime, bits in zip(context.data_primes, coefficient_bits, strict=False):
        if not least_prime(bits) < prime < 1 << bits:
            raise ParameterError(f"he_coefficient_bits: SEAL's prime of {bits} bits is not near 2^{bits}: enlarge it")


def _primes(level: sealapi.SEALContext.ContextData) -> tuple[int, ...]:
    return tuple(modulus.value() for modulus in level.parms().coeff_modulus())
