"""The guide from a network and rows to labels: every block runs, in order, and a refusal is the one that is shown."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from capc import cli

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "own-model-in-a-run.md"
BLOCK = re.compile(r"```(python|toml|console)\n(.*?)```", re.DOTALL)


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-054", "CAPC-RUN-056")
# PyTorch's exporter uses what PyTorch itself calls old.
@pytest.mark.filterwarnings("ignore")
def test_the_guide_leads_to_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, object] = {}
    commands = 0
    for kind, text in BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        named = re.match(r"# (\S+\.(?:py|toml))\n", text)
        if named:
            Path(named[1]).write_text(text)
        elif kind == "python":
            exec(text, names)  # noqa: S102  # the guide's own code
        else:
            command, _, shown = text.partition("\n")
            assert command.startswith("$ capc ")
            capsys.readouterr()
            code = cli.run(shlex.split(command)[2:])
            errors = capsys.readouterr().err
            assert code == (2 if shown else 0), errors
            assert shown in errors
            commands += 1
    assert commands == 4
    sys.modules.pop("networks", None)
    report = json.loads(Path("report.json").read_text())
    assert report["status"] == "complete"
    assert report["agreement"]["equal_to_ideal"] == report["agreement"]["released"] == 4
    # Random votes would be right on a tenth.
    assert report["ensemble"]["accuracy"] > 0.7
    assert np.load("digits.npz")["x"].max() == 1
