"""The front page: where each of the three readers begins."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from capc_verify.site.atlas import Atlas
from capc_verify.site.text.diagrams import sequence_diagram

_TEXT = Path(__file__).parents[1] / "assets" / "front.md"
_DIAGRAM = re.compile(r"```mermaid\n(.*?)```", re.DOTALL)
_VERSION = re.compile(r"^Version ([\d.]+\d)", re.MULTILINE)


def front_page(atlas: Atlas, book: str | None) -> str:
    """The front page.

    Args:
        atlas: the checkout.
        book: the address of the specification as a PDF; None if it was not made.
    """
    overview = (atlas.root / "spec" / "00-overview.md").read_text(encoding="utf-8")
    picture = _DIAGRAM.search(overview)
    version = _VERSION.search(overview)
    statements = atlas.specification.statements.values()
    return Template(_TEXT.read_text(encoding="utf-8")).substitute(
        version=version[1] if version else "",
        picture=f'<figure class="diagram">{sequence_diagram(picture[1])}</figure>' if picture else "",
        book=f"[As one PDF]({book})" if book else "As one PDF: not made with this site",
        statements=len(atlas.specification.statements),
        shown=sum(bool(atlas.traced.evidence.get(each.id)) for each in statements),
        assumed=sum(each.kind == "assumption" for each in statements),
        tests=sum(map(len, atlas.tests.values())),
        vectors=sum(len(group["tests"]) for file in atlas.vectors.values() for group in file["testGroups"]),
        run=atlas.run or "of this checkout",
    )
