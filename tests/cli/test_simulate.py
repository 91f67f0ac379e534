"""``capc simulate``: one run, studies with their table, what is kept, and what is refused before any training."""

from __future__ import annotations

import functools
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capc import cli
from capc.cli import run_command, simulate_command
from capc.cli.terminal import output as output_module
from capc.job import models as models_module
from capc.job.job import Job
from capc.job.options import OF_THE_PROTOCOL, flag
from job.rendering.test_page import Outline
from job.stand_in import validate

SMALL = ["simulate", "--parties", "2", "--queries", "2"]
STUDY = "parties = 2\nqueries = 2\nrepeats = 2\nname = 'noise'\n[sweep]\nepsilon = [1, 100]\n"
EARLY = "capc: interrupted before anything was done: no report was written"


def interrupt(*_: object, **__: object) -> None:
    signal.raise_signal(signal.SIGINT)


class Counted:
    """Counts the jobs that run, and presses Ctrl-C, or whatever else, before one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ran: list[tuple[str, int]] = []
        self.stop_at: int | None = None
        self.stop: Callable[..., object] = interrupt
        counted = self

        class Watched(Job):
            def run(self) -> None:
                if len(counted.ran) == counted.stop_at:
                    counted.stop()
                config = self.state.plan.config
                counted.ran.append((str(config.epsilon), config.seed))
                super().run()

        monkeypatch.setattr(simulate_command, "Job", Watched)
        monkeypatch.setattr(run_command, "Job", Watched)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Counted:
    """In an empty folder with a file of options for a study of two cells and two repeats."""
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(STUDY)
    return Counted(monkeypatch)


def one_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    assert cli.run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("capc: ")
    assert captured.err.count("\n") == 1
    return captured.err


def promises_nothing(text: str) -> bool:
    """Whether the word is there only in "no guarantee", however a table folds its lines."""
    words = " ".join(re.sub("[│┃|]", " ", text).split())
    return "guarantee" not in words.replace("no guarantee", "")


def without_command(file: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(file).read_text())
    return {name: value for name, value in document.items() if name != "commands"}


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-006", "CAPC-RUN-043")
def test_one_run_is_reported_as_a_run_is_and_promises_nothing(
    jobs: Counted, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert cli.run([*SMALL, "--json", "report", "--html", "page.html", "--plots", "figures", "--log", "log"]) == 0
    captured = capsys.readouterr()
    report = json.loads(Path("report").read_text())
    validate(report)
    assert report["simulated"] is True
    assert (report["schema"], report["status"], len(report["queries"])) == ("run_report/v2", "complete", 2)
    shown = Outline(Path("page.html").read_text())
    assert shown.open == []
    assert "Simulation" in shown.text
    assert any(Path("figures").iterdir())
    for text in (captured.out, captured.err, shown.text, Path("report").read_text(), Path("log").read_text()):
        assert promises_nothing(text)
    assert "no guarantee: simulated in the clear" in captured.out
    assert "noise from --seed" in captured.out
    # The plan's warning: two parties carry no noise of such a budget.
    assert report["advice"]["warnings"]
    assert all(f"capc: warning: {warning}\n" in captured.err for warning in report["advice"]["warnings"])


@pytest.mark.slow
def test_several_querying_parties_are_told_apart(jobs: Counted, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*SMALL, "--queriers", "3", "--rounds", "2", "--json", "report"]) == 0
    printed = capsys.readouterr().out
    assert "party" in printed
    for party in range(3):
        assert f"before of {party}" in printed
        assert f"after of {party}" in printed
    report = json.loads(Path("report").read_text())
    assert [query["party"] for query in report["queries"]] == [0, 0, 1, 1, 2, 2]
    assert "6 of 6 asked" in printed


@pytest.mark.slow
def test_the_same_command_gives_the_same_report(jobs: Counted) -> None:
    """The noise too comes from the seed, and another seed gives another one."""
    same = [*SMALL, "--queries", "20", "--sigma", "5"]
    for name, seed in (("one", "3"), ("two", "3"), ("three", "4")):
        assert cli.run([*same, "--seed", seed, "--json", name]) == 0
    one, two, three = (json.loads(Path(name).read_text()) for name in ("one", "two", "three"))
    figures = [[(query["row"], query["label"], query["votes"]) for query in told["queries"]] for told in (one, two)]
    assert figures[0] == figures[1]
    assert one["queriers"] == two["queriers"] != three["queriers"]


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-045", "CAPC-RUN-047")
def test_a_study_runs_every_cell_with_every_seed_and_tells_their_means(
    jobs: Counted, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    arguments = ["simulate", "--config", "study.toml", "--seed", "5", "--json", "study.json", "--html", "page.html"]
    assert cli.run([*arguments, "--plots", "figures"]) == 0
    captured = capsys.readouterr()
    assert jobs.ran == [("1", 5), ("100", 5), ("1", 6), ("100", 6)]
    study = json.loads(Path("study.json").read_text())
    validate(study, "study")
    assert (study["schema"], study["simulated"], study["name"]) == ("study/v1", True, "noise")
    assert [cell["labels"] for cell in study["cells"]] == [{"epsilon": "1"}, {"epsilon": "100"}]
    for cell in study["cells"]:
        assert cell["repeats"] == 2
        for told in cell["values"].values():
            assert len(told["values"]) == 2
            assert told["low"] <= told["mean"] <= told["high"]
    (command,) = study["commands"]
    assert command.startswith("capc simulate ")
    assert sorted(command.split()[2:]) == [
        *("--config=study.toml", "--html=page.html", "--json=study.json", "--plots=figures", "--seed=5")
    ]
    page = Outline(Path("page.html").read_text())
    assert page.open == []
    assert "nobody's data were protected" in page.text
    assert any(Path("figures").iterdir())
    lines = captured.err.splitlines()
    (estimate,) = [place for place, line in enumerate(lines) if " of 4 runs, " in line]
    (begin,) = [place for place, line in enumerate(lines) if line == "running the study: 0 of 4"]
    assert estimate < begin
    assert "about" in lines[estimate]
    assert lines[-1].startswith("running the study: 4 of 4, ")
    assert sum("capc: warning: epsilon = 1: " in line for line in lines) == 1
    assert "no guarantee" in captured.out
    for text in (captured.out, captured.err, page.text, Path("study.json").read_text()):
        assert promises_nothing(text)


@pytest.mark.slow
def test_repeats_alone_are_a_study_of_one_cell_named_after_its_data(
    jobs: Counted, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*SMALL, "--repeats", "2", "--json", "-"]) == 0
    captured = capsys.readouterr()
    study = json.loads(captured.out)
    validate(study, "study")
    assert (study["name"], len(study["cells"]), study["cells"][0]["labels"]) == ("digits", 1, {})
    assert study["cells"][0]["repeats"] == 2
    assert "digits: simulated, no guarantee" in " ".join(captured.err.split())


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-046", "CAPC-RUN-047")
@pytest.mark.parametrize("stop_at", [0, 1, 3])
def test_an_interrupted_study_leaves_a_whole_summary_and_goes_on_with_what_is_missing(
    jobs: Counted, capsys: pytest.CaptureFixture[str], stop_at: int
) -> None:
    assert cli.run(["simulate", "--config", "study.toml", "--out", "whole", "--json", "expected"]) == 0
    everything, jobs.ran = jobs.ran, []
    jobs.stop_at = stop_at
    arguments = ["simulate", "--config", "study.toml", "--out", "kept", "--json", "study.json", "--html", "page.html"]
    Path("study.json").write_text("an older one")
    assert cli.run(arguments) == 130
    assert jobs.ran == everything[:stop_at]
    assert EARLY not in capsys.readouterr().err
    study = without_command("study.json")
    assert sum(cell["repeats"] for cell in study["cells"]) == stop_at
    assert ("No run has ended yet" in Outline(Path("page.html").read_text()).text) == (stop_at == 0)
    jobs.ran, jobs.stop_at = [], None
    assert cli.run(arguments) == 0
    assert jobs.ran == everything[stop_at:]
    assert f"{4 - stop_at} of 4 runs" in capsys.readouterr().err
    assert without_command("study.json") == without_command("expected")
    # And once more: nothing is left.
    jobs.ran = []
    assert cli.run(arguments) == 0
    assert jobs.ran == []
    assert without_command("study.json") == without_command("expected")


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-046", "CAPC-RUN-047")
def test_a_summary_is_whole_at_every_moment_and_does_not_depend_on_the_order_of_runs(jobs: Counted) -> None:
    seen = []

    def look() -> None:
        study = without_command("study.json")
        seen.append(sum(cell["repeats"] for cell in study["cells"]))

    jobs.stop = look
    arguments = ["simulate", "--config", "study.toml", "--json", "study.json"]
    for jobs.stop_at in range(4):
        jobs.ran = []
        assert cli.run([*arguments, "--out", str(jobs.stop_at)]) == 0
    assert seen == [0, 1, 2, 3]
    expected = without_command("study.json")
    # The other way round: the second cell's second repeat first, then the first cell's.
    for epsilon, seed in (("100", "1"), ("1", "1"), ("100", "0")):
        Path("other.toml").write_text(STUDY.replace("[1, 100]", f"[{epsilon}]").replace("repeats = 2", "repeats = 1"))
        assert cli.run(["simulate", "--config", "other.toml", "--seed", seed, "--out", "other"]) == 0
    jobs.ran, jobs.stop_at = [], None
    assert cli.run([*arguments, "--out", "other"]) == 0
    assert jobs.ran == [("1", 0)]
    assert without_command("study.json") == expected


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-046")
@pytest.mark.parametrize("damage", ["cut", "empty", "another", "of another run", "interrupted", "list"])
def test_a_damaged_kept_report_is_refused_with_its_name(
    jobs: Counted, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    arguments = ["simulate", "--config", "study.toml", "--out", "kept"]
    assert cli.run(arguments) == 0
    capsys.readouterr()
    one, other = sorted(Path("kept/runs").iterdir())[:2]
    report = json.loads(one.read_text())
    texts = {
        "cut": one.read_text()[:-9],
        "empty": "",
        "another": "{}",
        "of another run": other.read_text(),
        "interrupted": json.dumps({**report, "status": "interrupted"}),
        "list": json.dumps([report]),
    }
    one.write_text(texts[damage])
    jobs.ran = []
    line = one_line(capsys, arguments)
    assert f"{one} (--out): not the report of a run: remove it, and it is run again" in line
    assert jobs.ran == []
    one.unlink()
    assert cli.run(arguments) == 0
    assert len(jobs.ran) == 1


@pytest.mark.req("CAPC-RUN-003")
@pytest.mark.parametrize("arguments", [SMALL, ["simulate", "--config", "study.toml"]], ids=["run", "study"])
def test_ctrl_c_before_anything_is_said(
    jobs: Counted, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(simulate_command, "prepare", interrupt)
    Path("report").write_text("an older one")
    assert cli.run([*arguments, "--json", "report", "--out", "kept"]) == 130
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(EARLY)
    assert captured.err.count("\n") == 1
    assert Path("report").read_text() == "an older one"


@pytest.mark.slow
def test_a_second_ctrl_c_keeps_the_summary(
    jobs: Counted, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.stop_at = 1
    monkeypatch.setattr(simulate_command, "show_study", interrupt)
    assert cli.run(["simulate", "--config", "study.toml", "--json", "study.json"]) == 130
    assert [cell["repeats"] for cell in without_command("study.json")["cells"]] == [1, 0]
    assert EARLY not in capsys.readouterr().err


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Refusals, where training raises and no file may be left behind."""

    def forbidden(*_: object, **__: object) -> object:
        pytest.fail("the input was not refused before training")

    monkeypatch.chdir(tmp_path)
    for training in ("train", "train_side_by_side"):
        monkeypatch.setattr(models_module, training, forbidden)

    def refused(arguments: list[str]) -> str:
        before = sorted(tmp_path.rglob("*"))
        line = one_line(capsys, arguments)
        assert sorted(tmp_path.rglob("*")) == before
        return line

    return refused


