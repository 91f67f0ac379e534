"""A batch, chunk after chunk: the order of everything on the wire, as the garbling room's `payload` lays it out.

Spec: CAPC-GC-009.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from capc.foundation.aes_ctr import KEY_BYTES
from capc.foundation.encoding import LABEL_BYTES
from capc.foundation.errors import InputError
from capc.two_party.circuits.builder import Circuit
from capc.two_party.hash_use import HashTally
from capc.two_party.interface import Evaluation, EvaluatorChoice, GarblerOutput, OutputLabels
from capc.two_party.transfers import Words
from capc.two_party.vectorised import labels as arrays
from capc.two_party.vectorised.bits import unpack_rows, wire_bits
from capc.two_party.vectorised.evaluator import EvaluatorProgram, ReadInto
from capc.two_party.vectorised.garbler import GarblerProgram
from capc.two_party.vectorised.hashing import BatchHash
from capc.two_party.vectorised.output_sharing import RowCodec
from capc.two_party.vectorised.pool import ProgramPool
from capc.two_party.vectorised.transfers import ChosenEnd

Output = TypeVar("Output")
Piece = memoryview | bytes
"""Consecutive bytes of a payload; a view is valid until the next piece is asked for."""


@dataclass(frozen=True, repr=False)
class GarblerBatch:
    """What the garbler garbles from. Secret.

    Attributes:
        circuit: for all instances.
        instances: how many.
        nonce: of the batch.
        delta: the connection's offset.
        transfer_labels: the zero labels of the batch's transfers.
        flips: the evaluator's choice bits, one byte each.
        label_seed: of the garbler's input labels.
        hash_key: of the batch.
        words: the garbler's inputs, of shape (instances, words), whose active labels the seed gives; None if it gives
            zero labels.
    """

    circuit: Circuit
    instances: int
    nonce: int
    delta: arrays.Words
    transfer_labels: arrays.Words
    flips: arrays.Bits
    label_seed: bytes
    hash_key: bytes
    words: arrays.Words | None


class GarbledStream(Generic[Output]):
    """The payload of a garbler in pieces, to be read once; then what it ends with.

    Pieces have no boundaries on the wire: the reader asks for what it needs.
    """

    def __init__(self, pieces: Generator[Piece, None, Output]) -> None:
        self._pieces = pieces
        self._output: Output | None = None

    def __iter__(self) -> Iterator[Piece]:
        self._output = yield from self._pieces

    def payload(self, length: int) -> bytes:
        """All pieces as one, which has this length."""
        whole = io.BytesIO()
        # A buffer that grows is copied again and again: the last byte claims all of it.
        whole.seek(length - 1)
        whole.write(b"\0")
        whole.seek(0)
        for piece in self:
            whole.write(piece)
        return whole.getvalue()

    @property
    def output(self) -> Output:
        """What the garbler ends with.

        Raises:
            InputError: the pieces were not all read.
        """
        if self._output is None:
            raise InputError("circuits are still being garbled: read the stream to its end first")
        return self._output

    def __repr__(self) -> str:
        return "<GarbledStream>"


def spans(instances: int, chunk: int) -> list[slice]:
    """The instances of each chunk."""
    return [slice(start, min(start + chunk, instances)) for start in range(0, instances, chunk)]


def garble_batch(
    programs: ProgramPool[GarblerProgram], batch: GarblerBatch, chunk: int, tally: HashTally
) -> Generator[Piece, None, GarblerOutput]:
    """Yields the payload; returns the garbler's output. A label seed that gives active labels is part of it."""
    circuit = batch.circuit
    label_hash = BatchHash(batch.hash_key, batch.nonce)
    shares: list[Words] = []
    zero_labels: list[Words] = []
    if batch.words is not None:
        yield batch.label_seed
    yield batch.hash_key
    for number, span in enumerate(spans(batch.instances, chunk)):
        label_hash.begin_chunk(number)
        with programs.lend(circuit, span.stop - span.start) as program:
            program.begin(label_hash, batch.delta)
            bits = None if batch.words is None else wire_bits(batch.words[span], circuit.input_bits)
            program.set_garbler_labels(batch.label_seed, number, bits)
            transfers = slice(span.start * circuit.evaluator_inputs, span.stop * circuit.evaluator_inputs)
            program.set_evaluator_labels(batch.transfer_labels[transfers], batch.flips[transfers])
            yield from program.run(label_hash)
            own, zeros, rows = program.finish(label_hash)
            shares += own
            zero_labels += zeros
            yield rows
    tally.add(label_hash.use)
    kept = OutputLabels(zero_labels, arrays.to_number(batch.delta)) if circuit.sharing is None else None
    return GarblerOutput(shares, kept)


