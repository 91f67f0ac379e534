"""Own models are admitted by their shape, trained by their own rows and seed, and answer whatever their weights are."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from capc.foundation.errors import InputError
from capc.learning.own_models import perceptron
from capc.learning.own_models.networks import Named, OwnModel, admit
from capc.learning.training import TrainingTask
from capc.models.figures import bounded
from capc.session.widths import ParameterSet
from support.onnx_files import onnx_model

WIDTHS = ParameterSet.named("default")
SOURCE = """
import torch
from torch import nn

def dense():
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.2), nn.Linear(6, 3))

def likely():
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1), nn.Sigmoid())

def image():
    return nn.Sequential(nn.Conv2d(1, 8, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))

def wild():
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    for weight in model.parameters():
        weight.data.mul_(1e6)
    return model

def diverges():
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    for weight in model.parameters():
        weight.register_hook(lambda gradient: gradient * float("nan") if module_steps() > 1 else gradient)
    return model

_steps = 0

def module_steps():
    global _steps
    _steps += 1
    return _steps

_one = nn.Linear(4, 3)

def shared():
    return _one

def frozen():
    model = nn.Linear(4, 3)
    model.requires_grad_(False)
    return model

class Fails(nn.Linear):
    def forward(self, x):
        if self.training:
            raise RuntimeError("no training")
        return super().forward(x)

def fails():
    return Fails(4, 3)

def three_by_two():
    return nn.Linear(4, 2)

def five_features():
    return nn.Linear(5, 3)

def gelu():
    return nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 3))

def perceptron():
    from sklearn.neural_network import MLPClassifier
    return MLPClassifier((8,), learning_rate_init=0.05, early_stopping=True, n_iter_no_change=30)

def tanh():
    from sklearn.neural_network import MLPClassifier
    return MLPClassifier((5,), activation="tanh")

def negative():
    from sklearn.neural_network import MLPClassifier
    return MLPClassifier((5,), alpha=-1)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("own")
    (made / "nets.py").write_text(SOURCE)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    onnx.save(onnx_model(network.double(), (4,)), made / "ward.onnx")
    return made


def admitted(folder: Path, factory: str, **options: Any) -> OwnModel:
    name = factory if factory.endswith(".onnx") else f"nets.py:{factory}"
    return admit(Named(name, folder, **options), 4, 3, WIDTHS)


def task(seed: int = 0, rows: int = 40, classes: tuple[int, ...] = (0, 1, 2)) -> TrainingTask:
    """Rows whose class is where they are largest."""
    drawn = np.random.default_rng(seed)
    labels = np.array(classes)[np.arange(rows) % len(classes)].astype(np.int64)
    features = drawn.uniform(-0.3, 0.3, (rows, 4))
    features[np.arange(rows), labels] += 0.6
    return TrainingTask(features, labels, 3, (), (seed, 1), None)


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-056", "CAPC-RUN-055")
@pytest.mark.parametrize(
    ("factory", "options"),
    [("dense", {}), ("image", {"input_shape": (1, 2, 2)}), ("perceptron", {})],
    ids=["dense", "image", "perceptron"],
)
def test_training_learns_the_same_for_the_same_seed_and_rows(
    folder: Path, factory: str, options: dict[str, Any]
) -> None:
    model = admitted(folder, factory, **options)
    assert not model.is_fixed
    state, asked = torch.get_rng_state(), task(7, 30).features
    first, again, other = (model.train(given) for given in (task(), task(), task(3, 20)))
    assert np.array_equal(first.logits(asked), again.logits(asked))
    assert not np.array_equal(first.logits(asked), other.logits(asked))
    assert torch.equal(torch.get_rng_state(), state)
    assert np.mean(first.predict(task().features) == task().labels) > 0.6
    assert first.logits(asked[:0]).shape == (0, 3)
    integers = first.quantised(WIDTHS.fraction_bits)
    assert integers.architecture == model.architecture
    integers.check_ranges(WIDTHS.logit_bits)
    rows = np.rint(asked * (1 << WIDTHS.fraction_bits)).astype(int).tolist()
    votes = [logits.index(max(logits)) for logits in map(integers.logits, rows)]
    assert np.mean(first.predict(asked) == votes) > 0.9


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-056", "CAPC-RUN-055")
def test_a_network_with_one_probability_learns_two_classes(folder: Path) -> None:
    """Also far from both, where its probability is 0 or 1 to the last bit."""
    model = admit(Named("nets.py:likely", folder), 4, 2, WIDTHS)
    given = task(classes=(0, 1))
    network = model.train(replace(given, num_classes=2))
    asked = np.concatenate([given.features, given.features * 1e6])
    assert np.mean(network.predict(asked) == np.concatenate([given.labels] * 2)) > 0.8
    assert network.logits(asked[:3]).shape == (3, 2)
    integers = network.quantised(WIDTHS.fraction_bits)
    assert (integers.architecture, model.architecture.outputs) == (model.architecture, 2)
    votes = [integers.logits(np.rint(row * 4096).astype(int).tolist()) for row in given.features]
    assert [int(logits[1] > 0) for logits in votes] == network.predict(given.features).tolist()


