"""Pages of what stands behind the statements: an overview by claims and areas, and a page for each area."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from capc_verify.audit.report.prose import parted
from capc_verify.site.atlas import (
    Atlas,
    evidence_address,
    evidence_page,
    test_address,
    vector_address,
)
from capc_verify.site.pages.faults import fault_address
from capc_verify.site.text.documents import built
from capc_verify.site.text.prose import outside_listings, relative, with_ids, with_sections
from capc_verify.site.text.statements import badge
from capc_verify.trace.spec import Statement

OVERVIEW = "evidence/index.md"
_MOST_OPEN = 8
"""What is longer is folded."""

_KINDS = {
    "test": "a test that passed and names the statement",
    "enumeration": "a test that tries every case of a small instance",
    "proof": "a test that has a solver, or algebra, prove it",
    "model": "a test that searches a model",
    "vector": "a test vector, played back",
    "review": "a person who read the text, as it is",
    "assumption": "nothing: it is taken for granted",
}


def areas(atlas: Atlas) -> dict[str, list[Statement]]:
    """The statements of each area."""
    found: dict[str, list[Statement]] = {}
    for statement in atlas.specification.statements.values():
        found.setdefault(statement.area, []).append(statement)
    return dict(sorted(found.items()))


def summary(atlas: Atlas, statement: Statement, page: str) -> str:
    """What the head of a statement's box says of its evidence, as HTML."""
    told = [
        _many(len(atlas.functions_of(statement)), "test"),
        _many(len(atlas.vectors_of(statement)), "vector"),
        _many(len(atlas.traced.code.get(statement.id, ())), "place in code", "places in code"),
        _many(len(atlas.faults.get(statement.id, ())), "seeded fault"),
    ]
    where = relative(page, evidence_address(statement))
    return f'<a class="statement-evidence" href="{where}">{" · ".join(filter(None, told)) or "evidence"}</a>'


def area_page(atlas: Atlas, area: str, statements: Sequence[Statement]) -> str:
    """The statements of an area, each with its evidence."""
    page = built(evidence_page(area))
    parts = [f"# {area}: what stands behind it\n\n", _intro(atlas, page, statements)]
    parts += [_statement(atlas, page, statement) for statement in statements]
    return "\n".join(parts)


def overview(atlas: Atlas) -> str:
    """Claims, kinds of evidence, and areas."""
    page = built(OVERVIEW)
    statements = atlas.specification.statements
    kinds = Counter(statement.kind for statement in statements.values())
    lines = [
        "# Evidence",
        "",
        f"{len(statements)} statements are in force. What stands behind each is listed here, as the last whole run of "
        f"the suite left it{f' ({atlas.run})' if atlas.run else ''}. `capc verify CAPC-SEC-001` runs the evidence of "
        "one again, on your machine.",
        "",
        "## Kinds",
        "",
        "| kind | statements | what counts |",
        "|---|---|---|",
        *(f"| {badge(kind)} | {kinds[kind]} | {told} |" for kind, told in _KINDS.items() if kinds[kind]),
        "",
        "## Claims",
        "",
        "The claims of section 90, and the statements that show them.",
        "",
        "| claim | what is claimed | statements |",
        "|---|---|---|",
    ]
    for claim in atlas.claims.claims.values():
        shown = ", ".join(claim.statements)
        lines.append(f"| {claim.name.replace('*', chr(92) + '*')} | {claim.text} | {shown} |")
    lines += [
        "",
        "## Areas",
        "",
        "| area | statements | tests | vectors | places in code | seeded faults |",
        "|---|---|---|---|---|---|",
    ]
    for area, members in areas(atlas).items():
        tests = {name for each in members for name in atlas.functions_of(each)}
        vectors = {name for each in members for name in atlas.vectors_of(each)}
        code = {place for each in members for place in atlas.traced.code.get(each.id, ())}
        faults = {name for each in members for name in atlas.faults.get(each.id, ())}
        where = relative(page, built(evidence_page(area)))
        counts = " | ".join(str(len(found)) for found in (members, tests, vectors, code, faults))
        lines.append(f"| [{area}]({where}) | {counts} |")
    return _linked(atlas, page, "\n".join(lines) + "\n")


