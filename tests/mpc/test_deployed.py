"""Parties that are started apart, each with its own inputs: what an organisation runs on its own machine."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_mpc.interface import steps
from capc_mpc.spdz.deployed import Deployment, run_party
from capc_mpc.spdz.keys import write_keys
from capc_mpc.spdz.ports import free_ports
from support.mpc import needs_mp_spdz

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
    deployment = Deployment((f"127.0.0.1:{first}", f"127.0.0.1:{first + 1}"), tmp_path)
    with ThreadPoolExecutor(2) as pool:
        answering, querying = pool.map(lambda p: run_party(STEP, p, [OWN[p]], protocol, deployment), range(2))
    assert answering.learnt == {}
    assert querying.learnt == {"vote.0": [14], "vote.1": [0]}
    assert all(party == 1 for case in querying.cases for party, _ in case)


@pytest.mark.parametrize(("party", "addresses"), [(0, 1), (2, 2), (-1, 2)])
def test_addresses_that_do_not_fit_are_refused(party: int, addresses: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"party {party} and {addresses} addresses for a run of 2 parties"):
        run_party(STEP, party, [{}], "semi2k", Deployment(("h:1",) * addresses, tmp_path))
