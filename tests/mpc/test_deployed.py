"""Parties that are started apart, each with its own inputs: what an organisation runs on its own machine."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_mpc.interface import steps
from capc_mpc.interface.protocols import Model, protocol_named
from capc_mpc.spdz.deployed import Deployment, PartyRun, run_party
from capc_mpc.spdz.keys import write_keys
from capc_mpc.spdz.machine import Machine, the_machine
from capc_mpc.spdz.ports import free_ports
from support.mpc import machine, needs_mp_spdz

STEP = steps.argmax(2, 8, 4, 1)
OWN = [
    {(0, "masks"): [1, 2], (0, "mask_halves"): [1, 0], (0, "fresh_shares"): [3, 0]},
    {(1, "logit_shares"): [9, 0], (1, "logit_halves"): [1, 1]},
]


@needs_mp_spdz
@pytest.mark.parametrize("protocol", ["semi2k", "spdz2k", "mascot", "semi-bin", "yao"])
def test_two_parties_that_know_their_own_inputs_only(protocol: str, tmp_path: Path) -> None:
    write_keys(tmp_path, 2)
    first = free_ports(2)
    if protocol_named(protocol).program not in the_machine().parties:
        pytest.skip(f"{protocol}-party.x is not installed")
    deployment = Deployment((f"127.0.0.1:{first}", f"127.0.0.1:{first + 1}"), tmp_path)
    with ThreadPoolExecutor(2) as pool:
        answering, querying = pool.map(lambda p: run_party(STEP, p, [OWN[p]], protocol, deployment), range(2))
    assert answering.learnt == {}
    assert querying.learnt == {"vote.0": [14], "vote.1": [0]}
    assert all(party == 1 for case in querying.cases for party, _ in case)


@needs_mp_spdz
def test_a_party_without_inputs_takes_part_and_learns_nothing(tmp_path: Path) -> None:
    if "replicated-ring" not in the_machine().protocols():
        pytest.skip("replicated-ring-party.x is not installed")
    write_keys(tmp_path, 3)
    first = free_ports(3)
    deployment = Deployment(tuple(f"127.0.0.1:{first + party}" for party in range(3)), tmp_path)
    inputs = [[OWN[0]], [OWN[1]], None]

    def one(party: int) -> PartyRun:
        model = Model.HONEST_MAJORITY
        return run_party(STEP, party, inputs[party], "replicated-ring", deployment, model=model)

    with ThreadPoolExecutor(3) as pool:
        learnt = [done.learnt for done in pool.map(one, range(3))]
    assert learnt == [{}, {"vote.0": [14], "vote.1": [0]}, {}]


def test_a_role_without_inputs_needs_no_columns(tmp_path: Path) -> None:
    """The party that only computes has an empty input file, and a role with inputs must give them."""
    party = "import pathlib, sys\nassert pathlib.Path('Player-Data/Input-P2-0').read_text().split() == []\n"
    installed = machine(tmp_path, party + "print('Time = 0.5 seconds', file=sys.stderr)\n")
    three = Machine(installed.home, "1", {"replicated-ring": installed.parties["semi2k"]})
    keys = tmp_path / "keys"
    keys.mkdir()
    deployment = Deployment(("a:1", "b:1", "c:1"), keys, wait_seconds=None)
    own = {"model": Model.HONEST_MAJORITY, "machine": three, "cache": tmp_path / "cache"}
    assert run_party(STEP, 2, None, "replicated-ring", deployment, **own).learnt == {}
    with pytest.raises(InputError, match="party 0 was given no masks: give 2 numbers"):
        run_party(STEP, 0, None, "replicated-ring", deployment, **own)
    with pytest.raises(
        InputError, match=r"column 1 logit_shares: argmax has no such input here: its columns are 0 mask"
    ):
        run_party(STEP, 0, [{**OWN[0], **OWN[1]}], "replicated-ring", deployment, **own)


@pytest.mark.req("CAPC-MPC-005")
@pytest.mark.parametrize("protocol", ["replicated-ring", "shamir", "malicious-rep-bin"])
def test_a_party_refuses_a_weaker_protocol_that_nobody_declared(protocol: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{protocol} assumes an honest majority"):
        run_party(STEP, 0, [OWN[0]], protocol, Deployment(("h:1", "h:2", "h:3"), tmp_path))


@pytest.mark.parametrize(("party", "addresses"), [(0, 1), (2, 2), (-1, 2)])
def test_addresses_that_do_not_fit_are_refused(party: int, addresses: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"party {party} and {addresses} addresses for a run of 2 parties"):
        run_party(STEP, party, [{}], "semi2k", Deployment(("h:1",) * addresses, tmp_path))
