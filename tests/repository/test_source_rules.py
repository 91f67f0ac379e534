"""Rules of the source that no linter of the project holds: who may import what, where randomness comes from, size.

Each rule is a function from a file to its offences. It is tested on offending text first, and then on the tree.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable

import pytest

from support.sources import Module, is_within, modules

OUTER = (
    "capc.privacy.accountants",
    "capc.privacy.analysis",
    "capc.privacy.composition",
    "capc.privacy.figures",
    "capc.cli",
    "capc.linear.bfv",
    "capc.models.importing",
    "capc.job",
    "capc.learning",
    "capc.privacy.ledger",
    "capc.privacy.storage",
    "capc.two_party.vectorised",
)
"""What is built around the core. Every other module of `capc` is the core."""
LIBRARIES_OF_PRIMITIVES = {"cryptography", "nacl"}
MAX_LINES = 400
FLOAT_RANDOMNESS = re.compile(
    r"(np|numpy)\.random\b"
    r"|torch\.(rand|normal|bernoulli|multinomial|poisson|Generator|manual_seed)"
    r"|\.(normal_|uniform_|bernoulli_|random_|exponential_)$"
)
OPERATING_SYSTEM = re.compile(r"os\.(urandom|getrandom)$")


def imports_of_the_core(module: Module) -> list[str]:
    """The core imports the standard library, the core and the data; the primitives also two libraries."""
    if not module.is_in("capc") or module.is_in(*OUTER):
        return []
    libraries = LIBRARIES_OF_PRIMITIVES if module.name == "capc.foundation.primitives" else set()
    return [
        name
        for name in sorted(module.imports)
        if is_within(name, OUTER)
        or name.partition(".")[0] not in {*sys.stdlib_module_names, "capc", "capc_spec", *libraries}
    ]


def wrappers_of_primitives(module: Module) -> list[str]:
    """In `capc` only `capc.foundation.primitives` imports the cryptographic libraries."""
    if not module.is_in("capc") or module.name == "capc.foundation.primitives":
        return []
    return [name for name in sorted(module.imports) if name.partition(".")[0] in LIBRARIES_OF_PRIMITIVES]


def weak_randomness(module: Module) -> list[str]:
    """No mask, share, label or noise comes from a statistical generator; only `capc.learning` may use one."""
    if not module.is_in("capc", "capc_mpc") or module.is_in("capc.learning"):
        return []
    modules = {name for name in module.imports if is_within(name, ("random",))}
    return sorted(modules | {name for name in module.dotted_names if FLOAT_RANDOMNESS.search(name)})


def entropy(module: Module) -> list[str]:
    """In the core only `capc.foundation.randomness` asks the operating system for randomness."""
    if not module.is_in("capc") or module.is_in("capc.foundation.randomness", *OUTER):
        return []
    modules = {name for name in module.imports if is_within(name, ("secrets", "uuid"))}
    return sorted(modules | {name for name in module.dotted_names if OPERATING_SYSTEM.search(name)})


def bare_asserts(module: Module) -> list[str]:
    """Shipped code behaves the same under ``python -O``."""
    return [f"line {node.lineno}" for node in ast.walk(module.tree) if isinstance(node, ast.Assert)]


def too_long(module: Module) -> list[str]:
    """A module holds one idea."""
    length = len(module.text.splitlines())
    return [f"{length} lines"] if length > MAX_LINES else []


def literal_names(module: Module) -> list[str]:
    """A name that is bytes stands in the registry, and not in code; what vectors try may be any bytes."""
    texts = {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Expr)}
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and id(node) not in texts:
            value = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
            named = isinstance(node.value, bytes) and value.isascii() and re.search("[A-Za-z]", value)
            named = named and not module.is_in("capc_verify")
            if isinstance(value, str) and (named or re.match(r"/?CaPC\b.*/", value)):
                found.append(f"line {node.lineno}: {value}")
        if isinstance(node, ast.Call) and not module.is_in("capc_verify"):
            found += [f"line {node.lineno}: {text}" for text in encoded_texts(node)]
    return found


def encoded_texts(call: ast.Call) -> list[str]:
    """Words in a text that is written where it becomes bytes."""
    encoded = [call.func.value] if isinstance(call.func, ast.Attribute) and call.func.attr == "encode" else []
    if isinstance(call.func, ast.Name) and call.func.id in ("bytes", "bytearray"):
        encoded = call.args[:1]
    written = [text for text in encoded if isinstance(text, ast.Constant | ast.JoinedStr | ast.BinOp)]
    values = [getattr(node, "value", None) for text in written for node in ast.walk(text)]
    return [value for value in values if isinstance(value, str) and re.search("[A-Za-z]", value)]


Rule = Callable[[Module], list[str]]
RULES: tuple[Rule, ...] = (
    imports_of_the_core,
    wrappers_of_primitives,
    weak_randomness,
    entropy,
    bare_asserts,
    too_long,
    literal_names,
)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_shipped_module_keeps_the_rule(rule: Rule) -> None:
    shipped = modules()
    assert {"capc_spec", "capc", "capc.foundation.ring", "capc_verify"} <= {module.name for module in shipped}
    offences = [f"{module.name}: {offence}" for module in shipped for offence in rule(module)]
    assert offences == [], offences


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        (imports_of_the_core, "capc.new_module", "import numpy"),
        (imports_of_the_core, "capc.new_module", "def late():\n    from torch import nn"),
        (imports_of_the_core, "capc.foundation.ring", "from capc.linear.bfv import context"),
        (imports_of_the_core, "capc.foundation.ring", "from capc.privacy import accountants"),
        (imports_of_the_core, "capc.noise.mechanism", "import capc.learning.data as data"),
        (imports_of_the_core, "capc.foundation.ring", "import capc_verify"),
        (imports_of_the_core, "capc.foundation.ring", "import nacl.bindings"),
        (imports_of_the_core, "capc.foundation.primitives", "import tenseal"),
        (imports_of_the_core, "capc.foundation.ring", "from ..privacy import accountants"),
        (wrappers_of_primitives, "capc.linear.bfv.keys", "from cryptography import x509"),
        (wrappers_of_primitives, "capc.foundation.ring", "import nacl"),
        (weak_randomness, "capc.foundation.ring", "import random"),
        (weak_randomness, "capc_mpc.spdz.running", "import random"),
        (weak_randomness, "capc.foundation.ring", "from random import randrange"),
        (weak_randomness, "capc.linear.bfv.keys", "import numpy as np\nx = np.random.default_rng()"),
        (weak_randomness, "capc.linear.bfv.keys", "from numpy.random import default_rng"),
        (weak_randomness, "capc.linear.bfv.keys", "from numpy import random"),
        (weak_randomness, "capc.job.run", "x = torch.randn(3)"),
        (weak_randomness, "capc.job.run", "from torch import randint"),
        (weak_randomness, "capc.job.run", "x.uniform_()"),
        (entropy, "capc.two_party.garbling.half_gates", "import secrets"),
        (entropy, "capc.two_party.garbling.half_gates", "import os\nx = os.urandom(3)"),
        (entropy, "capc.two_party.garbling.half_gates", "from os import urandom"),
        (bare_asserts, "capc.linear.bfv.keys", "def f():\n    assert 1"),
        (too_long, "capc_verify.views", "\n" * (MAX_LINES + 1)),
        (literal_names, "capc.foundation.ring", 'x = sha256(b"CaPC/0.1/xof")'),
        (literal_names, "capc.foundation.ring", 'x = sha256(f"CaPC/{version}/xof".encode())'),
        (literal_names, "capc_verify.views", 'x = "CaPC/0.1/xof"'),
        (literal_names, "capc.foundation.ring", 'x = expand(seed, label + b"/noise")'),
        (literal_names, "capc.foundation.ring", 'x = expand(seed, "noise".encode("ascii"))'),
        (literal_names, "capc.foundation.ring", 'x = expand(seed, f"row {number}".encode())'),
        (literal_names, "capc_mpc.spdz.running", 'x = XofSource(seed, bytes("inputs", "ascii"))'),
    ],
)
def test_each_rule_catches_its_offence(rule: Rule, name: str, text: str) -> None:
    assert len(rule(Module(name, text))) >= 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "capc.foundation.ring",
            "import hashlib\nfrom capc.foundation.errors import InputError\nfrom capc_spec import parameter_sets",
        ),
        ("capc.foundation.primitives", "from cryptography.hazmat import primitives\nfrom nacl import bindings"),
        ("capc.foundation.randomness", "import secrets"),
        ("capc.learning.data", "import numpy as np\nx = np.random.default_rng(3)"),
        (
            "capc.linear.bfv.keys",
            "import numpy as np\nimport tenseal\nfrom capc.foundation.randomness import RandomSource",
        ),
        ("capc.privacy.accountants.ball_arithmetic", "import flint"),
        ("capc.foundation.ring", "def f(random, secrets):\n    return random.bits(3), secrets"),
        ("capc_verify.views", "from capc.linear.bfv import context\nimport random"),
        ("capc.foundation.ring", "\n" * MAX_LINES),
        ("capc.foundation.ring", '"""A tag as `CaPC/0.1/xof`."""\nx = TAGS["xof"] + b"/" + b"\\x00" + text.encode()'),
        ("capc_verify.vectors", 'x = b"any input"'),
    ],
)
def test_no_rule_catches_what_is_allowed(name: str, text: str) -> None:
    assert [rule(Module(name, text)) for rule in RULES] == [[]] * len(RULES)
