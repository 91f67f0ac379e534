"""Prepared batches of a caller who gives every step one seed: a label keeps all masks apart, nothing else could."""

from __future__ import annotations

from dataclasses import replace

import pytest

from capc.foundation.randomness import RandomSource, Seed
from support.builders import constant_model
from support.runs import SIZES, set_up

ONE = Seed(bytes(32))


@pytest.mark.slow
@pytest.mark.req("CAPC-AHEAD-003")
def test_no_two_draws_of_prepared_batches_share_a_label() -> None:
    """Two batches with three answering parties, one with two hidden layers."""
    driver, labels = set_up("plain"), list[bytes]()
    expand = driver.suite.expand

    def noting(seed: Seed, label: bytes) -> RandomSource:
        # A mask of votes has a key that two parties agreed on, and not a seed of a step.
        if seed == ONE:
            labels.append(label)
        return expand(seed, label)

    models = [constant_model(sizes, 1, 2) for sizes in SIZES]
    forked = driver.fork(models, replace(driver.suite, expand=noting), lambda: ONE)
    for _ in range(2):
        forked.run_prepared([[1, 2]])
    masks = [label for label in labels if label.startswith((b"querying_party_keep", b"querying_party_mask"))]
    # The queries', and those of three hidden values, which lie at two answering parties.
    assert len(masks) == 2 * (1 + 3)
    assert len(set(labels)) == len(labels)
