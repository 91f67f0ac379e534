"""Second implementations, written without the code under test: circuits over arrays, edwards25519, AES, one-hot."""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import ECB
from numpy.typing import NDArray

from capc.two_party.circuits.builder import Circuit

Bits = NDArray[np.uint8]
Words = NDArray[np.int64]


def evaluate_many(circuit: Circuit, garbler_bits: Bits, evaluator_bits: Bits) -> Bits:
    """The outputs (cases x outputs) of a circuit on many cases (cases x inputs) at once."""
    wires = [*garbler_bits.T, *evaluator_bits.T]
    for gate in circuit.gates:
        if gate.operation.name == "XOR":
            wires.append(np.bitwise_xor(wires[gate.left], wires[gate.right]))
        elif gate.operation.name == "AND":
            wires.append(np.bitwise_and(wires[gate.left], wires[gate.right]))
        else:
            wires.append(np.bitwise_xor(wires[gate.left], 1))
    return np.stack([wires[wire] for wire in circuit.outputs], axis=1)


def bits_of(words: Words, width: int) -> Bits:
    """cases x words of integers of either sign to cases x (words * width) bits, least significant first."""
    shifts = np.arange(width)
    return (words[:, :, None] >> shifts & 1).astype(np.uint8).reshape(len(words), -1)


def words_of(bits: Bits, width: int) -> Words:
    """The inverse of :func:`bits_of`, unsigned."""
    grouped = bits.reshape(len(bits), -1, width).astype(np.int64)
    return np.asarray((grouped << np.arange(width)).sum(axis=2), dtype=np.int64)


def first_largest(values: Words) -> Words:
    """One-hot of the first largest value of each row: numpy's argmax gives the first."""
    return np.asarray(np.eye(values.shape[1], dtype=np.int64)[values.argmax(axis=1)], dtype=np.int64)


def grid(*axes: range) -> Words:
    """Every combination: cases x axes."""
    meshes = np.meshgrid(*[np.arange(axis.start, axis.stop) for axis in axes], indexing="ij")
    return np.stack([mesh.ravel() for mesh in meshes], axis=1)


def aes_block(key: bytes, block: bytes) -> bytes:
    encryptor = Cipher(AES128(key), ECB()).encryptor()  # noqa: S305
    return encryptor.update(block) + encryptor.finalize()


# edwards25519 in affine coordinates, from the equations of RFC 8032 section 5.1; slow, and only for tests.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
AffinePoint = tuple[int, int]
NEUTRAL: AffinePoint = (0, 1)


def curve_add(left: AffinePoint, right: AffinePoint) -> AffinePoint:
    """The complete addition law of -x^2 + y^2 = 1 + d x^2 y^2."""
    (x1, y1), (x2, y2) = left, right
    product = D * x1 * x2 * y1 * y2 % P
    x3 = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P
    y3 = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P
    return x3, y3


def curve_multiply(scalar: int, point: AffinePoint) -> AffinePoint:
    """scalar * point, for any integer of at least 0."""
    total = NEUTRAL
    while scalar:
        if scalar & 1:
            total = curve_add(total, point)
        point = curve_add(point, point)
        scalar >>= 1
    return total


def curve_negate(point: AffinePoint) -> AffinePoint:
    """The inverse of a point."""
    return -point[0] % P, point[1]


def curve_encode(point: AffinePoint) -> bytes:
    """The 32-byte compressed form."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def curve_decode(data: bytes) -> AffinePoint:
    """The point of a valid compressed form."""
    number = int.from_bytes(data, "little")
    y, sign = number & ((1 << 255) - 1), number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        raise ValueError("not on the curve")
    return (P - x if x & 1 != sign else x), y


BASE = curve_decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def torsion_points() -> list[AffinePoint]:
    """The 8 points whose order divides 8: multiples of L * Q for a Q of full order."""
    y = 2
    while True:
        y += 1
        try:
            candidate = curve_multiply(L, curve_decode(y.to_bytes(32, "little")))
        except ValueError:
            continue
        points = [curve_multiply(k, candidate) for k in range(8)]
        if len(set(points)) == 8:
            return points
