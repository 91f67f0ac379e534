"""An attack on the shipped release: how much its labels tell, from below, beside all that is printed from above.

In the manner of "Auditing Private Prediction" (Chadha, Jagielski, Papernot, Choquette-Choo and Nasr, arXiv 2402.09403):
an adversary chooses all votes but one, and each query by the labels so far, and guesses the one vote by its likelihood
ratio. ``python -m capc_verify.attack`` runs it. Spec: CAPC-ACCT-160.
"""
