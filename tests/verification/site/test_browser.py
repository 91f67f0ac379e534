"""What a browser shows to be wrong is found; these need Chromium, as the end of `make site` does."""

from __future__ import annotations

from pathlib import Path

import pytest

from capc.foundation.errors import InputError
from capc_verify.site.checks.browser import MISSING, chromium, findings

pytestmark = pytest.mark.slow

_WORD = "w" * 300
_BAD = {
    "wide.html": (f"<p>{_WORD}</p>", "400 px: the page is"),
    "table.html": ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "has rows of 2 and 1 cells"),
    "narrow.html": (
        '<table style="width: 40px"><tr><td style="word-break: break-all">querying_party</td></tr></table>',
        "px wide",
    ),
    "raw.html": ("<p>| a | b |</p>", "not drawn: | a | b |"),
    "fence.html": ("<p>```python error</p>", "not drawn: ```python"),
    "diagram.html": (
        '<figure class="diagram"><svg viewBox="0 0 9 9" width="99"><text y="9">far too long</text></svg></figure>',
        '"far too long" reaches out of its diagram',
    ),
    "mermaid.html": ('<pre class="mermaid">sequenceDiagram</pre>', "a diagram is not drawn"),
    "picture.html": ('<img src="gone.svg">', "picture gone.svg is not drawn"),
    "elsewhere.html": ('<img src="http://example.org/x.png">', "asks for http://example.org/x.png"),
}


@pytest.fixture
def program() -> str:
    found = chromium()
    if found is None:
        pytest.skip(MISSING)
    return found


def _page(body: str) -> str:
    return f'<!doctype html><meta charset="utf-8"><article class="md-content">{body}</article>'


def test_what_a_browser_shows_to_be_wrong_is_found_and_nothing_else(tmp_path: Path, program: str) -> None:
    for name, (body, _) in _BAD.items():
        (tmp_path / name).write_text(_page(body), encoding="utf-8")
    good = f'<p>Words, |x| + |y| < 3,\n|z| <= |x| + 1.</p><pre style="overflow: auto">{_WORD}</pre>'
    good += "<table><tr><td>a</td><td>b</td></tr></table>"
    (tmp_path / "good.html").write_text(_page(good), encoding="utf-8")
    found = findings(tmp_path, program)
    for name, (_, finding) in _BAD.items():
        assert any(line.startswith(f"{name}: ") and finding in line for line in found), (name, found)
    assert not any(line.startswith("good.html") for line in found)


def test_a_browser_that_says_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capc_verify.site.checks.browser._SILENCE", 0.1)
    with pytest.raises(InputError, match="says nothing"):
        findings(tmp_path, "true", ["index.html"])
