"""What an index lists is what is there."""

from pathlib import Path

import pytest

SPEC = Path(__file__).parents[2] / "spec" / "capc_spec"


@pytest.mark.parametrize("file", sorted((SPEC / "vectors").glob("*.json")), ids=lambda file: file.stem)
def test_ports_are_told_of_every_file_of_vectors(file: Path) -> None:
    assert f"`{file.name}`" in (SPEC / "README.md").read_text(encoding="utf-8")
    assert (SPEC / "schemas" / f"{file.stem}.schema.json").is_file()


@pytest.mark.parametrize("file", sorted((SPEC / "parameter_sets").glob("*.json")), ids=lambda file: file.stem)
def test_ports_are_told_of_every_parameter_set(file: Path) -> None:
    assert f"`{file.stem}`" in (SPEC / "README.md").read_text(encoding="utf-8")
