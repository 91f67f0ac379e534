"""Faults of a release that leave every label plausible: too little noise, or noise that is not a query's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from capc.foundation.cleartext import one_hot_argmax
from capc.foundation.randomness import RandomSource
from capc.noise import release_noise
from capc.noise.mechanism import ReleaseMechanisms
from capc.noise.release_noise import ReleaseNoise
from capc.protocol import functionality
from capc.protocol.functionality import IdealOutput
from capc_verify.faults.patching import replace_everywhere
from capc_verify.faults.planting import Fault

_ATTACK = "tests/verification/attack/test_attack.py::test_no_label_tells_more_than_is_printed"
_QUICK = "tests/verification/attack/test_attack.py::test_few_trials_tell_where_a_class_has_no_noise"
_OF_A_TIE, _TWO_LABELS, _ONE_DRAW = (f"{_ATTACK}[{number}]" for number in range(3))


def half_the_noise() -> None:
    """Labels are drawn with half the deviation that is charged."""
    correct = release_noise.draw_release_noise

    def faulty(mechanisms: ReleaseMechanisms, num_classes: int, source: RandomSource) -> ReleaseNoise:
        answer: Any = mechanisms.answer
        return correct(
            replace(mechanisms, answer=replace(answer, sigma_votes=answer.sigma_votes / 2)), num_classes, source
        )

    replace_everywhere(correct, faulty)


def noise_used_twice() -> None:
    """Every other query has the noise of the one before it."""
    correct = release_noise.draw_release_noise
    kept: list[ReleaseNoise] = []

    def faulty(mechanisms: ReleaseMechanisms, num_classes: int, source: RandomSource) -> ReleaseNoise:
        if kept:
            return kept.pop()
        kept.append(correct(mechanisms, num_classes, source))
        return kept[0]

    replace_everywhere(correct, faulty)


def class_without_noise() -> None:
    """The label's draw of one class is left out."""
    correct = release_noise.draw_release_noise

    def faulty(mechanisms: ReleaseMechanisms, num_classes: int, source: RandomSource) -> ReleaseNoise:
        drawn = correct(mechanisms, num_classes, source)
        return replace(drawn, classes=(0, *drawn.classes[1:]))

    replace_everywhere(correct, faulty)


def ties_by_votes() -> None:
    """A tie of noised counts goes to the class that has more votes."""
    correct = functionality.ideal_functionality

    def faulty(parameters: Any, logits: Any, noise: ReleaseNoise, *rest: Any) -> IdealOutput:  # noqa: ANN401
        output = correct(parameters, logits, noise, *rest)
        if output.querying_party is None:
            return output
        unit = 1 << parameters.widths.grid_bits
        votes = [unit * sum(column) for column in zip(*map(one_hot_argmax, logits), strict=True)]
        noised = [(count + draw, count) for count, draw in zip(votes, noise.classes, strict=True)]
        return replace(output, querying_party=noised.index(max(noised)))

    replace_everywhere(correct, faulty)


FAULTS = {
    "half_the_noise": Fault(half_the_noise, None, (_TWO_LABELS, _ONE_DRAW)),
    "noise_used_twice": Fault(noise_used_twice, None, (_TWO_LABELS, _ONE_DRAW)),
    "class_without_noise": Fault(class_without_noise, None, (_ONE_DRAW, _QUICK)),
    "ties_by_votes": Fault(ties_by_votes, None, (_OF_A_TIE,)),
}
"""These faults, and the tests that must notice them."""
