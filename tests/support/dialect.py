"""Small generated programs in MP-SPDZ's dialect, and their runs on a real machine: what judges the emulator.

A program reads vectors of three numbers and registers of bits, applies operations to earlier values at random, and
opens everything that it computed to party 1, or on a Boolean machine to everybody.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from capc.foundation.randomness import RandomSource, Seed, XofSource
from capc_mpc.emulator.run import TARGETS, emulate
from capc_mpc.interface.encoding import printed
from capc_mpc.interface.protocols import protocol_named
from capc_mpc.spdz.keys import write_keys
from capc_mpc.spdz.machine import Machine
from capc_mpc.spdz.ports import free_ports
from capc_mpc.spdz.processes import Limits, execute, failures, read_streams
from capc_mpc.spdz.running import place_flags, prepare

LANES, BITS, STEPS = 3, 5, 40
RECORDED = Path(__file__).parent.parent / "mpc" / "dialect_runs.json"
IMPORTS = """from Compiler.GC.instructions import inputb
from Compiler.GC.types import sbits
from Compiler.library import break_point, print_ln, print_ln_to
from Compiler.types import sint
"""
ROWS = f"""rows = [sbits.get_type({BITS})() for _ in range({LANES})]
inputb(*[argument for row in rows for argument in (0, {BITS}, 0, row)])
b = sbits.trans(rows) + [sbits.get_type({LANES})(0)]
"""
Raw = list[list[tuple[str, list[int]]]]
PROTOCOLS = {
    "ring": ("semi2k", "replicated-ring"),
    "field": ("shamir", "mascot"),
    "binary": ("semi-bin", "replicated-bin", "yao"),
}
"""What is recorded, by target."""


@dataclass(frozen=True)
class Sample:
    """A program with inputs of parties 0 and 1, for one of the emulator's targets."""

    target: str
    text: str
    inputs: dict[int, list[int]]


def sources(count: int) -> list[RandomSource]:
    """Public seeds: anybody can generate the recorded programs again."""
    return [XofSource(Seed(bytes(32)), b"capc tests/dialect/%d" % number) for number in range(count)]


def sample(target: str, source: RandomSource) -> Sample:
    return {"ring": _ring, "field": _field, "binary": _boolean}[target](source)


def _edge(source: RandomSource, width: int) -> int:
    edges = [0, 1, (1 << width - 1) - 1, 1 << width - 1, (1 << width) - 1]
    return edges[source.below(5)] if source.bits(1) else source.bits(width)


def _gates(source: RandomSource, count: int) -> list[str]:
    """Operations on registers of lanes; a transposition of neighbours keeps one row."""
    lines = []
    for known in range(BITS + 1, BITS + 1 + count):
        i, j = source.below(known), source.below(known)
        kinds = [
            f"b[{i}] ^ b[{j}]",
            f"b[{i}] & b[{j}]",
            f"~b[{i}]",
            f"sbits.trans(b[-{LANES}:])[{source.below(LANES)}]",
        ]
        lines.append(f"b.append({kinds[source.below(4)]})")
    return lines


def _ring(source: RandomSource) -> Sample:
    lines = [
        IMPORTS,
        f"v = [sint.get_input_from(p, size={LANES}) for p in (0, 1, 0, 1)]",
        ROWS,
        *_gates(source, 4),
        "v += [sint.conv(b[-1]), sint.conv(b[-2]), sint.bit_compose(b[-5:])]",
    ]
    for known in range(7, 7 + STEPS):
        i, j = source.below(known), source.below(known)
        constant, bits = source.below(1 << 20) - (1 << 19), 1 + source.below(62)
        kinds = [
            f"v[{i}] + v[{j}]",
            f"v[{i}] - v[{j}]",
            f"v[{i}] * v[{j}]",
            f"{constant} - v[{i}]",
            f"v[{i}] * {constant}",
            f"v[{i}] * 2**{bits}",
            f"(v[{i}] - v[{j}]).less_than(v[{i}], {bits})",
            f"v[{i}].less_than({constant}, {bits})",
        ]
        lines.append(f"v.append({kinds[source.below(len(kinds))]})")
    numbers = [[_edge(source, 64) for _ in range(2 * LANES)] for _ in range(2)]
    given = {0: numbers[0] + [_edge(source, BITS) for _ in range(LANES)], 1: numbers[1]}
    return Sample("ring", "\n".join(lines) + _opened("v"), given)