FILES = {
    "[sweep]\nepsilon = 3\n": ["sweep.epsilon = 3 (study.toml)", "give a list"],
    "[sweep]\nepsilon = []\n": ["sweep.epsilon = []", "give a list"],
    "[sweep]\nepsilon = [1, 1.0]\n": ["sweep.epsilon = 1 ", "twice"],
    "[sweep]\nepsilon = [1, 0]\n": ["epsilon = 0 (study.toml: sweep.epsilon)", "choose a number"],
    "[sweep]\nepsilon = [1, 'x']\n": ["epsilon = x (study.toml: sweep.epsilon)", "choose a number"],
    "[sweep]\nstrategy = ['best']\n": ["strategy = best (study.toml: sweep.strategy)", "choose one of random"],
    "[sweep]\nepsilons = [1]\n": ["sweep.epsilons", "cannot be varied", "choose from parties"],
    "[sweep]\nseed = [1, 2]\n": ["sweep.seed", "cannot be varied", "choose from"],
    "[sweep]\ndata = ['a.npz', 'b.npz']\n": ["sweep.data", "cannot be varied"],
    "[sweep]\nkeep = ['a', 'b']\n": ["sweep.keep", "cannot be varied"],
    "[sweep]\nledger = ['a']\n": ["sweep.ledger", "cannot be varied"],
    "[sweep]\nepsilon = [1]\n[sweep.strategy]\nx = 1\n": ["sweep.strategy", "give a list"],
    "sweep = 3\n": ["sweep = 3 (study.toml)", "table"],
    "epsilon = 4\n[sweep]\nepsilon = [1]\n": ["epsilon (study.toml: epsilon)", "[sweep] of study.toml varies it"],
    "[sweep]\nqueries = [1, 100000]\n": ["queries = 100000 (study.toml: sweep.queries)", "choose at most"],
    "[sweep]\nrounds = [1, 30]\n": ["rounds = 30 (study.toml: sweep.rounds)", "choose as many"],
    "repeats = 0\n": ["repeats = 0 (study.toml: repeats)", "choose a whole number from 1"],
    "repeats = 1.5\n": ["repeats = 1.5 (study.toml: repeats)"],
    "repeats = true\n": ["repeats = True (study.toml: repeats)"],
    "repeats = 100001\n": ["repeats = 100001 (study.toml: repeats)", "to 100000"],
    "name = 3\n": ["name = 3 (study.toml: name)"],
    "name = ''\n": ["name = (study.toml: name)"],
    "study = 1\n": ["study (study.toml)", "unknown", "sweep"],
    "repeats = 100000\n[sweep]\nepsilon = [1, 2]\n": ["sweep (study.toml): 200000 runs", "at most 100000"],
    # So many that they could not be listed.
    "[sweep]\n"
    + "".join(
        f"{name} = {list(range(1, 1001))}\n"
        for name in ("parties", "queries", "rounds", "test_rows", "pool_rows", "party_rows", "querying_rows")
    ): [f"sweep (study.toml): {1000**7} runs"],
    "seed = 9223372036854775807\nrepeats = 2\n": ["seed = 9223372036854775807", "choose at most 9223372036854775806"],
}


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize(("text", "fragments"), FILES.items(), ids=[text[:40] for text in FILES])
def test_a_study_that_cannot_be_run_is_refused(untouched: Any, text: str, fragments: list[str]) -> None:
    Path("study.toml").write_text(text)
    line = untouched(["simulate", "--config", "study.toml", "--out", "kept", "--json", "report"])
    assert all(fragment in line for fragment in fragments), line


