"""Reports on record: of the schema, right in every row, and over links as the model says."""

import json
from functools import cache
from importlib import resources
from itertools import combinations
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from capc_mpc.bench import document
from capc_mpc.bench.rows import Row
from support.sources import ROOT

EVIDENCE = ROOT / "benchmarks" / "evidence"
REPORTS = sorted(path.parent.name for path in EVIDENCE.glob("mpc*/bench.json"))
PART, SECONDS = 0.25, 0.005
"""By how much the model may miss a measurement: a part of it, or so many seconds."""


@cache
def rows() -> list[Row]:
    """Over links."""
    return [row for row in document.load(EVIDENCE / "mpc_links" / "bench.json")[1] if row.link is not None]


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_on_record_is_of_the_schema_and_right_in_every_row(name: str) -> None:
    schema = json.loads((resources.files("capc_spec") / "schemas" / "mpc_bench.schema.json").read_text("utf-8"))
    found = json.loads((EVIDENCE / name / "bench.json").read_text())
    Draft202012Validator(schema).validate(found)
    assert found["rows"]
    assert [row["variant"] for row in found["rows"] if row["equal"] is False] == []
    page = (EVIDENCE / name / "README.md").read_text()
    assert all(Path(EVIDENCE / name / link).is_file() for link in {part.split(")")[0] for part in page.split("](")[1:]})


def test_the_model_holds_over_every_link_on_record() -> None:
    assert {row.network for row in rows()} == {"lan", "wan", "slow"}
    assert {"yao", "semi2k", "replicated-ring", "spdz2k", "embedded", "embedded_stash"} <= {
        row.variant.protocol for row in rows()
    }
    missed = {
        (row.network, row.variant.protocol, row.variant.batch): (row.seconds, row.predicted[row.network].seconds)
        for row in rows()
        if abs(row.predicted[row.network].seconds - row.seconds) > max(PART * row.seconds, SECONDS)
    }
    assert missed == {}


def test_the_model_s_parts_add_up() -> None:
    for row in rows():
        said = row.predicted[row.network]
        parts = said.computing + said.messages * said.delay + said.sending + said.windows
        assert parts == pytest.approx(said.seconds, abs=1e-6)


def test_the_model_ranks_as_the_measurements_do_where_these_differ() -> None:
    wrong = []
    for one, other in combinations(rows(), 2):
        if (one.network, one.variant.batch) != (other.network, other.variant.batch):
            continue
        first, second = sorted((one, other), key=lambda row: row.seconds)
        if second.seconds > (1 + PART) * first.seconds:
            said = [row.predicted[row.network].seconds for row in (first, second)]
            if said[0] >= said[1]:
                wrong.append((first.network, first.variant.batch, first.variant.protocol, second.variant.protocol))
    assert wrong == []
