"""Pages in a real browser that has no network: what it prints, what it asks for, and how wide it draws them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from html import unescape
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_MEASURE = """<!DOCTYPE html><meta charset="utf-8"><title>measuring</title><pre id="found"></pre>
<script>
const widths = %s, found = [];
function measure(frame) {
  const page = frame.contentDocument, root = page.documentElement, edge = root.clientWidth;
  page.querySelectorAll("details").forEach(part => { part.open = true; });
  const scrolls = part => part && (["auto", "scroll"].includes(getComputedStyle(part).overflowX) ||
    scrolls(part.parentElement));
  const beyond = [...page.body.querySelectorAll("*")].filter(part =>
    part.getBoundingClientRect().right > edge + 1 && !scrolls(part));
  return {width: root.scrollWidth, edge: edge, height: root.scrollHeight,
    beyond: beyond.slice(0, 5).map(part => part.outerHTML.slice(0, 200))};
}
function next() {
  if (found.length == widths.length) {
    document.getElementById("found").textContent = JSON.stringify(found);
    return;
  }
  const frame = document.createElement("iframe");
  frame.style.cssText = `width: ${widths[found.length]}px; height: 900px; border: 0`;
  frame.onload = () => { found.push(measure(frame)); frame.remove(); next(); };
  frame.src = %s;
  document.body.append(frame);
}
next();
</script>"""


def browser() -> str:
    """The program; the test that asks is skipped, and says so, where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the path, so no page was opened in one")
    return found


def opened(program: str, file: Path, *options: str) -> tuple[str, list[str]]:
    """What the browser prints, and every address that it was asked for, from its own log of the network."""
    log = file.with_suffix(".netlog")
    # Every host resolves to nothing: a request is seen in the log, and goes nowhere.
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
               "--disable-component-update", "--no-first-run", f"--user-data-dir={file.parent / 'profile'}",
               "--host-resolver-rules=MAP * ~NOTFOUND", f"--log-net-log={log}", *options, file.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found = re.findall(r'"url":("(?:[^"\\]|\\.)*")', log.read_text(encoding="utf-8", errors="replace"))
    return done.stdout, [json.loads(url) for url in found]


def beyond_the_edge(program: str, file: Path, widths: Sequence[int]) -> list[str]:
    """What is drawn beyond the window's edge at any of these widths, all folded parts opened; scrolled boxes may be."""
    harness = file.with_name("measure.html")
    harness.write_text(_MEASURE % (json.dumps(list(widths)), json.dumps(file.name)), encoding="utf-8")
    printed, _ = opened(
        program, harness, "--dump-dom", "--allow-file-access-from-files", "--virtual-time-budget=100000"
    )
    told = re.search(r'<pre id="found">(.+?)</pre>', printed, re.DOTALL)
    assert told is not None, "the page was not measured"
    measured = json.loads(unescape(told[1]))
    assert len(measured) == len(widths)
    assert all(each["height"] > 500 for each in measured)
    lines = [f"{width}: {what}" for width, each in zip(widths, measured, strict=True) for what in each["beyond"]]
    return lines + [
        f"{width}: is {each['width']} wide"
        for width, each in zip(widths, measured, strict=True)
        if each["width"] > each["edge"] and not each["beyond"]
    ]
