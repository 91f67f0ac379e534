"""MP-SPDZ as an engine of the main job: ``capc run --engine mp-spdz:PROTOCOL``.

Registered under ``capc.engines`` in pyproject.toml, since :mod:`capc` does not import this package. Every case is one
case of the programs ``argmax`` and ``label_release``, whose parties run as processes on this machine.
"""

from __future__ import annotations

from collections.abc import Sequence

from capc.foundation import ring
from capc.foundation.errors import InputError
from capc.protocol.engine import ArgmaxCase, EngineCost, EngineDescription, ReleaseCase, ReleaseOutcome
from capc.session.parameters import Charge, Parameters, ThresholdMode
from capc_mpc.interface import steps
from capc_mpc.interface.encoding import Case
from capc_mpc.interface.errors import MpcError
from capc_mpc.interface.protocols import PROTOCOLS, Model, check_model, model_named, protocol_named
from capc_mpc.interface.steps import Step
from capc_mpc.spdz.machine import Machine, the_machine
from capc_mpc.spdz.processes import Limits
from capc_mpc.spdz.running import MpcRun, run

_GUARDIAN, _ANSWERING_PARTY, _QUERYING_PARTY = 0, 0, 1


class MpSpdzEngine:
    """Steps 1c and 3 on MP-SPDZ; a :class:`capc.protocol.engine.SecureEngine`.

    Args:
        protocol: a name of the table.
        model: the threat model that the configuration declares.
        machine: the MP-SPDZ to use; the installed one by default.
        limits: of each run.

    Raises:
        InputError: the protocol or the model is unknown, the protocol is weaker than the declared model, or MP-SPDZ or
            its party program is missing; each in one line with the remedy.
    """

    def __init__(
        self, protocol: str, model: Model = Model.BASE, machine: Machine | None = None, limits: Limits | None = None
    ) -> None:
        row = protocol_named(protocol)
        check_model(row, model)
        self._machine = machine or the_machine()
        self._machine.party_program(row.program)
        parties = row.parties_for(2)
        self._protocol, self._model, self._limits = protocol, model, limits or Limits()
        self.description = EngineDescription(
            name=f"mp-spdz:{protocol}",
            model=model.value,
            version=self._machine.version,
            parties=parties,
            not_withstood=tuple(name for name, holds in row.withstands(parties).items() if not holds),
        )

    def argmax(self, parameters: Parameters, cases: Sequence[ArgmaxCase]) -> tuple[list[tuple[int, ...]], EngineCost]:
        """Step 1c, one run for all cases; see :class:`capc.protocol.engine.SecureEngine`."""
        widths = parameters.widths
        step = steps.argmax(parameters.num_classes, widths.logit_bits, widths.vote_bits, len(cases))
        done = self._run(step, [_argmax_inputs(case) for case in cases])
        columns = [done.learnt[_QUERYING_PARTY][output.name] for output in step.outputs]
        return list(zip(*columns, strict=True)), _cost(done)

    def release(self, parameters: Parameters, cases: Sequence[ReleaseCase]) -> tuple[list[ReleaseOutcome], EngineCost]:
        """Step 3, one run for all cases; see :class:`capc.protocol.engine.SecureEngine`."""
        step = steps.label_release(
            parameters.num_classes, parameters.widths.vote_bits, len(cases), release_mode(parameters)
        )
        done = self._run(step, [_release_inputs(step, case) for case in cases])
        querying, guardian = done.learnt[_QUERYING_PARTY], done.learnt[_GUARDIAN]
        label_bits = step.outputs[-1].width
        outcomes = []
        for number, label in enumerate(querying["label"]):
            answered = (querying["answered"][number],) if "answered" in querying else ()
            told = guardian["answered"][number] if "answered" in guardian else None
            outcomes.append(ReleaseOutcome((*answered, *ring.to_bits(label, label_bits)), told))
        return outcomes, _cost(done)

    def _run(self, step: Step, inputs: Sequence[Case]) -> MpcRun:
        try:
            return run(step, inputs, self._protocol, model=self._model, limits=self._limits, machine=self._machine)
        except MpcError as error:
            raise InputError(str(error)) from None


def open_engine(protocol: str, model: str) -> MpSpdzEngine:
    """What ``--engine mp-spdz:PROTOCOL --declare-model MODEL`` asks for; errors as of :class:`MpSpdzEngine`."""
    if not protocol:
        raise InputError(f"no protocol after mp-spdz: choose one of {', '.join(PROTOCOLS)}")
    return MpSpdzEngine(protocol, model_named(model))


def release_mode(parameters: Parameters) -> str:
    """The mode of ``label_release`` that a session's parameters ask for."""
    if parameters.release.threshold is None:
        return "plain"
    if parameters.release.threshold_mode is ThresholdMode.SINGLE_DRAW:
        return "single_draw"
    return "realised" if parameters.release.charge is Charge.REALISED else "worst_case"


def split_halves(words: Sequence[int]) -> tuple[list[int], list[int]]:
    """A party's words of l + 1 bits, in half units, as the programs take them: words of l bits, and the last bits."""
    return [word >> 1 for word in words], [word & 1 for word in words]


def _argmax_inputs(case: ArgmaxCase) -> Case:
    masks, mask_halves = split_halves(case.masks)
    shares, halves = split_halves(case.logit_shares)
    return {
        (_ANSWERING_PARTY, "masks"): masks,
        (_ANSWERING_PARTY, "mask_halves"): mask_halves,
        (_ANSWERING_PARTY, "fresh_shares"): case.fresh_shares,
        (_QUERYING_PARTY, "logit_shares"): shares,
        (_QUERYING_PARTY, "logit_halves"): halves,
    }


def _release_inputs(step: Step, case: ReleaseCase) -> Case:
    """Both parties' words, field by field in the program's order, which is the release circuit's."""
    inputs: dict[tuple[int, str], Sequence[int]] = {}
    for party, words in ((_GUARDIAN, case.privacy_guardian), (_QUERYING_PARTY, case.querying_party)):
        first = 0
        for field in step.fields:
            if field.party == party:
                inputs[party, field.name] = words[first : first + field.count]
                first += field.count
    return inputs


def _cost(done: MpcRun) -> EngineCost:
    return EngineCost(done.costs.bytes_sent, done.costs.rounds)
