"""Numbers of a kept model that no training gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from capc.foundation.errors import InputError
from capc.job.keeping.kept_models import KeptModels
from capc.learning.training import FloatModel

KEY = bytes(range(32))


@pytest.mark.req("CAPC-RUN-027")
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("array", range(4))
def test_a_kept_model_with_a_number_that_is_not_finite_is_refused_wherever_it_is(
    array: int, number: float, tmp_path: Path
) -> None:
    arrays = [np.ones((3, 4)), np.ones((2, 3)), np.zeros(3), np.zeros(2)]
    arrays[array].flat[-1] = number
    kept = KeptModels(tmp_path)
    kept.save(KEY, FloatModel(tuple(arrays[:2]), tuple(arrays[2:])))
    with pytest.raises(InputError, match="a weight is not finite: no kept model of this training"):
        kept.load(KEY)