FLAGS = {
    ("--repeats", "0"): ["repeats = 0 (--repeats)"],
    ("--repeats", "x"): ["repeats = x (--repeats)", "whole number"],
    ("--repeats", "100001"): ["repeats = 100001 (--repeats)"],
    ("--epsilon", "3"): ["epsilon (--epsilon)", "[sweep] of study.toml varies it", "leave out"],
    ("--json", "folder"): ["json = folder (--json)", "not a plain file"],
    ("--html", "folder"): ["html = folder (--html)", "not a plain file"],
    ("--plots", "text"): ["plots = text (--plots)", "no folder"],
    ("--plots", ""): ["plots = (--plots)", "choose the name of a folder"],
    ("--out", "text"): ["out = text (--out)", "no folder"],
    ("--out", ""): ["out = (--out)", "choose the name of a folder"],
    ("--json", "study.toml"): ["json = study.toml (--json)", "--config"],
    ("--html", "study.toml"): ["html = study.toml (--html)", "--config"],
    ("--html", "report", "--json", "report"): ["html = report (--html)", "(--json)"],
    ("--log", "page", "--html", "page"): ["log = page (--log)", "(--html)"],
    ("--html", "none/page"): ["html = none/page (--html)", "does not exist"],
    ("--data", "rows.npz", "--html", "rows.npz"): ["html = rows.npz (--html)", "(--data)"],
    ("--keep", "text"): ["keep = text (--keep)"],
    ("--keep", "text/models"): ["keep = text/models (--keep)"],
}


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize(("flags", "fragments"), FLAGS.items(), ids=[" ".join(flags) for flags in FLAGS])
def test_a_flag_of_a_study_that_cannot_be_used_is_refused(
    untouched: Any, flags: tuple[str, ...], fragments: list[str]
) -> None:
    Path("study.toml").write_text(STUDY)
    Path("folder").mkdir()
    Path("text").write_text("text")
    np.savez("rows.npz", x=np.zeros((400, 3)), y=np.arange(400) % 2)
    line = untouched(["simulate", "--config", "study.toml", *flags])
    assert all(fragment in line for fragment in fragments), line


