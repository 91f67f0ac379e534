"""Reads the specification's text: sections, and the parts that are generated into them."""

from __future__ import annotations

from pathlib import Path

SPEC = Path(__file__).parents[2] / "spec"


def section(name: str) -> str:
    """The text of a file of the specification."""
    return (SPEC / name).read_text("utf-8")


def part_after(text: str, name: str) -> list[str]:
    """The lines of a generated part."""
    lines = text[text.index(f"<!-- generated: {name} -->\n") :].partition("\n\n")[0].splitlines()
    return lines[1:]


def rows_after(text: str, name: str) -> list[list[str]]:
    """The cells of a generated table, without its heads."""
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in part_after(text, name)[2:]]
