"""The HE layer on several processes of one party: SEAL's binding holds the interpreter's lock, so threads do not help.

Each ciphertext of a request or response is made or read on its own; the owner and its workers take equal shares of
them. Workers are started anew, not forked: a fork would copy keys into processes that never need them,
the state of SEAL's generator and memory pool, and locks that threads of the network layer may hold at that moment. Nor
are they :mod:`multiprocessing` processes, which would run the main module of whoever uses a pool once more.

A worker gets the keys and weights that it needs over a socket that only it and its owner hold; nothing is written to a
disk. Interrupts of a terminal do not reach it. It ends when the socket's other end does: with the pool, with the owner,
and also if the owner is killed.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TypeVar

from capc.foundation.errors import CapcError, ErrorCode, InputError, InvalidPayloadError
from capc.foundation.randomness import Seed
from capc.linear.bfv.context import context_for
from capc.linear.bfv.encoding.axis import Indices
from capc.linear.bfv.encoding.polynomials import Encoding
from capc.linear.bfv.encoding.weights import EncodedWeights
from capc.linear.bfv.keys import PublicKey, SecretKey, read_public_key, restore_secret_key
from capc.linear.bfv.scheme import BfvLinear, encoding_for
from capc.linear.bfv.wire.requests import seal_inputs
from capc.linear.bfv.wire.responses import open_response, respond
from capc.linear.bfv.wire.seal_format import Words
from capc.session.widths import ParameterSet

_T = TypeVar("_T")

Held = SecretKey | PublicKey | EncodedWeights
"""What workers hold copies of, for as long as the owner does."""


class PooledLinear(BfvLinear):
    """:class:`BfvLinear` whose requests and responses are made and read by several processes at a time.

    It pays where a request or response has several ciphertexts. With one worker, of 64 queries to 784-128-10 the owner
    and the worker each take 52 to 56 per cent of the processor time of one process; of 64 queries to 64-32-10, 56 to
    68. The wall-clock time falls as far as a core is free for the worker: 1.4 times for 784 to 128 on two cores that
    others used too. A single ciphertext, as in 64 to 32 for one query, is handled by the owner without any exchange: no
    gain, no loss.

    Memory: what :class:`BfvLinear` takes, in each process; of the weights' polynomials a process has only its own rows
    of blocks. A share of a request or response is copied once on each side of a socket. A worker that does nothing
    takes about 50 MB.

    Args:
        widths: the parameter set.
        workers: processes besides the owner's, 1 or more; the processor's cores less one are a good choice.

    Raises:
        InputError: there is no worker.
        ParameterError: as for :class:`BfvLinear`.
    """

    def __init__(self, widths: ParameterSet, workers: int) -> None:
        super().__init__(widths)
        if workers < 1:
            raise InputError(f"a pool of {workers} worker processes: choose 1 or more, or BfvLinear for none")
        self._lock = threading.Lock()
        self._numbers: weakref.WeakKeyDictionary[Held, int] = weakref.WeakKeyDictionary()
        self._next_number = 0
        self._dropped: deque[int] = deque()
        self._pipes: list[Connection] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._closing = weakref.finalize(self, _close, self._pipes, self._processes)
        for _ in range(workers):
            pipe, process = _start_worker()
            self._pipes.append(pipe)
            self._processes.append(process)
            pipe.send(widths)

    def close(self) -> None:
        """Ends the workers and waits for them. The pool cannot be used afterwards."""
        self._closing()

    def __enter__(self) -> PooledLinear:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _seal(self, key: SecretKey, polynomials: Iterable[Words]) -> bytes:
        every = list(polynomials)
        return b"".join(self._spread(len(every), lambda start, stop: (seal_inputs, key, every[start:stop])))

    def _respond(
        self, key: PublicKey, weights: EncodedWeights, encoding: Encoding, request: bytes, seed: Seed
    ) -> list[tuple[bytes, Words]]:
        count = encoding.tiling.layout.count

        def job(start: int, stop: int) -> tuple[object, ...]:
            return _respond, key, weights, count, request, seed, range(start, stop)

        return [part for share in self._spread(len(encoding.responses), job) for part in share]

    def _open(self, key: SecretKey, encoding: Encoding, payloads: Sequence[bytes]) -> Iterable[Sequence[int]]:
        parts = [(carried.positions, payload) for carried, payload in zip(encoding.responses, payloads, strict=True)]
        opened = self._spread(len(parts), lambda start, stop: (_open, key, parts[start:stop]))
        return [values for share in opened for values in share]

    def _spread(self, total: int, job: Callable[[int, int], tuple[Any, ...]]) -> list[Any]:
        """The results of a job's equal shares, in order; the owner does the first one."""
        shares = min(total, len(self._processes) + 1)
        bounds = [total * share // shares for share in range(shares + 1)]
        own, *others = [job(start, stop) for start, stop in pairwise(bounds)]
        if not others:
            return [_checked(_attempt(*own))]
        with self._lock:
            if not self._closing.alive:
                raise InputError("a pool of processes that was closed: make another one")
            try:
                for pipe, (function, *arguments) in zip(self._pipes, others, strict=False):
                    pipe.send((function, [self._portable(argument) for argument in arguments]))
                first = _attempt(*own)
                results = [first, *(pipe.recv() for pipe in self._pipes[: len(others)])]
            except (EOFError, OSError):
                self._closing()
                raise CapcError(
                    "a worker process of the HE layer ended early: start again with fewer workers"
                ) from None
            except BaseException:
                # Results may be under way that belong to nothing: no later exchange would be in step.
                self._closing()
                raise
        return [_checked(result) for result in results]

    def _portable(self, argument: object) -> object:
        """What stands for an argument in a pipe: a number for what workers hold, given to them when first used."""
        if not isinstance(argument, Held):
            return argument
        while self._dropped:
            self._tell(_drop, self._dropped.popleft())
        if argument not in self._numbers:
            self._tell(_keep, self._next_number, *_recipe(argument))
            self._numbers[argument] = self._next_number
            # The end of an object may come in the middle of anything: the workers are told at the next exchange.
            weakref.finalize(argument, self._dropped.append, self._next_number)
            self._next_number += 1
        return _Reference(self._numbers[argument])

    def _tell(self, *message: object) -> None:
        for pipe in self._pipes:
            pipe.send(message)


def _respond(
    key: PublicKey, weights: EncodedWeights, count: int, request: bytes, seed: Seed, numbers: range
) -> list[tuple[bytes, Words]]:
    encoding = encoding_for(weights.context, weights.operator, count)
    return respond(key, weights, encoding, request, seed, numbers)


def _open(key: SecretKey, parts: Sequence[tuple[Indices, bytes]]) -> list[list[int]]:
    return [open_response(key, positions, payload) for positions, payload in parts]


class _Reference(NamedTuple):
    """Stands for what a worker holds."""

    number: int


class _Refusal(NamedTuple):
    """An :class:`InvalidPayloadError`, which cannot be pickled."""

    code: ErrorCode
    detail: str


def _attempt(function: Callable[..., _T], *arguments: object) -> _T | _Refusal:
    """The function's result, or its refusal of a peer's bytes: that is no reason to end a pool."""
    try:
        return function(*arguments)
    except InvalidPayloadError as error:
        return _Refusal(error.code, error.detail)


def _checked(result: _T | _Refusal) -> _T:
    if isinstance(result, _Refusal):
        raise InvalidPayloadError(*result)
    return result


def _recipe(held: Held) -> tuple[Callable[..., Held], tuple[object, ...]]:
    """How a worker makes its copy: a function of the context and these arguments. Secret."""
    if isinstance(held, SecretKey):
        return restore_secret_key, (held.words(),)
    if isinstance(held, PublicKey):
        return read_public_key, (held.payload, held.binding)
    return EncodedWeights, (held.operator, held.words.tolist())


def _start_worker() -> tuple[Connection, subprocess.Popen[bytes]]:
    """A new worker, and the owner's end of their socket."""
    near, far = socket.socketpair()
    with far:
        command = [sys.executable, "-c", _START, str(far.fileno()), *sys.path]
        # In a session of its own, so that a terminal's interrupt reaches the owner only.
        process = subprocess.Popen(  # noqa: S603 - this very interpreter, and nothing of a user's
            command, stdin=subprocess.DEVNULL, pass_fds=[far.fileno()], start_new_session=True
        )
    return Connection(near.detach()), process


_START = "import sys; sys.path[:] = sys.argv[2:]; from capc.linear.bfv.pool import work; work(int(sys.argv[1]))"


def work(descriptor: int) -> None:
    """A worker's life: it ends with its socket.

    Args:
        descriptor: of its end, which a :class:`PooledLinear` holds the other one of.
    """
    held: dict[int, Held] = {}
    with suppress(EOFError, OSError), Connection(descriptor) as pipe:
        context = context_for(pipe.recv())
        while True:
            function, *arguments = pipe.recv()
            if function is _keep:
                number, make, state = arguments
                held[number] = make(context, *state)
            elif function is _drop:
                del held[arguments[0]]
            else:
                given = [held[value.number] if isinstance(value, _Reference) else value for value in arguments[0]]
                pipe.send(_attempt(function, *given))


def _keep() -> None:
    """Names a message: a worker makes and holds an object."""


def _drop() -> None:
    """Names a message: a worker lets go of an object."""


def _close(pipes: list[Connection], processes: list[subprocess.Popen[bytes]]) -> None:
    for pipe in pipes:
        pipe.close()
    for process in processes:
        process.wait()
