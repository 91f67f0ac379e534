"""Finds the engine of steps 1c and 3 that the options name. Those of other packages are entry points.

`embedded` is the garbled circuits of the protocol. `NAME:PROTOCOL` is the entry point NAME of the group `capc.engines`:
a function of the protocol and the declared threat model that returns a :class:`capc.protocol.engine.SecureEngine`.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from capc.job.config import JobConfig
from capc.protocol.engine import EMBEDDED, EngineDescription, SecureEngine

EXTENSIONS = "capc.engines"
"""The entry-point group of engines outside of this package."""


def find_engine(config: JobConfig) -> SecureEngine | None:
    """The engine that the options name; None for the embedded one.

    Raises:
        InputError: there is no such engine, it is not installed, or it is weaker than the declared model.
    """
    if config.engine == EMBEDDED.name:
        if config.declare_model != EMBEDDED.model:
            raise config.refusal("declare_model", "the embedded engine needs no weaker model: leave this out")
        return None
    name, _, protocol = config.engine.partition(":")
    found = {extension.name: extension for extension in entry_points(group=EXTENSIONS)}
    if name not in found:
        known = ", ".join([EMBEDDED.name, *(f"{other}:PROTOCOL" for other in found)])
        raise config.refusal("engine", f"there is no such engine: choose one of {known}")
    with config.placing("engine", "declare_model"):
        engine: SecureEngine = found[name].load()(protocol, config.declare_model)
    return engine


def described(engine: SecureEngine | None) -> EngineDescription:
    """What reports say of an engine; None is the embedded one."""
    return EMBEDDED if engine is None else engine.description
