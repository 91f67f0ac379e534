"""The user's guide: every block of code runs, and every error reads as the guide says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from capc.foundation.errors import InputError
from capc.models.model import QuantisedModel

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "bring-your-own-model.md"
BLOCK = re.compile(r"```(python error|python|text)\n(.*?)```", re.DOTALL)


@pytest.mark.slow
# PyTorch's exporter uses what PyTorch itself calls old.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_guide_runs_and_its_errors_are_those_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    refusal, shown = "", 0
    for kind, text in BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        if kind == "python":
            exec(text, names)  # noqa: S102  # the guide's own code
        elif kind == "python error":
            with pytest.raises(InputError) as caught:
                exec(text, names)  # noqa: S102  # the guide's own code
            refusal = str(caught.value)
        else:
            assert text.strip() == refusal
            shown += 1
    assert shown == 10
    assert "rows" in capsys.readouterr().out
    # A file is read like the module that it was made from.
    quantised, from_file = names["quantised"], names["from_file"]
    assert isinstance(quantised, QuantisedModel)
    assert isinstance(from_file, QuantisedModel)
    assert from_file.architecture == quantised.architecture
    difference = np.abs(np.subtract(from_file.layers[0].weights, quantised.layers[0].weights)).max()
    assert difference <= 1
