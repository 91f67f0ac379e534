"""``capc account``: answers, what stands beside them, and refusals in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capc import cli
from support.label_costs import set_label_costs
from support.sizes import is_nightly

COARSE = ["--grid-bits", "0"]
"""A cost of labels is found sooner on a coarse grid."""

pytestmark = pytest.mark.usefixtures("real_label_costs")

PARTS = ("method", "adjacency", "hypotheses", "rounding", "label", "mechanism")


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert cli.run(["account", *arguments, "--json", "-"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.req("CAPC-ACCT-113")
@pytest.mark.parametrize(
    "arguments",
    [
        ["epsilon", "--sigma", "40", "--queries", "1000", "--threshold-ratio", "1.5"],
        [
            "epsilon",
            "--sigma",
            "4",
            "--queries",
            "3",
            "--mechanism",
            "discrete_gaussian",
            "--method",
            "loss_distribution",
        ],
        ["epsilon", "--sigma", "9", "--queries", "9", "--ballots", "tau", "--labels", "14", "--tau", "2"],
        ["calibrate", "--epsilon", "10", "--queries", "20"],
        ["queries", "--epsilon", "10", "--sigma", "4", "--adjacency", "null_vote"],
    ],
    ids=lambda arguments: " ".join(arguments[:1] + arguments[-2:]),
)
def test_every_answer_says_what_it_needs(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    found = answer(capsys, *arguments)
    assert all(found[part] for part in PARTS)
    assert "not a guarantee" in found["label"]
    assert cli.run(["account", *arguments]) == 0
    printed = capsys.readouterr().out
    assert all(str(found[part]) in printed for part in ("epsilon", "method", "adjacency", "rounding"))


def test_known_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "calibrate", "--epsilon", "10", "--queries", "20")["sigma"] == "203/64"
    found = answer(capsys, "queries", "--epsilon", "10", "--sigma", "203/64")
    assert found["queries"] == 20
    assert answer(capsys, "queries", "--epsilon", "1/10", "--sigma", "1")["queries"] == 0


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-113")
def test_an_answer_repeats_the_question_as_it_was_understood(capsys: pytest.CaptureFixture[str]) -> None:
    """Every option of the question, defaults included, and none that it does not have."""
    found = answer(capsys, "epsilon", "--sigma", "4.50", "--queries", "1e1")
    assert found["asked"] == {
        **{"sigma": "9/2", "queries": "10", "answers": "every query", "mechanism": "rounded_gaussian"},
        **{"threshold_ratio": "no threshold", "delta": "1/100000", "adjacency": "replace_one"},
        **{"method": "gaussian_dp", "grid_bits": "4", "weight": "1", "held_by": "1", "joint": "no", "ballots": "none"},
    }
    shares = ["--mechanism", "skellam_shares", "--shares", "5", "--ballots", "tau", "--labels", "3", "--tau", "1.5"]
    found = answer(capsys, "calibrate", "--epsilon", "10", "--queries", "2", *shares)["asked"]
    assert (found["shares"], found["uncounted"], found["labels"], found["tau"]) == ("5", "0", "3", "3/2")
    assert "sigma" not in found
    # What was understood asks the same question again.
    again = [part for name, value in found.items() if value != "no threshold" for part in (flag_of(name), value)]
    assert answer(capsys, "calibrate", *again)["asked"] == found
    assert cli.run(["account", "epsilon", "--sigma", "4", "--queries", "3"]) == 0
    assert "asked: sigma = 4, queries = 3, answers = every query" in capsys.readouterr().out


def flag_of(name: str) -> str:
    return "--" + name.replace("_", "-")


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("epsilon", "epsilon"),
        ("compare", "epsilon"),
        ("compare", "method"),
        ("calibrate", "sigma"),
        ("calibrate", "answers"),
        ("queries", "queries"),
        ("queries", "answers"),
    ],
)
def test_an_option_that_a_question_would_ignore_is_refused_by_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, question: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    case = {"question": question, "sigma": 4, "queries": 9, "epsilon": 10, "answers": 3, "method": "zcdp"}
    kept = {"epsilon": ("sigma", "queries"), "compare": ("sigma", "queries"), "calibrate": ("epsilon", "queries")}
    needed = kept.get(question, ("epsilon", "sigma"))
    Path("cases.json").write_text(json.dumps([{key: case[key] for key in ("question", *needed, name)}]))
    assert_refused(capsys, ["batch", "cases.json"], [f"cases.json[0].{name}", f"question {question} does not take it"])
    assert_refused(capsys, [question, flag_of(name), "3"], [flag_of(name)])


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-113")
def test_methods_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    methods = answer(capsys, "compare", "--sigma", "2", "--queries", "5", "--mechanism", "discrete_gaussian", *COARSE)[
        "methods"
    ]
    assert "refused" in methods["gaussian_dp"]
    tight, wide = (float(methods[name]["epsilon"]) for name in ("loss_distribution", "zcdp"))
    assert tight < wide <= float(methods["renyi_improved"]["epsilon"]) < float(methods["renyi_classic"]["epsilon"])
    assert all(methods["zcdp"][part] for part in PARTS)


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-113")
def test_a_comparison_is_a_table_and_says_once_what_all_figures_need(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    question = ["compare", "--sigma", "2", "--queries", "5", "--mechanism", "discrete_gaussian", *COARSE]
    methods = answer(capsys, *question)["methods"]
    assert cli.run(["account", *question]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, figure in methods.items():
        (row,) = [line for line in lines if line.startswith(("│", "|")) and line[1:].split()[0] == name]
        assert figure.get("epsilon", "not applicable: ") in row
        assert figure.get("delta", "not applicable: ") in row
        assert figure.get("method", figure.get("refused")) in row
    figures = {name: figure for name, figure in methods.items() if "epsilon" in figure}
    sections: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("  ") and line.endswith(":"):
            sections[line.strip(" :")] = []
        elif line.startswith("    "):
            list(sections.values())[-1].append(line.strip())
    names = ["argmax_renyi", "argmax_composition", "loss_distribution", "zcdp", "renyi_improved", "renyi_classic"]
    labels, counts = names[:2], names[2:]
    groups = [labels + counts[1:], counts, labels]
    wanted = ["all figures", *(", ".join(group) for group in groups), "loss_distribution"]
    assert list(sections) == wanted
    told = [line for section in sections.values() for line in section]
    assert len(told) == len(set(told))
    for part in ("adjacency", "mechanism", "label", "rounding"):
        assert f"{part}: {figures['zcdp'][part]}" in sections["all figures"]
    for name, figure in figures.items():
        named = {
            line for title, section in sections.items() if title == "all figures" or name in title for line in section
        }
        assert {line for line in named if line.startswith("needs: ")} == {f"needs: {x}" for x in figure["hypotheses"]}


def test_a_comparison_of_which_no_method_has_a_figure_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["account", "compare", "--sigma", "1e-9", "--queries", "536870912"]) == 0
    assert capsys.readouterr().out.count("not applicable") == 7


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-113")
def test_labels_are_asked_about_by_every_question(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ordinarily with a cost that is found at once."""
    if not is_nightly():
        set_label_costs(monkeypatch)
    labels = ["--method", "argmax_renyi", *COARSE]
    found = answer(capsys, "calibrate", "--epsilon", "10", "--queries", "3", *labels)
    assert all(found[part] for part in PARTS)
    assert float(found["epsilon"]) <= 10
    assert answer(capsys, "queries", "--epsilon", "10", "--sigma", found["sigma"], *labels)["queries"] >= 3
    one = answer(capsys, "epsilon", "--sigma", "2", "--queries", "3", *labels)
    assert any("only the label leaves" in line for line in one["hypotheses"])
    for law in ("discrete_gaussian", "skellam") if is_nightly() else ("discrete_gaussian",):
        assert answer(capsys, "epsilon", "--sigma", "2", "--queries", "3", "--mechanism", law, *labels)["epsilon"]
    cases = tmp_path / "cases.json"
    cases.write_text(
        json.dumps([{"question": "epsilon", "sigma": 2, "queries": 3, "method": "argmax_renyi", "grid_bits": 0}])
    )
    assert answer(capsys, "batch", str(cases))["answers"] == [one]
    plot = tmp_path / "labels.svg"
    assert cli.run(["account", "epsilon", "--sigma", "2", "--queries", "3", *labels, "--plot", str(plot)]) == 0
    assert plot.stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-113", "CAPC-ACCT-152")
