"""MP-SPDZ programs for CaPC's secure steps, and what drives them: runner, costs, evidence and emulator.

:func:`capc_mpc.spdz.running.run` runs one program (:mod:`capc_mpc.interface.steps`) under one protocol
(:mod:`capc_mpc.interface.protocols`).
"""
