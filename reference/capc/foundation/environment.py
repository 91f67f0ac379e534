"""Which package belongs to which extra, what is installed, and what to do about what is not.

Imports the standard library only, so that it can speak when everything else is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

EXTRAS: dict[str, tuple[str, ...]] = {
    "core": ("cryptography", "pynacl"),
    "he": ("tenseal", "zstandard", "numpy"),
    "fast": ("numpy",),
    "privacy": ("numpy", "python-flint"),
    "learning": ("numpy", "scikit-learn", "scipy", "torch"),
    "onnx": ("numpy", "onnx"),
    "cli": ("typer", "rich"),
    "account": ("numpy", "python-flint", "matplotlib"),
}
"""The distributions that each extra of pyproject.toml declares; `core` is always needed."""

_MODULES = {
    "flint": "python-flint",
    "nacl": "pynacl",
    "sklearn": "scikit-learn",
}

REMEDY = "pip install -e '.[run]' in the checkout installs everything that capc run needs"


@dataclass(frozen=True)
class Requirement:
    """One distribution of an extra.

    Attributes:
        extra: the extra's name, or `core`.
        distribution: its name.
        version: the installed version, None if it is missing.
    """

    extra: str
    distribution: str
    version: str | None


@cache
def installed_version(distribution: str) -> str | None:
    """The version of an installed distribution, None if there is none; as this process first found it."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def requirements() -> list[Requirement]:
    """Every distribution of every extra, with its installed version."""
    return [
        Requirement(extra, distribution, installed_version(distribution))
        for extra, distributions in EXTRAS.items()
        for distribution in distributions
    ]


def missing_module(name: str) -> str | None:
    """The line for a user about a module that could not be imported; None if no extra is to blame."""
    module = name.partition(".")[0]
    distribution = _MODULES.get(module, module)
    for extra, distributions in EXTRAS.items():
        if distribution in distributions:
            return f"the package {distribution} of the extra '{extra}' is not installed: {REMEDY}"
    return None
