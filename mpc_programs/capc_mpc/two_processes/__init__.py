"""The embedded engine as two processes, one for each party, over a socket: on this machine or over an emulated network.

Measured is all that a batch costs after set-up, by four ways of the same step (:mod:`capc_mpc.two_processes.ways`).
"""
