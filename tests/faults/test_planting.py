"""A fault is taken out whole: nothing of it is left for the next one, or for the tests that pass without any."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from capc.foundation import ring
from capc.foundation.errors import InputError
from capc.two_party.circuits.argmax import vote_circuit
from capc_verify.faults import FAULTS, seeded
from capc_verify.faults.patching import replace_everywhere
from capc_verify.faults.planting import Holder, holdings, planted
from support.sizes import is_nightly, some

WIDE = (1 << 40) + 5


def identities() -> dict[Holder, dict[str, int]]:
    """Which objects every module and class of the repository holds under which names."""
    return {holder: {name: id(value) for name, value in names.items()} for holder, names in holdings().items()}


@pytest.mark.slow
def test_every_fault_leaves_nothing() -> None:
    with seeded("no_noise"):
        pass  # whatever is loaded for the first time, is loaded now
    before = identities()
    for name in some(FAULTS, ordinary=40):
        with seeded(name):
            pass
        # To look at all that is loaded takes long; what is left behind is there at the end, too.
        if is_nightly():
            assert identities() == before, name
    assert identities() == before


def test_a_fault_is_in_for_the_length_of_its_block() -> None:
    with seeded("modulus_in_32_bits"):
        assert ring.reduce(WIDE, 38) == 5
        assert ring.reduce(1 << 7, 38) == 0
    assert ring.reduce(1 << 7, 38) == 1 << 7


def test_a_fault_is_taken_out_of_modules_that_were_loaded_while_it_was_in(monkeypatch: pytest.MonkeyPatch) -> None:
    correct = ring.reduce
    late = ModuleType("capc_late")
    with seeded("modulus_in_32_bits"):
        exec("from capc.foundation.ring import reduce\nclass Late:\n    reduce = reduce\n", vars(late))  # noqa: S102
        vars(late)["Late"].__module__ = late.__name__
        monkeypatch.setitem(sys.modules, late.__name__, late)
        assert late.reduce is not correct
    assert late.reduce is correct
    assert late.Late.reduce is correct


def test_what_was_computed_with_a_fault_is_forgotten() -> None:
    correct = vote_circuit(3, 8, 11)
    with seeded("last_index_on_ties"):
        assert vote_circuit(3, 8, 11) != correct
    assert vote_circuit(3, 8, 11) == correct


def test_a_fault_that_cannot_be_planted_whole_leaves_nothing() -> None:
    correct = ring.reduce

    def half() -> None:
        replace_everywhere(ring.reduce, lambda value, width: value)
        replace_everywhere(lambda: None, ring.reduce)

    with pytest.raises(InputError, match="the fault has lost what it replaces"), planted(half):
        pytest.fail("was planted")
    assert ring.reduce is correct


def test_an_error_inside_the_block_leaves_nothing() -> None:
    correct = ring.reduce
    with pytest.raises(ZeroDivisionError), seeded("modulus_in_32_bits"):
        ring.reduce(1 // 0, 8)
    assert ring.reduce is correct
