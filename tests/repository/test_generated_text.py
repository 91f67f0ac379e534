"""What the specification prints of data and code is what data and code are now."""

from __future__ import annotations

from pathlib import Path

import pytest

from capc_verify.vectors.tables import TABLES, with_tables

FILES = sorted((Path(__file__).parents[2] / "spec").glob("*.md"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_generated_parts_are_current(file: Path) -> None:
    text = file.read_text("utf-8")
    assert with_tables(text) == text


@pytest.mark.parametrize("name", TABLES)
def test_every_part_stands_in_the_text_once(name: str) -> None:
    assert sum(file.read_text("utf-8").count(f"<!-- generated: {name} -->") for file in FILES) == 1
    assert "\n\n" not in TABLES[name]()