@pytest.mark.req("CAPC-RUN-056")
@pytest.mark.parametrize("name", ["ward.onnx", "dense"])
def test_what_came_trained_learns_nothing(folder: Path, name: str) -> None:
    model = admitted(folder, name, is_trained=name == "dense")
    assert model.is_fixed
    asked = task(5).features
    assert np.array_equal(model.train(task(1)).logits(asked), model.train(task(2)).logits(asked))


@pytest.mark.slow
@pytest.mark.req("CAPC-RUN-055")
@pytest.mark.parametrize("rows", [1, 2, 33])
def test_whatever_the_weights_are_a_party_answers(folder: Path, rows: int) -> None:
    """Weights of a million, trainings that leave the numbers, a single row: what was declared, and no refusal."""
    for factory in ("wild", "diverges", "dense", "perceptron"):
        model = admitted(folder, factory)
        network = model.train(task(rows=rows))
        assert np.isfinite(network.logits(task().features)).all()
        integers = network.quantised(WIDTHS.fraction_bits)
        assert integers.architecture == model.architecture
        integers.check_ranges(WIDTHS.logit_bits)


@pytest.mark.req("CAPC-RUN-055")
def test_equal_shapes_declare_equal_architectures(folder: Path) -> None:
    architecture = admitted(folder, "wild").architecture
    assert architecture == admitted(folder, "ward.onnx").architecture
    assert architecture == bounded(architecture, WIDTHS.fraction_bits, WIDTHS.logit_bits)
    assert all(stage.sum_bits is not None for stage in architecture.stages)


@pytest.mark.req("CAPC-RUN-054")
@pytest.mark.parametrize(
    ("factory", "options", "fragment"),
    [
        ("shared", {}, "same weights twice"),
        ("frozen", {}, "no weights that could be trained"),
        ("fails", {}, "it cannot be trained on rows of the shape (4,) (RuntimeError: no training)"),
        ("three_by_two", {}, "gives 2 numbers for a row"),
        ("three_by_two", {"is_trained": True}, "has 2 logits, and the data have 3 classes"),
        ("five_features", {}, "cannot be run on rows of the shape (4,)"),
        ("dense", {"input_shape": (1, 3, 3)}, "the data have 4 features"),
        ("gelu", {}, "GELU at 1: it is not supported"),
        ("tanh", {}, "activation = tanh: the activation must be ReLU"),
        ("negative", {}, "cannot be trained (InvalidParameterError"),
        ("perceptron", {"is_trained": True}, "leave trained out"),
        ("none.onnx", {}, "cannot be opened"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_shape(
    folder: Path, factory: str, options: dict[str, Any], fragment: str
) -> None:
    with pytest.raises(InputError) as caught:
        admitted(folder, factory, **options)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.req("CAPC-RUN-055")
@settings(max_examples=15, deadline=None)
@given(
    classes=st.sets(st.integers(0, 4), min_size=1, max_size=5).map(lambda found: tuple(sorted(found))),
    hidden=st.sampled_from([(), (3,), (3, 2)]),
    seed=st.integers(0, 50),
)
def test_a_perceptron_is_copied_also_where_classes_are_missing(
    classes: tuple[int, ...], hidden: tuple[int, ...], seed: int
) -> None:
    """The module chooses as scikit-learn does, and never a class that it did not see."""
    from sklearn.neural_network import MLPClassifier

    drawn = np.random.default_rng(seed)
    features, labels = drawn.uniform(-1, 1, (12, 3)), np.array(classes)[np.arange(12) % len(classes)].astype(np.int64)
    given_to = TrainingTask(features, labels, 5, (), (seed,), None)
    module = perceptron.fit(MLPClassifier(hidden, max_iter=3), given_to)
    asked = drawn.uniform(-1, 1, (40, 3))
    chosen = module(torch.tensor(asked)).argmax(1).tolist()
    if len(classes) == 1:
        assert set(chosen) == set(classes)
        return
    fitted = MLPClassifier(
        hidden, max_iter=3, random_state=int(np.random.default_rng([seed, 4]).integers(1 << 31))
    ).fit(features, labels)
    assert chosen == fitted.predict(asked).tolist()
    assert set(chosen) <= set(classes)


@pytest.fixture(autouse=True)
def _nothing_stays_imported(folder: Path) -> Any:
    yield
    for name in [name for name in sys.modules if name.startswith("capc_own_models.")]:
        del sys.modules[name]
