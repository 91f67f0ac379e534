"""Plugins of the whole suite: requirements and seeded faults, and pytest's own tester of plugins.

Property tests may not fail because a machine is busy: they have no deadline, and large examples are no error. What a
push is judged by is the same for the same code: ordinarily their examples follow from the test; nights draw new ones.
A suite that is started in the background may inherit an ignored SIGINT, and so would every process that a test starts
to interrupt: the ordinary handler is put back. What a run keeps in its user's own state goes to a folder of the tests.
"""

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from support.sizes import examples, is_nightly

pytest_plugins = ["capc_verify.pytest_plugin", "pytester"]

# Before any library reads it: workers share the cores, and threads that wait for each other take all of their time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile(
    "capc",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    max_examples=examples(ordinary=25, nightly=60),
    derandomize=not is_nightly(),
)
# The vectorised engine's properties run whole computations: fewer examples each.
settings.register_profile("vectorised", settings.get_profile("capc"), max_examples=examples(ordinary=10, nightly=25))
settings.load_profile("capc")
# Against a seeded fault any failure is as good as the smallest, and none may be kept to be tried in ordinary runs.
settings.register_profile(
    "fault", settings.get_profile("capc"), database=None, phases=(Phase.explicit, Phase.generate), print_blob=False
)


def pytest_sessionstart() -> None:
    """All libraries and thousands of tests are here to stay: not to be looked through again and again."""
    gc.disable()


def pytest_collection_finish() -> None:
    """From here on garbage is that of tests."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Settings are taken when a module is imported: a folder's profile must not hold for those collected after it."""
    if isinstance(collector, pytest.Module):
        own = "vectorised" if collector.path.parent.name == "vectorised" else "capc"
        settings.load_profile(collector.config.getoption("--hypothesis-profile") or own)


signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setitem(os.environ, "XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
