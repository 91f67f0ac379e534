"""The data of the vectors: what the linter accepts, and every fault that it must find."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from capc.foundation.errors import InvalidPayloadError
from capc.foundation.primitives import read_point
from capc_verify.vectors import cli
from capc_verify.vectors.build import FileBuilder, GenerationError, canonical_text
from capc_verify.vectors.cases.common import invalid_points, message_faults
from capc_verify.vectors.derive import Source
from capc_verify.vectors.lint import lint, unlisted_statements
from capc_verify.vectors.operation import Fault
from capc_verify.vectors.operations.arithmetic import RING, XOF
from capc_verify.vectors.places import read_document, schema_path, spec_folder, vector_path
from capc_verify.vectors.registry import FILES
from capc_verify.vectors.values import apply_edit

_FOLDER = spec_folder()
_STEM = "aggregation"
_KNOWN = frozenset({"CAPC-AGG-001", "CAPC-AGG-002", "CAPC-AGG-005", "CAPC-PARAM-020", "CAPC-WIRE-005"})


@pytest.mark.parametrize("stem", FILES)
def test_schemas_are_valid_and_closed(stem: str) -> None:
    schema = read_document(schema_path(_FOLDER, stem))
    Draft202012Validator.check_schema(schema)
    open_objects = [
        part for part in _parts(schema) if part.get("type") == "object" and "additionalProperties" not in part
    ]
    assert open_objects == []


def _parts(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [part for entry in value for part in _parts(entry)]
    if isinstance(value, dict):
        return [value, *(part for entry in value.values() for part in _parts(entry))]
    return []


@pytest.mark.slow
def test_the_data_has_no_finding() -> None:
    assert cli.lint_all(_FOLDER) == []


def _problems(change: Callable[[Any], object], *, canonical: bool = True) -> str:
    document = copy.deepcopy(read_document(vector_path(_FOLDER, _STEM)))
    change(document)
    text = canonical_text(document) if canonical else canonical_text(document).replace("\n", "\n ", 1)
    return "\n".join(lint(_STEM, text, read_document(schema_path(_FOLDER, _STEM)), _KNOWN))


def _test(document: Any, name: str = "pairwise_key_neutral") -> Any:
    return next(test for group in document["testGroups"] for test in group["tests"] if test["name"] == name)


def _operation(document: Any) -> Any:
    return _test(document)["operations"][0]


def _rename(document: Any) -> None:
    operation = _operation(document)
    operation["exspect"] = operation.pop("expect")


_FAULTS: dict[str, tuple[Callable[[Any], object], str]] = {
    "misspelt key": (_rename, "expect"),
    "extra key": (lambda d: _test(d).update(note="x"), "note"),
    "extra key at the top": (lambda d: d.update(extra=1), "extra"),
    "extra input": (lambda d: _operation(d)["in"].update(extra="00"), "extra"),
    "missing input": (lambda d: _operation(d)["in"].pop("me"), "me"),
    "unknown operation": (lambda d: _operation(d).update(op="pairwise_keys"), "op"),
    "unknown group type": (lambda d: d["testGroups"][0].update(type="Aggregations"), "type"),
    "unknown error code": (lambda d: _operation(d)["expect"]["error"].update(code="bad_point"), "bad_point"),
    "unknown blame": (lambda d: _operation(d)["expect"]["error"].update(blame="answering"), "answering"),
    "upper-case hex": (lambda d: _operation(d)["in"].update(scalar="AB"), "AB"),
    "number for a protocol integer": (
        lambda d: _test(d, "sum_wraps_10_2")["operations"][0]["in"].update(shares=[[1]]),
        "1 is not of type",
    ),
    "float": (lambda d: _operation(d)["in"].update(me=1.5), "1.5"),
    "unknown result": (lambda d: _test(d).update(result="ok"), "ok"),
    "no requirement": (lambda d: _test(d).update(requirements=[]), "requirements"),
    "malformed id": (lambda d: _test(d).update(requirements=["AGG-1"]), "AGG-1"),
    "unknown id": (lambda d: _test(d).update(requirements=["CAPC-AGG-999"]), "CAPC-AGG-999"),
    "double name": (
        lambda d: _test(d).update(name="pairwise_key_order_two"),
        "2 tests are called pairwise_key_order_two",
    ),
    "flag without a note": (lambda d: d["notes"].pop("InvalidPoint"), "InvalidPoint has no note"),
    "misspelt flag": (lambda d: _test(d).update(flags=["InvalidPoints"]), "InvalidPoints has no note"),
    "note without a flag": (
        lambda d: d["notes"].update(Unused={"bugType": "MISUSE", "description": "x", "links": []}),
        "Unused",
    ),
    "wrong count": (lambda d: d.update(numberOfTests=1), "numberOfTests is 1"),
    "other version": (lambda d: d.update(specVersion="9.9.9"), "specVersion is 9.9.9"),
    "valid with an error": (lambda d: _test(d).update(result="valid"), "the result is valid"),
    "invalid without an error": (lambda d: _test(d, "pairwise_key_1_2").update(result="invalid"), "without an error"),
    "invalid without a flag": (lambda d: _test(d).update(flags=[]), "no flag says what is wrong"),
    "acceptable without a flag": (lambda d: _test(d, "pairwise_key_1_2").update(result="acceptable"), "acceptable"),
    "unknown blob": (lambda d: _operation(d)["in"].update(scalar={"blob": "nothing"}), "no blob nothing"),
    "unused blob": (lambda d: d["testGroups"][0]["blobs"].update(extra="00"), "no test uses the blob extra"),
    "prelude of nothing": (lambda d: _test(d).update(prelude={"test": "nothing", "operations": 1}), "prelude nothing"),
    "long prelude": (
        lambda d: _test(d).update(prelude={"test": "pairwise_key_1_2", "operations": 9}),
        "only 2 operations",
    ),
}


@pytest.mark.parametrize("fault", _FAULTS)
def test_the_linter_finds(fault: str) -> None:
    change, message = _FAULTS[fault]
    assert message in _problems(change)


def test_the_linter_finds_other_formatting() -> None:
    assert "canonical form" in _problems(lambda _: None, canonical=False)
    assert _problems(lambda _: None) == ""


def test_the_linter_finds_a_text_that_is_no_json() -> None:
    assert "not JSON" in lint(_STEM, "{", {}, None)[0]


def test_the_linter_finds_a_message_without_a_negative() -> None:
    def drop(document: Any) -> None:
        group = document["testGroups"][0]
        group["tests"] = [test for test in group["tests"] if "InvalidPoint" not in test["flags"]]

    assert "no vector of pairwise_key shows InvalidPoint" in _problems(drop)


def test_statements_without_a_vector_are_told() -> None:
    document = read_document(vector_path(_FOLDER, _STEM))
    assert unlisted_statements([document], frozenset({"CAPC-AGG-005", "CAPC-GC-002"})) == ["CAPC-GC-002"]


def test_edits() -> None:
    data = bytes(range(4))
    assert apply_edit(data, {"truncate": 1}) == b"\x00\x01\x02"
    assert apply_edit(data, {"truncate": 4}) == b""
    assert apply_edit(data, {"pad": 3}) == data + bytes(3)
    assert apply_edit(data, {"append": "ff"}) == data + b"\xff"
    assert apply_edit(data, {"at": 1, "replace": "aabb"}) == b"\x00\xaa\xbb\x03"


def test_each_fault_changes_one_field_of_the_header() -> None:
    message = bytes(range(44)) + b"payload"
    widths = {"Type": (0, 1), "Session": (1, 33), "Query": (33, 37), "Layer": (37, 38), "Sender": (38, 41)}
    for fault in message_faults(message):
        changed = apply_edit(message, fault.message.edit)
        assert changed != message
        for field, (start, end) in widths.items():
            if len(changed) == len(message):
                assert (changed[start:end] != message[start:end]) is fault.flag.endswith(field)


@pytest.mark.req("CAPC-WIRE-005")
@pytest.mark.parametrize(("name", "point"), list(invalid_points().items()))
def test_invalid_points_are_all_different_and_refused(name: str, point: bytes) -> None:
    assert list(invalid_points().values()).count(point) == 1
    with pytest.raises(InvalidPayloadError, match="invalid_point"):
        read_point(point)


def test_random_values_come_from_the_seed_and_the_label() -> None:
    one, other = Source("capc/one"), Source("capc/other")
    assert one.draw("label", 32) == Source("capc/one").draw("label", 64)[:32]
    assert len({one.draw("label", 32), one.draw("labem", 32), other.draw("label", 32)}) == 3
    assert one.seed != Source("capc/one", "2").seed


def test_a_case_that_the_code_contradicts_stops_the_generation() -> None:
    file = FileBuilder("ring", "CAPC-RING", ["x"])
    test = file.group(RING).test("one", "x", ["CAPC-PARAM-020"])
    with pytest.raises(GenerationError, match="declared"):
        test.run("ring_add", left=[1], right=[1], width=4, fault=Fault.of_caller("input_error"))
    test = file.group(XOF).test("two", "x", ["CAPC-PARAM-011"])
    with pytest.raises(GenerationError, match="declared"):
        test.run("xof_read", seed=b"", label=b"", length=1)


def test_two_tests_of_one_name_stop_the_generation() -> None:
    group = FileBuilder("ring", "CAPC-RING", ["x"]).group(RING)
    group.test("one", "x", [])
    with pytest.raises(GenerationError, match="one"):
        group.test("one", "x", [])


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for part in ("vectors", "schemas"):
        shutil.copytree(_FOLDER / part, tmp_path / part)
    return tmp_path


@pytest.mark.slow
def test_check_names_what_differs(
    copied: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = vector_path(copied, _STEM)
    document = read_document(path)
    _test(document, "sum_wraps_10_2")["operations"][0]["expect"]["out"]["total"][0] = "7"
    _test(document, "sum_wraps_10_1")["name"] = "renamed"
    path.write_text(canonical_text(document), encoding="utf-8")
    (copied / "vectors" / "stray.json").write_text("{}", encoding="utf-8")
    vector_path(copied, "xof").unlink()
    wanted = {
        path: path.read_text(encoding="utf-8") for path in (vector_path(_FOLDER, stem) for stem in (_STEM, "xof"))
    }
    monkeypatch.setattr(
        cli, "generate", lambda folder: {vector_path(folder, path.stem): text for path, text in wanted.items()}
    )
    assert cli.main(["--folder", str(copied), "check"]) == 1
    found = capsys.readouterr().out
    assert "vectors/aggregation.json: sum_wraps_10_2.operations[0].expect.out.total[0] is 1023, expected 7" in found
    assert "sum_wraps_10_1 is new" in found
    assert "renamed is not generated any more" in found
    assert "vectors/stray.json: nothing generates this file" in found
    assert "vectors/xof.json: missing" in found


@pytest.mark.slow
def test_generate_writes_what_check_accepts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The real generation is slow, and test_vectors.py shows that it gives these texts.
    texts = {path.relative_to(_FOLDER): path.read_text(encoding="utf-8") for path in _published()}
    monkeypatch.setattr(cli, "generate", lambda folder: {folder / path: text for path, text in texts.items()})
    assert cli.main(["--folder", str(tmp_path), "generate"]) == 0
    assert cli.main(["--folder", str(tmp_path), "check"]) == 0
    assert "no finding" in capsys.readouterr().out


def _published() -> list[Path]:
    return [path(_FOLDER, stem) for stem in FILES for path in (vector_path, schema_path)]


def test_list_names_every_vector(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == sum(read_document(vector_path(_FOLDER, stem))["numberOfTests"] for stem in FILES)
    assert "aggregation::sum_wraps_10_2  valid  CAPC-PARAM-020" in lines


def test_a_folder_without_vectors_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--folder", str(tmp_path), "list"]) == 2
    assert "run `capc-vectors generate`" in capsys.readouterr().err
