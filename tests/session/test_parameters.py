"""Ranges of parameters, the published sets, and the vote range against tails computed with mpmath."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError, ParameterError
from capc.session.parameters import Adjacency, Charge, NoiseName, Parameters, ReleasePolicy, canonical_json
from capc.session.widths import ParameterSet
from support.builders import confident_policy, make_parameters, make_policy, make_widths

PLAIN, CONFIDENT = make_policy(), confident_policy()


def test_published_sets_are_those_of_the_specification() -> None:
    primes = 56, 36, 17
    assert ParameterSet.named("default") == ParameterSet("default", 37, 16, 4, 12, 8, 4096, primes)
    assert ParameterSet.named("conservative") == ParameterSet("conservative", 37, 16, 4, 12, 8, 8192, primes)
    assert ParameterSet.named("test") == ParameterSet("test", 32, 14, 3, 8, 8, 4096, primes)
    assert ParameterSet.named("toy") == ParameterSet("toy", 12, 10, 1, 2, 8, 4096, primes)


@pytest.mark.req("CAPC-PARAM-001")
@pytest.mark.parametrize("name", ["", "Toy", "../toy", "toy.json"])
def test_unknown_sets_are_refused_with_the_known_names(name: str) -> None:
    known = "choose one of conservative, default, test, toy$"
    with pytest.raises(ParameterError, match=f"^parameter set '{name}' is unknown: {known}"):
        ParameterSet.named(name)


@pytest.mark.req("CAPC-PARAM-001")
def test_a_set_that_is_gone_names_the_one_to_take() -> None:
    with pytest.raises(ParameterError, match=r"^parameter set 'fast' is gone: `default` is as fast now$"):
        ParameterSet.named("fast")


@pytest.mark.req("CAPC-PARAM-001")
@pytest.mark.parametrize(
    ("field", "admitted", "refused"),
    [
        ("logit_bits", [4, 40], [2, 0, -1, 52, 64]),
        ("guard_bits", [4, 16], [0, -1, 17]),
        ("vote_bits", [2, 64], [1, 0, -1, 65]),
        ("grid_bits", [0, 16], [-1, 17]),
        ("fraction_bits", [0, 10], [-1, 11, 12]),
    ],
)
def test_ranges_of_widths(field: str, admitted: list[int], refused: list[int]) -> None:
    widths = make_widths()
    for value in admitted:
        assert getattr(replace(widths, **{field: value}), field) == value
    for value in refused:
        with pytest.raises(ParameterError, match=rf"^{field} = {value}: choose [^\n]+$"):
            replace(widths, **{field: value})


@pytest.mark.req("CAPC-HE-017")
@pytest.mark.parametrize("guard_bits", [1, 2])
def test_guard_bits_without_room_are_named(guard_bits: int) -> None:
    """No prime is large enough for them: the remedy is not a larger one."""
    with pytest.raises(ParameterError, match=rf"^guard_bits = {guard_bits}: .* choose at least 3$"):
        replace(make_widths(), guard_bits=guard_bits)


def test_smallest_logit_ring() -> None:
    assert make_widths(logit_bits=3, fraction_bits=1).logit_bits == 3
    with pytest.raises(ParameterError, match=r"fraction_bits = 2: choose 0 to logit_bits - 2 = 1"):
        make_widths(logit_bits=3, fraction_bits=2)


@pytest.mark.req("CAPC-PARAM-001")
@pytest.mark.parametrize(
    ("base", "changes", "message"),
    [
        (PLAIN, {"sigma": Fraction(0)}, "sigma = 0: ."),
        (PLAIN, {"sigma": Fraction(-1, 2)}, "sigma = -1/2: ."),
        (PLAIN, {"threshold": Fraction(1)}, "threshold_sigma = None: ."),
        (PLAIN, {"threshold_sigma": Fraction(1)}, "threshold_sigma = 1: ."),
        (PLAIN, {"charge": Charge.REALISED}, "charge = realised: ."),
        (PLAIN, {"epsilon": Fraction(0)}, "epsilon = 0: ."),
        (PLAIN, {"delta": Fraction(0)}, "delta = 0: ."),
        (PLAIN, {"delta": Fraction(1)}, "delta = 1: ."),
        (CONFIDENT, {"threshold": Fraction(-1)}, "threshold = -1: ."),
        (CONFIDENT, {"threshold_sigma": Fraction(0)}, "threshold_sigma = 0: ."),
        (CONFIDENT, {"threshold_sigma": None}, "threshold_sigma = None: ."),
        (make_parameters(), {"num_classes": 1}, "num_classes = 1: choose 2 to 1024"),
        (make_parameters(), {"num_classes": 1025}, "num_classes = 1025: choose 2 to 1024"),
        (make_parameters(), {"num_features": 0}, r"num_features = 0: choose 1 to 2\^20"),
        (make_parameters(), {"num_features": 2**20 + 1}, r"num_features = 1048577: choose 1 to 2\^20"),
        (
            make_parameters(),
            {"release": confident_policy(threshold=Fraction(1, 4))},
            r"threshold = 1/4: choose a multiple of 2\^-1",
        ),
        (
            make_parameters(),
            {"release": confident_policy(threshold=Fraction(1, 3))},
            r"threshold = 1/3: choose a multiple of 2\^-1",
        ),
    ],
)
def test_rules_of_policies_and_parameters(
    base: ReleasePolicy | Parameters, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ParameterError, match=rf"^{message}[^\n]*$"):
        replace(base, **changes)


def test_parameter_errors_are_the_callers() -> None:
    assert issubclass(ParameterError, InputError)
    assert issubclass(InputError, ValueError)
    threshold_on_the_grid = make_parameters(policy=confident_policy(threshold=Fraction(3, 2)))
    assert threshold_on_the_grid.release.threshold == Fraction(3, 2)
    assert make_parameters(num_classes=1024, num_features=1 << 20).num_classes == 1024


@given(
    st.dictionaries(
        st.text(), st.one_of(st.integers(-(2**70), 2**70), st.text(), st.none(), st.lists(st.integers(), max_size=3))
    )
)
def test_canonical_json_is_ascii_sorted_and_readable(document: dict[str, object]) -> None:
    data = canonical_json(document)
    assert json.loads(data) == document
    assert data.isascii()
    assert canonical_json(dict(reversed(document.items()))) == data
    assert list(json.loads(data)) == sorted(document)


@pytest.mark.req("CAPC-PARAM-002")
def test_digest_depends_on_every_field() -> None:
    base = make_parameters()
    others = [
        make_parameters(num_classes=4),
        make_parameters(num_features=3),
        make_parameters(make_widths(vote_bits=12)),
        make_parameters(policy=make_policy(Fraction(2))),
        make_parameters(policy=confident_policy()),
    ]
    assert len({entry.digest for entry in [base, *others]}) == 6
    assert make_parameters().digest == base.digest


# The range of votes plus noise.


def tail(bound: int, deviation: Fraction, mechanism: NoiseName) -> mpmath.mpf:
    """P(|noise| > bound) in grid units, exactly (rounded Gaussian, Skellam) or by the normalised sum."""
    with mpmath.workprec(200):
        sigma = mpmath.mpf(deviation.numerator) / deviation.denominator
        if mechanism is NoiseName.ROUNDED_GAUSSIAN:
            return mpmath.erfc((bound + mpmath.mpf(1) / 2) / (sigma * mpmath.sqrt(2)))
        width = int(40 * sigma) + 40
        if mechanism is NoiseName.SKELLAM:
            return 2 * bessel_sum(bound + 1, 200, sigma**2) / mpmath.exp(sigma**2)

        def weight(x: int) -> mpmath.mpf:
            return mpmath.exp(-(mpmath.mpf(x) ** 2) / (2 * sigma**2))

        total = 1 + 2 * mpmath.fsum(weight(x) for x in range(1, width))
        return 2 * mpmath.fsum(weight(x) for x in range(bound + 1, bound + width)) / total


def bessel_sum(first: int, count: int, z: mpmath.mpf) -> mpmath.mpf:
    """The sum of I_x(z) over ``count`` orders, by Miller's recurrence downwards, scaled to the first of them."""
    above, here = mpmath.mpf(0), mpmath.mpf(1)
    orders = []
    for x in range(first + count + 400, first, -1):
        above, here = here, above + 2 * x / z * here
        orders.append(here)
    return mpmath.besseli(first, z) * mpmath.fsum(orders[-count:]) / orders[-1]


