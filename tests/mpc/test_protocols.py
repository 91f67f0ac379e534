"""The table of protocols: what each withstands, and what is refused unless the weaker model is declared."""

from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_mpc.interface.protocols import (
    HEADINGS,
    PROTOCOLS,
    Adversary,
    Domain,
    Model,
    check_model,
    protocol_cells,
    protocol_named,
)

HONEST = [name for name, row in PROTOCOLS.items() if row.model is Model.HONEST_MAJORITY]


@pytest.mark.req("CAPC-MPC-005")
def test_these_protocols_want_an_honest_majority_and_no_others() -> None:
    weaker = "replicated-ring malicious-rep-ring rep4-ring shamir malicious-shamir replicated-bin malicious-rep-bin"
    assert set(HONEST) == set(weaker.split())


@pytest.mark.req("CAPC-MPC-005")
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_majority_is_refused_unless_declared(name: str) -> None:
    with pytest.raises(InputError, match="honest_majority"):
        check_model(protocol_named(name), Model.BASE)
    check_model(protocol_named(name), Model.HONEST_MAJORITY)


@pytest.mark.parametrize("name", sorted(set(PROTOCOLS) - set(HONEST)))
def test_a_dishonest_majority_serves_both_models(name: str) -> None:
    for model in Model:
        check_model(protocol_named(name), model)


@pytest.mark.req("CAPC-MPC-005")
def test_three_parties_with_an_honest_majority_withstand_no_pair() -> None:
    kept = protocol_named("replicated-ring").withstands(3)
    assert kept.pop("single_party")
    assert not any(kept.values())


@pytest.mark.parametrize("parties", [2, 3, 5])
def test_all_but_one_withstand_every_coalition(parties: int) -> None:
    row = protocol_named("semi2k")
    assert row.corruptions(parties) == parties - 1
    assert all(row.withstands(parties).values())


def test_parties_that_only_compute_are_added() -> None:
    assert protocol_named("rep4-ring").parties_for(2) == 4
    assert protocol_named("semi2k").parties_for(5) == 5
    with pytest.raises(InputError, match="yao has 2 parties"):
        protocol_named("yao").parties_for(3)


def test_an_unknown_protocol_is_refused_with_the_names() -> None:
    with pytest.raises(InputError, match="semi2k, spdz2k"):
        protocol_named("semi2K")


def test_the_table_has_every_kind_of_protocol() -> None:
    wanted = "semi2k spdz2k mascot semi hemi temi lowgear replicated-ring malicious-rep-ring rep4-ring shamir"
    assert set(wanted.split()) | {"malicious-shamir", "semi-bin", "replicated-bin", "yao", "real-bmr"} <= set(PROTOCOLS)


def test_compile_options_follow_the_domain_and_the_parties() -> None:
    assert protocol_named("semi2k").compile_options(3) == ["-R", "64", "-Z", "3"]
    for row in PROTOCOLS.values():
        option = {Domain.RING: "-R", Domain.FIELD: "-F", Domain.BOOLEAN: "-B"}[row.domain]
        assert row.compile_options(2)[0] == option
        assert row.adversary in Adversary


def test_the_guide_has_the_table_of_protocols() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "mpc.md").read_text()
    lines = [HEADINGS, ["---"] * len(HEADINGS), *map(protocol_cells, PROTOCOLS.values())]
    assert "\n".join(f"| {' | '.join(line)} |" for line in lines) in guide
