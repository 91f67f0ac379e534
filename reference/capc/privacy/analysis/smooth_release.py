"""What it costs to release a data-dependent figure under noise scaled by its smooth sensitivity.

The released number is f(h) + S(h) sigma Z for a standard normal Z and a beta-smooth upper bound S of the local
sensitivity of f. For neighbours, S changes by at most a factor e^beta, and f by at most the smaller of the two S. The
worst case is a closed form, reached by the larger variance first: with r = e^(2 beta) and v = a - (a - 1) r > 0

    D_a = -beta - ln(v) / (2 (a - 1)) + a / (2 sigma^2 v),

which is exact: the Renyi divergence of two normal laws is a closed form, grows with the factor between their scales,
and is larger from the wider law to the narrower one than the other way round. The cost of this release in Papernot et
al. 2018 (arXiv 1802.08908) and its published code are below it for part of the range: at order 10, beta =
9/200 and sigma = 1 they say 11.1 where the divergence is 32.86.

Source: van Erven and Harremoes 2014 (arXiv 1206.2459), the divergence of normal laws; Nissim, Raskhodnikova and Smith
2007, smooth sensitivity. Spec: CAPC-ACCT-112.
"""

from __future__ import annotations

from fractions import Fraction

from flint import ctx

from capc.foundation.errors import InputError
from capc.privacy.accountants.ball_arithmetic import ball, require
from capc.privacy.analysis.argmax_law import PRECISION
from capc.privacy.analysis.diagnostic import Diagnostic, Scope


def smooth_release_cost(order: Fraction, beta: Fraction, sigma: Fraction, adjacency: str) -> Diagnostic:
    """The exact worst-case Renyi divergence of one release.

    Args:
        order: a > 1.
        beta: of the smooth bound, above 0.
        sigma: the noise's deviation in units of S, above 0.
        adjacency: the relation for which S is smooth.

    Raises:
        InputError: an argument cannot be used, or a - (a - 1) e^(2 beta) is not above 0: then the divergence is
            infinite.
    """
    require(order > 1, "order", order, "give an order above 1")
    require(beta > 0, "beta", beta, "give a smoothness above 0")
    require(sigma > 0, "sigma", sigma, "give a deviation above 0")
    with ctx.workprec(PRECISION):
        a = ball(order)
        v = a - (a - 1) * (2 * ball(beta)).exp()
        if not v > 0:
            raise InputError(
                f"order = {order}, beta = {beta}: the divergence is infinite; give an order or a beta so small that "
                "(a - 1) e^(2 beta) < a"
            )
        cost = -ball(beta) - v.log() / (2 * (a - 1)) + a / (2 * ball(sigma) ** 2 * v)
    quantity = f"Renyi cost of order {float(order):g} of a smooth-sensitivity release"
    return Diagnostic.of(quantity, cost, Scope.RELEASE_COST, adjacency, ("(a - 1) e^(2 beta) < a holds",))
