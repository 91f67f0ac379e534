"""An emulator of the part of MP-SPDZ's dialect that the programs use; `programs/README.md` lists that part.

It executes the very text of a `.mpc` file, on integers (:func:`~capc_mpc.emulator.run.emulate`) or on formulas of a
solver (`capc_mpc.proofs`), and refuses what it does not know by name, file and line.
"""
