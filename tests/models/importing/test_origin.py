"""The network that was read is the one that runs: what changes it outside of its operators is never read in silence."""

from __future__ import annotations

import hashlib
import math
import types
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.nn.utils import parametrize

from capc.foundation.errors import InputError
from capc.models.importing import agreement, from_onnx
from capc.models.importing.agreement import check_origin, sample_rows
from capc.models.importing.evaluate import float_logits
from capc.models.importing.from_onnx import graph_from_onnx
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.graph import INPUT, Affine, Graph
from capc.models.importing.onnx_files import operators as onnx_operators
from capc.models.importing.origin import Origin
from capc.models.importing.quantise import quantisation_report
from support.networks import NAMED, Residual, Shape, networks, seeded
from support.onnx_files import OnnxWriter, onnx_model
from support.sizes import examples, some

FLAT: Shape = (6,)


def small() -> nn.Sequential:
    network = seeded(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)))
    assert isinstance(network, nn.Sequential)
    return network


class LowRank(nn.Module):
    """A layer with an adapter beside it, as it is patched into a trained network."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.full((1, layer.in_features), 0.5, dtype=torch.float64))
        self.up = nn.Parameter(torch.full((layer.out_features, 1), 0.5, dtype=torch.float64))
        self.up.data[0] = -1
        self.plain = layer.forward

    def forward(self, x: Tensor) -> Tensor:
        return self.plain(x) + x @ self.down.T @ self.up.T


class Half(nn.Module):
    def forward(self, weights: Tensor) -> Tensor:
        return weights / 2


class Doubling(nn.Linear):
    """Adds to its sums what reading its weights does not see."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 2


def root_hook(network: nn.Sequential) -> None:
    network.register_forward_hook(lambda _module, _inputs, result: -result)


def root_pre_hook(network: nn.Sequential) -> None:
    network.register_forward_pre_hook(lambda _module, inputs: (inputs[0].flip(1),))


def root_hook_with_keywords(network: nn.Sequential) -> None:
    network.register_forward_hook(lambda _module, _inputs, _named, result: result * 1.01, with_kwargs=True)


def layer_hook(network: nn.Sequential) -> None:
    network[2].register_forward_hook(lambda _module, _inputs, result: -result)


def root_forward(network: nn.Sequential) -> None:
    plain = network.forward
    network.forward = lambda x: -plain(x)  # type: ignore[method-assign]


def layer_forward(network: nn.Sequential) -> None:
    plain = network[2].forward
    network[2].forward = lambda x: plain(x) - 0.1 * plain(x)  # type: ignore[assignment]


def relu_forward(network: nn.Sequential) -> None:
    network[1].forward = lambda x: x  # type: ignore[assignment]


def layer_method(network: nn.Sequential) -> None:
    wrong = types.MethodType(lambda self, x: x @ self.weight.T - self.bias, network[4])
    network[4].forward = wrong  # type: ignore[assignment]


def low_rank(network: nn.Sequential) -> None:
    network[2].forward = LowRank(network[2]).forward  # type: ignore[arg-type, assignment]


def root_class(network: nn.Sequential) -> None:
    call = nn.Sequential.__call__
    network.__class__ = type("Patched", (nn.Sequential,), {"__call__": lambda self, x: call(self, x).roll(1, 1)})


def parametrised(network: nn.Sequential) -> None:
    parametrize.register_parametrization(network[2], "weight", Half())


def subclass(network: nn.Sequential) -> None:
    network[4] = seeded(Doubling(8, 3))


def container_hook(network: nn.Sequential) -> None:
    network[3] = nn.Sequential(nn.ReLU())
    network[3].register_forward_hook(lambda _module, _inputs, result: 1 - result)


TAMPERS: list[Callable[[nn.Sequential], None]] = [
    root_hook, root_pre_hook, root_hook_with_keywords, root_forward, layer_forward, relu_forward, layer_method,
    low_rank, parametrised, subclass, container_hook,
]  # fmt: skip


def differs_from(network: nn.Module, other: nn.Module) -> float:
    rows = torch.tensor(np.random.default_rng(3).uniform(-1, 1, (16, 6)))
    with torch.no_grad():
        return float((network(rows) - other(rows)).abs().max())


