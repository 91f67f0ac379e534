"""Options by protocol and size: edaBits for many comparisons, else daBits; a prime that no opened number reaches."""

from fractions import Fraction

import pytest

from capc.foundation.randomness import XofSource, fresh_seed
from capc_mpc.interface import steps
from capc_mpc.interface.expected import expected
from capc_mpc.interface.protocols import PROTOCOLS, Domain, Model, protocol_named
from capc_mpc.interface.sampling import sample_cases
from capc_mpc.interface.steps import Step
from capc_mpc.spdz import tuning
from capc_mpc.spdz.running import run
from support.mpc import needs_mp_spdz

CHOOSING = [name for name, row in PROTOCOLS.items() if "{mixing}" in row.options]
FIELDS = [name for name, row in PROTOCOLS.items() if row.domain is Domain.FIELD]


def _argmax(batch: int, width: int = 16) -> Step:
    return steps.argmax(3, 20, width, batch)


def _flag(row_name: str, step: Step, flag: str) -> int:
    words = tuning.party_flags(protocol_named(row_name), step)
    return int(words[words.index(flag) + 1])


@pytest.mark.parametrize("name", CHOOSING)
def test_edabits_are_for_many_comparisons(name: str) -> None:
    row = protocol_named(name)
    assert tuning.compile_options(row, _argmax(tuning.MANY_CASES - 1), 3) == ["-R", "64", "-X"]
    assert tuning.compile_options(row, _argmax(tuning.MANY_CASES), 3) == ["-R", "64", "-Y"]


@pytest.mark.parametrize("name", CHOOSING)
@pytest.mark.parametrize(
    "step",
    [
        steps.discrete_gaussian(Fraction(9), 16, 1_000, 2),
        steps.guardian_free(2, 3, 12, 2, Fraction(9), 1_000),
    ],
    ids=["discrete_gaussian", "guardian_free"],
)
def test_programs_that_sample_noise_take_dabits(name: str, step: Step) -> None:
    assert tuning.compile_options(protocol_named(name), step, 3)[-1] == "-X"


@pytest.mark.parametrize("name", sorted(set(PROTOCOLS) - set(CHOOSING)))
def test_other_protocols_have_one_set_of_options(name: str) -> None:
    row = protocol_named(name)
    options = {tuple(tuning.compile_options(row, _argmax(batch), 3)) for batch in (1, 1_000)}
    assert options == {tuple(row.compile_options(3))}


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(("width", "prime"), [(1, 64), (62, 64), (63, 128), (64, 128)])
def test_an_opened_number_is_below_half_of_the_prime(name: str, width: int, prime: int) -> None:
    """A prime of that many bits is at least 2^(bits - 1), and numbers from its half on would print as negative ones."""
    assert _flag(name, _argmax(1, width), "-lgp") == prime
    assert 2**width - 1 < 2 ** (prime - 1) / 2


def test_few_cases_need_no_large_batches_of_preprocessing() -> None:
    assert _flag("semi-bin", _argmax(1), "-b") < _flag("semi-bin", _argmax(100), "-b")
    assert _flag("mascot", _argmax(1), "-b") < _flag("mascot", _argmax(100), "-b")
    assert _flag("spdz2k", _argmax(100), "-b") < _flag("spdz2k", steps.discrete_gaussian(Fraction(9), 16, 100, 2), "-b")


@needs_mp_spdz
@pytest.mark.parametrize("width", [62, 63, 64])
def test_the_widest_opened_numbers_are_right_in_a_field(width: int) -> None:
    step = _argmax(16, width)
    cases = sample_cases(step, XofSource(fresh_seed(), b"capc tests/widest"))
    done = run(step, cases, "shamir", model=Model.HONEST_MAJORITY)
    assert done.learnt[: step.parties] == expected(step, done.cases)
