"""The drawing of the house: rooms, floors and arrows, computed from the imports of all five source roots.

A room is a package directly below `capc`, or another package of the repository as a whole. A room stands one floor
above the highest that it imports. The order itself is declared in `.importlinter`, which `make imports` checks.
"""

from __future__ import annotations

import configparser
from collections import Counter
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest

from support.sources import FOLDERS, ROOT, modules

MOST_MODULES = 14
ALL = tuple(FOLDERS)
Arrows = dict[str, set[str]]


def room(package: str, levels: int) -> str:
    """Where a package lies: in one of so many levels below `capc`, or in another package of the repository."""
    parts = package.split(".")
    return ".".join(parts[: 1 + levels]) if parts[0] == "capc" else parts[0]


@cache
def arrows(levels: int) -> Arrows:
    """Which room imports which; the face of `capc`, which hands names on, is one of its own and no arrow's target."""
    rooms = {module.name: room(module.package, levels) for module in modules(ALL)}
    drawn: Arrows = {name: set() for name in rooms.values()}
    for module in modules(ALL):
        # A name may be a module of a package, or one that a module defines.
        imported = {name if name in rooms else name.rpartition(".")[0] for name in module.imports} & rooms.keys()
        drawn[rooms[module.name]] |= {rooms[name] for name in imported} - {rooms[module.name], "capc"}
    return drawn


def floors(drawn: Arrows) -> int:
    """The longest chain; a circle raises :class:`graphlib.CycleError`."""
    floor: dict[str, int] = {}
    for name in TopologicalSorter(drawn).static_order():
        floor[name] = 1 + max((floor[below] for below in drawn[name]), default=0)
    return max(floor.values())


@pytest.mark.slow
def test_at_most_20_rooms_on_12_floors() -> None:
    drawn = arrows(1)
    assert {"capc.foundation", "capc.protocol", "capc.cli", "capc_verify"} <= set(drawn)
    assert len(drawn) <= 20
    assert floors(drawn) <= 12


@pytest.mark.slow
def test_no_circle_among_the_rooms_of_rooms() -> None:
    assert floors(arrows(2)) <= 12


def test_no_folder_holds_more_modules_than_one_can_look_over() -> None:
    folders = Counter(module.package for module in modules(ALL) if not module.is_package)
    assert {folder: count for folder, count in folders.items() if count > MOST_MODULES} == {}


@pytest.mark.slow
def test_the_declared_order_names_every_room_and_holds() -> None:
    declared = configparser.ConfigParser()
    declared.read(ROOT / ".importlinter", encoding="utf-8")
    lines = declared["importlinter:contract:rooms"]["layers"].strip().split("\n")
    depth = {f"capc.{name.strip()}": place for place, line in enumerate(lines) for name in line.split("|")}
    drawn = {name: below for name, below in arrows(1).items() if name.startswith("capc.")}
    assert set(drawn) == set(depth)
    assert [(name, other) for name in drawn for other in drawn[name] & set(depth) if depth[other] <= depth[name]] == []


def test_a_circle_is_seen() -> None:
    with pytest.raises(CycleError):
        floors({"a": {"b"}, "b": {"a"}})
