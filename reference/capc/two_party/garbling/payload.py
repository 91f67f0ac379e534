"""The payload of a garbler: several instances of one circuit, garbled in chunks under one hash key.

Layout: hash key 16; then for each chunk of n instances: for each stage of the circuit with G ANDs the generator halves
16 G n, unless they are products of inputs, then the evaluator halves 16 G n, in the order of rows; then for each output
wire, in order, either its projection rows, n elements of Z_{2^(w-i)} in ceil((w - i) / 8) bytes each, where i is the
wire's place in its word, or, where outputs are not shared, n decoding bits in ceil(n / 8) bytes, padding 0.

Spec: CAPC-WIRE-008.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from capc.foundation.aes_ctr import labels_at, to_labels
from capc.foundation.encoding import (
    LABEL_BYTES,
    bits_from_bytes,
    elements_from_bytes,
    elements_to_bytes,
    require_length,
)
from capc.foundation.hidden import type_only
from capc.foundation.ring import from_bits, to_bits
from capc.two_party.circuits.builder import Circuit
from capc.two_party.garbling.half_gates import LabelHash, LabelRows, TableStage, evaluate, garble
from capc.two_party.garbling.output_sharing import share_by_evaluator, share_by_garbler

CHUNK_INSTANCES = 256
"""Instances of a large circuit that are garbled together: more are no faster, and memory grows with them."""
_MOST_INSTANCES = 2048
_CHUNK_ANDS = 1 << 17


def chunk_instances(circuit: Circuit) -> int:
    """Instances that are garbled together, by both ends: 256, and of small circuits up to 2,048, about 2^17 ANDs."""
    return max(CHUNK_INSTANCES, min(_MOST_INSTANCES, _CHUNK_ANDS // max(circuit.and_count, 1)))


def chunk_sizes(instances: int, chunk: int) -> list[int]:
    """The number of instances in each chunk: full ones, then the rest."""
    return [min(chunk, instances - start) for start in range(0, instances, chunk)]


def output_widths(circuit: Circuit) -> list[int]:
    """w - i for each output wire of a circuit that shares its outputs, i being the wire's place in its word."""
    sharing = circuit.sharing
    if sharing is None:
        return []
    return [sharing.width - number % sharing.word_bits for number in range(len(circuit.outputs))]


@dataclass(frozen=True)
class GarbledChunk:
    """One chunk.

    Attributes:
        tables: of each stage after the first.
        outputs: for each output wire one projection row, or one decoding bit, per instance.
    """

    tables: list[TableStage]
    outputs: list[list[int]]

    __repr__ = type_only


