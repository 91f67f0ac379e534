"""Keys that parties generate together: made by the first run, read by the next, for the user's eyes only."""

import os
import stat
from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_mpc.interface import steps
from capc_mpc.interface.errors import MpcError
from capc_mpc.spdz.deployed import Deployment, run_party
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.running import KEPT_KEYS, run
from support.mpc import ARGMAX_CASE as CASE
from support.mpc import machine

STEP = steps.argmax(2, 8, 4, 1)
PARTY = """
import pathlib, sys
party = sys.argv[sys.argv.index('-p') + 1]
secrets = pathlib.Path(f'Player-Data/LowGear-Secrets-40-abcd-P{party}-2')
found = secrets.exists()
secrets.write_text(f'key of {party}')
if party == '1':
    print('vote.0', 14)
    print('vote.1', 0)
print(f'Time = {0.5 if found else 300} seconds', file=sys.stderr)
"""


def _machine(folder: Path, party: str) -> Machine:
    """A stand-in for MP-SPDZ that has semi2k and lowgear, which are the same."""
    one = machine(folder, party)
    return Machine(one.home, one.version, {"semi2k": one.parties["semi2k"], "lowgear": one.parties["semi2k"]})


def test_keys_of_a_run_serve_the_next(tmp_path: Path) -> None:
    cache, installed = tmp_path / "cache", _machine(tmp_path, PARTY)
    seconds = [run(STEP, [CASE], "lowgear", machine=installed, cache=cache).costs.seconds for _ in range(2)]
    assert seconds == [300, 0.5]
    folder = cache / KEPT_KEYS
    assert sorted(file.read_text() for file in folder.iterdir()) == ["key of 0", "key of 1"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())] == [0o700, 0o600, 0o600]


def test_a_party_on_its_own_machine_keeps_its_keys_beside_its_certificate(tmp_path: Path) -> None:
    keys, installed = tmp_path / "keys", _machine(tmp_path, PARTY)
    keys.mkdir()
    deployment, own = (
        Deployment(("a:1", "b:1"), keys, wait_seconds=None),
        [{(1, "logit_shares"): [9, 0], (1, "logit_halves"): [1, 1]}],
    )
    done = [
        run_party(STEP, 1, own, "lowgear", deployment, machine=installed, cache=tmp_path / "cache") for _ in range(2)
    ]
    assert [party.costs.seconds for party in done] == [300, 0.5]
    assert [file.name for file in keys.iterdir()] == ["LowGear-Secrets-40-abcd-P1-2"]


def test_a_folder_that_could_not_keep_keys_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, own = (
        Deployment(("a:1", "b:1"), tmp_path, wait_seconds=None),
        [{(1, "logit_shares"): [9, 0], (1, "logit_halves"): [1, 1]}],
    )
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="lowgear keeps what it generates there: make it writable"):
        run_party(STEP, 1, own, "lowgear", deployment, machine=_machine(tmp_path, PARTY))


def test_protocols_that_generate_no_keys_keep_nothing(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    installed = _machine(tmp_path, PARTY.replace("'vote.0', 14", "'vote.0', 14 * 2**60"))
    run(STEP, [CASE], "semi2k", machine=installed, cache=cache)
    assert not (cache / KEPT_KEYS).exists()


def test_a_run_that_failed_keeps_nothing(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(MpcError):
        run(STEP, [CASE], "lowgear", machine=_machine(tmp_path, PARTY + "sys.exit(1)"), cache=cache)
    assert not (cache / KEPT_KEYS).exists()
