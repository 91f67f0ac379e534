"""What each program must tell each party, computed in the clear by the reference (CAPC-MPC-001).

This is the other side of every comparison: of recorded runs, of live ones and of the emulator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from capc.foundation import ring
from capc.foundation.cleartext import one_hot_argmax
from capc.privacy import multi_label
from capc_mpc.interface.encoding import Case
from capc_mpc.interface.steps import Step
from capc_mpc.programs import capc_noise


def expected(step: Step, cases: Sequence[Case]) -> list[dict[str, list[int]]]:
    """For each party of the step, what it learns in every case, by name; nothing is an empty mapping.

    Args:
        step: program and arguments.
        cases: complete inputs: shares, noise bits and whatever else the runner drew.
    """
    told = [_RULES[step.program](step, case) for case in cases]
    learnt: list[dict[str, list[int]]] = [{} for _ in range(step.parties)]
    for output in step.outputs:
        learnt[output.party][output.name] = [outcome[output.name] for outcome in told]
    return learnt


def learnt_as_expected(step: Step, cases: Sequence[Case], learnt: Sequence[Mapping[str, Sequence[int]]]) -> bool:
    """Whether every party of a run learnt what it must, and parties that only compute nothing."""
    return [*learnt[: step.parties]] == expected(step, cases) and not any(learnt[step.parties :])


def noise_of_bits(contributions: Sequence[Sequence[int]], variance: Fraction) -> int:
    """The noise that the parties' uniform bits decide, by the tables of ``capc_noise``."""
    noise = 0
    for number, part in enumerate(capc_noise.plan(variance)):
        joint = 0
        for bits in contributions:
            joint ^= bits[number]
        uniform = joint & (1 << capc_noise.UNIFORM_BITS) - 1
        magnitude = sum(uniform < threshold for threshold in capc_noise.thresholds(part.variance))
        noise += (-magnitude if joint >> capc_noise.UNIFORM_BITS else magnitude) << part.shift
    return noise


def _opened(words: Sequence[Sequence[int]], width: int) -> list[int]:
    """The signed numbers that additive shares stand for."""
    return [ring.signed(sum(shares) % (1 << width), width) for shares in zip(*words, strict=True)]


def logits_of(case: Case, width: int) -> list[int]:
    """The signed logits that shares in half units stand for: sums, rounded down."""
    halves = [sum(pair) // 2 for pair in zip(case[0, "mask_halves"], case[1, "logit_halves"], strict=True)]
    return _opened([case[0, "masks"], case[1, "logit_shares"], halves], width)


def _minus(numbers: Sequence[int], shares: Sequence[int], width: int, name: str) -> dict[str, int]:
    return {
        f"{name}.{place}": (number - share) % (1 << width)
        for place, (number, share) in enumerate(zip(numbers, shares, strict=True))
    }


def _argmax(step: Step, case: Case) -> dict[str, int]:
    logit_bits, vote_bits = map(int, step.arguments[1:3])
    logits = logits_of(case, logit_bits)
    return _minus(one_hot_argmax(logits), case[0, "fresh_shares"], vote_bits, "vote")


def _label_of_ml(step: Step, case: Case) -> dict[str, int]:
    """The baseline's label, whose ties go to the highest index."""
    logit_bits, vote_bits = map(int, step.arguments[1:3])
    logits = logits_of(case, logit_bits)
    last = max(range(len(logits)), key=lambda c: (logits[c], c))
    return {"label.0": (last - case[0, "fresh_share"][0]) % (1 << vote_bits)}


def _released(noisy: Sequence[int], checked: Sequence[int], limit: int | None) -> dict[str, int]:
    label = one_hot_argmax(noisy).index(1)
    if limit is None:
        return {"label": label}
    answered = int(max(checked) >= limit)
    return {"answered": answered, "label": label * answered}


def _label_release(step: Step, case: Case) -> dict[str, int]:
    width, mode = int(step.arguments[1]), step.arguments[3]
    noisy = _opened([case[0, "noised_shares"], case[1, "vote_shares"]], width)
    if mode == "plain":
        return _released(noisy, noisy, None)
    (limit,) = _opened([case[0, "limit"]], width)
    if mode == "single_draw":
        return _released(noisy, noisy, limit)
    theirs = case[1, "checked_shares" if mode == "realised" else "vote_shares"]
    return _released(noisy, _opened([case[0, "checked_shares"], theirs], width), limit)


def _discrete_gaussian(step: Step, case: Case) -> dict[str, int]:
    numerator, denominator, width, _, parties = map(int, step.arguments)
    bits = [case[party, "noise_bits"] for party in range(parties)]
    return _minus([noise_of_bits(bits, Fraction(numerator, denominator))], case[0, "fresh_share"], width, "noise")


def _guardian_free(step: Step, case: Case) -> dict[str, int]:
    answering, num_classes, width, grid_bits, numerator, denominator, _, *threshold = map(int, step.arguments)
    parties = range(answering + 1)
    counts = _opened([case[party, "vote_shares"] for party in parties], width)
    votes = [ring.signed((count << grid_bits) % (1 << width), width) for count in counts]

    def noised(name: str, *variance: int) -> list[int]:
        draws = [
            noise_of_bits([case[party, f"{name}.{c}"] for party in parties], Fraction(*variance))
            for c in range(num_classes)
        ]
        return [ring.signed((vote + draw) % (1 << width), width) for vote, draw in zip(votes, draws, strict=True)]

    noisy = noised("noise_bits", numerator, denominator)
    checked = noised("threshold_bits", *threshold[1:]) if threshold[1:] else noisy
    return _released(noisy, checked, threshold[0] if threshold else None)


def _multi_label_vote(step: Step, case: Case) -> dict[str, int]:
    rule = step.arguments[0]
    logit_bits, vote_bits, _, *tau = map(int, step.arguments[2:])
    rules: dict[str, Callable[[], multi_label.Vote]] = {
        "binary": lambda: multi_label.binary_votes(0),
        "tau": lambda: multi_label.tau_votes(tau[0], Fraction(*tau[1:])),
        "powerset": lambda: multi_label.powerset_votes(0),
    }
    logits = logits_of(case, logit_bits)
    return _minus(rules[rule]()(logits), case[0, "fresh_shares"], vote_bits, "vote")


def _multi_label_release(step: Step, case: Case) -> dict[str, int]:
    _, width, limit, _ = map(int, step.arguments)
    noisy = _opened([case[0, "noised_shares"], case[1, "vote_shares"]], width)
    labels = multi_label.released_labels(noisy, [0] * len(noisy), limit)
    return {f"label.{j}": label for j, label in enumerate(labels)}


_RULES: dict[str, Callable[[Step, Case], dict[str, int]]] = {
    "argmax": _argmax,
    "label_release": _label_release,
    "discrete_gaussian": _discrete_gaussian,
    "guardian_free": _guardian_free,
    "multi_label_vote": _multi_label_vote,
    "multi_label_release": _multi_label_release,
    "argmax_ml": _label_of_ml,
    "argmax_types": _argmax,
}
