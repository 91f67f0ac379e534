"""Draws every page of a built site in Chromium, wide and narrow, and says what does not fit, is broken or is missing.

The pages are served on loopback, to a browser that can look up no other host. A page of this package loads them one
after the other into frames, measures them, and posts what it finds back.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from urllib.parse import quote

from capc.foundation.errors import InputError

WIDTHS = (1280, 400)
MISSING = "Chromium is not installed: on Debian, apt-get install chromium"

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_CHECK = Path(__file__).parents[1] / "assets" / "check"
_PREFIX = "/__check__/"
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
_SILENCE = 120.0
"""Seconds without a word from the browser after which it is given up."""


def chromium() -> str | None:
    """The browser, if there is one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


def findings(site: Path, program: str, pages: Sequence[str] | None = None) -> list[str]:
    """One line for each thing that a browser shows to be wrong.

    Args:
        site: the folder of the site.
        program: the browser.
        pages: their addresses; all of the site if None.

    Raises:
        InputError: the browser does not start, or says nothing more.
    """
    if pages is None:
        pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html") if path.name != "404.html")
    told: Queue[dict[str, Any]] = Queue()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(site, pages, told)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            return _run(program, f"http://127.0.0.1:{server.server_address[1]}{_PREFIX}index.html", len(pages), told)
        finally:
            server.shutdown()
            thread.join()


def _run(program: str, address: str, pages: int, told: Queue[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *_FLAGS, f"--user-data-dir={profile}", "--window-size=1500,1000", address]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
        try:
            for _ in range(pages):
                page = told.get(timeout=_SILENCE)
                found += [f"{page['page']}: {finding}" for finding in page["findings"]]
        except Empty:
            raise InputError(f"{program} says nothing for {_SILENCE:.0f} s; does it start, with {address}?") from None
        finally:
            browser.terminate()
            browser.wait()
    return sorted(found)


def _handler(site: Path, pages: Sequence[str], told: Queue[dict[str, Any]]) -> Callable[..., SimpleHTTPRequestHandler]:
    """Serves the site, the page that checks it, and the list of pages; takes what was found."""

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == f"{_PREFIX}pages.json":
                self._answer(json.dumps({"pages": list(map(quote, pages)), "widths": WIDTHS}).encode())
            elif self.path.startswith(_PREFIX):
                self._answer((_CHECK / Path(self.path).name).read_bytes())
            else:
                super().do_GET()

        def do_POST(self) -> None:
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(b"{}")

        def log_message(self, *_: object) -> None:
            """Says nothing of what it serves."""

        def _answer(self, content: bytes) -> None:
            kinds = {".html": "text/html; charset=utf-8", ".js": "text/javascript"}
            self.send_response(200)
            self.send_header("Content-Type", kinds.get(Path(self.path).suffix, "application/json"))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return partial(Handler, directory=str(site))
