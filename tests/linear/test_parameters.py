"""The rules that a parameter set keeps before a scheme is built on it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tenseal import sealapi

from capc.foundation.errors import ParameterError
from capc.linear.bfv import BfvLinear
from capc.linear.bfv.context import context_for
from capc.models.operators import Dense
from capc.session.widths import ParameterSet
from linear.support import altered

# Homomorphic Encryption Security Standard 2018, ternary secret, classical 128 bits: degree -> bits of q.
TABLE_128 = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}


@pytest.mark.req("CAPC-HE-006")
@pytest.mark.parametrize("name", ["conservative", "default", "test", "toy"])
def test_named_sets_meet_the_table_with_the_special_prime(name: str) -> None:
    widths = ParameterSet.named(name)
    context = context_for(widths)
    assert sum(prime.bit_length() for prime in context.key_primes) <= TABLE_128[widths.he_poly_degree]
    assert context.seal.parameters_set()
    assert tuple(prime.bit_length() for prime in context.key_primes) == widths.he_coefficient_bits
    assert all(pow(3, prime - 1, prime) == 1 and prime % (2 * context.degree) == 1 for prime in context.key_primes)


@pytest.mark.req("CAPC-HE-006")
@pytest.mark.parametrize(
    ("degree", "bits"),
    [
        (4096, (46, 47, 17)),
        (2048, (48, 40, 40, 17)),
        (8192, (60, 60, 60, 39)),
        (4000, (46, 46, 17)),
        (4096, (46, 61)),
        (4096, (46, 46, 1)),
        (4096, ()),
        (4096, (56, -1, 17)),
        (4096, (1 << 40, 17)),
    ],
)
def test_figures_that_seal_refuses_are_a_parameter_error(degree: int, bits: tuple[int, ...]) -> None:
    with pytest.raises(
        ParameterError,
        match=r"SEAL refuses them.*take the figures|enlarge the first|give at least two primes of 2 to 60",
    ):
        BfvLinear(replace(ParameterSet.named("toy"), he_poly_degree=degree, he_coefficient_bits=bits))


@pytest.mark.req("CAPC-HE-006")
def test_a_single_prime_leaves_no_special_prime() -> None:
    with pytest.raises(ParameterError, match="at least two primes"):
        replace(ParameterSet.named("toy"), he_coefficient_bits=(60,))


@pytest.mark.req("CAPC-HE-017")
@pytest.mark.parametrize("bits", [20, 24])
def test_primes_that_are_not_just_below_their_powers_of_two_are_refused(bits: int) -> None:
    # The largest prime of 20 bits that is 1 modulo 2 N is too small, that of 24 bits large enough.
    widths = replace(ParameterSet.named("toy"), he_poly_degree=8192, he_coefficient_bits=(56, bits, 20))
    if bits == 24:
        BfvLinear(widths)
    else:
        with pytest.raises(ParameterError, match=r"prime of 20 bits is not near 2\^20"):
            BfvLinear(widths)


@pytest.mark.req("CAPC-HE-017")
@pytest.mark.parametrize("name", ["conservative", "default", "test", "toy"])
def test_weights_are_admitted_up_to_their_most_and_exact_there(name: str) -> None:
    setting, shape = altered(name), Dense(3001, 1)
    most, largest = setting.most_weight, (1 << setting.widths.logit_bits - 1) - 1
    # As much as fits, in alternating signs: whole weights first, then what is left.
    row = [min(largest, max(0, most - index * largest)) * (-1) ** index for index in range(shape.inputs)]
    total = sum(map(abs, row))
    assert total == min(most, largest * shape.inputs)
    setting.check(shape, (tuple(row),), [setting.elements(shape.inputs, "vector")])
    if total == most:
        row[-1] += 1
        with pytest.raises(ParameterError, match=f"add up to more than {most}: .*use smaller weights"):
            setting.prepare_dense((tuple(row),))


def test_a_refusal_of_weights_does_not_tell_them() -> None:
    setting = altered("default")
    row = ((1 << 36) - 1,) * 60
    with pytest.raises(ParameterError) as caught:
        setting.prepare_dense((row,))
    assert str(sum(row)) not in str(caught.value)


def test_contexts_are_shared_between_equal_figures() -> None:
    default = ParameterSet.named("default")
    assert context_for(default) is context_for(replace(default, name="other", vote_bits=20))
    assert isinstance(context_for(default).seal, sealapi.SEALContext)