def check_outputs(circuit: Circuit, instances: int, chunk: int, payload: bytes) -> None:
    """Looks at the outputs in a payload of the right length, as they are read when it is evaluated.

    Raises:
        InvalidPayloadError: a row outside its ring (`value_out_of_range`), or padding bits set (`non_canonical`).
    """
    data, at = np.frombuffer(payload, np.uint8), KEY_BYTES
    for span in spans(instances, chunk):
        lanes = span.stop - span.start
        at += LABEL_BYTES * circuit.table_rows * lanes
        if circuit.sharing is None:
            length = len(circuit.outputs) * ((lanes + 7) // 8)
            unpack_rows(data[at : at + length], len(circuit.outputs), lanes)
        else:
            codec = RowCodec(circuit.sharing, len(circuit.outputs), lanes)
            length = codec.length
            codec.read(data[at : at + length])
        at += length


def evaluate_batch(
    programs: ProgramPool[EvaluatorProgram],
    chosen: EvaluatorChoice[ChosenEnd],
    garbler_labels: bytes | arrays.Words,
    read_into: ReadInto,
    chunk: int,
) -> Evaluation:
    """Reads the payload after the label seed and evaluates it.

    Args:
        programs: bound circuits.
        chosen: what is evaluated.
        garbler_labels: those of the garbler's: their seed, or the labels themselves.
        read_into: gives the payload.
        chunk: instances per chunk.

    Raises:
        InvalidPayloadError: a row outside its ring (`value_out_of_range`), or padding bits set (`non_canonical`).
    """
    circuit, own_labels = chosen.circuit, chosen.secret.labels
    label_hash = BatchHash(read_bytes(read_into, KEY_BYTES), chosen.nonce)
    outputs: list[Words] = []
    labels: list[Words] = []
    for number, span in enumerate(spans(chosen.instances, chunk)):
        label_hash.begin_chunk(number)
        with programs.lend(circuit, span.stop - span.start) as program:
            program.begin(label_hash)
            if isinstance(garbler_labels, bytes):
                program.expand_garbler_labels(garbler_labels, number)
            else:
                sent = slice(span.start * circuit.garbler_inputs, span.stop * circuit.garbler_inputs)
                program.set_garbler_labels(garbler_labels[sent])
            mine = slice(span.start * circuit.evaluator_inputs, span.stop * circuit.evaluator_inputs)
            program.set_evaluator_labels(own_labels[mine])
            program.run(label_hash, read_into)
            opened, active = program.finish(label_hash, read_into)
            outputs += opened
            labels += active
    return Evaluation(outputs, labels)


def read_bytes(read_into: ReadInto, count: int) -> bytes:
    """The next ``count`` bytes."""
    data = bytearray(count)
    read_into(memoryview(data))
    return bytes(data)


def reader_of(payload: bytes) -> ReadInto:
    """Reads a whole payload, whose length was checked."""
    view = memoryview(payload)
    at = 0

    def read_into(target: memoryview) -> None:
        nonlocal at
        target[:] = view[at : at + len(target)]
        at += len(target)

    return read_into
