"""Faults in what is charged: ledgers, heads and checkpoints that several hold."""
