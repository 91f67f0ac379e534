"""The HE layer on several processes: the same results and lengths, and no process that outlives its use."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capc.foundation.errors import CapcError, ErrorCode, InputError, InvalidPayloadError
from capc.linear.bfv import BfvLinear
from capc.linear.bfv.pool import PooledLinear
from capc.models.operators import Convolution, Dense, Grid, Operator
from linear.strategies import convolutions
from linear.support import BINDING, Setting, altered, keyed
from support.sizes import examples

NAME = "toy"
WIDE = Dense(300, 150)


@pytest.fixture(scope="module")
def pool() -> Iterator[Setting]:
    """A setting whose scheme has two workers; its keys are its own."""
    with PooledLinear(altered(NAME).widths, 2) as scheme:
        yield keyed(altered(NAME).widths, scheme)


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-001")
@given(
    operator=st.one_of(convolutions(9, 4), st.builds(Dense, st.integers(1, 400), st.integers(1, 200))),
    count=st.integers(1, 12),
    label=st.text(alphabet="ab", min_size=4),
)
@settings(max_examples=examples(ordinary=15, nightly=500), deadline=None)
def test_a_pool_is_exact_for_any_batch(pool: Setting, operator: Operator, count: int, label: str) -> None:
    weights = pool.weights(operator, label, 10)
    pool.check(operator, weights, pool.rows(count, operator.inputs, label + "/x"), label)


@pytest.mark.slow
@pytest.mark.req("CAPC-HE-001")
@pytest.mark.parametrize("operator", [WIDE, Convolution(Grid(8, 20, 20, (3, 3)), 9)])
def test_each_side_may_have_a_pool_or_none(pool: Setting, operator: Operator) -> None:
    plain: BfvLinear = altered(NAME).scheme
    weights, count = pool.weights(operator, "w", 10), 9
    vectors = pool.rows(count, operator.inputs, "x")
    for key_holder, evaluator in ((pool.scheme, plain), (plain, pool.scheme)):
        secret_key = key_holder.generate_secret_key()
        payload = key_holder.public_key(secret_key, BINDING, pool.source("key"))
        request = key_holder.encrypt(secret_key, operator, vectors)
        public_key, prepared = evaluator.read_public_key(payload, BINDING), evaluator.prepare(operator, weights)
        shares, response = evaluator.evaluate(public_key, prepared, request, count, pool.source("r"))
        opened = pool.opened(shares, key_holder.decrypt(secret_key, operator, count, response))
        assert opened == [pool.expected(weights, vector, operator) for vector in vectors]


@pytest.mark.req("CAPC-HE-012")
def test_a_pool_gives_the_bytes_and_shares_of_one_process(pool: Setting) -> None:
    plain: BfvLinear = altered(NAME).scheme
    request, weights = pool.request(WIDE, pool.rows(9, 300, "x")), pool.weights(WIDE, "w", 10)
    given = [
        scheme.evaluate(
            scheme.read_public_key(pool.public_payload, BINDING),
            scheme.prepare(WIDE, weights),
            request,
            9,
            pool.source("r"),
        )
        for scheme in (pool.scheme, plain)
    ]
    assert given[0] == given[1]


@pytest.mark.req("CAPC-HE-005")
def test_malformed_bytes_are_refused_wherever_they_are_read_and_the_pool_lives_on(pool: Setting) -> None:
    weights = pool.weights(WIDE, "w", 10)
    vectors = pool.rows(9, 300, "x")
    prepared = pool.scheme.prepare(WIDE, weights)
    shares, response = pool.scheme.evaluate(pool.public_key, prepared, pool.request(WIDE, vectors), 9, pool.source("r"))
    for place in (0, len(response) - 7):
        malformed = response[:place] + b"\xff" * 7 + response[place + 7 :]
        with pytest.raises(InvalidPayloadError) as caught:
            pool.scheme.decrypt(pool.secret_key, WIDE, 9, malformed)
        assert caught.value.code is ErrorCode.VALUE_OUT_OF_RANGE
    results = pool.scheme.decrypt(pool.secret_key, WIDE, 9, response)
    assert pool.opened(shares, results) == [pool.expected(weights, vector) for vector in vectors]


@pytest.mark.slow
def test_workers_let_go_of_what_their_owner_lets_go_of(pool: Setting) -> None:
    scheme, weights = pool.scheme, pool.weights(WIDE, "dropped", 10)
    for _ in range(4):
        pool.check(WIDE, weights, pool.rows(9, 300, "x"))
        gc.collect()
        # What stays are the two keys; the weights' end is told with the next batch.
        assert len(scheme._numbers) == 2
    assert len(scheme._dropped) == 1


def _encrypt(scheme: PooledLinear) -> bytes:
    secret_key = scheme.generate_secret_key()
    return scheme.encrypt(secret_key, WIDE, [[1] * 300] * 9)


@pytest.mark.slow
def test_a_closed_pool_is_refused_and_its_workers_are_gone() -> None:
    scheme = PooledLinear(altered(NAME).widths, 1)
    _encrypt(scheme)
    scheme.close()
    assert [process.returncode for process in scheme._processes] == [0]
    with pytest.raises(InputError, match="closed: make another one"):
        _encrypt(scheme)


@pytest.mark.slow
def test_a_worker_that_ends_early_is_an_error_and_no_hang() -> None:
    with PooledLinear(altered(NAME).widths, 1) as scheme:
        _encrypt(scheme)
        scheme._processes[0].kill()
        scheme._processes[0].wait()
        with pytest.raises(CapcError, match="ended early"):
            _encrypt(scheme)


@pytest.mark.slow
def test_a_pool_needs_a_worker() -> None:
    with pytest.raises(InputError, match="pool of 0 worker"):
        PooledLinear(altered(NAME).widths, 0)


OWNER = """
import sys, time
from capc.linear.bfv.pool import PooledLinear
from capc.models.operators import Dense
from capc.session.widths import ParameterSet

pool = PooledLinear(ParameterSet.named("toy"), 2)
print(*(process.pid for process in pool._processes), flush=True)
key = pool.generate_secret_key()
pool.encrypt(key, Dense(300, 150), [[1] * 300] * 9)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_owner(how: signal.Signals) -> None:
    # A program that is no file can have a pool too.
    arguments = [sys.executable, "-c", OWNER]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, process_group=0
    ) as owner:
        assert owner.stdout is not None
        workers = [int(pid) for pid in owner.stdout.readline().split()]
        assert owner.stdout.readline() == "ready\n"
        assert len(workers) == 2
        if how is signal.SIGINT:
            # As a terminal does: to every process of the group.
            os.killpg(owner.pid, how)
        else:
            owner.send_signal(how)
        owner.wait(30)
    deadline = time.monotonic() + 30
    while any(_alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