@pytest.mark.usefixtures("real_compositions")
def test_labels_together_are_asked_about_by_every_question(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    labels = ["--method", "argmax_composition", "--grid-bits", "0"]
    found = answer(capsys, "calibrate", "--epsilon", "10", "--queries", "5", "--adjacency", "null_vote", *labels)
    assert all(found[part] for part in PARTS)
    assert float(found["epsilon"]) <= 10
    sigma = ["--sigma", found["sigma"], "--adjacency", "null_vote"]
    assert answer(capsys, "queries", "--epsilon", "10", *sigma, *labels)["queries"] >= 5
    one = answer(capsys, "epsilon", "--sigma", "2", "--queries", "5", *labels)
    honest, cheated = (float(epsilon) for epsilon in one["adversaries"].values())
    assert float(one["epsilon"]) == honest < cheated
    assert list(one["adversaries"]) == ["semi_honest", "cheating_querying_party"]
    assert any("only the label leaves" in line for line in one["hypotheses"])
    compared = answer(capsys, "compare", "--sigma", "2", "--queries", "5", "--grid-bits", "0")["methods"]
    assert compared["argmax_composition"]["epsilon"] == one["epsilon"]
    assert len(set(compared["gaussian_dp"]["adversaries"].values())) == 1
    cases = tmp_path / "cases.json"
    entry = {"question": "epsilon", "sigma": 2, "queries": 5, "grid_bits": 0, "method": "argmax_composition"}
    cases.write_text(json.dumps([entry]))
    assert answer(capsys, "batch", str(cases))["answers"] == [one]
    plot = tmp_path / "labels.svg"
    assert cli.run(["account", "epsilon", "--sigma", "2", "--queries", "5", *labels, "--plot", str(plot)]) == 0
    assert plot.stat().st_size > 1000
    shown = capsys.readouterr()
    assert f"semi_honest <= {one['epsilon']}, cheating_querying_party <= " in shown.out
    assert list((tmp_path / "capc" / "compositions").iterdir())


@pytest.mark.req("CAPC-ACCT-113", "CAPC-ACCT-133")
@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        (["--queries", "4097"], ["queries = 4097 (--queries)", "at most 4096, or argmax_renyi"]),
        (["--queries", "3", "--mechanism", "skellam"], ["mechanism = skellam (--mechanism)", "choose argmax_renyi"]),
        (["--queries", "3", "--delta", "1e-20"], ["delta = 1e-20 (--delta)", "2^-46"]),
        (["--queries", "3", "--held-by", "2"], ["held_by = 2 (--held-by)", "choose gaussian_dp"]),
        (["--queries", "3", "--threshold-ratio", "1"], ["threshold_ratio = 1 (--threshold-ratio)", "label's own"]),
    ],
)
@pytest.mark.usefixtures("real_compositions")
def test_labels_are_not_composed_where_that_is_not_certified(
    capsys: pytest.CaptureFixture[str], options: list[str], fragments: list[str]
) -> None:
    question = ["epsilon", "--sigma", "4", "--method", "argmax_composition"]
    assert_refused(capsys, [*question, *options], fragments)


