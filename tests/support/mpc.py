"""What tests of MP-SPDZ programs share."""

import stat
import sys
import tomllib
from pathlib import Path

import pytest

from capc_mpc.spdz.machine import REMEDY, Machine, find_machine
from capc_mpc.spdz.site import Site
from capc_mpc.two_processes.party import Measured, Task

needs_mp_spdz = pytest.mark.skipif(find_machine() is None, reason=f"MP-SPDZ is not installed: {REMEDY}")
"""Skips, with the remedy in the report, where there is no machine."""

DECLARED = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["entry-points"]
"""The declared entry points, whatever metadata is installed."""

COMPILER = "import pathlib, sys\npathlib.Path('Programs/Bytecode/done').write_text(' '.join(sys.argv[1:]))\n"
HONEST_PARTY = """
import pathlib, sys
party = sys.argv[sys.argv.index('-p') + 1]
numbers = pathlib.Path(f'Player-Data/Input-P{party}-0').read_text().split()
assert pathlib.Path('Programs/Bytecode/done').is_file() and pathlib.Path('Player-Data/P0.pem').is_file()
print('Using security parameter 40')
if party == '1':
    print('vote.0', (1 - 3) * 2**60)
    print('vote.1 [0]')
print(f'Time = 0.5 seconds\\nData sent = 0.001 MB in ~7 rounds (party {party} only)', file=sys.stderr)
print('Global data sent = 0.003 MB (all parties)', file=sys.stderr)
"""
"""Tells what argmax of two classes tells of logits 11 and 2 in 8 bits, with fresh shares 3 and 0 in 4 bits."""


def machine(folder: Path, party: str, compiler: str = COMPILER) -> Machine:
    """A stand-in for MP-SPDZ that has semi2k only, of a few lines of Python."""
    home = folder / "home"
    home.mkdir()
    (home / "compile.py").write_text(compiler)
    (home / "CHANGELOG.md").write_text("The changelog\n\n## 9.8.7 (Jan 1, 2030)\n")
    program = home / "semi2k-party.x"
    program.write_text(f"#!{sys.executable}\n{party}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return Machine(home, "9.8.7", {"semi2k": program})


ARGMAX_CASE = {
    (0, "masks"): [1, 2],
    (0, "mask_halves"): [1, 0],
    (0, "fresh_shares"): [3, 0],
    (1, "logit_shares"): [9, 0],
    (1, "logit_halves"): [1, 1],
}
"""One case of argmax for two classes, of 8 bits and votes of 4: logits 11 and 2."""

ARGMAX_PARTY = """
import pathlib, sys
party = int(sys.argv[sys.argv.index('-p') + 1])
classes, logit_bits, vote_bits, batch = map(int, pathlib.Path('Programs/Bytecode/done').read_text().split()[-4:])
words = [list(map(int, pathlib.Path(f'Player-Data/Input-P{p}-0').read_text().split())) for p in (0, 1)]
def column(owner, number):
    return words[owner][number * batch:(number + 1) * batch]
def signed(value):
    value %= 2**logit_bits
    return value - 2**logit_bits * (value >> logit_bits - 1)
def logits_of(c):
    columns = [column(owner, number) for owner in (0, 1) for number in (c, classes + c)]
    return [signed(a + b + x * y) for a, x, b, y in zip(*columns)]
logits = [logits_of(c) for c in range(classes)]
if party == 1:
    for c in range(classes):
        fresh = column(0, 2 * classes + c)
        votes = [int(max(range(classes), key=lambda k: (logits[k][n], -k)) == c) for n in range(batch)]
        shares = [(v - s) % 2**vote_bits * 2**(64 - vote_bits) for v, s in zip(votes, fresh)]
        print(f'vote.{c}', shares if batch > 1 else shares[0])
print(f'Time = {0.25 * (party + 1)} seconds', file=sys.stderr)
print(f'Data sent = {party + 1} MB in ~7 rounds (party {party} only)', file=sys.stderr)
phases = 'Spent 0.1 seconds (0.5 MB, 4 rounds) on the online phase and 0.15 seconds (0.5 MB, 3 rounds) on the '
print(phases + 'preprocessing/offline phase.', file=sys.stderr)
print('Global data sent = 3 MB (all parties)', file=sys.stderr)
"""
"""Argmax in the clear, of both parties' input files, told as a ring would tell it; for batches of any size."""


def embedded_stand_in(site: Site, task: Task, seconds: float) -> Measured:
    """Two processes of the embedded engine that need no time to start."""
    times = [0.0] * task.repeats
    return Measured(times, [0.01] * task.repeats, times, 0.1, (9, 1), (0.0, 0.0), (1, 1), equal=True)
