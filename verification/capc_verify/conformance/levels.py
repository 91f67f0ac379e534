"""What is judged, level by level, and which level stands on which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from capc.foundation.errors import InputError
from capc_verify.vectors.places import read_document, schema_path, spec_folder, vector_path
from capc_verify.vectors.values import Json


@dataclass(frozen=True)
class Level:
    """Vectors that a port can pass without those of later levels.

    Attributes:
        name: as the command line takes it.
        stems: the vector files; the groups of type `Payload` of `messages`, which need points, belong to two-party.
        after: the levels without which it cannot be passed.
    """

    name: str
    stems: tuple[str, ...]
    after: tuple[str, ...] = ()


LEVELS: Mapping[str, Level] = {
    level.name: level
    for level in (
        Level("encodings", ("ring", "xof", "session", "messages")),
        Level(
            "two-party",
            ("messages", "circuits", "gate_lists", "oblivious_transfer", "garbling", "aggregation"),
            ("encodings",),
        ),
        Level("noise", ("noise", "noise_traces"), ("encodings",)),
        Level("streams", ("streams",), ("encodings", "noise")),
        Level("he", ("operators", "he", "he_layers"), ("encodings",)),
        Level(
            "protocol",
            (
                "protocol_plain",
                "protocol_threshold",
                "protocol_single_draw",
                "protocol_realised",
                "protocol_batches",
                "protocol_all_pairs",
                "protocol_rounds",
                "run",
            ),
            ("encodings", "two-party", "noise", "streams", "he"),
        ),
        Level("accounting", ("accounting",), ("encodings",)),
        Level("ledger", ("ledger",), ("encodings", "accounting")),
    )
}
"""In the order in which they are judged."""

_OF_POINTS = "Payload"
_MESSAGES = "messages"


@dataclass(frozen=True)
class Group:
    """A group of vectors, of one level.

    Attributes:
        level: the level's name.
        stem: the vector file.
        document: the group, as the file holds it.
        chosen: the names of the tests that are judged, in order.
    """

    level: str
    stem: str
    document: Json
    chosen: tuple[str, ...]


def groups(levels: Sequence[str] = (), patterns: Sequence[str] = ()) -> list[Group]:
    """The groups that have a test to be judged.

    Args:
        levels: names of levels; all of them if there are none.
        patterns: ``stem::name`` of tests, with ``*`` and ``?``; all tests if there are none.

    Raises:
        InputError: a level is unknown, or a pattern fits no test of the levels.
    """
    for name in levels:
        if name not in LEVELS:
            raise InputError(f"level {name!r} does not exist: choose from {', '.join(LEVELS)}")
    wanted = [level for level in LEVELS.values() if not levels or level.name in levels]
    everything = [group for level in wanted for group in _of_level(level)]
    for pattern in patterns:
        check_pattern(pattern, everything)
    if not patterns:
        return everything
    chosen = [
        Group(
            group.level,
            group.stem,
            group.document,
            tuple(name for name in group.chosen if _fits(group, name, patterns)),
        )
        for group in everything
    ]
    return [group for group in chosen if group.chosen]


def check_pattern(pattern: str, among: Sequence[Group]) -> None:
    """Refuses a pattern that fits nothing.

    Raises:
        InputError: no test of these groups has such a name.
    """
    if not any(_fits(group, name, [pattern]) for group in among for name in group.chosen):
        raise InputError(f"no vector is called {pattern!r}: names are FILE::NAME, as `capc-vectors list` shows them")


def _fits(group: Group, name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(f"{group.stem}::{name}", pattern) for pattern in patterns)


def _of_level(level: Level) -> Iterator[Group]:
    for stem in level.stems:
        for document in vectors(stem)["testGroups"]:
            in_two_party = document["type"] == _OF_POINTS
            if stem != _MESSAGES or in_two_party == (level.name != "encodings"):
                yield Group(level.name, stem, document, tuple(test["name"] for test in document["tests"]))


@cache
def vectors(stem: str) -> Json:
    """A vector file of the installed specification."""
    return read_document(vector_path(spec_folder(), stem))


@cache
def schema(stem: str) -> Json:
    """Its schema."""
    return read_document(schema_path(spec_folder(), stem))


def spec_version() -> str:
    """The version that all vector files state."""
    return str(vectors("ring")["specVersion"])