@pytest.mark.req("CAPC-ACCT-113", "CAPC-ACCT-133")
@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        (["--threshold-ratio", "1.5"], ["threshold_ratio = 1.5 (--threshold-ratio)", "label's own draws"]),
        (["--held-by", "2"], ["held_by = 2 (--held-by)", "choose gaussian_dp"]),
        (["--ballots", "binary", "--labels", "2"], ["ballots = binary (--ballots)", "more than one label leaves"]),
        (
            ["--mechanism", "skellam_shares", "--shares", "3"],
            ["mechanism = skellam_shares (--mechanism)", "one drawer"],
        ),
    ],
)
def test_labels_are_not_charged_where_more_leaves(
    capsys: pytest.CaptureFixture[str], options: list[str], fragments: list[str]
) -> None:
    question = ["epsilon", "--sigma", "4", "--queries", "3", "--method", "argmax_renyi"]
    assert_refused(capsys, [*question, *options], ["method argmax_renyi", *fragments])


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-113")
def test_a_comparison_shows_one_draw_beside_two(capsys: pytest.CaptureFixture[str]) -> None:
    question = ["compare", "--sigma", "9", "--queries", "20", "--threshold-ratio", "1"]
    found = answer(capsys, *question)
    assert "leave it out" in found["methods"]["argmax_renyi"]["refused"]
    one = answer(capsys, *question[:-2])
    assert "single_draw" not in one
    assert found["single_draw"] == one["methods"]
    for method in ("gaussian_dp", "zcdp", "renyi_improved"):
        assert float(one["methods"][method]["epsilon"]) < float(found["methods"][method]["epsilon"])
    assert cli.run(["account", *question]) == 0
    assert "one draw for check and answer" in capsys.readouterr().out


