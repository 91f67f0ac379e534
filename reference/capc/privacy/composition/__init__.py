"""How many labels a budget allows, by an optimal adaptive composition: certified, with numbers that are doubles.

Needs the extra `privacy` (python-flint, and NumPy). Section 12 has the theorem and the proof of each bound.

- :mod:`~capc.privacy.composition.noise_tables`: a noise's law, as proven bounds.
- :mod:`~capc.privacy.composition.outcome_laws`: of one label, at one point of the worst-case family.
- :mod:`~capc.privacy.composition.second_order`, :mod:`~capc.privacy.composition.mesh`: what lies between the points.
- :mod:`~capc.privacy.composition.three_intervals`: the family towards a querying party that adds to its shares.
- :mod:`~capc.privacy.composition.family`: the meshes that cover all points; :mod:`~capc.privacy.composition.references`
  says how finely.
- :mod:`~capc.privacy.composition.value_function`, :mod:`~capc.privacy.composition.bellman`: curves, and one label more.
- :mod:`~capc.privacy.composition.recursion`: as many labels as a budget allows.
- :mod:`~capc.privacy.composition.certificate`, :mod:`~capc.privacy.composition.kept`: what was found, kept and checked.
- :mod:`~capc.privacy.composition.checker`: a second, slower way to see that curves are high enough.

Spec: CAPC-ACCT-140 to CAPC-ACCT-144, CAPC-ACCT-150, CAPC-ACCT-151, CAPC-ACCT-153.
"""
