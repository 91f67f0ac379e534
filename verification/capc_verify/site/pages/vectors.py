"""A page for each file of test vectors: its vectors, and what each is evidence for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capc_verify.site.atlas import Atlas, evidence_address, vectors_page
from capc_verify.site.text.documents import built
from capc_verify.site.text.prose import relative
from capc_verify.trace.evidence import VECTORS

OVERVIEW = "evidence/vectors/index.md"


def file_page(atlas: Atlas, stem: str, file: Mapping[str, Any]) -> str:
    """The vectors of a file; what they hold is in the file itself, which the site carries."""
    page = built(vectors_page(stem))
    raw = relative(page, f"files/{(VECTORS / stem).as_posix()}.json")
    lines = [
        f"# Vectors: {stem}",
        "",
        *(line.replace("<", "&lt;") for line in file["header"]),
        "",
        f"The file itself: [`{stem}.json`]({raw}), {file['numberOfTests']} vectors of {file['algorithm']}, "
        f"specification {file['specVersion']}.",
        "",
        "| vector | what it tries | result | evidence for |",
        "|---|---|---|---|",
    ]
    lines += [_row(atlas, page, test) for group in file["testGroups"] for test in group["tests"]]
    return "\n".join(lines) + "\n"


def overview(atlas: Atlas) -> str:
    """All files."""
    page = built(OVERVIEW)
    lines = [
        "# Test vectors",
        "",
        "What a port must compute, byte for byte. Section 19 says what each operation is given and gives.",
        "",
        "| file | vectors | must be refused | algorithm |",
        "|---|---|---|---|",
    ]
    for stem, file in atlas.vectors.items():
        tests = [test for group in file["testGroups"] for test in group["tests"]]
        refused = sum(test["result"] == "invalid" for test in tests)
        where = relative(page, built(vectors_page(stem)))
        lines.append(f"| [{stem}]({where}) | {len(tests)} | {refused} | {file['algorithm']} |")
    return "\n".join(lines) + "\n"


def _row(atlas: Atlas, page: str, test: Mapping[str, Any]) -> str:
    statements = [atlas.specification.statements.get(identifier) for identifier in test["requirements"]]
    links = [f"[{each.id}]({relative(page, evidence_address(each))})" for each in statements if each]
    comment = " ".join(test["comment"].split()).replace("|", "\\|").replace("<", "&lt;")
    name = test["name"]
    return f'| <span id="{name}">`{name}`</span> | {comment} | {test["result"]} | {", ".join(links)} |'
