"""The specification as one PDF: cover, contents with page numbers, sections, registries, an index of statements."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

from capc.foundation.errors import InputError
from capc_verify.site.atlas import Atlas
from capc_verify.site.staging import of_document
from capc_verify.site.text.documents import Document, specification

_ASSETS = Path(__file__).parent / "assets"
_LINK = re.compile(r'(<a\b[^>]*?\bhref=")([^"]+)(")')
_ID = re.compile(r'(<(?:h[1-6])\b[^>]*?\bid=")([^"]+)(")')
_HEADING = re.compile(r'<h([12]) id="([^"]+)">(.*?)</h\1>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
_CODE = re.compile(r"<code>[^<]*</code>")
_JOINT = re.compile(r"(?<=\w)(?:_|::|\.|/|-)(?=\w)")
_PICTURE = re.compile(r'(<svg\b[^>]*?\s)width="(\d+)" height="(\d+)"')
_MILLIMETRES = 0.2
"""Of a pixel of a picture: its letters are those of the text then."""
_EVIDENCE = re.compile(r'<a class="statement-evidence"[^>]*>.*?</a>')
_EXTENSIONS = ("attr_list", "md_in_html", "tables", "toc", "pymdownx.betterem", "pymdownx.highlight")
_REGISTRIES = ("tags", "steps", "messages", "errors")


def unavailable() -> str:
    """Why no PDF can be made here, and what to do about it; empty if one can."""
    try:
        import weasyprint  # noqa: F401, PLC0415
    except ImportError:
        return "WeasyPrint is not installed: `make site` installs it, as does pip install 'capc[site]'"
    except OSError as error:
        return f"Pango is not there ({error}): on Debian, apt-get install libpango-1.0-0 libpangoft2-1.0-0"
    return ""


def write_book(atlas: Atlas, path: Path) -> int:
    """Writes the PDF.

    Args:
        atlas: the checkout.
        path: the file.

    Returns:
        How many pages it has.

    Raises:
        InputError: what is needed for it is not installed.
    """
    missing = unavailable()
    if missing:
        raise InputError(missing)
    from weasyprint import HTML  # noqa: PLC0415

    page = as_html(atlas)
    document = HTML(string=page, base_url=str(atlas.root)).render()
    path.parent.mkdir(parents=True, exist_ok=True)
    document.write_pdf(path)
    return len(document.pages)


def as_html(atlas: Atlas) -> str:
    """The whole of it as one page of HTML."""
    listed = [document for document in specification(atlas.root) if not document.source.endswith("README.md")]
    stems = {Path(document.address).name: _stem(document) for document in listed}
    sections = [f'<section class="section">{_section(atlas, document, stems)}</section>' for document in listed]
    added = [_registries(atlas), _index(atlas)]
    return Template((_ASSETS / "book.html").read_text(encoding="utf-8")).substitute(
        style=(_ASSETS / "book.css").read_text(encoding="utf-8") + _colours(),
        version=_version(atlas),
        run=html.escape(atlas.run or "of this checkout"),
        statements=len(atlas.specification.statements),
        contents=_contents([*sections, *added]),
        sections="\n".join([*sections, *added]),
    )


def _section(atlas: Atlas, document: Document, stems: dict[str, str]) -> str:
    import markdown  # noqa: PLC0415

    text = _EVIDENCE.sub("", of_document(atlas, document))
    extensions = [*_EXTENSIONS, "pymdownx.superfences", "pymdownx.magiclink"]
    # Ids of headings are those of their section, as several sections have headings of one name.
    made = markdown.markdown(text, extensions=extensions)
    stem = _stem(document)
    made = _ID.sub(lambda match: f"{match[1]}{stem}--{match[2]}{match[3]}", made)
    made = re.sub(r"<h1 id=\"[^\"]+\"", f'<h1 id="{stem}"', made, count=1)
    made = _LINK.sub(lambda match: f"{match[1]}{_target(match[2], stem, stems)}{match[3]}", made)
    return _PICTURE.sub(_smaller, _breakable(made))


def _breakable(page: str) -> str:
    """The page with places inside of long names in tables where a line may end."""

    def in_code(match: re.Match[str]) -> str:
        return _JOINT.sub("\\g<0>\N{ZERO WIDTH SPACE}", match[0])

    return _TABLE.sub(lambda table: _CODE.sub(in_code, table[0]), page)


def _smaller(match: re.Match[str]) -> str:
    """The size of a picture of the screen, on paper."""
    return f'{match[1]}width="{int(match[2]) * _MILLIMETRES:.1f}mm" height="{int(match[3]) * _MILLIMETRES:.1f}mm"'


def _target(link: str, stem: str, stems: dict[str, str]) -> str:
    """A link within the book; what is not in it is left out, so that paper promises nothing."""
    if ":" in link:
        return link
    path, _, anchor = link.partition("#")
    to = stems.get(Path(path).name) if path else stem
    if to is None:
        return ""
    own = anchor.startswith(("CAPC-", "listing-"))
    return f"#{anchor}" if own else f"#{to}--{anchor}" if anchor else f"#{to}"


def _stem(document: Document) -> str:
    return "section-" + Path(document.page).stem


def _contents(sections: Iterable[str]) -> str:
    lines = []
    for section in sections:
        for level, anchor, title in _HEADING.findall(section):
            told = _TAG.sub("", title).strip()
            lines.append(f'<li class="level-{level}"><a href="#{anchor}">{told}</a></li>')
    return "\n".join(lines)


def _registries(atlas: Atlas) -> str:
    """The data of names and parameter sets, as tables."""
    parts = ['<h1 id="registries">A. Registries</h1>']
    parts.append("<p>The data itself, as it lies in <code>capc_spec</code>; section 11 says what it means.</p>")
    for name in _REGISTRIES:
        entries = _data(atlas, f"names/{name}.json")
        rows = [{"name": key, **entry} for key, entry in entries.items()]
        parts.append(f'<h2 id="registry-{name}">{name.capitalize()}</h2>{_table(rows)}')
    sets = sorted((atlas.root / "spec" / "capc_spec" / "parameter_sets").glob("*.json"))
    columns = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sets}
    fields = list(dict.fromkeys(field for entry in columns.values() for field in entry))
    rows = [{"field": field, **{name: entry.get(field) for name, entry in columns.items()}} for field in fields]
    parts.append(f'<h2 id="registry-parameter-sets">Parameter sets</h2>{_table(rows)}')
    return _breakable(f'<section class="section registries">{"".join(parts)}</section>')


def _data(atlas: Atlas, name: str) -> dict[str, dict[str, Any]]:
    content: dict[str, dict[str, Any]] = json.loads((atlas.root / "spec" / "capc_spec" / name).read_text("utf-8"))
    return content


def _table(rows: list[dict[str, Any]]) -> str:
    heads = list(dict.fromkeys(head for row in rows for head in row))
    top = "".join(f"<th>{html.escape(head)}</th>" for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{_cell(row.get(head))}</td>" for head in heads) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    text = html.escape(_plain(value))
    if " " in text:
        return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    return f"<code>{text}</code>" if text else ""


def _plain(value: object) -> str:
    """A value of JSON as words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_plain(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return "; ".join(map(_plain, value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _index(atlas: Atlas) -> str:
    return (
        '<section class="section index"><h1 id="index-of-statements">B. Index of statements</h1>'
        f'<ul class="index">{"".join(_indexed(atlas))}</ul></section>'
    )


def _indexed(atlas: Atlas) -> Iterator[str]:
    for statement in atlas.specification.statements.values():
        kind = f'<span class="badge badge-{statement.kind}">{statement.kind}</span>'
        yield f'<li><a href="#{statement.id}">{statement.id}</a> {kind}</li>'


def _version(atlas: Atlas) -> str:
    text = (atlas.root / "spec" / "00-overview.md").read_text(encoding="utf-8")
    found = re.search(r"^Version ([\d.]+\d)", text, re.MULTILINE)
    return found[1] if found else ""


def _colours() -> str:
    """Of listings."""
    from pygments.formatters.html import HtmlFormatter  # noqa: PLC0415

    styles: str = HtmlFormatter(style="bw").get_style_defs(".highlight")
    return styles