@pytest.mark.req("CAPC-PARAM-045")
@pytest.mark.parametrize("tamper", TAMPERS)
def test_what_is_added_to_a_network_is_read(tamper: Callable[[nn.Sequential], None]) -> None:
    """Hooks, replaced methods, adapters and parametrisations are part of what runs, and of what is read."""
    network = small()
    tamper(network)
    assert differs_from(network, small()) > 1e-3
    rows = np.random.default_rng(7).uniform(-1, 1, (8, 6))
    with torch.no_grad():
        expected = network(torch.tensor(rows)).numpy()
    np.testing.assert_allclose(float_logits(graph_from_torch(network, FLAT), rows), expected, atol=1e-12)


UNSUPPORTED: dict[str, tuple[Callable[[nn.Sequential], None], str]] = {
    "root_class": (root_class, "roll at roll: it is not supported"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_added_and_not_supported_is_refused(name: str) -> None:
    tamper, message = UNSUPPORTED[name]
    network = small()
    tamper(network)
    with pytest.raises(InputError, match=message):
        graph_from_torch(network, FLAT)


def hidden(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A change of which torch.export sees nothing."""
    return lambda x: x if torch.compiler.is_exporting() else change(x)


def hidden_root_hook(network: nn.Sequential) -> None:
    hook_output(network, hidden(lambda x: -x))


def hidden_pre_hook(network: nn.Sequential) -> None:
    hook_input(network, hidden(lambda x: x.flip(1)))


def hidden_layer_change(network: nn.Sequential) -> None:
    patch_forward(network[2], hidden(lambda x: x + x.mean()))


def hidden_relu_forward(network: nn.Sequential) -> None:
    network[1].forward = lambda x: x.relu() if torch.compiler.is_exporting() else x  # type: ignore[assignment]


def hidden_method(network: nn.Sequential) -> None:
    patch_forward(network[4], hidden(lambda x: 2 * x))


def hidden_class(network: nn.Sequential) -> None:
    patch_call(network, hidden(lambda x: x.roll(1, 1)))


HIDDEN: dict[str, tuple[Callable[[nn.Sequential], None], str]] = {
    "root_hook": (hidden_root_hook, "Sequential: .* its logits differ by up to .*, and no layer alone explains it"),
    "pre_hook": (hidden_pre_hook, "Linear at 0: when the network runs, it is given something else"),
    "layer_change": (hidden_layer_change, "Linear at 2: when the network runs, it gives something else than was read"),
    "relu_forward": (hidden_relu_forward, "ReLU at 1: when the network runs, it gives something else"),
    "method": (hidden_method, "Linear at 4: when the network runs, it gives something else"),
    "class": (hidden_class, "Sequential: .* no layer alone explains it"),
}


@pytest.mark.req("CAPC-PARAM-045")
@pytest.mark.parametrize("name", HIDDEN)
def test_network_that_computes_something_else_is_refused(name: str) -> None:
    tamper, message = HIDDEN[name]
    network = small()
    tamper(network)
    with pytest.raises(InputError, match=message) as caught:
        graph_from_torch(network, FLAT)
    assert str(caught.value).count("\n") == 0


def test_hook_on_a_layer_of_pytorchs_own_is_refused() -> None:
    """A file of weights does not have it, so it would be lost where the network is loaded again."""
    network = small()
    layer_hook(network)
    with pytest.raises(InputError, match="Linear at 2: it has hooks, which are no part of a model"):
        graph_from_torch(network, FLAT)


@pytest.mark.req("CAPC-PARAM-045")
@pytest.mark.parametrize("is_hidden", [False, True])
def test_global_hook_is_read_or_refused(is_hidden: bool) -> None:
    change = hidden(torch.neg) if is_hidden else torch.neg
    handle = torch_module.register_module_forward_hook(
        lambda part, _inputs, result: change(result) if isinstance(part, nn.Linear) else None
    )
    try:
        if not is_hidden:
            assert len(graph_from_torch(small(), FLAT).nodes) == 8
            return
        with pytest.raises(InputError, match="Linear at 0: when the network runs, it gives something else"):
            graph_from_torch(small(), FLAT)
    finally:
        handle.remove()


@pytest.mark.req("CAPC-PARAM-045")
@pytest.mark.parametrize("is_hidden", [False, True])
@pytest.mark.parametrize("method", ["forward", "__call__"])
def test_method_replaced_in_the_class_is_read_or_refused(
    method: str, is_hidden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, network = nn.Linear.forward, small()
    change = hidden(lambda x: 2 * x) if is_hidden else lambda x: 2 * x
    monkeypatch.setattr(nn.Linear, method, lambda self, x: change(plain(self, x)), raising=False)
    if is_hidden:
        with pytest.raises(InputError, match=r"when the network runs, it|no layer alone explains it"):
            graph_from_torch(network, FLAT)
        return
    rows = np.random.default_rng(7).uniform(-1, 1, (8, 6))
    with torch.no_grad():
        expected = network(torch.tensor(rows)).numpy()
    np.testing.assert_allclose(float_logits(graph_from_torch(network, FLAT), rows), expected, atol=1e-12)


def test_hook_that_changes_nothing_is_read() -> None:
    network, seen = small(), []
    network.register_forward_hook(lambda _module, _inputs, result: seen.append(result.shape))
    graph_from_torch(network, FLAT)
    assert seen


def leaves(network: nn.Module) -> list[nn.Module]:
    return [part for part in network.modules() if not list(part.children())]


def hook_output(part: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    part.register_forward_hook(lambda _module, _inputs, result: change(result))


def hook_input(part: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    part.register_forward_pre_hook(lambda _module, inputs: (change(inputs[0]),))


def patch_forward(part: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    plain = part.forward
    part.forward = lambda x: change(plain(x))  # type: ignore[method-assign]


def patch_call(part: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    kind = type(part)
    part.__class__ = type(kind.__name__, (kind,), {"__call__": lambda self, x: change(kind.__call__(self, x))})


CHANGES: list[Callable[[Tensor], Tensor]] = [  # each is tried in sight of torch.export, and out of it
    lambda x: x,
    lambda x: -x,
    lambda x: x * 1.01,
    lambda x: x + 0.1 * x.abs().max(),
    lambda x: x.flip(1),
    lambda x: torch.where(x > 0.5, x, torch.zeros_like(x)),
]


@pytest.mark.slow
@pytest.mark.req("CAPC-PARAM-045")
@settings(max_examples=examples(ordinary=20, nightly=80), deadline=None)
@given(
    network=networks(),
    tamper=st.sampled_from([hook_output, hook_input, patch_forward, patch_call]),
    change=st.sampled_from([*CHANGES, *map(hidden, CHANGES)]),
    data=st.data(),
)
def test_changed_network_is_refused_or_read_right(
    network: tuple[nn.Module, Shape],
    tamper: Callable[[nn.Module, Callable[[Tensor], Tensor]], None],
    change: Callable[[Tensor], Tensor],
    data: st.DataObject,
) -> None:
    """Whatever is changed at whatever place: the logits that were read are those that the network gives."""
    module, shape = network
    places = list(module.modules())
    tamper(places[data.draw(st.integers(0, len(places) - 1))], change)
    try:
        graph = graph_from_torch(module, shape)
    except InputError:
        return
    rows = np.random.default_rng(7).uniform(-1, 1, (8, *shape))
    with torch.no_grad():
        expected = module.eval()(torch.tensor(rows)).numpy()
    found = float_logits(graph, rows.reshape(8, -1))
    spread = max(1e-9, np.abs(found - found.mean(axis=1, keepdims=True)).max())
    assert np.abs(found - expected).max() <= 1e-3 * spread + 1e-9


@pytest.mark.parametrize("kind", some([torch.float64, torch.float32, torch.bfloat16, torch.float16], ordinary=2))
@pytest.mark.parametrize("name", NAMED)
def test_every_precision_is_read(name: str, kind: torch.dtype) -> None:
    """The tolerance is wide enough for what a precision loses."""
    module, shape = NAMED[name]
    graph_from_torch(seeded(module.__class__(*module.children())).to(kind), shape)
    seeded(module)


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_tolerance_follows_the_logits(factor: float, shift: float) -> None:
    """Small logits, and logits with much in common, are compared as closely as large ones."""
    network = small()
    with torch.no_grad():
        network[4].weight.mul_(factor)
        network[4].bias.mul_(factor).add_(shift * factor)
    graph_from_torch(network.float(), FLAT)
    hook_output(network, hidden(lambda x: 2 * x.mean(1, keepdim=True) - x))
    with pytest.raises(InputError, match="its logits differ"):
        graph_from_torch(network, FLAT)


class Merging(nn.Linear):
    """An adapter that merges itself into the weights in evaluation, as adapter libraries do."""

    __module__ = "torch.nn.extras"
    merged = False

    def train(self, mode: bool = True) -> nn.Module:
        if self.merged == mode:
            self.weight.data *= 0.5 if mode else 2
            self.merged = not mode
        return super().train(mode)


def test_module_is_as_before_afterwards() -> None:
    """Its modes, one by one; hooks; gradients; PyTorch's generator. Also after a refusal, and for merging layers."""
    for tamper, refused in ((lambda _network: None, False), (hidden_root_hook, True)):
        network = small().train()
        network[2].eval()
        network[0].merging = Merging(2, 2)  # not called: only train() reaches it
        before = network[0].merging.weight.clone()
        tamper(network)
        torch.manual_seed(3)
        with pytest.raises(InputError) if refused else nullcontext():
            graph_from_torch(network, FLAT)
        assert [part.training for part in network] == [True, True, False, True, True]
        assert network[0].merging.training
        assert torch.equal(network[0].merging.weight, before)
        assert network.training
        assert not any(part._forward_hooks or part._forward_pre_hooks for part in leaves(network))
        assert all(parameter.grad is None for parameter in network.parameters())
        assert torch.initial_seed() == 3
        assert torch.equal(torch.rand(2), torch.rand(2, generator=torch.Generator().manual_seed(3)))


class Calls(nn.Module):
    """Runs a function of its own after a layer."""

    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)
        self.register_forward_hook(lambda _module, _inputs, result: function(result))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)  # type: ignore[no-any-return]


def crash(_result: Tensor) -> object:
    raise KeyError("first line\nsecond line")


def rows_lost(x: Tensor) -> object:
    return x if torch.compiler.is_exporting() else x.sum(0)


FAILING: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "crash": (crash, r"Calls at the root: it cannot be run on rows of the shape \(6,\) \(KeyError: 'first line"),
    "late_crash": (
        hidden(crash),  # type: ignore[arg-type]
        r"Calls cannot be run in evaluation on 1 rows of the shape \(6,\) \(KeyError: 'first line",
    ),
    "tuple": (lambda x: (x, x), "output at output: it is not one tensor: return the logits only"),
    "mapping": (lambda x: {"logits": x}, "returns dict: return one tensor"),
    "late_tuple": (lambda x: x if torch.compiler.is_exporting() else (x, x), "returns tuple: return one tensor"),
    "classes": (lambda x: x.argmax(1), "argmax at argmax: it is not supported"),
    "late_classes": (hidden(lambda x: x.argmax(1)), "returns torch.int64 .*: return one tensor"),
    "batch_lost": (lambda x: x.mean(0), "mean at mean: it is a mean over the rows of a batch"),
    "late_batch_lost": (rows_lost, r"returns torch.float32 \(3,\): return one tensor"),
    "more_logits": (hidden(lambda x: torch.cat([x, x], 1)), "it gives 6 numbers for a row, and what was .* gives 3"),
    "not_finite": (hidden(lambda x: x / 0), "it gives logits that are not finite"),
    "random": (hidden(lambda x: x + torch.rand_like(x)), "run twice in evaluation, it gives different logits"),
    "dropout": (hidden(nn.functional.dropout), "run twice in evaluation, it gives different logits"),
    "other_rows": (hidden(lambda x: x - x.mean(0)), "its logits differ"),
    "depends_on_the_number_of_rows": (lambda x: x if len(x) == 3 else -x, "its logits differ"),
}  # fmt: skip


