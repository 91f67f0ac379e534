"""Data, local models and active learning around the protocol; needs the extra ``capc[learning]``.

Nothing in this package is part of the protocol. Its generators are seeded by the user and decide the split of the
data and the training only: no mask, share, label or noise draw ever comes from them (CAPC-RUN-002).
"""
