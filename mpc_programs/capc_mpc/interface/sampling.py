"""Admitted inputs of every program, with ties and wraps among them: for recorded evidence, benchmarks and tests.

Nothing here is secret. The inputs of real runs come from the protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from capc.foundation.randomness import RandomSource
from capc_mpc.interface.encoding import FullCase
from capc_mpc.interface.steps import Field, Step

_Numbers = list[int]


def sample_cases(step: Step, source: RandomSource) -> list[FullCase]:
    """One admitted case for each of the batch. Uniform fields are drawn too, except for pads.

    Every fourth case has equal numbers, every fourth the largest magnitudes, and shares are 0 or all ones in some.
    """
    return [_case(step, number, source) for number in range(step.batch)]


def _case(step: Step, number: int, source: RandomSource) -> FullCase:
    case = {
        (field.party, field.name): [_edge_or_uniform(field.width, number, source) for _ in range(field.count)]
        for field in step.fields
    }
    for first, second, bound in _SHARED[step.program](step):
        width = _width(step, second)
        values = _values(len(case[second]), bound, number, source)
        known = [_carries(case)] if second == _LOGIT_SHARES else []
        total = [sum(column) for column in zip([0] * len(values), *known, *(case[key] for key in first), strict=True)]
        case[second] = [(value - part) % (1 << width) for value, part in zip(values, total, strict=True)]
    return case


_Key = tuple[int, str]
_Sharing = tuple[tuple[_Key, ...], _Key, int]
"""(Keys that are uniform, the key that completes the sum, largest magnitude of the sum)."""


_LOGIT_SHARES: _Key = (1, "logit_shares")


def _carries(case: FullCase) -> _Numbers:
    """What both parties' halves of a logit add to it."""
    return [mine & theirs for mine, theirs in zip(case[0, "mask_halves"], case[1, "logit_halves"], strict=True)]


def _width(step: Step, key: _Key) -> int:
    return _field(step, key).width


def _field(step: Step, key: _Key) -> Field:
    return next(field for field in step.fields if (field.party, field.name) == key)


def _edge_or_uniform(width: int, number: int, source: RandomSource) -> int:
    return {5: 0, 6: (1 << width) - 1}.get(number % 8, source.bits(width))


def _values(count: int, bound: int, number: int, source: RandomSource) -> _Numbers:
    """Signed numbers: near each other, equal, extreme, or anywhere."""
    kind = number % 4
    if kind == 0:
        return [source.below(3) - 1 if bound else 0 for _ in range(count)]
    if kind == 1:
        return [source.below(2 * bound + 1) - bound] * count
    if kind == 2:
        return [bound if source.bits(1) else -bound for _ in range(count)]
    return [source.below(2 * bound + 1) - bound for _ in range(count)]


def _logits(step: Step) -> list[_Sharing]:
    bound = (1 << _width(step, (0, "masks")) - 2) - 1
    return [(((0, "masks"),), _LOGIT_SHARES, bound)]


def _release(step: Step) -> list[_Sharing]:
    mode = step.arguments[3]
    bound = (1 << _width(step, (1, "vote_shares")) - 2) - 1
    shared: list[_Sharing] = [(((0, "noised_shares"),), (1, "vote_shares"), bound)]
    if mode != "plain":
        shared.append(((), (0, "limit"), bound))
    if mode in {"worst_case", "realised"}:
        theirs = "checked_shares" if mode == "realised" else "vote_shares"
        shared.append((((1, theirs),), (0, "checked_shares"), bound))
    return shared


def _label_noise(step: Step) -> list[_Sharing]:
    bound = (1 << _width(step, (1, "vote_shares")) - 2) - 1
    return [(((0, "noised_shares"),), (1, "vote_shares"), bound)]


def _counts(step: Step) -> list[_Sharing]:
    """Sums of K votes; the signs that the edges bring are admitted by the circuit, if not by the protocol."""
    answering = int(step.arguments[0])
    keys = tuple((party, "vote_shares") for party in range(answering))
    return [(keys, (answering, "vote_shares"), answering)]


_SHARED: dict[str, Callable[[Step], Sequence[_Sharing]]] = {
    "argmax": _logits,
    "label_release": _release,
    "discrete_gaussian": lambda _step: (),
    "guardian_free": _counts,
    "multi_label_vote": _logits,
    "multi_label_release": _label_noise,
    "argmax_ml": _logits,
    "argmax_types": _logits,
}
