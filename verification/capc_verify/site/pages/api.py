"""Pages of the code: a page for each module, written by mkdocstrings, and one for each package with its modules."""

from __future__ import annotations

from collections.abc import Mapping

from capc_verify.site.atlas import Atlas, api_page
from capc_verify.site.text.code import Module
from capc_verify.site.text.prose import relative

OVERVIEW = "api/index.md"
_FIRST = {
    "capc": "the reference: what the specification says, in Python to be read",
    "capc_spec": "the specification's data: names, parameter sets, schemas, vectors",
    "capc_mpc": "the secure steps on MP-SPDZ",
    "capc_verify": "evidence: vectors, conformance, proofs, faults, reports, and this site",
}


def module_page(module: Module, of_package: Mapping[str, Module]) -> str:
    """A module, with the way up to its packages, and down to the modules of a package.

    Args:
        module: its page.
        of_package: the modules that are directly in it, if it is a package.
    """
    parts = module.name.split(".")
    ways = [".".join(parts[: depth + 1]) for depth in range(len(parts) - 1)]
    up = " / ".join(["[Code](index.html)", *(f"[{way.rpartition('.')[2]}]({way}.html)" for way in ways), parts[-1]])
    lines = ["---", f"title: {module.name}", "---", "", f'<p class="way" markdown="span">{up}</p>', ""]
    lines += [f"::: {module.name}", ""]
    if of_package:
        lines += ["## Modules", "", "| module | what it is |", "|---|---|"]
        lines += [f"| [`{each.name}`]({each.name}.html) | {_cell(each.summary)} |" for each in of_package.values()]
    return "\n".join(lines) + "\n"


def overview(atlas: Atlas) -> str:
    """The packages and their rooms."""
    lines = [
        "# Code",
        "",
        "Every function names the statements that it implements, and leads back to them; its source is folded under "
        "it. Names that begin with an underscore are shown too: this is to be read.",
        "",
    ]
    rooms = inside(atlas)
    by_name = {module.name: module for module in atlas.modules.values()}
    for name, told in _FIRST.items():
        if name not in by_name:
            continue
        where = relative("api/index.html", api_page(name))
        lines += [f"## {name}", "", f"[`{name}`]({where}): {told}.", "", "| room | what it is |", "|---|---|"]
        for room in rooms.get(name, {}).values():
            where = relative("api/index.html", api_page(room.name))
            lines.append(f"| [`{room.name}`]({where}) | {_cell(room.summary)} |")
        lines.append("")
    return "\n".join(lines)


def inside(atlas: Atlas) -> dict[str, dict[str, Module]]:
    """The modules directly in each package."""
    found: dict[str, dict[str, Module]] = {}
    for module in atlas.modules.values():
        if module.package:
            found.setdefault(module.package, {})[module.name] = module
    return found


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|").replace("<", "&lt;")