@pytest.mark.slow
def test_shares_weights_and_joint_charging(capsys: pytest.CaptureFixture[str]) -> None:
    shares = ["epsilon", "--queries", "5", "--mechanism", "discrete_gaussian_shares", "--sigma", "2", "--shares", "9"]
    honest = float(answer(capsys, *shares)["epsilon"])
    colluding = answer(capsys, *shares, "--uncounted", "3")
    assert float(colluding["epsilon"]) > honest
    assert "6 of 9 shares" in colluding["mechanism"]
    plain = ["epsilon", "--queries", "5", "--sigma", "9", "--threshold-ratio", "2", "--method", "renyi_improved"]
    once = float(answer(capsys, *plain)["epsilon"])
    assert float(answer(capsys, *plain, "--held-by", "3")["epsilon"]) > once
    assert float(answer(capsys, *plain, "--weight", "1/2")["epsilon"]) < once
    assert float(answer(capsys, *plain, "--joint", "yes")["epsilon"]) < once
    assert "comparison only" in str(answer(capsys, *plain, "--adjacency", "add_remove")["hypotheses"])


@pytest.mark.slow
@pytest.mark.req("CAPC-ACCT-113")
@pytest.mark.parametrize(("ratio", "cheaper", "told"), [("1", True, "not less"), ("3", False, "less: leave joint out")])
def test_whether_a_joint_charge_is_cheaper_is_computed_and_told(
    capsys: pytest.CaptureFixture[str], ratio: str, cheaper: bool, told: str
) -> None:
    """One by one, check and answer have an exact Gaussian-DP cost, which joint charging does not always beat."""
    plain = ["epsilon", "--queries", "20", "--sigma", "9", "--threshold-ratio", ratio]
    apart, jointly = answer(capsys, *plain), answer(capsys, *plain, "--joint", "yes")
    assert (float(jointly["epsilon"]) <= float(apart["epsilon"])) is cheaper
    assert jointly["charged_one_by_one"] == f"epsilon <= {apart['epsilon']} by gaussian_dp, which is {told}"
    assert "charged_one_by_one" not in apart
    assert cli.run(["account", *plain, "--joint", "yes"]) == 0
    assert f"charged one by one: {jointly['charged_one_by_one']}" in capsys.readouterr().out


def test_a_batch_is_answered_in_order(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    file.write_text(
        '[{"question": "epsilon", "sigma": 4.5, "queries": 10}, {"question": "queries", "epsilon": 10, "sigma": "9/2"}]'
    )
    answers = answer(capsys, "batch", str(file))["answers"]
    assert [found["question"] for found in answers] == ["epsilon", "queries"]
    assert answers[0]["epsilon"] == answer(capsys, "epsilon", "--sigma", "4.5", "--queries", "10")["epsilon"]


@pytest.mark.slow
def test_a_plot_is_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "epsilon.svg"
    answer(capsys, "epsilon", "--sigma", "4", "--queries", "30", "--plot", str(file))
    assert "<svg" in file.read_text()


@pytest.mark.slow
def test_a_plot_that_cannot_be_written_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "epsilon.svg").mkdir()
    plot = str(tmp_path / "epsilon.svg")
    assert_refused(
        capsys, ["epsilon", "--sigma", "4", "--queries", "3", "--plot", plot], ["--plot", "cannot be written"]
    )


