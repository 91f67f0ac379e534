"""The drawing of the house: rooms, floors and arrows, computed from the imports of all five source roots.

A room is a package directly below `capc`, or another package of the repository as a whole. A room stands one floor
above the highest that it imports. The order itself is declared in `.importlinter`, which `make imports` checks.
"""

from __future__ import annotations

import ast
import configparser
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = {"capc_spec": "spec", "capc": "reference", "capc_mpc": "mpc_programs", "capc_verify": "verification"}
ROOTS["capc_bench"] = "benchmarks"
MOST_MODULES = 14
Arrows = dict[str, set[str]]


def modules() -> dict[str, Path]:
    """Every module and package by its dotted name."""
    found = {}
    for package, root in ROOTS.items():
        for file in sorted((ROOT / root / package).rglob("*.py")):
            parts = file.relative_to(ROOT / root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imported(text: str, known: set[str]) -> set[str]:
    """Which of the known modules a text imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names & known


def room(module: str, levels: int) -> str:
    """Where a module lies: a package of so many levels below `capc`, or another package."""
    parts = module.split(".")
    return ".".join(parts[: 1 + levels]) if parts[0] == "capc" else parts[0]


def arrows(levels: int) -> Arrows:
    """Who imports whom. A module of more levels than its package is no room."""
    files = modules()
    packages = {name for name, file in files.items() if file.name == "__init__.py"}
    at = {name: room(name if name in packages else name.rpartition(".")[0], levels) for name in files}
    drawn: Arrows = {at[name]: set() for name in files}
    for name, file in files.items():
        drawn[at[name]] |= {at[other] for other in imported(file.read_text("utf-8"), set(files))} - {at[name], "capc"}
    return drawn


def floors(drawn: Arrows) -> int:
    """The longest chain; a circle raises :class:`graphlib.CycleError`."""
    floor: dict[str, int] = {}
    for name in TopologicalSorter(drawn).static_order():
        floor[name] = 1 + max((floor[below] for below in drawn[name]), default=0)
    return max(floor.values())


def test_at_most_20_rooms_on_12_floors() -> None:
    drawn = arrows(1)
    assert {"capc.foundation", "capc.protocol", "capc.cli", "capc_verify"} <= set(drawn)
    assert len(drawn) <= 20
    assert floors(drawn) <= 12


def test_no_circle_among_the_rooms_of_rooms() -> None:
    assert floors(arrows(2)) <= 12


def test_no_folder_holds_more_modules_than_one_can_look_over() -> None:
    folders: dict[Path, int] = {}
    for file in modules().values():
        folders[file.parent] = folders.get(file.parent, 0) + (file.name != "__init__.py")
    crowded = {str(folder.relative_to(ROOT)): count for folder, count in folders.items() if count > MOST_MODULES}
    assert crowded == {}


def test_the_declared_order_names_every_room_and_holds() -> None:
    declared = configparser.ConfigParser()
    declared.read(ROOT / ".importlinter", encoding="utf-8")
    lines = declared["importlinter:contract:rooms"]["layers"].split("\n")
    layer = {f"capc.{name.strip()}": depth for depth, line in enumerate(lines) for name in line.split("|")}
    drawn = {name: below for name, below in arrows(1).items() if name.startswith("capc.")}
    assert set(drawn) == set(layer) - {"capc."}
    upward = [(name, below) for name in drawn for below in drawn[name] if layer.get(below, 99) <= layer[name]]
    assert [pair for pair in upward if pair[1] in layer] == []


def test_a_circle_is_seen() -> None:
    with pytest.raises(Exception, match="cycle"):
        floors({"a": {"b"}, "b": {"a"}})
