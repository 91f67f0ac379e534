"""Exact simulation checks: the law of what a role or a coalition sees, computed outcome by outcome.

The last step of each security argument (spec/90-security-claims.md) says that what remains in a view is independent of
what is to stay secret. Here that is computed, not sampled: an enumerating source of randomness drives the shipped
step functions once for every outcome of all draws, on toy parameters in the hybrid model, and laws are compared as
exact rationals.

- :mod:`capc_verify.views.enumeration`: choices, replayed depth first, and the streams that make them.
- :mod:`capc_verify.views.law`: exact laws, and how two of them differ.
- :mod:`capc_verify.views.collection`: what each party receives, from messages, ledgers and ideal functionalities.
- :mod:`capc_verify.views.symbols`: hashes, commitments and signatures as ideal terms.
- :mod:`capc_verify.views.toy`: parameters, sessions, models and noise that are small enough.
- :mod:`capc_verify.views.toy_ledger`: a ledger in memory, and answering parties that look at it.
- :mod:`capc_verify.views.fixes`: draws that are held constant, where a law is computed under a condition.
- :mod:`capc_verify.views.playback`: the protocol, played from the end of its set-up, and the laws of its views.

The set-up is played once, from fixed seeds, and its messages are part of every view. Section 90 lists what views hold
and what they leave out. Outside are the computational steps, which the hybrid arguments replace: seeds and the keys of
pairs give ideal uniform streams.

Spec: CAPC-SEC-001 to CAPC-SEC-008, CAPC-SEC-011.
"""
