"""Options: precedence, exactness, and the one line that refuses a value."""

from __future__ import annotations

import re
from contextlib import nullcontext
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capc.foundation.errors import InputError
from capc.job.config import OPTIONS, JobConfig, rational_text, resolve
from capc.job.options import flag
from capc.learning.partition import Partition
from capc.session.parameters import Charge

decimals = st.decimals(min_value=Decimal("0.0001"), max_value=900, places=6)


def toml(folder: Path, text: str) -> Path:
    file = folder / "run.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_flags_go_before_the_file_and_the_file_before_the_defaults(tmp_path: Path) -> None:
    file = toml(tmp_path, 'parties = 7\nqueries = 9\nbatch = 4\npartition = "dirichlet"\n')
    config = resolve({"queries": "11"}, file)
    assert (config.batch, config.place("batch")) == (4, f"{file}: batch")
    assert resolve({"batch": "3"}, file).batch == 3
    assert (config.parties, config.queries, config.partition) == (7, 11, Partition.DIRICHLET)
    assert config.epsilon == 10
    assert config.place("queries") == "--queries"
    assert config.place("parties") == f"{file}: parties"
    assert config.place("epsilon") == "default of --epsilon"


def test_the_defaults_promise_at_most_epsilon_10_at_delta_1e_minus_5_over_20_queries_and_parties() -> None:
    config = resolve({})
    assert config == JobConfig()
    assert (config.epsilon, config.delta) == (10, Fraction(1, 100_000))
    assert (config.parties, config.queries, config.batch) == (20, 20, 10)


@given(value=decimals)
def test_a_decimal_is_the_same_rational_as_a_flag_and_in_the_file(
    tmp_path_factory: pytest.TempPathFactory, value: Decimal
) -> None:
    file = toml(tmp_path_factory.mktemp("toml"), f"epsilon = {value:f}\n")
    assert resolve({}, file).epsilon == Fraction(value) == resolve({"epsilon": str(value)}).epsilon


@given(numerator=st.integers(0, 10**12), denominator=st.integers(1, 10**6))
def test_the_text_of_a_rational_says_exactly_that_rational(numerator: int, denominator: int) -> None:
    value = Fraction(numerator, denominator)
    assert Fraction(rational_text(value)) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("parties", "0"),
        ("parties", "4097"),
        ("parties", "2.0"),
        ("parties", "nine"),
        ("parties", ""),
        ("queries", "0"),
        ("queries", "-3"),
        ("queries", "9" * 5000),
        ("batch", "0"),
        ("batch", "4097"),
        ("batch", "all"),
        ("prepare", "maybe"),
        ("workers", "-1"),
        ("workers", "257"),
        ("partition", "random"),
        ("parameters", ""),
        ("mechanism", "laplace"),
        ("adjacency", "add_one"),
        ("charge", "REALISED"),
        ("sigma", "0"),
        ("sigma", "-1"),
        ("sigma", "1/3"),
        ("sigma", "1e99"),
        ("sigma", "1e-31"),
        ("sigma", "1." + "1" * 40),
        ("threshold", "-0.5"),
        ("threshold", "nan"),
        ("threshold_sigma", "0"),
        ("epsilon", "0"),
        ("epsilon", "-1"),
        ("epsilon", "inf"),
        ("epsilon", "1001"),
        ("epsilon", "0e999999999"),
        ("delta", "0"),
        ("delta", "1e-200"),
        ("delta", "9.9e-31"),
        ("threshold", "1e-31"),
        ("epsilon", "1e-31"),
        ("epsilon", "1e-999999999"),
        ("delta", "1"),
        ("delta", "1.5"),
        ("delta", "-1e-5"),
        ("vote_variant", "rounds"),
        ("network", "dial-up"),
        ("seed", "-1"),
        ("seed", str(2**63)),
        ("data", ""),
    ],
)
def test_a_flag_out_of_range_is_refused_with_value_place_and_remedy(name: str, text: str) -> None:
    with pytest.raises(InputError) as refusal:
        resolve({name: text})
    line = str(refusal.value)
    assert line.startswith(f"{name} = {text} ({flag(name)}): choose ")
    assert "\n" not in line


@pytest.mark.slow
@given(
    name=st.sampled_from(["epsilon", "delta", "sigma", "threshold", "threshold_sigma"]),
    value=st.builds(Decimal, st.from_regex(r"-?[0-9]{1,3}(\.[0-9]{1,3})?e-?[0-9]{1,3}", fullmatch=True)),
)
def test_a_number_is_refused_exactly_when_it_is_outside_the_range_that_the_refusal_states(
    name: str, value: Decimal
) -> None:
    remedy = OPTIONS[name].remedy
    most = re.search(r"(of at most|below) ([0-9]+)", remedy)
    least = re.search(r"a number of at least (\S+)", remedy)
    assert most is not None
    assert least is not None
    high = Decimal(most[2])
    stated = (value == 0 and remedy.startswith("0, or")) or (
        Decimal(least[1]) <= value and (value <= high if most[1] == "of at most" else value < high)
    )
    with nullcontext() if stated else pytest.raises(InputError, match=re.escape(remedy)):
        resolve({name: str(value)})


@pytest.mark.parametrize(
    "line",
    [
        'parties = "20"',
        "parties = 20.0",
        "parties = true",
        "queries = [20]",
        "queries = 1979-05-27",
        'epsilon = "10"',
        "epsilon = true",
        "epsilon = nan",
        "epsilon = -inf",
        "partition = 1",
        'batch = "10"',
        "batch = 10.0",
        "parameters = 1",
        "data = 1",
        "charge = false",
        "seed = {a = 1}",
        "seed = 1.5",
    ],
)
def test_a_wrong_type_in_the_file_is_refused(tmp_path: Path, line: str) -> None:
    file = toml(tmp_path, line)
    name = line.partition(" ")[0]
    with pytest.raises(InputError) as refusal:
        resolve({}, file)
    assert f"{file}: {name}" in str(refusal.value)
    assert "choose " in str(refusal.value)


def test_a_wrong_value_in_the_file_is_refused_also_if_a_flag_overrides_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="parties = 0"):
        resolve({"parties": "3"}, toml(tmp_path, "parties = 0"))


@pytest.mark.parametrize("key", ["sigmas", "json", "config", "Parties", "threshold-sigma"])
def test_an_unknown_key_is_refused_and_the_known_ones_are_named(tmp_path: Path, key: str) -> None:
    file = toml(tmp_path, f"{key} = 1")
    with pytest.raises(InputError) as refusal:
        resolve({}, file)
    assert str(refusal.value).startswith(f"{key} ({file}): ")
    assert all(name in str(refusal.value) for name in OPTIONS)


@pytest.mark.parametrize("content", [b"parties = ", b"\xff\xfe", b"parties = 1\nparties = 2\n"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "run.toml"
    file.write_bytes(content)
    with pytest.raises(InputError, match="not a readable TOML file") as refusal:
        resolve({}, file)
    assert str(file) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        resolve({}, tmp_path / "none.toml")
    with pytest.raises(InputError, match="this is a folder"):
        resolve({}, tmp_path)


def test_the_document_repeats_every_option_in_json_values() -> None:
    config = resolve({"sigma": "2.50", "charge": "worst_case", "threshold": "3", "data": "rows.npz"})
    document = config.document()
    assert list(document) == list(OPTIONS)
    assert document["sigma"] == "2.5"
    assert document["data"] == "rows.npz"
    assert document["charge"] == Charge.WORST_CASE.value
    assert document["threshold_sigma"] is None
