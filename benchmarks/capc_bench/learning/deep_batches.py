"""A real batch under a deep network: seconds, bytes, peak memory, and where the processor's time goes.

``python -m capc_bench.learning.deep_batches resnet18 --data FILE.npz --weights FILE.pt`` labels held-out images by the
protocol, with one answering party, all roles in one process. Sections are whole functions less those called from
them, in seconds of the thread, so that two checkouts can be compared in turns while a machine is busy.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch

from capc.foundation import fixed_point
from capc.job.model_check.costs import parameters_for, query_cost
from capc.job.own_models.sessions import session_of
from capc.linear.bfv import BfvLinear, scheme
from capc.linear.bfv.encoding.weights import EncodedWeights
from capc.linear.bfv.wire import responses
from capc.models.figures import bounded
from capc.models.importing.from_torch import graph_from_torch
from capc.models.importing.lower import lower
from capc.models.importing.quantise import quantise_graph
from capc.privacy.account import Account
from capc.privacy.accountants.policies import policy_budget
from capc.protocol.collaboration import Collaboration
from capc.session.channel import LayerChannel
from capc.session.widths import ParameterSet
from capc.steps.answering_party import inference as answering
from capc.steps.querying_party import inference as querying
from capc.steps.suite import reference_suite
from capc.two_party.vectorised import VectorisedTwoParty
from capc.two_party.vectorised.evaluator import EvaluatorProgram
from capc.two_party.vectorised.garbler import GarblerProgram
from capc_bench.learning.deep_models import NETWORKS, SIDE, images

P = ParamSpec("P")
T = TypeVar("T")

SECTIONS: tuple[tuple[str, Any, str], ...] = (
    ("polynomials of weights", EncodedWeights, "blocks"),
    ("products of polynomials", responses, "inner_product"),
    ("requests read", responses, "open_group"),
    ("responses hidden and switched", scheme, "respond"),
    ("requests encrypted", BfvLinear, "encrypt"),
    ("responses decrypted", BfvLinear, "decrypt"),
    ("products in the clear", BfvLinear, "multiply"),
    ("shares of sums", answering, "own_sums"),
    ("words of circuits", answering, "garbler_words"),
    ("words of circuits", querying, "evaluator_words"),
    ("transfers", VectorisedTwoParty, "extend_evaluator"),
    ("transfers", VectorisedTwoParty, "expect_transfers"),
    ("transfers", VectorisedTwoParty, "extend_garbler"),
    ("choice bits", VectorisedTwoParty, "choose"),
    ("circuits bound to lanes", GarblerProgram, "__init__"),
    ("circuits bound to lanes", EvaluatorProgram, "__init__"),
    ("shares of outputs", GarblerProgram, "finish"),
    ("shares of outputs", EvaluatorProgram, "finish"),
    ("gates garbled", VectorisedTwoParty, "garble"),
    ("gates evaluated, and labels of transfers", VectorisedTwoParty, "evaluate"),
    ("messages copied", LayerChannel, "seal"),
    ("messages copied", LayerChannel, "open"),
)


class Sections:
    """Seconds of the thread in each section, without those of sections inside."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inside: list[float] = [0.0]
        for section, owner, name in SECTIONS:
            setattr(owner, name, self._timed(section, getattr(owner, name)))

    def by_size(self) -> list[tuple[str, float]]:
        """The largest first."""
        return sorted(self.seconds.items(), key=lambda entry: -entry[1])

    def _timed(self, section: str, function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def timed(*arguments: P.args, **named: P.kwargs) -> T:
            began = time.thread_time()
            self._inside.append(0.0)
            try:
                return function(*arguments, **named)
            finally:
                took = time.thread_time() - began
                self.seconds[section] += took - self._inside.pop()
                self._inside[-1] += took

        return timed


def labelled(name: str, data: Path, weights: Path | None, count: int, batches: int) -> dict[str, object]:
    """Labels batches, and tells of each.

    Args:
        name: of the network.
        data: images, as of ``deep_models``.
        weights: its parameters; None for those of a seed.
        count: queries of a batch, the last images of the data.
        batches: how many.
    """
    torch.manual_seed(0)
    module, widths = NETWORKS[name]().eval(), ParameterSet.named("default")
    if weights is not None:
        module.load_state_dict(torch.load(weights))
    pixels, classes = images(data)
    graph = graph_from_torch(module, (1, SIDE, SIDE))
    architecture = bounded(lower(graph).architecture, widths.fraction_bits, widths.logit_bits)
    model = quantise_graph(graph, widths.fraction_bits, architecture)
    rows = pixels[-count:].reshape(count, -1).double().numpy()
    queries = [fixed_point.quantise(row.tolist(), widths.fraction_bits) for row in rows]
    parameters = parameters_for(architecture, widths)
    # So little noise that the label is the vote of the one party.
    policy = replace(parameters.release, sigma=Fraction(1, 100), epsilon=Fraction(10**6))
    parameters = replace(parameters, release=policy)
    account = Account(policy, widths.grid_bits, policy_budget(policy))
    suite = reference_suite(parameters, BfvLinear(widths), VectorisedTwoParty())
    sections, began = Sections(), time.perf_counter()
    collaboration = Collaboration(session_of(parameters, [architecture]), [model], suite, account)
    set_up, told = time.perf_counter() - began, []
    for _ in range(batches):
        sections.seconds.clear()
        began, thread, sent = time.perf_counter(), time.thread_time(), _bytes(collaboration)
        results = collaboration.label_batch(queries)
        took, computed = time.perf_counter() - began, time.thread_time() - thread
        told.append(
            {
                "seconds": round(took, 1),
                "seconds_of_processor": round(computed, 2),
                "bytes": _bytes(collaboration) - sent,
                "labels": [result.label for result in results],
                "sections": {name: round(spent, 2) for name, spent in sections.by_size()},
            }
        )
    with torch.no_grad():
        own = module(pixels[-count:]).argmax(1).tolist()
    return {
        "network": name,
        "batch": count,
        "ands": count * query_cost(architecture, widths, count).ands,
        "seconds_of_set_up": round(set_up, 1),
        "batches": told,
        "labels_of_the_network": own,
        "classes": classes[-count:].tolist(),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "numpy": np.__version__,
    }


def _bytes(collaboration: Collaboration) -> int:
    return sum(cost.bytes for cost in collaboration.costs.values())


def main() -> None:
    """Prints what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--batches", type=int, default=1)
    asked = parser.parse_args()
    print(json.dumps(labelled(asked.network, asked.data, asked.weights, asked.batch, asked.batches), indent=1))


if __name__ == "__main__":
    main()
