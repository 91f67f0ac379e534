"""A page for each file of tests that are evidence: what each test is evidence for, and its source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from capc_verify.site.atlas import Atlas, evidence_address, test_page
from capc_verify.site.text.code import Defined, Module
from capc_verify.site.text.documents import built
from capc_verify.site.text.prose import relative

OVERVIEW = "evidence/tests/index.md"


def tests_page(atlas: Atlas, file: str, functions: Mapping[str, Mapping[str, int]]) -> str:
    """The tests of a file."""
    page = built(test_page(file))
    module = atlas.test_modules[file]
    lines = [
        *_not_searched(file),
        f"# {Path(file).stem}",
        "",
        f"[All tests]({relative(page, built(OVERVIEW))}) / `{file}`",
        "",
        module.summary,
        "",
    ]
    for name, counts in sorted(functions.items(), key=lambda entry: _line_of(_defined(module, entry[0]))):
        lines += [f"## {name} {{#{name}}}", "", "Evidence for", ""]
        for identifier, cases in sorted(counts.items()):
            statement = atlas.specification.statements[identifier]
            more = f", {cases} cases" if cases > 1 else ""
            lines.append(f"- [{identifier}]({relative(page, evidence_address(statement))}){more}")
        defined = _defined(module, name)
        if defined is not None:
            lines += ["", f'```python linenums="{defined.line}"', *defined.text, "```"]
        lines.append("")
    return "\n".join(lines)


def overview(atlas: Atlas) -> str:
    """All files of tests that are evidence, by room."""
    page = built(OVERVIEW)
    rooms: dict[str, list[str]] = {}
    for file in sorted(atlas.tests):
        rooms.setdefault(file.rpartition("/")[0], []).append(file)
    lines = ["# Tests that are evidence", "", "By the folders of `tests`. Each test names the statements it shows.", ""]
    for room, files in rooms.items():
        lines += [f"## {room}", "", "| file | tests | what it is about |", "|---|---|---|"]
        for file in files:
            told = atlas.test_modules[file].summary.replace("|", "\\|")
            where = relative(page, built(test_page(file)))
            lines.append(f"| [`{Path(file).name}`]({where}) | {len(atlas.tests[file])} | {told} |")
        lines.append("")
    return "\n".join(lines)


def _defined(module: Module, name: str) -> Defined | None:
    """The test; of one that a class inherits, the class."""
    return module.defined.get(name) or module.defined.get(name.rpartition(".")[0])


def _line_of(defined: Defined | None) -> int:
    return defined.line if defined else 0


def _not_searched(title: str) -> list[str]:
    return ["---", f"title: {title}", "search:", "  exclude: true", "---", ""]