@pytest.mark.req("CAPC-PARAM-045")
@pytest.mark.parametrize("name", FAILING)
def test_module_that_fails_is_named_in_one_line(name: str) -> None:
    function, message = FAILING[name]
    with pytest.raises(InputError, match=message) as caught:
        graph_from_torch(Calls(function), FLAT)
    assert str(caught.value).count("\n") == 0


def test_module_that_remembers_earlier_rows_is_refused() -> None:
    calls: Iterator[float] = iter(range(1000))
    with pytest.raises(InputError, match="run twice in evaluation, it gives different logits"):
        graph_from_torch(Calls(lambda x: x + float(next(calls))), FLAT)


def test_dropout_that_stays_on_is_refused() -> None:
    """Its owner replaced ``forward``, so that evaluation drops, too."""
    network = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 3))
    network[2].forward = nn.functional.dropout  # type: ignore[assignment]
    with pytest.raises(InputError, match=r"Dropout at 2: it drops in evaluation too: use nn\.Dropout"):
        graph_from_torch(network, FLAT)


def scripted() -> nn.Module:
    with pytest.warns(DeprecationWarning, match="script"):
        found: nn.Module = torch.jit.script(small())
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small().state_dict(), "OrderedDict is no nn.Module"),
        (scripted, "RecursiveScriptModule is scripted, .*: give the module that it was made from"),
        (lambda: small().to("meta"), r"0\.weight of Sequential is on the device meta, .*: load the weights first"),
    ],
    ids=["state_dict", "scripted", "meta"],
)
def test_what_cannot_be_run_is_refused(make: Callable[[], nn.Module], message: str) -> None:
    module = make()
    with pytest.raises(InputError, match=message):
        graph_from_torch(module, FLAT)


