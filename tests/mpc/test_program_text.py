"""What binds a recorded run to the text of a program that ran."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from capc.foundation.randomness import XofSource, fresh_seed
from capc.job.config import OPTIONS
from capc_mpc.emulator.steps import DOMAINS, emulate_step
from capc_mpc.interface.encoding import complete
from capc_mpc.interface.steps import Step, program_file
from capc_mpc.measuring import evidence, main_job
from capc_mpc.measuring.program_text import program_digest
from capc_mpc.spdz.costs import Costs
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.processes import Limits

PROGRAMS = sorted({step.program for step in evidence.recorded_steps().values()})
STEP_1C = {"argmax", "multi_label_vote"}
NOISY = {"discrete_gaussian", "guardian_free"}
CHANGES = {
    "an operation of all": (
        "capc_lib.py",
        "self._sum(left, right, None)\n",
        "self._sum(right, left, None)\n",
        PROGRAMS,
    ),
    "a constant of all": ("capc_lib.py", "LIMB_BITS = 32", "LIMB_BITS = 16", PROGRAMS),
    "a head of a class": ("capc_lib.py", "class Field(Boolean):", "class Field(Boolean, Ring):", PROGRAMS),
    "a helper of a helper": ("capc_lib.py", "total.append(a ^ b ^ carry)", "total.append(a ^ carry ^ b)", PROGRAMS),
    "halves": ("capc_lib.py", "left + right + left_half * right_half", "left + right", STEP_1C),
    "the tournament": (
        "capc_lib.py",
        "domain.invert(right_wins), right_wins\n",
        "right_wins, domain.invert(right_wins)\n",
        {"argmax", "label_release", "guardian_free"},
    ),
    "the sampler": ("capc_sampler.py", "digits[i][0][0]", "digits[i][0][1]", NOISY),
    "tables": ("capc_noise.py", "UNIFORM_BITS = 76", "UNIFORM_BITS = 75", NOISY),
    "a decorator": ("capc_noise.py", "@lru_cache\ndef plan(", "def plan(", NOISY),
    "one program": ("argmax.mpc", "range(num_classes)", "range(0, num_classes)", {"argmax"}),
    "words of a head": ("argmax.mpc", "Step 1c: ", "Step 1 c: ", set()),
    "words of the library": ("capc_lib.py", '"""This domain."""', '"""The domain."""', set()),
    "a comment": ("capc_lib.py", "# One instruction for all of them", "# One for all", set()),
    "what no program uses": ("capc_noise.py", "def law(", "def _law(", set()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_digest_is_of_what_a_program_can_execute(name: str, tmp_path: Path) -> None:
    """Found: what the program, or a definition that it reaches, says. Not: words for people, or others' definitions."""
    file, old, new, found = CHANGES[name]
    folder = tmp_path / "programs"
    shutil.copytree(program_file("argmax.mpc").parent, folder)
    before = {program: program_digest(program, folder) for program in PROGRAMS}
    assert before == {program: program_digest(program) for program in PROGRAMS}
    text = (folder / file).read_text()
    assert text.count(old) == 1
    (folder / file).write_text(text.replace(old, new))
    assert {program for program in PROGRAMS if program_digest(program, folder) != before[program]} == set(found)


def emulated_run(step: Step, cases: list, protocol: str, **_options: object) -> SimpleNamespace:
    sources = {party: XofSource(fresh_seed(), b"capc tests/record") for party in range(step.parties)}
    full = complete(step, DOMAINS["ring"], cases, sources)
    raw = emulate_step(step, full, "ring").raw
    return SimpleNamespace(
        cases=full, raw=raw, version="0", model="base", compile_options=[], command=[protocol], costs=Costs(0.1, 1, 1)
    )


def test_a_file_of_another_text_is_recorded_anew_and_one_of_this_text_completed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(evidence, "folder", lambda: tmp_path)
    monkeypatch.setattr(evidence, "run", emulated_run)
    name, machine = "multi_label_vote_binary", Machine(tmp_path, "0", {})
    evidence.record(name, ["semi2k"], machine, Limits())
    assert evidence.is_of_the_present_text(name)
    path = evidence.record(name, ["spdz2k"], machine, Limits())
    assert [record.protocol for record in evidence.load(name)] == ["semi2k", "spdz2k"]
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"text": "0" * 64}))
    assert not evidence.is_of_the_present_text(name)
    evidence.record(name, ["replicated-ring"], machine, Limits())
    assert [record.protocol for record in evidence.load(name)] == ["replicated-ring"]


@pytest.mark.parametrize("changed", ["text", "withdrawn option", "missing option", "missing file"])
def test_a_main_job_of_other_programs_or_options_is_not_of_the_present(
    changed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = {"config": dict.fromkeys(OPTIONS)}
    monkeypatch.setattr(main_job, "folder", lambda: tmp_path)
    monkeypatch.setattr(main_job, "run_job", lambda _name: report)
    files = {name: main_job.record(name) for name in main_job.ENGINES}
    assert main_job.is_of_the_present()
    recorded = json.loads(files["yao"].read_text())
    if changed == "text":
        recorded["texts"]["argmax"] = "0" * 64
    elif changed == "withdrawn option":
        recorded["report"]["config"]["allowance"] = None
    elif changed == "missing option":
        del recorded["report"]["config"]["seed"]
    files["yao"].write_text(json.dumps(recorded))
    if changed == "missing file":
        files["yao"].unlink()
    assert not main_job.is_of_the_present()