REFUSALS = [
    (
        ["epsilon", "--sigma", "1", "--threshold-ratio", "2", "--queries", "3", "--answers", "2", "--plot", "x.svg"],
        ["x.svg", "--answers"],
    ),
    (["epsilon", "--queries", "3"], ["sigma = none", "--sigma", "needs it"]),
    (["epsilon", "--sigma", "x", "--queries", "3"], ["sigma = x", "--sigma", "choose"]),
    (["epsilon", "--sigma", "nan", "--queries", "3"], ["sigma = nan", "--sigma", "choose"]),
    (["epsilon", "--sigma", "1/0", "--queries", "3"], ["sigma = 1/0", "--sigma", "choose"]),
    (["epsilon", "--sigma", "1e-999999999", "--queries", "3"], ["sigma = 1e-999999999", "--sigma", "choose"]),
    (["epsilon", "--sigma", "1e999999999", "--queries", "3"], ["sigma = 1e999999999", "--sigma", "choose"]),
    (["epsilon", "--sigma", "1e999", "--queries", "3"], ["sigma = 1e999", "--sigma", "choose"]),
    (["epsilon", "--sigma", "1e-999", "--queries", "3"], ["sigma = 1e-999", "--sigma", "choose"]),
    (["epsilon", "--sigma", "1_0", "--queries", "3"], ["sigma = 1_0", "--sigma", "choose"]),
    (["epsilon", "--sigma", "9" * 5000, "--queries", "3"], ["sigma (--sigma): a number of 5000 characters", "choose"]),
    (["epsilon", "--sigma", "1", "--queries", "1e999999999"], ["queries = 1e999999999", "--queries", "choose"]),
    (["epsilon", "--sigma", "1", "--queries", "-1"], ["queries = -1", "--queries", "choose"]),
    (["epsilon", "--sigma", "1", "--queries", "1.5"], ["queries = 1.5", "--queries", "choose"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--delta", "1"], ["delta = 1", "--delta", "choose"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--mechanism", "laplace"], ["laplace", "--mechanism", "choose one"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--adjacency", "x"], ["adjacency = x", "--adjacency", "choose one"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--method", "pld"], ["method = pld", "--method", "choose one"]),
    (
        ["epsilon", "--sigma", "1", "--queries", "3", "--method", "zcdp", "--mechanism", "skellam"],
        ["method = zcdp (--method)", "mechanism = skellam (--mechanism)", "zCDP", "use"],
    ),
    (["epsilon", "--sigma", "1", "--queries", "3", "--shares", "3"], ["shares = 3", "--shares", "choose"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--tau", "3"], ["tau = 3", "--tau", "choose"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--ballots", "binary"], ["labels = none", "--labels", "need"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--ballots", "tau", "--tau", "1"], ["labels = none", "--labels"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--ballots", "tau", "--labels", "9"], ["tau = none", "--tau"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--ballots", "powerset", "--labels", "9"], ["labels = 9", "only"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--labels", "9"], ["labels = 9", "--labels", "only"]),
    (["epsilon", "--sigma", "40", "--queries", "1000", "--answers", "10"], ["answers = 10 (--answers)", "threshold"]),
    (["compare", "--sigma", "40", "--queries", "1000", "--answers", "0"], ["answers = 0 (--answers)", "threshold"]),
    (
        ["epsilon", "--sigma", "1e-199", "--queries", "1", "--method", "renyi_improved"],
        ["sigma = 1e-199 (--sigma)", "epsilon = about 2.03125e398"],
    ),
    (
        ["epsilon", "--sigma", "1e-199", "--queries", "1", "--mechanism", "skellam"],
        ["mechanism = skellam (--mechanism)", "epsilon = about 4.375e398"],
    ),
    (
        ["epsilon", "--sigma", "1e-199", "--queries", "1", "--joint", "yes", "--threshold-ratio", "1"],
        ["epsilon = about 4.0625e398: give fewer queries or more noise"],
    ),
    (["epsilon", "--sigma", "1", "--queries", "3", "--joint", "x"], ["joint = x", "--joint", "choose"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--joint", "yes"], ["joint = yes (--joint)", "threshold_ratio"]),
    (["epsilon", "--sigma", "inf", "--queries", "3"], ["sigma = inf", "--sigma", "choose"]),
    (["epsilon", "--sigma", "-1", "--queries", "3"], ["sigma = -1", "--sigma", "choose"]),
    (["epsilon", "--sigma", "0", "--queries", "3"], ["sigma = 0", "--sigma", "choose"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--delta", "0"], ["delta = 0", "--delta", "choose"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--grid-bits", "17"], ["grid_bits = 17", "--grid-bits", "choose"]),
    (
        ["epsilon", "--sigma", "0.001", "--queries", "536870912"],
        ["--queries", "cost = ", "from 0 to 1e9", "more noise"],
    ),
    (["calibrate", "--epsilon", "inf", "--queries", "3"], ["epsilon = inf", "--epsilon", "choose"]),
    (["calibrate", "--epsilon", "1e-30", "--queries", "1000"], ["no sigma up to", "larger budget"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--weight", "1/3"], ["weights = 1/3", "multiples"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--plot", "x.doc"], ["plot = x.doc", "--plot", "choose"]),
    (["epsilon", "--sigma", "1", "--queries", "3", "--plot", "none/x.png"], ["none/x.png", "--plot", "create"]),
    (["calibrate", "--queries", "3"], ["epsilon = none", "--epsilon", "needs it"]),
    (["calibrate", "--queries", "0", "--epsilon", "1"], ["queries = 0", "--queries", "choose"]),
    (["batch", "none.json"], ["none.json", "name a JSON file"]),
    (["nothing"], ["nothing", "capc account --help"]),
]


@pytest.mark.parametrize(("arguments", "fragments"), REFUSALS, ids=[" ".join(a)[:80] for a, _ in REFUSALS])
def test_what_cannot_be_answered_is_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    fragments: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(capsys, arguments, fragments)


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("{", ["not JSON", "write a list"]),
        ("{}", ["write a JSON list"]),
        ("[]", ["write a JSON list"]),
        ("[3]", ["cases.json[0]", "not an object"]),
        ('[{"sigma": 1}]', ["question = none", "cases.json[0].question", "choose one"]),
        ('[{"question": "epsilon", "sigma": 1, "queries": [2]}]', ["cases.json[0].queries", "choose"]),
        ('[{"question": "epsilon", "sigma": 1, "queries": 2, "noise": 2}]', ["cases.json[0].noise", "no such option"]),
        (
            '[{"question": "epsilon", "sigma": 1, "queries": 2, "sigma": 3}]',
            ["sigma (cases.json[0].sigma) is given more than once", "leave"],
        ),
        (
            '[{"question": "epsilon", "sigma": 1, "queries": 2}, {"question": "queries", "question": "epsilon"}]',
            ["question (cases.json[1].question) is given more than once"],
        ),
        ('[{"question": "epsilon", "sigma": {"a": 1, "a": 2}, "queries": 2}]', ["cases.json[0].sigma", "choose"]),
        (
            '[{"question": "epsilon", "sigma": 1e-30, "queries": 2}]',
            ["sigma = 1e-30 (cases.json[0].sigma), queries = 2 (cases.json[0].queries)", "more noise"],
        ),
        ('[{"question": "epsilon", "sigma": -1, "queries": 2}]', ["sigma = -1", "cases.json[0].sigma", "choose"]),
        ('[{"question": "epsilon", "sigma": NaN, "queries": 2}]', ["sigma = NaN", "cases.json[0].sigma", "choose"]),
    ],
)
def test_a_batch_that_cannot_be_used_is_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    text: str,
    fragments: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cases.json").write_text(text)
    assert_refused(capsys, ["batch", "cases.json"], fragments)


def assert_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], fragments: list[str]) -> None:
    assert cli.run(["account", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert all(fragment in captured.err for fragment in fragments), captured.err