def test_compiled_module_is_read() -> None:
    found = graph_from_torch(torch.compile(small(), backend="eager"), FLAT)
    assert [node.kind for node in found.nodes] == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]


@pytest.mark.parametrize("name", ["input", "output", "x", "a layer of a long name " * 5])
def test_layer_of_any_name_is_read(name: str) -> None:
    """Also one that is called as the graph calls its input, and several whose names differ late."""
    module = nn.Sequential()
    for part in ("", "1", " (1)"):
        module.add_module(f"{name}{part}", nn.Linear(6, 6))
    found = graph_from_torch(seeded(module, 3), FLAT)
    assert [node.kind for node in found.nodes] == ["Linear"] * 3
    assert len({node.name for node in found.nodes} | {INPUT}) == 4


def test_wrong_input_shape_is_refused() -> None:
    for shape in (6, [6], (6.0,), "6"):
        with pytest.raises(InputError, match="input shape"):
            graph_from_torch(small(), shape)  # type: ignore[arg-type]


def test_slow_network_is_run_on_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is counted by a clock that a network of four seconds a row moves on."""
    clock, batches = [0.0], []

    def slow(features: np.ndarray) -> np.ndarray:
        clock[0] += 1.0 * len(features)
        batches.append(len(features))
        return features

    graph = Graph((2,))
    monkeypatch.setattr(agreement, "monotonic", lambda: clock[0])
    check_origin(graph, Origin("slow", slow, lambda _rows: [], 2.0**-52, "none"))
    assert batches == [1, 1, 2, 2, 1, 1]
    assert clock[0] <= agreement.MOST_SECONDS


def test_rows_are_the_same_everywhere() -> None:
    rows = sample_rows(5, 0, 8)
    assert rows.shape == (8, 5)
    assert np.abs(rows).max() <= 1
    assert np.array_equal(sample_rows(5, 3, 2), rows[3:5])
    assert hashlib.sha256(rows.astype("<f8").tobytes()).hexdigest()[:16] == "ce77c47676f83723"


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.req("CAPC-PARAM-045")
def test_file_that_is_misread_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the reader: a batch normalisation without its mean."""
    path = saved(onnx_model(*NAMED["small_vgg"]), tmp_path)
    graph_from_onnx(path)
    build = onnx_operators._batch_normalisation

    def forgetful(node: onnx_operators.OnnxNode) -> str:
        made = build(node)
        added = node.place.graph.nodes[-1]
        assert isinstance(added.op, Affine)
        node.place.graph.nodes[-1] = replace(added, op=Affine(added.op.scales, added.op.shifts * 0))
        return made

    builders = {**onnx_operators.BUILDERS, "BatchNormalization": forgetful}
    monkeypatch.setitem(from_onnx._BUILDERS, "", builders)
    with pytest.raises(InputError, match="BatchNormalization at BatchNormalization_1: when the network runs, it gives"):
        graph_from_onnx(path)


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_file_of_a_fixed_batch_is_run_in_such_batches(batch: int, tmp_path: Path) -> None:
    module, shape = NAMED["small_vgg"]
    model = onnx_model(module, shape)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    graph = graph_from_onnx(saved(model, tmp_path))
    rows = np.random.default_rng(1).uniform(-1, 1, (7, math.prod(shape)))
    assert graph.origin is not None
    (expected,) = ReferenceEvaluator(onnx_model(module, shape)).run(None, {"x": rows.reshape(7, *shape)})
    np.testing.assert_allclose(graph.origin(rows), expected, atol=1e-12)


