"""What Zensical is told: pages in their order, looks, and nothing that a browser would have to fetch from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Entry = Mapping[str, Any]
"""A title with a page, or with a list of entries."""

_FEATURES = (
    "content.code.copy",
    "content.tooltips",
    "navigation.footer",
    "navigation.indexes",
    "navigation.path",
    "navigation.prune",
    "navigation.tabs",
    "navigation.tabs.sticky",
    "navigation.top",
    "search.highlight",
    "toc.follow",
)
_PALETTE = (
    ("(prefers-color-scheme)", None, "lucide/sun-moon", "Switch to light mode"),
    ("(prefers-color-scheme: light)", "default", "lucide/sun", "Switch to dark mode"),
    ("(prefers-color-scheme: dark)", "slate", "lucide/moon", "Follow the system"),
)
_SEPARATOR = r'[\s,:!=\[\]()\\"`/_]+|\.(?!\d)|-(?!(?:[A-Za-z]+-)?\d{3}\b)'
"""Of words in the search: the id of a statement is one word."""
SHIM = "assets/iframe-worker.js"
"""Makes the search work where pages are opened as files; the theme would otherwise fetch one from elsewhere."""
STYLE = "assets/site.css"


def settings(title: str, navigation: Sequence[Entry], roots: Sequence[Path], places: Path) -> str:
    """The text of `zensical.toml`.

    Args:
        title: of the site.
        navigation: the entries.
        roots: folders from which the packages are imported.
        places: the file that the extension for docstrings reads.
    """
    project = {
        "site_name": title,
        "site_description": "Confidential and Private Collaborative learning: specification, evidence and reference",
        "docs_dir": "pages",
        "site_dir": "site",
        "use_directory_urls": False,
        "extra_css": [STYLE],
        "nav": list(navigation),
        "theme": {
            "language": "en",
            "font": False,
            "features": list(_FEATURES),
            "palette": [_palette(*entry) for entry in _PALETTE],
        },
        "extra": {"generator": False, "polyfills": [{"path": SHIM, "type": "text/javascript", "async": False}]},
        "plugins": {
            "offline": {},
            "search": {"separator": _SEPARATOR},
            "mkdocstrings": {"handlers": {"python": _handler(roots, places)}},
        },
        "markdown_extensions": {
            "admonition": {},
            "attr_list": {},
            "md_in_html": {},
            "tables": {},
            "toc": {"permalink": True},
            "pymdownx": {
                "betterem": {},
                "details": {},
                "highlight": {"pygments_lang_class": True, "linenums_style": "table"},
                "magiclink": {},
                "superfences": {},
            },
        },
    }
    return "\n".join(f"{key} = {_toml(value)}" for key, value in {"project": project}.items()) + "\n"


def _palette(media: str, scheme: str | None, icon: str, told: str) -> Entry:
    return {"media": media, "toggle": {"icon": icon, "name": told}} | ({"scheme": scheme} if scheme else {})


def _handler(roots: Sequence[Path], places: Path) -> Entry:
    return {
        "paths": [str(root) for root in roots],
        "options": {
            "docstring_style": "google",
            "docstring_section_style": "list",
            "extensions": [{"capc_verify.site.docstrings": {"places": str(places)}}],
            "filters": ["!^__"],
            "heading_level": 1,
            "line_length": 90,
            "members_order": "source",
            "separate_signature": True,
            "show_root_heading": True,
            "show_root_full_path": True,
            "show_signature_annotations": True,
            "show_source": True,
            "show_submodules": False,
        },
    }


def _toml(value: object) -> str:
    """A value as TOML writes it, in one line; its texts are written as those of JSON."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
