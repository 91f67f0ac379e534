"""An own model from its name to integers: read and admitted before any training, trained, and read again.

Spec: CAPC-RUN-054 to CAPC-RUN-056.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from torch import nn

from capc.foundation.errors import InputError
from capc.foundation.hidden import type_only
from capc.learning.data import Floats, Indices
from capc.learning.own_models import perceptron, training
from capc.learning.own_models.factories import is_onnx, is_perceptron, make
from capc.learning.training import TrainingTask
from capc.models.architecture import Architecture
from capc.models.figures import bounded
from capc.models.importing.endings import as_read
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.graph import Graph, Shape
from capc.models.importing.lower import LoweredModel, lower
from capc.models.importing.quantise import quantise_graph
from capc.models.importing.torch_modules.origin import torch_origin
from capc.models.model import QuantisedModel
from capc.session.widths import ParameterSet

_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Named:
    """How an own model is named, and what else is said of it.

    Attributes:
        name: ``module:factory``, ``file.py:factory``, or the name of an ONNX file.
        folder: where relative names start.
        input_shape: (channels, height, width) or (features,); None for that of the file, or for all features in a row.
        output: of an ONNX file with several outputs, the one that holds the logits.
        is_trained: whether a module comes trained, so that it is not trained here. An ONNX file always does.
    """

    name: str
    folder: Path
    input_shape: Shape | None = None
    output: str | None = None
    is_trained: bool = False

    __repr__ = type_only


@dataclass(frozen=True)
class OwnNetwork:
    """A network that answers: as its framework runs it, and as integers. Its weights are secret.

    Attributes:
        run: rows of flattened features to rows of logits.
        read: the network's operators, with weights.
        architecture: what the session declares of it.
    """

    run: Callable[[Floats], Floats]
    read: Callable[[], Graph]
    architecture: Architecture

    __repr__ = type_only

    def logits(self, features: Floats) -> Floats:
        """n x C logits of n rows, n may be 0."""
        parts = [self.run(features[start : start + _ROWS_AT_ONCE]) for start in range(0, len(features), _ROWS_AT_ONCE)]
        return np.concatenate([np.zeros((0, self.architecture.outputs)), *parts])

    def predict(self, features: Floats) -> Indices:
        """The class of each row; ties go to the lowest class."""
        return np.asarray(self.logits(features).argmax(axis=1), dtype=np.int64)

    def quantised(self, fraction_bits: int) -> QuantisedModel:
        """The integers, with rows above their public bound scaled down: no weights are refused.

        Spec: CAPC-PARAM-059.
        """
        return quantise_graph(self.read(), fraction_bits, self.architecture)


@dataclass(frozen=True)
class OwnModel:
    """What a party brings, admitted by its shape alone.

    Attributes:
        named: by its owner.
        architecture: with the figures by rule (CAPC-PARAM-058), which no weight decides.
        is_fixed: whether it answers as it came, and learns nothing here.
        digest: SHA-256 of a file's network; None where its owner's code decides what it is. Secret, as its weights are.
        train: the network that it becomes on a party's rows.
    """

    named: Named
    architecture: Architecture
    is_fixed: bool
    digest: bytes | None
    train: Callable[[TrainingTask], OwnNetwork]

    __repr__ = type_only


def admit(named: Named, features: int, classes: int, widths: ParameterSet) -> OwnModel:
    """Reads an own model, and takes one step of training if it will be trained; this runs a factory's code.

    Args:
        named: by its owner.
        features: d of the session.
        classes: C.
        widths: f and l of the session.

    Raises:
        InputError: it cannot be read, or has other features or classes; or it can never be trained. Nothing depends on
            anybody's rows.
    """
    graph, trains = _read(named, features, classes)
    lowered = _fitting(graph, features, classes)
    architecture = bounded(lowered.architecture, widths.fraction_bits, widths.logit_bits)
    digest = _digest(lowered) if is_onnx(named.name) else None
    if trains is None:
        return OwnModel(named, architecture, True, digest, lambda _: _fixed(graph, architecture))
    return OwnModel(named, architecture, False, digest, lambda task: _learned(trains(task), graph, architecture))


def read_network(named: Named, classes: int | None = None) -> tuple[Graph, bool]:
    """What is read of an own model as it comes, and whether a run would train it.

    Args:
        named: by its owner.
        classes: of an MLPClassifier that is not fitted.

    Raises:
        InputError: it cannot be read.
    """
    if is_onnx(named.name):
        return _onnx(named), False
    made = make(named.name, named.folder)
    if isinstance(made, nn.Module):
        if named.input_shape is None:
            raise InputError("the shape of its input is not known: give --input, as 64 or 1,8,8")
        return graph_from_torch(made, named.input_shape), not named.is_trained
    sizes = perceptron.hidden_sizes(made)
    if named.is_trained:
        raise InputError("an MLPClassifier is trained in runs, whatever it learned before: leave --trained out")
    if hasattr(made, "coefs_"):
        module = perceptron.module_of(made)
        return graph_from_torch(module, (len(made.coefs_[0]),)), True
    if named.input_shape is None or classes is None:
        raise InputError("this MLPClassifier is not fitted: give --input and --classes, or fit it before")
    features = prod(named.input_shape)
    return graph_from_torch(perceptron.unfitted_module((features, *sizes, classes)), (features,)), True


def _read(named: Named, features: int, classes: int) -> tuple[Graph, Callable[[TrainingTask], nn.Module] | None]:
    """What is read of an own model, and what trains it."""
    if is_onnx(named.name):
        return _onnx(named), None
    first = make(named.name, named.folder)
    shape = named.input_shape or (features,)
    if is_perceptron(first):
        if named.is_trained or named.input_shape is not None:
            what = "trained" if named.is_trained else "input"
            raise InputError(f"an MLPClassifier is trained here, on rows of features: leave {what} out")
        sizes = (features, *perceptron.hidden_sizes(first), classes)
        perceptron.check_trainable(first, features, classes)
        untrained = graph_from_torch(perceptron.unfitted_module(sizes), (features,))
        return untrained, lambda task: perceptron.fit(first, task)
    module = _module(first)
    if prod(shape) != features:
        raise InputError(f"input = {list(shape)}: the data have {features} features: give a shape of as many")
    if named.is_trained:
        return graph_from_torch(module, shape), None
    second = _module(make(named.name, named.folder))
    if {id(weight) for weight in module.parameters()} & {id(weight) for weight in second.parameters()}:
        raise InputError("it gives the same weights twice, and parties would share them: make new ones in each call")
    graph = graph_from_torch(module, shape)
    training.check_trainable(second, shape, classes)

    def trains(task: TrainingTask) -> nn.Module:
        seed = int(np.random.default_rng([*task.seed, 3]).integers(1 << 31))
        fresh = _module(make(named.name, named.folder, seed))
        training.fit(fresh, shape, task)
        return fresh

    return graph, trains


def _onnx(named: Named) -> Graph:
    from capc.models.importing.from_onnx import graph_from_onnx  # noqa: PLC0415  # of an extra

    return graph_from_onnx(named.folder / named.name, named.input_shape, named.output)


def _module(made: object) -> nn.Module:
    if not isinstance(made, nn.Module):
        raise InputError("it gives a module in one call and none in another: return the same kind in each call")
    return made


def _fitting(graph: Graph, features: int, classes: int) -> LoweredModel:
    lowered = lower(graph)
    takes, gives = lowered.architecture.inputs, lowered.architecture.outputs
    if takes != features:
        raise InputError(f"it takes {takes} features, and the data have {features}: give a network of as many")
    if gives != classes:
        raise InputError(f"it has {gives} logits, and the data have {classes} classes: give a logit for each")
    return lowered


def _digest(lowered: LoweredModel) -> bytes:
    found = hashlib.sha256(json.dumps(lowered.architecture.document(), sort_keys=True).encode())
    for layer in lowered.layers:
        found.update(layer.weights.tobytes() + layer.biases.tobytes())
    return found.digest()


def _fixed(graph: Graph, architecture: Architecture) -> OwnNetwork:
    if graph.origin is None:
        raise InputError("the graph has no network to run: read it by graph_from_torch or graph_from_onnx")
    return OwnNetwork(graph.origin, lambda: graph, architecture)


def _learned(module: nn.Module, untrained: Graph, architecture: Architecture) -> OwnNetwork:
    shape = untrained.input_shape
    run = as_read(untrained, torch_origin(module, shape, ()))
    return OwnNetwork(run, lambda: graph_from_torch(module, shape), architecture)