def _field(source: RandomSource) -> Sample:
    """In fields the programs compute on bits, and compose numbers to open them."""
    lines = [IMPORTS, ROWS, *_gates(source, STEPS), "v = []"]
    for _ in range(STEPS // 2):
        picked = [f"b[{source.below(BITS + 1 + STEPS)}]" for _ in range(1 + source.below(12))]
        lines.append(f"v.append(sint.bit_compose([{', '.join(picked)}]))")
    given = {0: [_edge(source, BITS) for _ in range(LANES)], 1: []}
    return Sample("field", "\n".join(lines) + _opened("v"), given)


def _boolean(source: RandomSource) -> Sample:
    lines = [IMPORTS, ROWS, *_gates(source, STEPS)]
    lines.append("opened = [register.reveal() for register in b + sbits.trans(b[:4]) + rows]")
    lines.append("break_point()\nfor n, value in enumerate(opened):\n    print_ln('%s %s', 'out.%d' % n, value)\n")
    return Sample("binary", "\n".join(lines), {0: [_edge(source, BITS) for _ in range(LANES)], 1: []})


def _opened(name: str) -> str:
    return (
        f"\nopened = [number.reveal_to(1) for number in {name}]\nbreak_point()\n"
        "for n, value in enumerate(opened):\n    print_ln_to(1, '%s %s', 'out.%d' % n, value)\n"
    )


def emulated(made: Sample, folder: Path) -> Raw:
    return _emulated(made, folder)[0]


def reduced(raw: Raw, made: Sample, folder: Path) -> Raw:
    """Printed values by their residues: machines print elements of a ring, and bits, with a sign or without."""
    widths = iter(_emulated(made, folder)[1])
    by_name = {name: next(widths) for name, _ in raw[1]}
    return [[(name, [value % (1 << by_name[name]) for value in values]) for name, values in lines] for lines in raw]


def _emulated(made: Sample, folder: Path) -> tuple[Raw, list[int]]:
    """What each party prints, and the width of each printed line."""
    program = folder / "sample.mpc"
    program.write_text(made.text)
    result = emulate(program, [], made.inputs, TARGETS[made.target])
    raw = [[(str(name), [int(word) for word in words]) for name, words in result.printed_to(p)] for p in range(2)]
    widths = [opening.width for opening in result.openings]
    return raw, widths if made.target == "binary" else widths[::LANES]


def run_for_real(made: Sample, protocol: str, machine: Machine) -> Raw:
    """What parties 0 and 1 print under a protocol."""
    row = protocol_named(protocol)
    parties = row.parties_for(2)
    with tempfile.TemporaryDirectory(prefix="capc-dialect-") as name:
        folder = Path(name)
        compiled = folder / "compiled"
        for part in ("Source", "Bytecode", "Schedules"):
            (compiled / "Programs" / part).mkdir(parents=True)
        program = folder / "sample.mpc"
        program.write_text(made.text)
        command = [sys.executable, str(machine.home / "compile.py"), *row.compile_options(parties), str(program)]
        done = subprocess.run(command, cwd=compiled, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        texts = {party: " ".join(map(str, made.inputs.get(party, []))) + "\n" for party in range(parties)}
        work = folder / "run"
        work.mkdir()
        write_keys(prepare(work, compiled / "Programs", texts), parties)
        where = ["-pn", str(free_ports(parties + 2))]
        party_program = str(machine.party_program(row.program))
        commands = {p: [party_program, *place_flags(row, parties, p), *where, "sample"] for p in range(parties)}
        failed = failures(execute(commands, work, Limits(seconds=120), protocol))
        streams = [read_streams(work, party) for party in range(parties)]
        assert not failed, streams[failed[0]][1]
        return [printed(out) for out, _ in streams[:2]]


@dataclass(frozen=True)
class Recorded:
    """What real machines printed for a program.

    Attributes:
        made: program and inputs.
        version: of MP-SPDZ.
        protocols: those under which parties 0 and 1 printed exactly this.
        raw: the lines of parties 0 and 1.
    """

    made: Sample
    version: str
    protocols: list[str]
    raw: Raw


def save(records: Sequence[Recorded], path: Path) -> None:
    text = json.dumps([asdict(record) for record in records], separators=(",", ":"), sort_keys=True)
    path.write_text(text.replace('},{"made"', '},\n{"made"') + "\n", encoding="utf-8")


def load(path: Path) -> list[Recorded]:
    records = []
    for entry in json.loads(path.read_text(encoding="utf-8")):
        made = entry["made"]
        inputs = {int(party): numbers for party, numbers in made["inputs"].items()}
        raw = [[(name, values) for name, values in lines] for lines in entry["raw"]]
        program = Sample(made["target"], made["text"], inputs)
        records.append(Recorded(program, entry["version"], entry["protocols"], raw))
    return records


def record(protocols: Sequence[str], seeds: Sequence[RandomSource], target: str, machine: Machine) -> list[Recorded]:
    """Runs one program per seed under each protocol."""
    records = []
    for source in seeds:
        made = sample(target, source)
        printed_lines: dict[str, tuple[list[str], Raw]] = {}
        for protocol in protocols:
            raw = run_for_real(made, protocol, machine)
            printed_lines.setdefault(json.dumps(raw), ([], raw))[0].append(protocol)
        records += [Recorded(made, machine.version, names, raw) for names, raw in printed_lines.values()]
    return records