PAGES = {
    ("--html", "folder"): ["html = folder (--html)", "not a plain file"],
    ("--plots", "text"): ["plots = text (--plots)", "no folder"],
    ("--html", "r", "--json", "r"): ["html = r (--html)", "(--json)"],
    ("--data", "rows.npz", "--html", "rows.npz"): ["html = rows.npz (--html)", "(--data)"],
    ("--ledger", "l", "--html", "l"): ["html = l (--html)", "(--ledger)"],
    ("--keep", "text"): ["keep = text (--keep)"],
}


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize("command", ["run", "simulate"])
@pytest.mark.parametrize(("flags", "fragments"), PAGES.items(), ids=[" ".join(flags) for flags in PAGES])
def test_a_page_or_a_folder_that_cannot_be_written_is_refused(
    untouched: Any, command: str, flags: tuple[str, ...], fragments: list[str]
) -> None:
    Path("folder").mkdir()
    Path("text").write_text("text")
    np.savez("rows.npz", x=np.zeros((400, 3)), y=np.arange(400) % 2)
    if command == "simulate" and "--ledger" in flags:
        fragments = ["--ledger", "capc simulate --help"]
    line = untouched([command, *flags])
    assert all(fragment in line for fragment in fragments), line


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize("name", OF_THE_PROTOCOL)
def test_options_of_the_protocol_are_refused_as_flags_and_in_files(untouched: Any, name: str) -> None:
    values = {"prepare": "true", "ask_again": "true", "workers": "1"}
    values |= {"vote_variant": "'tournament'", "network": "'lan'", "engine": "'embedded'", "declare_model": "'base'"}
    value = values.get(name, "'x'")
    assert flag(name) in untouched(["simulate", f"{flag(name)}={value}"])
    for text in (f"{name} = {value}\n", f"{name} = {value}\n[sweep]\nepsilon = [1, 2]\n"):
        Path("run.toml").write_text(text)
        line = untouched(["simulate", "--config", "run.toml"])
        assert f"(run.toml: {name}): a simulation runs no protocol and charges no ledger: leave this out" in line


