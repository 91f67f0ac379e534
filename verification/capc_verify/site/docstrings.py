"""What mkdocstrings shows of docstrings, with links: from ids to statements, from names to code, back to listings.

An extension of Griffe, which reads the code for mkdocstrings; `make site` names it in the settings of the site.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import griffe

from capc_verify.site.text.prose import outside_spans, with_ids

_ROLE = re.compile(r":(?:func|class|meth|data|mod|attr|exc):`~?([\w.]+)`")
_LABEL = re.compile(r"^(Spec|Reveals|Source|Learns|Secret): ", re.MULTILINE)
_TAG = re.compile(r"<(?=[A-Za-z/!])")


class Docstrings(griffe.Extension):  # type: ignore[misc]
    """Rewrites each docstring of a package that was read."""

    def __init__(self, places: str) -> None:
        """Reads where everything is.

        Args:
            places: a file of JSON: `statements` by id, `objects` by dotted name, `listings` by dotted name; each
                with addresses relative to the pages of code.
        """
        self._places: dict[str, Any] = json.loads(Path(places).read_text(encoding="utf-8"))

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """Rewrites a package, once all of it was read."""
        self._rewrite(pkg)

    def _rewrite(self, item: griffe.Object) -> None:
        if item.docstring is not None:
            item.docstring.value = self._told(item, item.docstring.value)
        elif item.path in self._places["listings"]:
            item.docstring = griffe.Docstring(self._listed(item.path).strip(), parent=item)
        for member in item.members.values():
            if not member.is_alias:
                self._rewrite(member)

    def _told(self, item: griffe.Object, text: str) -> str:
        text = _ROLE.sub(lambda match: self._named(item, match[1]), text)
        text = outside_spans(_LABEL.sub(r"**\1:** ", text), lambda part: _TAG.sub("&lt;", part))
        text = with_ids(text, self._places["statements"].get)
        # Before the sections of arguments and results, which end a docstring.
        first, gap, rest = text.partition("\n\n")
        return first + self._listed(item.path) + gap + rest

    def _named(self, item: griffe.Object, name: str) -> str:
        try:
            path = item.resolve(name)
        except griffe.NameResolutionError:
            path = name
        place = self._places["objects"].get(path)
        shown = name.rpartition(".")[2]
        return f"[`{shown}`]({place})" if place else f"`{shown}`"

    def _listed(self, path: str) -> str:
        places = self._places["listings"].get(path, [])
        return "".join(f"\n\nListed in [{title}]({address})." for title, address in places)
