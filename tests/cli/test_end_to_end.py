"""The main job with the real protocol: HE, garbled circuits, oblivious transfer and the guardian's noise."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from capc import cli
from capc.foundation.parties import Party
from capc.job import collaboration
from capc.linear.bfv import BfvLinear
from capc.protocol.collaboration import Collaboration
from capc.session.envelope import HEADER
from capc.two_party.vectorised import VectorisedTwoParty
from job.stand_in import validate


class Wiretap:
    """Collects the messages of each step, without their headers, which differ for every session."""

    def __init__(self) -> None:
        self.payloads: defaultdict[str, list[bytes]] = defaultdict(list)

    def message(self, step: str, sender: Party, receiver: Party, message: bytes) -> None:
        self.payloads[step].append(message[HEADER.size :])


def tapped_run(monkeypatch: pytest.MonkeyPatch, file: Path, *arguments: str) -> tuple[dict[str, Any], Wiretap]:
    tap = Wiretap()
    suites = []

    def open_tapped(session: Any, models: Any, suite: Any, account: Any, **kept: Any) -> Collaboration:
        suites.append(suite)
        return Collaboration(session, models, suite, account, observer=tap, **kept)

    monkeypatch.setattr(collaboration, "Collaboration", open_tapped)
    monkeypatch.setattr(collaboration, "fresh_session_id", lambda _: bytes(32))
    assert cli.run(["run", "--parameters", "test", "--json", str(file), *arguments]) == 0
    assert isinstance(suites[0].linear, BfvLinear)
    assert isinstance(suites[0].two_party, VectorisedTwoParty)
    return json.loads(file.read_text()), tap


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-007")
@pytest.mark.parametrize(
    "options",
    [(), ("--threshold", "1", "--charge", "realised", "--mechanism", "discrete_gaussian")],
    ids=["plain", "realised"],
)
def test_every_label_comes_from_the_real_protocol_and_equals_the_ideal_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: tuple[str, ...]
) -> None:
    report, tap = tapped_run(monkeypatch, tmp_path / "report.json", "--parties", "3", "--queries", "2", *options)
    validate(report)
    assert report["status"] == "complete"
    assert [query["index"] for query in report["queries"]] == [1, 2]
    assert all(query["label"] == query["ideal_label"] for query in report["queries"])
    assert {
        "setup",
        "ahead",
        "1a_linear",
        "1a_relu",
        "1b_masked_logits",
        "1c_argmax",
        "2_aggregation",
        "3_release",
    } == set(report["steps"])
    for step, cost in report["steps"].items():
        assert cost["bytes"] >= sum(map(len, tap.payloads[step])) > 0
        assert cost["rounds"] > 0


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-002")
def test_the_same_seed_gives_the_same_job_and_other_protocol_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Same models, queries and session id; every payload that holds randomness differs, so the seed is not in it."""
    arguments = ("--parties", "2", "--queries", "1", "--seed", "7")
    first, first_tap = tapped_run(monkeypatch, tmp_path / "first.json", *arguments)
    second, second_tap = tapped_run(monkeypatch, tmp_path / "second.json", *arguments)
    for part in ("data", "parties"):
        assert first[part] == second[part]
    assert first["queries"][0]["row"] == second["queries"][0]["row"]
    assert first["queriers"][0]["before"] == second["queriers"][0]["before"]
    for step, payloads in first_tap.payloads.items():
        others = second_tap.payloads[step]
        assert [len(payload) for payload in payloads] == [len(payload) for payload in others]
        if step == "setup":
            # The checks between both answering parties and the guardian have none.
            assert payloads.count(b"") == others.count(b"") == 2 * 2
        assert all(payload != other for payload, other in zip(payloads, others, strict=True) if payload), step


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-003")
def test_ctrl_c_in_the_real_protocol_leaves_a_valid_report(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    arguments = [
        "run",
        "--parties",
        "2",
        "--queries",
        "150",
        "--batch",
        "2",
        "--parameters",
        "test",
        "--json",
        str(file),
    ]
    script = f"import sys; from capc import cli; sys.exit(cli.run({arguments!r}))"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not (file.exists() and json.loads(file.read_text())["queries"]):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=300)
    assert process.returncode == 130, error
    report = json.loads(file.read_text())
    validate(report)
    assert report["status"] == "interrupted"
    assert 1 <= len(report["queries"]) < 150
    assert b"Interrupted" in out
    assert b"Traceback" not in error
