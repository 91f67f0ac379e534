"""What is done to texts before they are pages: links, boxes, diagrams, and whose code a listing is."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc_verify.site.text.code import by_last_name, listings_in, read_module
from capc_verify.site.text.diagrams import sequence_diagram
from capc_verify.site.text.prose import outside_listings, pieces, relative, with_ids, with_links, with_sections
from capc_verify.site.text.statements import boxed

_PAGES = st.lists(st.sampled_from(["spec", "docs", "a.b"]), max_size=3).map(lambda parts: "/".join([*parts, "x.html"]))
_WORDS = st.text(st.sampled_from("abc XYZ,()<&"), min_size=1, max_size=40).filter(lambda text: text.strip() == text)


@given(_PAGES, _PAGES)
def test_a_relative_link_leads_from_one_page_to_the_other(page: str, target: str) -> None:
    link = relative(page, f"{target}#here")
    path, _, anchor = link.partition("#")
    reached = (Path("/") / page).parent / path if path else Path("/") / page
    assert (reached.resolve(), anchor) == ((Path("/") / target).resolve(), "here")


def test_ids_become_links_but_in_code_links_tags_and_boxes() -> None:
    text = (
        "CAPC-A-001, `CAPC-A-001`, [CAPC-A-001](x), **CAPC-A-001**, CAPC-B-001 <a>\n<div class='x'>CAPC-A-001</div>\n"
    )
    linked = with_ids(text, {"CAPC-A-001": "y#z"}.get)
    expected = text.replace("CAPC-A-001, `", "[CAPC-A-001](y#z), `").replace("**CAPC-A-001**", "**[CAPC-A-001](y#z)**")
    assert linked == expected


def test_sections_become_links_but_in_headings() -> None:
    linked = with_sections("# section 07\nas section 07 says, and section 99\n", {"07": "07.html"}.get)
    assert linked == "# section 07\nas [section 07](07.html) says, and section 99\n"


def test_links_lead_where_they_are_told_also_around_code_and_across_lines() -> None:
    text = "[`a`](x.md), `[b](x.md)`, [c\nd](x.md#e), ![f](g.svg), [h](gone)"
    told = {"x.md": "x.html", "x.md#e": "x.html#e", "g.svg": "files/g.svg"}
    assert with_links(text, told.get) == "[`a`](x.html), `[b](x.md)`, [c\nd](x.html#e), ![f](files/g.svg), h"


@given(st.lists(st.sampled_from(["a", "", "```", "```python", "    ```"]), max_size=12).map("\n".join))
def test_pieces_are_the_text_and_what_is_between_fences_is_no_prose(text: str) -> None:
    assert "".join(piece for _, piece in pieces(text)) == text
    assert "```" not in "".join(piece for listing, piece in pieces(text) if not listing)
    assert outside_listings(text, lambda prose: prose) == text


def test_a_statement_takes_its_table_or_listing_into_its_box_and_no_more() -> None:
    text = (
        "**CAPC-A-001** (test) It MUST be:\n\n| a |\n|---|\n\nAfter.\n\n"
        "**CAPC-A-002** (proof) It MUST,\nalso here, be.\n\nAfter.\n\n"
        "**CAPC-A-003** (test) It MUST:\n\n```text\n\n**CAPC-A-009** (test)\n```\nAfter.\n\n"
        "**CAPC-A-004** (withdrawn) Gone.\n"
    )
    made = boxed(text, lambda identifier: f"<i>{identifier}</i>")
    boxes = re.findall(
        r'<div class="statement statement-(\w+)" id="([\w-]+)" markdown="1">(.*?)\n</div>', made, re.DOTALL
    )
    assert [(kind, name) for kind, name, _ in boxes] == [
        ("test", "CAPC-A-001"),
        ("proof", "CAPC-A-002"),
        ("test", "CAPC-A-003"),
        ("withdrawn", "CAPC-A-004"),
    ]
    contents = [content for *_, content in boxes]
    assert "| a |\n|---|" in contents[0]
    assert "also here, be." in contents[1]
    assert "**CAPC-A-009** (test)\n```" in contents[2]
    assert not any("After." in content for content in contents)
    assert ["<i>" in content for content in contents] == [True, True, True, False]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from("ABC"), st.sampled_from("ABC"), _WORDS).map(lambda m: f"{m[0]}->>{m[1]}: {m[2]}"),
            st.tuples(st.sampled_from("ABC"), _WORDS).map(lambda note: f"Note over {note[0]}: {note[1]}"),
            _WORDS.map(lambda words: f"loop {words}\n    A->>B: inside\nend"),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_diagram_is_well_formed_shows_every_word_and_nothing_outside_of_its_frame(rows: list[str]) -> None:
    source = "sequenceDiagram\n    participant A as first\n" + "\n".join(rows) + "\n"
    drawn = sequence_diagram(source)
    assert "\n" not in drawn
    picture = ElementTree.fromstring(drawn)  # noqa: S314
    shown = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    for row in rows:
        words = row.partition("\n")[0].removeprefix("loop ")
        words = words if row.startswith("loop") else words.partition(": ")[2]
        assert any(text is not None and text.removeprefix("loop: ") == words for text in shown)
    _, _, width, height = map(float, picture.attrib["viewBox"].split())
    for element in picture.iter():
        for name, most in (("x", width), ("x1", width), ("x2", width), ("y", height), ("y1", height), ("y2", height)):
            assert 0 <= float(element.attrib.get(name, 0)) <= most
        if element.tag.endswith("rect"):
            assert float(element.attrib["x"]) + float(element.attrib["width"]) <= width


@pytest.mark.parametrize("line", ["A-->>B: dashed", "alt x", "activate A", "Note left of A: x"])
def test_a_diagram_of_another_form_is_refused_by_its_line(line: str) -> None:
    with pytest.raises(InputError, match=re.escape(repr(line))):
        sequence_diagram(f"sequenceDiagram\n    {line}\n")


def test_another_kind_of_diagram_is_refused() -> None:
    with pytest.raises(InputError, match="only sequence diagrams"):
        sequence_diagram("flowchart LR\n")


def test_a_listing_is_of_the_function_with_the_same_code(tmp_path: Path) -> None:
    for name, value in (("one", 1), ("two", 2)):
        text = f'"""Module."""\n\n\nclass C:\n    def f(self):\n        """Says."""\n\n        return {value}\n'
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    read = [read_module(tmp_path, ".", tmp_path / f"{name}.py") for name in ("one", "two")]
    found = listings_in("def f(self):\n    return 2\n", by_last_name(read))
    assert [(module.name, defined.name) for module, defined in found] == [("two", "C.f")]
    assert listings_in("def f(self):\n    return 3\n", by_last_name(read)) == []
    assert listings_in("no python", by_last_name(read)) == []
