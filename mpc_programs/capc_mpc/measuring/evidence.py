"""Evidence on record: runs on the real machine, as data that tests replay everywhere.

One file per step holds the inputs once, and for each protocol the command, every party's raw outputs and the costs.
It names the text of the program that ran (:mod:`capc_mpc.measuring.program_text`): of another it is no evidence.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

from capc.foundation.randomness import Seed, XofSource
from capc_mpc.interface import steps
from capc_mpc.interface.encoding import FullCase, decode
from capc_mpc.interface.protocols import protocol_named
from capc_mpc.interface.sampling import sample_cases
from capc_mpc.interface.steps import Step
from capc_mpc.measuring.program_text import program_digest
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.processes import Limits
from capc_mpc.spdz.running import MpcRun, run
from capc_spec.registry import TAGS

BATCH = 100
PROTOCOLS = (
    "semi2k",
    "spdz2k",
    "mascot",
    "replicated-ring",
    "malicious-rep-ring",
    "semi-bin",
    "replicated-bin",
    "yao",
)
AWAITING: frozenset[str] = frozenset()
"""Records of what no machine has run as it is now: what is on file, if anything, is of a text or of options before."""
_SEED = Seed(bytes(range(32)))
"""Public: recorded inputs are no secrets, and anybody can draw them again."""

Cases = list[FullCase]


def recorded_steps() -> dict[str, Step]:
    """What is recorded, by the name of its file."""
    return {
        "argmax": steps.argmax(10, 37, 16, BATCH),
        "label_release_plain": steps.label_release(10, 16, BATCH, "plain"),
        "label_release_single_draw": steps.label_release(10, 16, BATCH, "single_draw"),
        "label_release_worst_case": steps.label_release(10, 16, BATCH, "worst_case"),
        "label_release_realised": steps.label_release(10, 16, BATCH, "realised"),
        "discrete_gaussian": steps.discrete_gaussian(Fraction(400), 16, BATCH, 2),
        "guardian_free": steps.guardian_free(2, 3, 12, 2, Fraction(9), BATCH, (6, Fraction(4))),
        # For protocols of two parties.
        "guardian_free_two_parties": steps.guardian_free(1, 3, 12, 2, Fraction(9), BATCH),
        "multi_label_vote_binary": steps.multi_label_vote("binary", 3, 16, 10, BATCH),
        "multi_label_vote_tau": steps.multi_label_vote("tau", 3, 16, 10, BATCH, (4, Fraction(2))),
        "multi_label_vote_powerset": steps.multi_label_vote("powerset", 3, 16, 10, BATCH),
        "multi_label_release": steps.multi_label_release(3, 12, 24, BATCH),
    }


def recorded_cases(name: str, step: Step) -> Cases:
    """The inputs of a record, pads excepted: the same on every machine."""
    return sample_cases(step, XofSource(_SEED, TAGS["mpc-evidence"] + name.encode()))


@dataclass(frozen=True)
class Recorded:
    """One recorded run.

    Attributes:
        name: of the step's record.
        step: program and arguments.
        protocol: its name.
        cases: the inputs, pads included.
        raw: for each party what it printed.
    """

    name: str
    step: Step
    protocol: str
    cases: Cases
    raw: list[list[tuple[str, list[int]]]]

    def learnt(self) -> list[dict[str, list[int]]]:
        """For each party, the numbers that it learnt."""
        return decode(self.step, protocol_named(self.protocol).domain, self.raw, self.cases)


def folder() -> Path:
    """Where the records are."""
    return Path(str(resources.files("capc_mpc") / "evidence_data"))


def is_of_the_present_text(name: str) -> bool:
    """Whether a step's file holds runs of the program as it is now."""
    if not (folder() / f"{name}.json").is_file():
        return False
    text: str = _document(name)["text"]
    return text == program_digest(recorded_steps()[name].program)


def record(name: str, protocols: Sequence[str], machine: Machine, limits: Limits) -> Path:
    """Runs a step under each protocol and writes its file, or completes one that is of the same text."""
    step = recorded_steps()[name]
    path, text = folder() / f"{name}.json", program_digest(step.program)
    cases = recorded_cases(name, step)
    runs = _document(name)["runs"] if path.is_file() and is_of_the_present_text(name) else {}
    path.parent.mkdir(exist_ok=True)
    for protocol in protocols:
        done = run(step, cases, protocol, model=protocol_named(protocol).model, limits=limits, machine=machine)
        runs[protocol] = _entry(step, done)
        document = {
            "program": step.program,
            "arguments": step.arguments,
            "inputs": _columns(cases),
            "runs": runs,
            "text": text,
        }
        path.write_text(json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
    return path


def _entry(step: Step, done: MpcRun) -> dict[str, object]:
    own = {(field.party, field.name) for field in step.fields}
    pads = [{key: value for key, value in case.items() if key not in own} for case in done.cases]
    return {
        "version": done.version,
        "model": done.model,
        "compile_options": done.compile_options,
        "command": done.command,
        "pads": _columns(pads),
        "raw": done.raw,
        "costs": asdict(done.costs),
    }


def _columns(cases: Cases) -> dict[str, list[list[int]]]:
    return {f"{party} {name}": [case[party, name] for case in cases] for party, name in (cases[0] if cases else {})}


def load(name: str) -> list[Recorded]:
    """Every recorded run of a step, whose file is of the present text."""
    document = _document(name)
    step = steps.parse(document["program"], document["arguments"])
    records = []
    for protocol, entry in document["runs"].items():
        columns = {_key(text): rows for text, rows in {**document["inputs"], **entry["pads"]}.items()}
        cases = [{key: rows[number] for key, rows in columns.items()} for number in range(step.batch)]
        raw = [[(line[0], line[1]) for line in lines] for lines in entry["raw"]]
        records.append(Recorded(name, step, protocol, cases, raw))
    return records


def _document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder() / f"{name}.json").read_text(encoding="utf-8"))
    return document


def _key(text: str) -> tuple[int, str]:
    party, name = text.split(" ", 1)
    return int(party), name
