"""The rules that a parameter set keeps before a scheme is built on it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tenseal import sealapi

from capc.foundation.errors import ParameterError
from capc.linear.bfv import BfvLinear
from capc.linear.bfv.context import context_for
from capc.models.operators import Dense
from capc.session.parameters import ParameterSet

# Homomorphic Encryption Security Standard 2018, ternary secret, classical 128 bits: degree -> bits of q.
TABLE_128 = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}


@pytest.mark.req("CAPC-HE-006")
@pytest.mark.parametrize("name", ["default", "fast", "test", "toy"])
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
    ],
)
def test_figures_that_seal_refuses_are_a_parameter_error(degree: int, bits: tuple[int, ...]) -> None:
    widths = replace(ParameterSet.named("toy"), he_poly_degree=degree, he_coefficient_bits=bits)
    with pytest.raises(ParameterError, match=r"SEAL refuses them.*take the figures"):
        BfvLinear(widths)


@pytest.mark.req("CAPC-HE-006")
def test_a_single_prime_leaves_no_special_prime() -> None:
    widths = replace(ParameterSet.named("toy"), he_coefficient_bits=(60,), he_flood_bits=40)
    with pytest.raises(ParameterError, match="at least two primes"):
        BfvLinear(widths)


@pytest.mark.req("CAPC-HE-007")
@pytest.mark.parametrize(("bits", "width", "accepted"), [(46, 36, True), (46, 37, False), (47, 37, True)])
def test_the_last_level_has_ten_bits_above_l(bits: int, width: int, accepted: bool) -> None:
    widths = replace(
        ParameterSet.named("default"),
        logit_bits=width,
        he_coefficient_bits=(bits, 40, 40, 17),
        he_flood_bits=80,
    )
    if accepted:
        BfvLinear(widths)
    else:
        with pytest.raises(ParameterError, match="need 47: enlarge the first prime"):
            BfvLinear(widths)


@pytest.mark.req("CAPC-HE-003")
def test_flooding_that_leaves_no_room_for_the_result_is_refused() -> None:
    default = ParameterSet.named("default")
    BfvLinear(replace(default, he_flood_bits=88))
    with pytest.raises(ParameterError, match=r"he_flood_bits = 89.*0 to 88"):
        BfvLinear(replace(default, he_flood_bits=89))
    with pytest.raises(ParameterError, match="he_flood_bits = -1"):
        BfvLinear(replace(default, he_flood_bits=-1))


@pytest.mark.req("CAPC-HE-003")
def test_weights_whose_noise_would_outgrow_the_flooding_are_refused() -> None:
    scheme = BfvLinear(replace(ParameterSet.named("test"), he_flood_bits=30))
    scheme.prepare(Dense(8, 1), ((1 << 15,) * 8,))
    with pytest.raises(ParameterError, match="too little to drown"):
        scheme.prepare(Dense(8, 1), ((1 << 30,) * 8,))


def test_contexts_are_shared_between_equal_figures() -> None:
    default = ParameterSet.named("default")
    assert context_for(default) is context_for(replace(default, name="other", vote_bits=20))
    assert isinstance(context_for(default).seal, sealapi.SEALContext)
