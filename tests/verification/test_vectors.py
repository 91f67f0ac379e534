"""Replays every vector through the shipped code, and shows that a changed expectation is found."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from capc.foundation.errors import InputError
from capc_verify.vectors.files import BUILDERS, generate
from capc_verify.vectors.places import read_document, spec_folder, vector_path
from capc_verify.vectors.registry import FILES, GROUP_TYPES
from capc_verify.vectors.replay import Replayer, VectorMismatchError, group_replayers
from support.sizes import nightly_only


@cache
def _document(stem: str) -> Any:
    return read_document(vector_path(spec_folder(), stem))


@cache
def _replayers(stem: str) -> list[Replayer]:
    return group_replayers(GROUP_TYPES, _document(stem)["testGroups"])


def _vectors() -> Iterator[Any]:
    for stem in FILES:
        for number, group in enumerate(_document(stem)["testGroups"]):
            for test in group["tests"]:
                mark = pytest.mark.req(*test["requirements"])
                yield pytest.param(stem, number, test["name"], id=f"{stem}::{test['name']}", marks=mark)


@pytest.mark.parametrize(("stem", "group", "name"), list(_vectors()))
def test_vector(stem: str, group: int, name: str) -> None:
    _replayers(stem)[group].replay(name)


def _changes(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every leaf of an expectation, with another value."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if key not in {"blob", "sha256", "length"}:
                yield from _changes(entry, (*place, key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _changes(entry, (*place, index))
        yield place, [*value, "0"]
    elif isinstance(value, bool) or value is None:
        yield place, 1 if value is None else not value
    elif isinstance(value, int):
        yield place, value + 1
    else:
        yield place, "1" + value if value[:1] != "1" else "2" + value[1:]


def _with(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(document)
    *path, last = place
    inner = changed
    for key in path:
        inner = inner[key]
    inner[last] = value
    return changed


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("ring", "ring_scale_16"),
        ("xof", "bits_widths"),
        ("session", "session_plain"),
        ("noise", "round_gaussian_3"),
        ("circuits", "release_c3_w10_tie"),
        ("circuits", "relu_window9_l12_f2_tie_of_all"),
        ("operators", "convolution_all_at_once"),
        ("operators", "max_pool_padded"),
        ("operators", "logits_residual_drawn_0"),
        ("operators", "refused_max_pool_empty_window"),
        ("garbling", "smallest_1"),
        ("aggregation", "zero_sum_2_parties_query_1"),
        ("accounting", "withheld_is_given_back"),
        ("messages", "mask_key_type"),
    ],
)
def test_every_changed_expectation_is_found(stem: str, name: str) -> None:
    tried = 0
    for group in _document(stem)["testGroups"]:
        names = [test["name"] for test in group["tests"]]
        if name not in names:
            continue
        test_number = names.index(name)
        for number, step in enumerate(group["tests"][test_number]["operations"]):
            for place, value in _changes(step["expect"]):
                whole = ("tests", test_number, "operations", number, "expect", *place)
                replayer = Replayer(GROUP_TYPES[group["type"]], _with(group, whole, value))
                with pytest.raises(VectorMismatchError, match=step["op"]):
                    replayer.replay(name)
                tried += 1
    assert tried > 0


def test_a_changed_blob_is_found() -> None:
    (group,) = copy.deepcopy(_document("protocol_plain")["testGroups"])
    honest = group["tests"][0]
    first = honest["operations"][0]["in"]["seed"]
    honest["operations"][0]["in"]["seed"] = first[:-2] + ("00" if first[-2:] != "00" else "01")
    with pytest.raises(VectorMismatchError, match="answering_party_begin_setup"):
        Replayer(GROUP_TYPES[group["type"]], group).replay("honest_session")


def test_an_error_where_a_result_is_expected_is_found() -> None:
    (group,) = copy.deepcopy(_document("xof")["testGroups"])
    test = next(test for test in group["tests"] if test["name"] == "below_zero")
    test["operations"][0]["expect"] = {"out": {"integers": ["0"], "next": "00"}}
    with pytest.raises(VectorMismatchError, match="below_zero"):
        Replayer(GROUP_TYPES["Xof"], group).replay("below_zero")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"op": "ring_addd"}, "does not exist"),
        ({"state_in": ["nothing"]}, "no operation of this test left"),
        ({"in": {"left": ["1"]}}, "are needed"),
        ({"state_out": ["sum"]}, "leaves 0 states"),
    ],
)
def test_a_broken_operation_is_no_pass(change: dict[str, Any], message: str) -> None:
    group = copy.deepcopy(_document("ring")["testGroups"][0])
    test = next(test for test in group["tests"] if test["name"] == "ring_add_10")
    test["operations"][0].update(change)
    with pytest.raises(InputError, match=message):
        Replayer(GROUP_TYPES["Ring"], group).replay("ring_add_10")


def test_an_unknown_group_type_is_refused() -> None:
    with pytest.raises(InputError, match="Rinq"):
        group_replayers(GROUP_TYPES, [{"type": "Rinq"}])


@nightly_only
@pytest.mark.slow
def test_the_files_are_what_the_code_generates() -> None:
    """Beside the nightly runs, `.ci/run` generates the files and looks for a difference."""
    folder = spec_folder()
    for path, text in generate(folder).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `capc-vectors generate`"


def test_every_file_has_a_builder() -> None:
    assert list(BUILDERS) == list(FILES)


def test_intervals_of_figures_are_as_wide_as_section_19_says() -> None:
    """From 10^-9 below a bound to 10^-6 above, of a joint cost 10^-3 both ways; both ends are decimals of 12 digits."""
    checked = set()
    for group in read_document(vector_path(spec_folder(), "accounting"))["testGroups"]:
        for operation in (operation for test in group["tests"] for operation in test["operations"]):
            given = operation["in"]
            if "at_least" not in given or "error" in operation["expect"]:
                continue
            least, most = (Fraction(given[name]) for name in ("at_least", "at_most"))
            below, above = (1e-3, 1e-3) if operation["op"] == "joint_cost" else (1e-9, 1e-6)
            assert float(most / least) == pytest.approx((1 + above) / (1 - below), rel=1e-11)
            checked.add(operation["op"])
    assert len(checked) == 5
