"""The index of the search finds statements, and leaves out what nobody searches for."""

from __future__ import annotations

import json
import re
from pathlib import Path

from capc_verify.site.checks.search import findings, shorten
from capc_verify.site.settings import settings

_SIGNATURE = "<pre><code>f(x)\n</code></pre> "
_SOURCE = ' Source code in <code>a.py</code> <pre><code>def f(x):\n    """Says."""\n</code></pre>'


def _index(site: Path, *items: tuple[str, str, str]) -> None:
    listed = [{"location": place, "title": title, "text": text} for place, title, text in items]
    (site / "search.json").write_text(json.dumps({"config": {}, "items": listed}), encoding="utf-8")


def test_the_index_loses_the_source_of_functions_and_nothing_else(tmp_path: Path) -> None:
    _index(
        tmp_path,
        ("api/a.html#f", "f", f"{_SIGNATURE}<p>Says:</p>     <p>all.</p>{_SOURCE}"),
        ("spec/a.html", "a", f"{_SIGNATURE}<p>Says.</p>{_SOURCE}"),
    )
    shorten(tmp_path)
    index = json.loads((tmp_path / "search.json").read_text(encoding="utf-8"))
    assert [item["text"] for item in index["items"]] == [
        "<p>Says:</p> <p>all.</p>",
        f"{_SIGNATURE}<p>Says.</p>{_SOURCE}",
    ]
    script = (tmp_path / "search.js").read_text(encoding="utf-8")
    assert json.loads(script.removeprefix("var __index = ")) == index


def test_a_statement_that_is_no_title_is_told(tmp_path: Path) -> None:
    _index(tmp_path, ("evidence/a.html#CAPC-A-001", "CAPC-A-001", ""), ("b.html", "b", "CAPC-A-002"))
    assert findings(tmp_path, ["CAPC-A-001", "CAPC-A-002"]) == ["search: CAPC-A-002 is not found"]


def test_an_id_is_one_word_of_the_search_and_other_words_are_divided() -> None:
    text = settings("x", [], [], Path("places.json"))
    separator = json.loads(re.search(r'"separator" = ("(?:[^"\\]|\\.)*")', text)[1])
    words = "See CAPC-AGG-001, capc-agg-001: two-party half_gates 0.5 a.b".replace(" ", "\n")
    divided = ["See", "CAPC-AGG-001", "capc-agg-001", "two", "party", "half", "gates", "0.5", "a", "b"]
    assert re.split(separator, words) == divided