@pytest.mark.req("CAPC-RUN-047")
def test_what_only_one_seed_of_a_study_rules_out_is_refused_before_the_first_run(
    untouched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A division that the data rule out for the last of its seeds."""
    refused: Any = functools.partial(Job)

    def with_a_bad_seed(plan: Any, *arguments: Any) -> Job:
        if plan.config.seed == 1 and plan.config.epsilon == 100:
            raise plan.config.refusal("partition", "the data cannot be divided so: choose another")
        return refused(plan, *arguments)  # type: ignore[no-any-return]

    monkeypatch.setattr(simulate_command, "Job", with_a_bad_seed)
    Path("study.toml").write_text(STUDY)
    assert "cannot be divided so" in untouched(["simulate", "--config", "study.toml", "--out", "kept"])


@pytest.mark.req("CAPC-RUN-001")
@pytest.mark.parametrize("option", ["--html", "--plots"])
@pytest.mark.parametrize("command", ["run", "simulate"])
def test_without_what_draws_figures_a_page_is_refused_before_the_work(
    untouched: Any, monkeypatch: pytest.MonkeyPatch, command: str, option: str
) -> None:
    monkeypatch.setattr(output_module, "find_spec", lambda _: None)
    line = untouched([command, option, "x"])
    assert f"{option.removeprefix('--')}: the package matplotlib of the extra 'account' is not installed" in line


@pytest.mark.slow
@pytest.mark.parametrize("width", ["40", "80", "300"])
def test_no_figure_of_a_wide_table_is_cut_off_and_names_are_text(
    jobs: Counted, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    sweep = "epsilon = [1, 100]\nstrategy = ['margin']\ndelta = [0.00001]\nqueries = [2]\n"
    Path("study.toml").write_text(f"parties = 2\nrepeats = 2\nname = '[red]a[/b]'\n[sweep]\n{sweep}")
    assert cli.run(["simulate", "--config", "study.toml", "--json", "study.json"]) == 0
    printed = capsys.readouterr().out
    assert "[red]a[/b]" in printed
    for cell in json.loads(Path("study.json").read_text())["cells"]:
        for name in ("before", "after", "gain", "balanced_gain", "worst_class_gain", "ensemble"):
            told = cell["values"][name]
            assert f"{told['mean']:.3f} ± {told['high'] - told['mean']:.3f}" in printed
            assert "…" not in printed