@dataclass(frozen=True)
class GarbledCircuits:
    """All chunks of a batch."""

    hash_key: bytes
    chunks: tuple[GarbledChunk, ...]

    __repr__ = type_only

    def to_bytes(self, circuit: Circuit) -> bytes:
        """The payload."""
        parts = [self.hash_key]
        widths = output_widths(circuit)
        for chunk in self.chunks:
            for generator, evaluator in chunk.tables:
                parts += [row.to_bytes(LABEL_BYTES, "little") for row in (*generator, *evaluator)]
            if circuit.sharing is None:
                parts += [from_bits(bits).to_bytes((len(bits) + 7) // 8, "little") for bits in chunk.outputs]
            else:
                parts += [elements_to_bytes(row, width) for row, width in zip(chunk.outputs, widths, strict=True)]
        return b"".join(parts)

    @staticmethod
    def byte_length(circuit: Circuit, instances: int, chunk: int) -> int:
        """16 + 16 rows instances, for the circuit's rows of tables, and the outputs as the layout says."""
        if circuit.sharing is None:
            outputs = len(circuit.outputs) * sum((size + 7) // 8 for size in chunk_sizes(instances, chunk))
        else:
            outputs = instances * sum((width + 7) // 8 for width in output_widths(circuit))
        return LABEL_BYTES + LABEL_BYTES * circuit.table_rows * instances + outputs

    @classmethod
    def from_bytes(cls, payload: bytes, circuit: Circuit, instances: int, chunk: int) -> GarbledCircuits:
        """The payload, parsed.

        Raises:
            InvalidPayloadError: the length is wrong, a row is outside its ring (`value_out_of_range`), or padding
                bits are set (`non_canonical`).
        """
        require_length(payload, cls.byte_length(circuit, instances, chunk), "garbled circuits")
        reader = _Reader(payload)
        hash_key = reader.take(LABEL_BYTES)
        chunks = tuple(_read_chunk(reader, circuit, size) for size in chunk_sizes(instances, chunk))
        return cls(hash_key, chunks)


@dataclass(frozen=True)
class GarbledChunks:
    """What a garbler made of a batch.

    Attributes:
        chunks: to send.
        shares: for each instance its shares of the output words, where the circuit shares them.
        zero_labels: of each output wire, for each instance.
    """

    chunks: tuple[GarbledChunk, ...]
    shares: list[list[int]]
    zero_labels: LabelRows

    __repr__ = type_only


def garble_chunks(
    circuit: Circuit,
    zero_labels: Iterable[LabelRows],
    delta: int,
    label_hash: LabelHash,
    weights: Sequence[Sequence[int]] | None = None,
) -> GarbledChunks:
    """Garbles chunk after chunk.

    Args:
        circuit: what to garble.
        zero_labels: for each chunk those of the input wires.
        delta: the global offset.
        label_hash: the batch's hash.
        weights: of each output wire, for each instance, as of
            :func:`capc.two_party.garbling.output_sharing.share_by_garbler`.
    """
    chunks: list[GarbledChunk] = []
    shares: list[list[int]] = []
    zeros: LabelRows = [[] for _ in circuit.outputs]
    for number, inputs in enumerate(zero_labels):
        label_hash.begin_chunk(number)
        tables, outputs = garble(circuit, inputs, delta, label_hash)
        if circuit.sharing is None:
            rows = [[label & 1 for label in row] for row in outputs]
        else:
            done = slice(len(shares), len(shares) + len(outputs[0]))
            own = None if weights is None else [row[done] for row in weights]
            rows, words = share_by_garbler(circuit.sharing, outputs, delta, label_hash, own)
            shares += words
        chunks.append(GarbledChunk(tables, rows))
        zeros = [before + now for before, now in zip(zeros, outputs, strict=True)]
    return GarbledChunks(tuple(chunks), shares, zeros)


def evaluate_chunks(
    circuit: Circuit, active_labels: Iterable[LabelRows], chunks: Sequence[GarbledChunk], label_hash: LabelHash
) -> tuple[list[list[int]], LabelRows]:
    """Evaluates chunk after chunk: for each instance shares of output words, or output bits; the active labels."""
    outputs: list[list[int]] = []
    actives: LabelRows = [[] for _ in circuit.outputs]
    for number, (inputs, chunk) in enumerate(zip(active_labels, chunks, strict=True)):
        label_hash.begin_chunk(number)
        active = evaluate(circuit, inputs, chunk.tables, label_hash)
        if circuit.sharing is None:
            pairs = zip(active, chunk.outputs, strict=True)
            bits = [[label & 1 ^ bit for label, bit in zip(*pair, strict=True)] for pair in pairs]
            outputs += map(list, zip(*bits, strict=True))
        else:
            outputs += share_by_evaluator(circuit.sharing, active, chunk.outputs, label_hash)
        actives = [before + now for before, now in zip(actives, active, strict=True)]
    return outputs, actives


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        self._at += length
        return self._data[self._at - length : self._at]


def _read_chunk(reader: _Reader, circuit: Circuit, size: int) -> GarbledChunk:
    tables: list[TableStage] = []
    for stage in circuit.stages[1:]:
        half = LABEL_BYTES * len(stage.ands) * size
        generator = [] if stage.products else to_labels(reader.take(half))
        tables.append((generator, to_labels(reader.take(half))))
    return GarbledChunk(tables, list(_read_outputs(reader, circuit, size)))


def _read_outputs(reader: _Reader, circuit: Circuit, size: int) -> Iterator[list[int]]:
    if circuit.sharing is None:
        for _ in circuit.outputs:
            yield to_bits(bits_from_bytes(reader.take((size + 7) // 8), size), size)
    for width in output_widths(circuit):
        yield elements_from_bytes(reader.take(size * ((width + 7) // 8)), width)


def by_chunks(instances: Sequence[Sequence[int]], chunk: int) -> Iterator[list[list[int]]]:
    """For each chunk its rows by wire: row k holds place k of every instance in the chunk."""
    for start in range(0, len(instances), chunk):
        yield [list(row) for row in zip(*instances[start : start + chunk], strict=True)]


def spans(counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Start and end of consecutive runs of these lengths."""
    ends = [0]
    for count in counts:
        ends.append(ends[-1] + count)
    return pairwise(ends)


def rows_of(labels: Sequence[int], count: int) -> LabelRows:
    """A flat list cut into ``count`` rows of equal length."""
    size = len(labels) // count if count else 0
    return [list(labels[row * size : (row + 1) * size]) for row in range(count)]


def offset_rows(labels: LabelRows, bits: LabelRows, delta: int) -> LabelRows:
    """Each label, XOR Delta where its bit is 1."""
    return [
        [label ^ delta if bit else label for label, bit in zip(row, row_bits, strict=True)]
        for row, row_bits in zip(labels, bits, strict=True)
    ]


def chosen_labels(labels: Sequence[int], bits: int) -> list[int]:
    """Labels of an evaluator's input bits, each with its bit as the lowest one; zero labels for ``bits`` = 0."""
    return [label & ~1 | bits >> index & 1 for index, label in enumerate(labels)]


def input_labels(seed: bytes, wires: int, instances: int, chunk: int) -> list[LabelRows]:
    """Labels of the garbler's input wires from their seed: block ``wire * n + instance`` of chunk number ``high``."""
    return [
        rows_of(labels_at(seed, range(wires * size), number), wires)
        for number, size in enumerate(chunk_sizes(instances, chunk))
    ]
