"""Analysis mode: figures that depend on the private votes, for audits and research. None of them is a guarantee.

They are computed from a vote histogram in the clear, which no single role of the protocol holds, and a figure that
depends on private data is itself a release. Every result is a :class:`~capc.privacy.analysis.diagnostic.Diagnostic`, a
type that carries its value as text: it cannot stand in a field called epsilon of a statement, and no accountant takes
it.

- :mod:`~capc.privacy.analysis.argmax_law`: the exact law of the noisy argmax.
- :mod:`~capc.privacy.analysis.divergence`: exact divergences between a histogram and its neighbours, in both
  directions.
- :mod:`~capc.privacy.analysis.theorem6`: the data-dependent bound of Papernot et al. 2018, which is one-sided.
- :mod:`~capc.privacy.analysis.screening`: Pr[answered] and expected answers of threshold checks, and the bound of 2018
  for a check and for labels under noise on a grid, ties counted.
- :mod:`~capc.privacy.analysis.smooth_release`: what releasing a smoothed data-dependent figure would cost.

Spec: CAPC-ACCT-112.
"""
