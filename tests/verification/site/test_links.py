"""Whatever leads nowhere on a built site is found, and whatever would be loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from capc_verify.site.checks.links import findings


def _site(folder: Path, body: str) -> Path:
    pages = {
        "index.html": f"<html><body>{body}</body></html>",
        "a/b.html": '<h1 id="here">b</h1><a href="../index.html">up</a><a href="../a/">list</a>',
        "a/index.html": '<a href="b.html#here">b</a><a href="https://example.org/">out</a>',
        "404.html": '<a href="/nowhere.html">from anywhere</a>',
    }
    for name, text in pages.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "x.css").touch()
    return folder


def test_a_whole_site_has_no_findings(tmp_path: Path) -> None:
    body = '<link rel="stylesheet" href="x.css"><a href="a/b.html#here">b</a><a href="#top" id="top">t</a><a name="n">'
    assert findings(_site(tmp_path, body)) == []


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        ('<a href="c.html">', "index.html: links to c.html, which is not there"),
        ('<a href="a/b.html#gone">', "index.html: links to a/b.html#gone, which has no such anchor"),
        ('<a href="#gone">', "index.html: links to #gone, which has no such anchor"),
        ('<img src="y.svg">', "index.html: loads y.svg, which is not there"),
        (
            '<script src="https://cdn.example.org/x.js"></script>',
            "index.html: loads https://cdn.example.org/x.js, which is elsewhere",
        ),
        ('<link rel="icon" href="//example.org/i.png">', "index.html: loads //example.org/i.png, which is elsewhere"),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, body: str, finding: str) -> None:
    assert findings(_site(tmp_path, body)) == [finding]
