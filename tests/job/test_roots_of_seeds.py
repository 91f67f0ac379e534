"""All that a run draws and keeps is the operating system's: every step has a seed of its own, none of `--seed`."""

from __future__ import annotations

import secrets
from collections import defaultdict
from pathlib import Path

import pytest

from capc.foundation.parties import Role, organisation
from capc.foundation.randomness import SEED_BYTES, Seed, XofSource
from capc.job.collaboration import open_session
from capc.job.config import resolve
from capc.job.job import Job
from capc.job.keeping.files import beside
from capc.job.keeping.journal import KEY_SUFFIX, Journal
from capc.job.plan import prepare
from capc.privacy.ledger.keys import read_or_create_key
from job.stand_in import Recorder
from support.builders import constant_model, make_parameters

ROLES = tuple(role.value.encode() for role in Role)


class Watched:
    """What the operating system gave, and which streams were begun with which seed."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.given: list[bytes] = []
        self.read: set[bytes] = set()
        self.labels: defaultdict[bytes, list[bytes]] = defaultdict(list)
        draw, begin, read = secrets.token_bytes, XofSource.__init__, XofSource.read

        def drawn(count: int) -> bytes:
            self.given.append(draw(count))
            return self.given[-1]

        def begun(source: XofSource, seed: Seed, label: bytes) -> None:
            self.labels[seed].append(label)
            begin(source, seed, label)

        def remembered(source: XofSource, length: int) -> bytes:
            found = read(source, length)
            if length == SEED_BYTES:
                self.read.add(found)
            return found

        patch.setattr(secrets, "token_bytes", drawn)
        patch.setattr(XofSource, "__init__", begun)
        patch.setattr(XofSource, "read", remembered)


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-002", "CAPC-PARAM-010")
def test_every_step_of_a_run_has_a_seed_of_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a whole run: the labels of a step's streams begin with its name, which is that of a role."""
    seen = Watched(monkeypatch)
    flags = {"parties": "2", "queries": "1", "sigma": "9", "parameters": "test", "seed": "7"}
    Job(prepare(resolve(flags)), Recorder()).run()
    steps = {seed: labels for seed, labels in seen.labels.items() if labels[0].startswith(ROLES)}
    # A name, a stroke, and the bytes of the party that takes the step.
    taken = [{label[: label.index(b"/") + 4] for label in labels} for labels in steps.values()]
    assert all(len(of_seed) == 1 for of_seed in taken)
    names = {step.partition(b"/")[0] for of_seed in taken for step in of_seed}
    assert {b"answering_party_garble_layer", b"privacy_guardian_release", b"querying_party_begin_setup"} <= names
    assert steps.keys() <= {*seen.given}
    assert len(seen.given) == len({*seen.given})
    for seed in seen.labels.keys() - steps.keys():
        # Both ends of the shares of zero make one of what they sent each other.
        assert seed in seen.read or all(label.startswith(b"zero-sum/") for label in seen.labels[seed])


@pytest.mark.req("CAPC-PARAM-010")
def test_ids_of_sessions_are_the_operating_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Watched(monkeypatch)
    parameters = make_parameters()
    models = [constant_model((2, 3), 1, 2)]
    names = [organisation(number) for number in range(2)]
    assert [open_session(parameters, models, names).session_id for _ in range(2)] == seen.given
    assert len({*seen.given}) == 2


@pytest.mark.req("CAPC-PARAM-010")
def test_keys_that_are_kept_are_the_operating_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = Watched(monkeypatch)
    signing = [read_or_create_key(tmp_path / f"{number}.key") for number in range(2)]
    journals = [Journal(tmp_path / f"{number}.journal", b"\x01" * 32).file for number in range(2)]
    kept = [bytes.fromhex(beside(file, KEY_SUFFIX).read_text(encoding="ascii")) for file in journals]
    assert len({*signing, *kept}) == 4
    assert {*signing, *kept} <= {*seen.given}