@pytest.mark.parametrize("as_node", [False, True])
def test_file_that_holds_the_one_row_of_its_export_is_read(as_node: bool, tmp_path: Path) -> None:
    writer = OnnxWriter(variant=as_node)
    flat = writer.node("Reshape", "x", writer.constant([1, -1], TensorProto.INT64))
    model = writer.model(writer.node("MatMul", flat, writer.constant(np.eye(8)[:, :3])), (2, 2, 2))
    graph = graph_from_onnx(saved(model, tmp_path))
    rows = np.random.default_rng(1).uniform(-1, 1, (4, 8))
    assert graph.origin is not None
    np.testing.assert_allclose(graph.origin(rows), rows[:, :3])


def test_file_of_integers_is_refused(tmp_path: Path) -> None:
    writer = OnnxWriter(TensorProto.INT64)
    model = writer.model(writer.node("MatMul", "x", writer.constant(np.eye(6)[:, :3])), FLAT)
    with pytest.raises(InputError, match="input at x: its numbers are of the kind INT64: export it with floats"):
        graph_from_onnx(saved(model, tmp_path))


def test_file_that_the_evaluator_does_not_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own words, in one line; the place of the reader's own check of the weights is taken by a faulty one."""
    writer = OnnxWriter()
    model = writer.model(writer.node("MatMul", "x", writer.constant(np.eye(6)[:, :3])), FLAT)
    path = saved(model, tmp_path)
    plain = from_onnx.onnx_origin

    def other_weights(model: onnx.ModelProto, *rest: object, **named: bool) -> Origin:
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.eye(5), model.graph.initializer[0].name))
        return plain(model, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(from_onnx, "onnx_origin", other_weights)
    with pytest.raises(InputError, match=r"the file cannot be run by ONNX's reference evaluator \(") as caught:
        graph_from_onnx(path)
    assert str(caught.value).count("\n") == 0


@pytest.mark.req("CAPC-PARAM-045")
def test_report_compares_with_the_network_and_not_with_what_was_read() -> None:
    """The network is changed after it was read: the report says what it does now."""
    network = small()
    graph = graph_from_torch(network, FLAT)
    rows = np.random.default_rng(0).uniform(-1, 1, (64, 6))
    assert quantisation_report(graph, rows, 12, 37).agreement >= 0.98
    root_hook(network)
    changed = quantisation_report(graph, rows, 12, 37)
    assert changed.agreeing == 0
    assert changed.largest_error > 0.1


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.LogSoftmax(1)])
def test_report_compares_what_a_softmax_gives(last: nn.Module) -> None:
    network = nn.Sequential(*small(), last)
    rows = np.random.default_rng(0).uniform(-1, 1, (64, 6))
    report = quantisation_report(graph_from_torch(network, FLAT), rows, 16, 40)
    assert report.agreement >= 0.98
    assert report.largest_error < 1e-3


