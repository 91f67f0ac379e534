"""The memory of an evaluation does not grow with the queries of a batch, apart from its payloads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from capc.linear.bfv.encoding import tiling
from capc.models.operators import Dense
from linear.support import altered

OPERATOR = Dense(3001, 3)
MOST_COEFFICIENTS = 4 * 8192
"""Instead of 2^23, so that a ciphertext holds few queries, and 128 of them need many."""

EVALUATE = """
import sys
from pathlib import Path
from capc.linear.bfv import BfvLinear
from capc.linear.bfv.encoding import tiling
from capc.linear.bfv.wire import responses
from capc.models.operators import Dense
from capc.session.widths import ParameterSet
from capc.foundation.randomness import XofSource, fresh_seed

tiling.MOST_COEFFICIENTS = int(sys.argv[4])
folder, count = Path(sys.argv[1]), int(sys.argv[2])
if sys.argv[3] == "hoard":
    opened, real = [], responses.open_group
    def hoarding(*arguments):
        opened.append(real(*arguments))
        return opened[-1]
    responses.open_group = hoarding
scheme = BfvLinear(ParameterSet.named("default"))
key = scheme.read_public_key((folder / "key").read_bytes(), b"binding")
prepared = scheme.prepare(Dense(3001, 3), ((1,) * 3001,) * 3)
request = (folder / f"request{count}").read_bytes()
_, response = scheme.evaluate(key, prepared, request, count, XofSource(fresh_seed(), b"memory"))
(peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak) * 1024, len(request) + len(response))
"""


def _measured(folder: Path, count: int, how: str) -> tuple[int, int]:
    """The largest resident size of a process that evaluates a batch, and the bytes of its payloads."""
    setting = altered("default")
    (folder / "key").write_bytes(setting.public_payload)
    request = setting.scheme.encrypt(setting.secret_key, OPERATOR, [[1] * OPERATOR.inputs] * count)
    (folder / f"request{count}").write_bytes(request)
    command = [sys.executable, "-c", EVALUATE, str(folder), str(count), how, str(MOST_COEFFICIENTS)]
    size, payloads = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(size), int(payloads)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "bounded"), [("release", True), ("hoard", False)])
def test_only_payloads_grow_with_the_queries(
    how: str, bounded: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiling, "MOST_COEFFICIENTS", MOST_COEFFICIENTS)
    few, many = _measured(tmp_path, 4, how), _measured(tmp_path, 128, how)
    growth, payloads = many[0] - few[0], many[1] - few[1]
    # Payloads, once more in pieces, and 2 MiB. An opened ciphertext has three times the bytes of its payload.
    assert (growth <= 2 * payloads + (2 << 20)) is bounded
