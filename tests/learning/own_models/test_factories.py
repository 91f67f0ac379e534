"""Code that a name stands for: it is run, its mistakes are one line, and nothing of the process changes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from capc.foundation.errors import InputError
from capc.learning.own_models.factories import is_perceptron, make

SOURCE = """
from torch import nn
import helper
import sys

shared = nn.Linear(2, 2)

def linear():
    return nn.Linear(helper.WIDTH, 3)

def perceptron():
    from sklearn.neural_network import MLPClassifier
    return MLPClassifier((4,))

def number():
    return 1

def fails():
    raise RuntimeError("not\\ntoday")

def needs(argument):
    return argument

_private = number
constant = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(SOURCE)
    (tmp_path / "helper.py").write_text("WIDTH = 5\n")
    (tmp_path / "broken.py").write_text("def f(:\n")
    yield tmp_path
    sys.modules.pop("helper", None)


def test_a_file_may_import_what_lies_beside_it_and_draws_by_the_seed(folder: Path) -> None:
    path, state = list(sys.path), torch.get_rng_state()
    first, again, other = (make("nets.py:linear", folder, seed) for seed in (1, 1, 2))
    assert isinstance(first, nn.Linear)
    assert isinstance(again, nn.Linear)
    assert isinstance(other, nn.Linear)
    assert first is not again
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)
    assert first.weight.shape == (3, 5)
    assert sys.path == path
    assert torch.equal(torch.get_rng_state(), state)


def test_a_module_is_found_in_the_folder_and_two_files_of_one_name_stay_apart(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "nets.py").write_text("from torch import nn\ndef linear():\n    return nn.Linear(7, 3)\n")
    mine, theirs = make("nets.py:linear", folder), make("other/nets.py:linear", folder)
    assert isinstance(mine, nn.Linear)
    assert isinstance(theirs, nn.Linear)
    assert (mine.in_features, theirs.in_features) == (5, 7)
    assert is_perceptron(make("helper_of_tests_nets:perceptron", _renamed(folder)))


def _renamed(folder: Path) -> Path:
    (folder / "helper_of_tests_nets.py").write_text(SOURCE)
    return folder


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("nets.py", "names no factory"),
        ("nets.py:", "names no factory"),
        (":linear", "names no factory"),
        ("nets.py:a b", "names no factory"),
        ("none.py:linear", "no such file"),
        ("no_such_module_of_tests:linear", "cannot be imported (ModuleNotFoundError"),
        ("broken.py:f", "cannot be imported (SyntaxError"),
        ("nets.py:nothing", "there is no function nothing: choose from linear"),
        ("nets.py:constant", "there is no function constant"),
        ("nets.py:number", "gives a int: return an nn.Module"),
        ("nets.py:fails", "fails() fails (RuntimeError: not): correct it"),
        ("nets.py:needs", "fails (TypeError"),
    ],
)
def test_what_cannot_be_made_is_one_line(folder: Path, name: str, fragment: str) -> None:
    path = list(sys.path)
    with pytest.raises(InputError) as caught:
        make(name, folder)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sys.path == path