def test_report_needs_a_network() -> None:
    graph = graph_from_torch(small(), FLAT)
    graph.origin = None
    with pytest.raises(InputError, match="the graph has no network to compare with"):
        quantisation_report(graph, np.zeros((1, 6)), 12, 37)


@pytest.mark.req("CAPC-PARAM-045")
def test_difference_that_a_dead_layer_hides_is_refused() -> None:
    """The last ReLU gives 0 on every row, before and after the change: the layer itself is compared, too."""
    network = nn.Sequential(nn.Linear(6, 3), nn.ReLU()).double()
    nn.init.constant_(network[0].bias, -100)
    graph_from_torch(network, FLAT)
    patch_forward(network[0], hidden(lambda x: x - 1))
    with pytest.raises(InputError, match="Linear at 0: when the network runs, it gives something else"):
        graph_from_torch(network, FLAT)


def test_first_difference_is_found_behind_a_branch() -> None:
    """In a residual network, whose nodes are not in one line, and where one layer is called twice."""
    layer = nn.Conv2d(2, 2, 3, padding=1)
    network = seeded(nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU(), Residual(nn.Conv2d(2, 2, 1), nn.Identity())))
    patch_forward(network[4].main, hidden(lambda x: 2 * x))
    with pytest.raises(InputError, match=r"Conv2d at 4\.main: when the network runs, it gives something else"):
        graph_from_torch(network, (2, 4, 4))
