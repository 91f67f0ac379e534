"""Certified privacy figures: what happened, what it costs, and how a cost becomes (epsilon, delta).

Needs the extra `privacy` (python-flint). The core never imports this room: an account only compares rationals.

- :mod:`~capc.privacy.accountants.unit`: whom a figure protects, under which adjacency, and how far votes can move.
- :mod:`~capc.privacy.accountants.steps`: the noised steps that events (:mod:`capc.privacy.events`) consist of. No
  costs.
- :mod:`~capc.privacy.accountants.gdp`, :mod:`~capc.privacy.accountants.zcdp`, :mod:`~capc.privacy.accountants.rdp`,
  :mod:`~capc.privacy.accountants.pld`: the accountants, each with its own kind of cost.
- :mod:`~capc.privacy.accountants.confident_gnmax`: the joint cost of a confident step.
- :mod:`~capc.privacy.accountants.policies`: what a release policy claims, certified; budgets and noise that fit it.
- :mod:`~capc.privacy.accountants.conversion`: mu^2 and rho to (epsilon, delta) and back.
- :mod:`~capc.privacy.figures.statement`: figures with everything that they need to be read correctly.
- :mod:`~capc.privacy.accountants.filters`: which stopping rules are valid, and by which theorem.
- :mod:`~capc.privacy.figures.methods`, :mod:`~capc.privacy.figures.calculator`: figures for given counts, and the
  questions of ``capc account``.

Every number is computed in ball arithmetic, which carries a proven error bound, and is rounded against us. What is
data-dependent lives apart, in :mod:`capc.privacy.analysis`, and has results of another type.

Spec: CAPC-ACCT-004, CAPC-ACCT-101 to CAPC-ACCT-116.
"""
