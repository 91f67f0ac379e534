"""Certified privacy figures: what happened, what it costs, and how a cost becomes (epsilon, delta).

Needs the extra `privacy` (python-flint). The core never imports this room: an account only compares rationals.

- :mod:`~capc.accountants.unit`: whom a figure protects, under which adjacency, and how far votes can move.
- :mod:`~capc.accountants.steps`: the noised steps that events (:mod:`capc.events`) consist of. No costs.
- :mod:`~capc.accountants.gaussian`, :mod:`~capc.accountants.concentrated`, :mod:`~capc.accountants.renyi`,
  :mod:`~capc.accountants.loss`: the accountants, each with its own kind of cost.
- :mod:`~capc.accountants.joint`: the joint cost of a confident step.
- :mod:`~capc.accountants.policies`: what a release policy claims, certified; budgets and noise that fit it.
- :mod:`~capc.accountants.conversion`: mu^2 and rho to (epsilon, delta) and back.
- :mod:`~capc.accountants.statement`: figures with everything that they need to be read correctly.
- :mod:`~capc.accountants.filters`: which stopping rules are valid, and by which theorem.
- :mod:`~capc.accountants.methods`, :mod:`~capc.accountants.calculator`: figures for given counts, and the questions of
  ``capc account``.

Every number is computed in ball arithmetic, which carries a proven error bound, and is rounded against us. What is
data-dependent lives apart, in :mod:`capc.analysis`, and has results of another type.

Spec: CAPC-ACCT-004, CAPC-ACCT-101 to CAPC-ACCT-116.
"""
