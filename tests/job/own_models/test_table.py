"""The table of own models: who brings what, and refusals that name file, line and party before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.foundation.parties import organisation
from capc.job.own_models.table import DEFAULT, read_table

GOOD = """
# A comment with [answering_party_2] and model = "none" in it.
[default]
model = "nets.py:small"
input = [1, 8, 8]

["answering_party_2"]
  trained = true
  model = "nets:other"

[answering_party_3]
model = "ward.onnx"
output = "logits"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "models.toml"
    file.write_text(text)
    return file


@pytest.mark.req("CAPC-RUN-054")
def test_each_party_has_its_own_table_or_the_default(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, GOOD), 5, 2)
    assert sorted(table.named) == [0, 1, 2, 3, 4]
    assert table.named[0] == table.named[1] == table.named[4]
    small, other, ward = (table.named[number] for number in (0, 2, 3))
    assert (small.name, small.input_shape, small.is_trained, small.folder) == (
        "nets.py:small", (1, 8, 8), False, tmp_path,
    )  # fmt: skip
    assert (other.name, other.input_shape, other.is_trained) == ("nets:other", None, True)
    assert (ward.name, ward.output) == ("ward.onnx", "logits")
    assert table.place(2) == f"{tmp_path / 'models.toml'}, line 9, answering_party_2"
    assert table.place(4) == f"{tmp_path / 'models.toml'}, line 4, answering_party_4"


@pytest.mark.req("CAPC-RUN-054")
def test_without_a_default_the_others_bring_none(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, '[answering_party_1]\nmodel = "a.onnx"\n'), 4, 1)
    assert sorted(table.named) == [1]


@pytest.mark.req("CAPC-RUN-054", "CAPC-RUN-001")
@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("", ["it names no model"]),
        ("x = [", ["not a readable TOML file"]),
        ('[default]\nmodel = "a:b"\nmodel = "a:c"\n', ["not a readable TOML file"]),
        ('default = "nets.py:small"\n', ["line 1: default is no table: write [default]"]),
        ('\n[answering_party_9]\nmodel = "a:b"\n', ["line 2: answering_party_9: there is no such", "from querying"]),
        ('[guardian]\nmodel = "a:b"\n', ["line 1: guardian: there is no such party"]),
        ('[default]\n\nmodels = "a:b"\n', ["line 3, default: models = a:b: this key is unknown: choose from model"]),
        ("[default]\ninput = [4]\n", ["line 1, default: model: give module:factory"]),
        ("[default]\nmodel = 3\n", ["line 2, default: model = 3: give module:factory"]),
        ('[default]\nmodel = "a:b"\ninput = [1, 8]\n', ["line 3, default: input = [1, 8]: give [features]"]),
        ('[default]\nmodel = "a:b"\ninput = [1, 8, 0]\n', ["line 3, default: input"]),
        ('[default]\nmodel = "a:b"\ninput = [true]\n', ["line 3, default: input"]),
        ('[default]\nmodel = "a:b"\ntrained = "yes"\n', ["line 3, default: trained = yes: give true or false"]),
        ('[default]\nmodel = "a:b"\noutput = "x"\n', ["line 3, default: output = x: give the name of an ONNX file's"]),
        ('[answering_party_1]\nmodel = "a.onnx"\ntrained = false\n', ["line 3", "only inferred with"]),
        ('[default]\nmodel = "a.onnx"\n', ["line 2, querying_party: model = a.onnx", "retrains its model"]),
        ('[querying_party]\nmodel = "a:b"\ntrained = true\n', ["line 2, querying_party: model = a:b", "retrains"]),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named_with_its_line(tmp_path: Path, text: str, fragments: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_table(written(tmp_path, text), 4, 1)
    message = str(caught.value)
    assert "models.toml" in message
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message


@pytest.mark.parametrize("name", ["none.toml", "."])
def test_a_file_that_is_not_there_is_told_by_its_option(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"models = .* \(--models\): .*: name a TOML file"):
        read_table(tmp_path / name, 4, 1)


NAMES = st.sampled_from([DEFAULT, *(organisation(number) for number in range(5))])


@pytest.mark.req("CAPC-RUN-054")
@given(names=st.lists(NAMES, unique=True, min_size=1), blank=st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_a_place_is_the_line_of_the_model_wherever_tables_stand(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], blank: list[int]
) -> None:
    lines: list[str] = []
    expected = {}
    for name, before in zip(names, blank, strict=False):
        lines += [""] * before + [f"[{name}]", "input = [4]", f'model = "nets:{name}"']
        expected[name] = len(lines)
    table = read_table(written(tmp_path_factory.mktemp("table"), "\n".join(lines)), 5, 0)
    for number in range(5):
        name = organisation(number) if organisation(number) in names else DEFAULT
        assert (number in table.named) == (name in names)
        if name in names:
            assert table.named[number].name == f"nets:{name}"
            assert table.lines[number] == expected[name]
