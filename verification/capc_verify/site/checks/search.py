"""The index of the search: made smaller, and held to finding every statement.

A browser reads the whole index before it finds anything. The source of functions is most of it, and is not what is
searched for: names, docstrings and ids are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_SIGNATURE = re.compile(r"\A<pre>.*?</pre>\s*", re.DOTALL)
_SOURCE = re.compile(r"\s*Source code in <code>.*", re.DOTALL)
_SPACES = re.compile(r"\s{2,}")


def shorten(site: Path) -> None:
    """Takes the source of functions out of the index of a built site.

    Args:
        site: its folder; the index lies there twice, for servers and for pages that are opened as files.
    """
    index = _read(site)
    for item in index["items"]:
        if item["location"].startswith("api/"):
            item["text"] = _SPACES.sub(" ", _SOURCE.sub("", _SIGNATURE.sub("", item["text"])))
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (site / "search.json").write_text(text, encoding="utf-8")
    (site / "search.js").write_text(f"var __index = {text}", encoding="utf-8")


def findings(site: Path, identifiers: Iterable[str]) -> list[str]:
    """One line for each id that is no title in the index."""
    titles = {item["title"] for item in _read(site)["items"]}
    return [f"search: {identifier} is not found" for identifier in identifiers if identifier not in titles]


def _read(site: Path) -> dict[str, Any]:
    index: dict[str, Any] = json.loads((site / "search.json").read_text(encoding="utf-8"))
    return index
