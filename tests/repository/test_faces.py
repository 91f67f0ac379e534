"""What strangers see first: what `capc` exports, README's program, the citation, and the workflow of a public host."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import capc

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HEAVY = {"numpy", "torch", "tenseal", "flint", "sklearn", "onnx", "typer"}


def loaded_after(statement: str) -> set[str]:
    """Modules that a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", capc.__all__)
def test_every_export_is_there_and_documented(name: str) -> None:
    exported = getattr(capc, name)
    assert exported.__name__ == name
    # A dataclass without a docstring is given its signature.
    assert inspect.getdoc(exported)
    assert not exported.__doc__.startswith(f"{name}(")
    assert f"{name}" in README.partition("## From Python")[2]


def test_exports_are_those_that_type_checkers_see() -> None:
    tree = ast.parse(Path(inspect.getfile(capc)).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert {alias.name: node.module for node in imports for alias in node.names} == capc._HOMES
    assert sorted(capc.__all__) == sorted(capc._HOMES)
    assert set(capc.__all__) <= set(dir(capc))


def test_what_is_not_exported_is_refused_by_name() -> None:
    with pytest.raises(AttributeError, match="module 'capc' has no attribute 'nonsense'"):
        capc.nonsense  # noqa: B018


@pytest.mark.slow
def test_importing_the_package_loads_nothing_and_its_exports_only_the_core() -> None:
    assert {name for name in loaded_after("import capc") if name.startswith("capc.")} == set()
    loaded = loaded_after(f"from capc import {', '.join(capc.__all__)}")
    assert "capc.protocol.collaboration" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.slow
def test_readmes_program_runs_as_it_stands() -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    exec(compile(program, "README.md", "exec"), names)  # noqa: S102
    # Noise may change a label: then the ideal functionality's with the same noise is changed too.
    results = names["collaboration"].results
    assert len(results) == 2 * len(names["queries"])
    assert [result.label for result in results] == [result.ideal_label for result in results]
    assert {result.label for result in results} <= {0, 1, 2}


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert {author["name"] for author in citation["authors"]} == {author["name"] for author in project["authors"]}
    assert citation.keys() >= {"cff-version", "message", "title", "type"}
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]][::6] == ["Choquette-Choo", "Wang"]
    (identifier,) = paper["identifiers"]
    assert identifier["value"] == "arXiv:2102.05188"
    assert "arxiv.org/abs/2102.05188" in README


def test_the_workflow_runs_what_every_machine_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]
    assert workflow["permissions"] == {"contents": "read"}
    (versions,) = [step["with"]["python-version"].split() for step in job["steps"] if "with" in step]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    classified = [text.rpartition(" ")[2] for text in project["classifiers"] if ":: Python ::" in text]
    assert sorted(versions) == sorted(classified)
    assert f">={versions[-1]}" == project["requires-python"]


def test_the_security_policy_names_files_that_are_there() -> None:
    policy = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)#]+)", policy)
    assert linked
    assert all((ROOT / link).is_file() for link in linked)
    for heading in ("What is claimed, and what is not", "Which versions", "How to report a fault"):
        assert f"## {heading}\n" in policy