def _intro(atlas: Atlas, page: str, statements: Sequence[Statement]) -> str:
    files = list(dict.fromkeys(statement.file for statement in statements))
    names = [
        f"[{atlas.documents[file].title}]({relative(page, atlas.documents[file].address)})"
        for file in files
        if file in atlas.documents
    ]
    when = f" ({atlas.run})" if atlas.run else ""
    return (
        f"{_many(len(statements), 'statement')} of {', '.join(names)}. Tests and vectors are those that passed in the "
        f"last whole run of the suite{when}; what did not pass is not listed.\n"
    )


def _statement(atlas: Atlas, page: str, statement: Statement) -> str:
    where = relative(page, atlas.statement_address(statement.id) or "")
    claims = [name for name, claim in atlas.claims.claims.items() if statement.id in claim.statements]
    functions, vectors = atlas.functions_of(statement), atlas.vectors_of(statement)
    lines = [
        f"## {statement.id} {{#{statement.id}}}",
        "",
        '<div class="evidence-facts">' + badge(statement.kind) + f' <a href="{where}">as it is written</a> '
        f"{_result(atlas, statement)}{_claims(claims)}</div>",
        "",
        _linked(atlas, page, f"> {_one_paragraph(statement.sentence)}"),
        "",
        *_list("Code that names it", _code(atlas, page, statement)),
        *_list("Listings", _listings(atlas, page, statement)),
        *_list("Tests", [_test(page, name, cases) for name, cases in functions.items()]),
        *_list("Vectors", [f"[{name}]({relative(page, vector_address(name))})" for name in vectors]),
        *_list(
            "Seeded faults that these tests catch",
            [f"[{name}]({relative(page, fault_address(name))})" for name in atlas.faults.get(statement.id, ())],
        ),
    ]
    return "\n".join(lines)


def _one_paragraph(sentence: str) -> str:
    """The sentence without the table, list or listing that belongs to it: these are read where they stand."""
    told, belonging = parted(sentence)
    return f"{told} …" if belonging else told


def _result(atlas: Atlas, statement: Statement) -> str:
    if not statement.needs_test:
        return '<span class="result">nothing is run for it</span>'
    if not atlas.traced.evidence.get(statement.id):
        return '<span class="result result-bad">no test that passed</span>'
    if atlas.lock.get(statement.id) != statement.hash:
        return '<span class="result result-bad">the sentence changed since its evidence was confirmed</span>'
    return '<span class="result result-good">passed, and confirmed with this sentence</span>'


def _claims(names: Iterable[str]) -> str:
    told = [html.escape(name) for name in names]
    return f' <span class="result">claim{"s" * (len(told) > 1)} {", ".join(told)}</span>' if told else ""


def _code(atlas: Atlas, page: str, statement: Statement) -> Iterator[str]:
    for place in dict.fromkeys(atlas.traced.code.get(statement.id, ())):
        file, _, name = place.partition("::")
        module = atlas.modules.get(file)
        address = atlas.code_address(place)
        dotted = f"{module.name}.{name}".rstrip(".") if module else place
        yield f"[`{dotted}`]({relative(page, address)})" if address else f"`{place}`"


def _listings(atlas: Atlas, page: str, statement: Statement) -> Iterator[str]:
    """Of the functions that name the statement, and of those in modules that do."""
    places = set(atlas.traced.code.get(statement.id, ()))
    for listing in atlas.listings:
        if places & {listing.place, listing.module.file}:
            where = relative(page, f"{listing.document.address}#{listing.anchor}")
            yield f"[`{listing.defined.name}`]({where}), in {listing.document.title}"


def _test(page: str, function: str, cases: int) -> str:
    file, _, name = function.partition("::")
    more = f", {cases} cases" if cases > 1 else ""
    return f"[`{name}`]({relative(page, test_address(function))}) in `{file}`{more}"


def _list(title: str, entries: Iterable[str]) -> list[str]:
    listed = list(entries)
    if not listed:
        return []
    items = [f"- {entry}" for entry in listed]
    if len(listed) <= _MOST_OPEN:
        return [f"**{title}**", "", *items, ""]
    folded = [f"    {item}" for item in items]
    return [f'??? note "{title} ({len(listed)})"', "", *folded, ""]


def _linked(atlas: Atlas, page: str, text: str) -> str:
    """The text with links from ids and sections to where they stand."""

    def to(address: str | None) -> str | None:
        return None if address is None else relative(page, address)

    linked = outside_listings(text, lambda prose: with_ids(prose, lambda name: to(atlas.statement_address(name))))
    return outside_listings(
        linked, lambda prose: with_sections(prose, lambda number: to(atlas.section_address(number)))
    )


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or f'{one}s'}" if count else ""