@pytest.mark.slow
def test_bessel_sum_is_the_sum_of_the_functions() -> None:
    for first, z in ((1, mpmath.mpf(16)), (60, mpmath.mpf(400)), (700, mpmath.mpf(6400))):
        direct = mpmath.fsum(mpmath.besseli(x, z) for x in range(first, first + 20))
        assert mpmath.almosteq(bessel_sum(first, 20, z), direct, rel_eps=mpmath.mpf(10) ** -6)


@pytest.mark.req("CAPC-PARAM-031")
@pytest.mark.parametrize("mechanism", NoiseName)
@pytest.mark.parametrize("num_classes", [2, 10, 100, 1024])
@pytest.mark.parametrize("sigma", [Fraction(1, 4), Fraction(1), Fraction(7, 3), Fraction(20)])
def test_noise_bound_holds_for_all_draws_of_a_query(mechanism: NoiseName, num_classes: int, sigma: Fraction) -> None:
    """Union bound over a draw per class at most 2^-40; and no waste: three quarters of the bound would fail."""
    parameters = make_parameters(
        make_widths(vote_bits=30, grid_bits=2), make_policy(sigma, mechanism=mechanism), num_classes
    )
    bound = parameters.noise_bound(sigma)
    deviation = sigma * 4
    draws = num_classes
    assert draws * tail(bound, deviation, mechanism) <= mpmath.mpf(2) ** -40
    if mechanism is not NoiseName.SKELLAM or sigma >= 20:
        assert draws * tail(3 * bound // 4 - 1, deviation, mechanism) > mpmath.mpf(2) ** -40


def smallest_bound(parameters: Parameters, deviation: Fraction) -> int:
    """The smallest t with n 2 exp(-t^2 / 2 deviation^2) <= 2^-40 for n draws of a query, by mpmath."""
    with mpmath.workprec(200):
        sigma = mpmath.mpf(deviation.numerator) / deviation.denominator
        draws = parameters.num_classes * (1 + parameters.release.check_draws)
        exponent = mpmath.log(2 * draws) + 40 * mpmath.log(2)
        return int(mpmath.ceil(sigma * mpmath.sqrt(2 * exponent)))


@pytest.mark.req("CAPC-PARAM-031")
@given(st.fractions(Fraction(1, 10), Fraction(50), max_denominator=20), st.integers(2, 1024), st.integers(0, 8))
def test_noise_bound_is_the_formulas_up_to_rounding(sigma: Fraction, num_classes: int, grid_bits: int) -> None:
    parameters = make_parameters(make_widths(vote_bits=40, grid_bits=grid_bits), num_classes=num_classes)
    least = smallest_bound(parameters, sigma * 2**grid_bits)
    assert least <= parameters.noise_bound(sigma) <= least * Fraction(105, 100) + 2


@pytest.mark.slow
@pytest.mark.req("CAPC-PARAM-031")
@given(
    st.integers(1, 4096),
    st.integers(0, 8),
    st.fractions(Fraction(1, 4), Fraction(40), max_denominator=8),
    st.integers(2, 40),
)
def test_plain_range_is_admitted_exactly_below_a_half(
    count: int, grid_bits: int, sigma: Fraction, vote_bits: int
) -> None:
    parameters = make_parameters(make_widths(vote_bits=vote_bits, grid_bits=grid_bits), make_policy(sigma))
    largest = count * 2**grid_bits + parameters.noise_bound(sigma)
    if largest < 2 ** (vote_bits - 1):
        parameters.check_vote_range(count)
    else:
        with pytest.raises(ParameterError, match=rf"^vote_bits = {vote_bits}: {count} votes .* need at least (\d+)"):
            parameters.check_vote_range(count)


@pytest.mark.req("CAPC-PARAM-032")
@given(
    st.integers(1, 500),
    st.sampled_from(Charge),
    st.integers(0, 2000),
    st.fractions(Fraction(1, 4), Fraction(200), max_denominator=8),
    st.integers(2, 24),
)
def test_threshold_range_is_admitted_exactly_below_a_half(
    count: int, charge: Charge, threshold: int, threshold_sigma: Fraction, vote_bits: int
) -> None:
    policy = make_policy(Fraction(1, 4), Fraction(threshold, 2), threshold_sigma, charge)
    parameters = make_parameters(make_widths(vote_bits=vote_bits, grid_bits=1), policy)
    draws = 2 if charge is Charge.REALISED else 1
    noise = max(draws * parameters.noise_bound(threshold_sigma), parameters.noise_bound(Fraction(1, 4)))
    if 2 * count + noise < 2 ** (vote_bits - 1):
        parameters.check_vote_range(count)
    else:
        with pytest.raises(ParameterError, match=f"vote_bits = {vote_bits}"):
            parameters.check_vote_range(count)


@pytest.mark.req("CAPC-PARAM-032")
@pytest.mark.parametrize("threshold_sigma", [Fraction(2), Fraction(10), Fraction(33)])
def test_realised_mode_needs_room_for_both_draws(threshold_sigma: Fraction) -> None:
    """The smallest ring for one draw: worst-case charging fits it, the querying party's draw on top does not."""
    policy = make_policy(Fraction(1, 4), Fraction(0), threshold_sigma)
    wide = make_parameters(make_widths(vote_bits=40, grid_bits=1), policy)
    smallest = (2 + wide.noise_bound(threshold_sigma)).bit_length() + 1
    worst_case = replace(wide, widths=make_widths(vote_bits=smallest, grid_bits=1))
    worst_case.check_vote_range(1)
    realised = replace(worst_case, release=replace(policy, charge=Charge.REALISED))
    with pytest.raises(ParameterError, match=f"vote_bits = {smallest}: 1 votes .* need at least {smallest + 1}"):
        realised.check_vote_range(1)


@pytest.mark.req("CAPC-PARAM-031", "CAPC-PARAM-032")
@pytest.mark.parametrize("policy", [make_policy(Fraction(5)), make_policy(Fraction(5), Fraction(100), Fraction(30))])
def test_the_width_that_is_named_suffices_and_one_less_does_not(policy: ReleasePolicy) -> None:
    with pytest.raises(ParameterError) as caught:
        make_parameters(make_widths(vote_bits=2), policy).check_vote_range(50)
    needed = int(str(caught.value).split("need at least ")[1].split(":")[0])
    make_parameters(make_widths(vote_bits=needed), policy).check_vote_range(50)
    with pytest.raises(ParameterError):
        make_parameters(make_widths(vote_bits=needed - 1), policy).check_vote_range(50)


def test_default_set_admits_hundreds_of_parties() -> None:
    policy = make_policy(Fraction(40), Fraction(200), Fraction(150))
    parameters = Parameters(ParameterSet.named("default"), 10, 784, policy)
    parameters.check_vote_range(250)
    assert parameters.release.adjacency is Adjacency.REPLACE_ONE
