"""Files by real exporters are read as their frameworks compute them, or refused for the true reason.

Ordinary runs make a sample, in this environment. Nightly ones make all of them, and keep what became of each in the
record. Networks were chosen for the kinds that people train and for what is refused; the share that is read is a
share of these.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from support.exporters.files import Verdict, judged
from support.exporters.from_torch import Variant, made_from, ways
from support.exporters.others import SCRIPTS, NotInstallableError, files_of, interpreter
from support.sizes import is_nightly

SAMPLE = (
    ("mlp_batchnorm_after_relu", Variant(False, 9)),
    ("mlp_quantised_weights", Variant(False, 13)),
    ("densenet", Variant(False, 11, is_double=True)),
    ("channels_last", Variant(False, 18, is_folded=False)),
    ("resnet_basic", Variant(False, 17, is_open=False)),
    ("largest_of_pixels", Variant(True, 18, is_beside=True)),
    ("lstm", Variant(False, 17)),
    ("gelu_tanh", Variant(False, 13)),
    ("one_probability", Variant(False, 17)),
)
Record = Callable[[str, object], None]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variant"), SAMPLE, ids=[name for name, _ in SAMPLE])
def test_a_file_is_read_exactly_or_refused_for_its_reason(name: str, variant: Variant, tmp_path: Path) -> None:
    verdict = judged(made_from(tmp_path, name, variant))
    assert not verdict.problem, verdict.told


@pytest.mark.slow
@pytest.mark.skipif(not is_nightly(), reason="of nightly size only: make nightly ROOMS=models.corpus")
def test_the_whole_corpus(tmp_path: Path, record_property: Record) -> None:
    """At least 150 files, of which four fifths are read; each is read exactly, or refused for its reason."""
    verdicts = [judged(made_from(tmp_path, name, variant)) for name, variant in ways()]
    versions, missing = {"torch": version("torch"), "onnx": version("onnx"), "onnxscript": version("onnxscript")}, ""
    try:
        python = interpreter(tmp_path / "exporters")
        for script in SCRIPTS:
            found, files = files_of(script, python, tmp_path / script)
            versions |= found
            verdicts += [judged(made) for made in files]
    except NotInstallableError as reason:
        missing = str(reason)
    for exporter, number in versions.items():
        record_property(f"version of {exporter}", number)
    for verdict in verdicts:
        record_property(f"{verdict.made.path.stem}: {verdict.made.how}", verdict.told)
    read = sum(verdict.is_read for verdict in verdicts)
    record_property("files", len(verdicts))
    record_property("read", read)
    assert not [shown(verdict) for verdict in verdicts if verdict.problem]
    assert len(verdicts) >= 150
    assert read >= 0.8 * len(verdicts)
    if missing:
        pytest.skip(f"{len(verdicts)} files of PyTorch were judged, none of scikit-learn or TensorFlow: {missing}")


def shown(verdict: Verdict) -> str:
    return f"{verdict.made.path.stem}, {verdict.made.how}: {verdict.told}: {verdict.problem}"
