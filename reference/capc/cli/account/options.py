"""The options of ``capc account``, and its questions."""

from __future__ import annotations

from enum import StrEnum

OPTIONS = {
    "sigma": ("VOTES", "Deviation of the noise on each class."),
    "queries": ("N", "Queries, fixed in advance."),
    "answers": ("N", "Most labels released, behind a threshold. Default: as many as queries."),
    "mechanism": (
        "NAME",
        "rounded_gaussian, discrete_gaussian, skellam, or shares of noise: discrete_gaussian_shares, "
        "skellam_shares (then --sigma is one share's deviation). Default: rounded_gaussian.",
    ),
    "threshold_ratio": ("RATIO", "Threshold deviation divided by sigma. Default: no threshold."),
    "epsilon": ("EPSILON", "The budget."),
    "delta": ("DELTA", "Default: 0.00001."),
    "adjacency": ("NAME", "replace_one, null_vote, or add_remove (comparison only). Default: replace_one."),
    "method": (
        "NAME",
        "gaussian_dp, loss_distribution, zcdp, renyi_improved or renyi_classic for noised counts; for labels, of which "
        "nothing else leaves, argmax_renyi, or argmax_composition for up to 4096. Default: the one for the noise.",
    ),
    "grid_bits": ("BITS", "Noise is on a grid of 2^-BITS votes. Default: 4."),
    "weight": ("W", "Weight of a protected vote. Default: 1."),
    "held_by": ("T", "Parties that hold the same record. Default: 1."),
    "shares": ("M", "Contributors of noise shares. Default: 1."),
    "uncounted": ("C", "Of them colluding or dropped out. Default: 0."),
    "joint": ("yes|no", "Charge check and answer jointly; the answer says what they cost one by one. Default: no."),
    "ballots": ("NAME", "Multi-label vote: binary, tau or powerset. Default: single labels."),
    "labels": ("K", "Labels of a multi-label vote."),
    "tau": ("TAU", "Length to which tau voting shortens ballots."),
}


class Question(StrEnum):
    """What may be asked."""

    EPSILON = "epsilon"
    COMPARE = "compare"
    CALIBRATE = "calibrate"
    QUERIES = "queries"


NEEDED = {
    Question.EPSILON: ("sigma", "queries"),
    Question.COMPARE: ("sigma", "queries"),
    Question.CALIBRATE: ("epsilon", "queries"),
    Question.QUERIES: ("epsilon", "sigma"),
}

NOT_TAKEN = {
    Question.EPSILON: ("epsilon",),
    Question.COMPARE: ("epsilon", "method"),
    Question.CALIBRATE: ("sigma", "answers"),
    Question.QUERIES: ("queries", "answers"),
}
"""What a question asks for, or answers for every query in full: given, it would have to be ignored."""
