"""The page of seeded faults: what each does, and the tests that must catch it."""

from __future__ import annotations

from capc_verify.faults import families
from capc_verify.site.atlas import Atlas, evidence_address, test_address
from capc_verify.site.text.documents import built
from capc_verify.site.text.prose import relative

PAGE = "evidence/faults.md"


def fault_address(name: str) -> str:
    """Where a fault is described."""
    return f"{built(PAGE)}#fault-{name}"


def faults_page(atlas: Atlas) -> str:
    """All faults, family by family."""
    page = built(PAGE)
    breaks: dict[str, list[str]] = {}
    for identifier, names in atlas.faults.items():
        for name in names:
            breaks.setdefault(name, []).append(identifier)
    lines = [
        "# Seeded faults",
        "",
        "Each puts one mistake into the running code; tests must fail with it, and pass without. "
        "`capc verify faults NAME` shows it.",
        "",
    ]
    for family, faults in sorted(families().items()):
        lines += [f"## {family.replace('_', ' ')}", ""]
        for name, fault in sorted(faults.items()):
            lines += [f"### {name.replace('_', ' ')} {{#fault-{name}}}", "", " ".join(fault.summary.split()), ""]
            lines.append(f"- its name: `{name}`")
            caught = [_caught(atlas, page, node) for node in fault.detected_by]
            lines += [f"- caught by {node}" for node in caught]
            statements = [atlas.specification.statements[identifier] for identifier in breaks.get(name, ())]
            names = [f"[{each.id}]({relative(page, evidence_address(each))})" for each in statements]
            lines += [f"- against {', '.join(names)}", ""] if names else [""]
    return "\n".join(lines)


def _caught(atlas: Atlas, page: str, node: str) -> str:
    file, _, name = node.partition("[")[0].partition("::")
    shown = name.replace("::", ".") in atlas.tests.get(file, {})
    return f"[`{node}`]({relative(page, test_address(f'{file}::{name}'))})" if shown else f"`{node}`"
