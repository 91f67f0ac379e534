"""Exact noise: integers from a uniform stream, without floating point (CAPC-NOISE).

Every sampler is a function of a :class:`~capc.foundation.randomness.RandomSource` and of rationals. The law of its
result is exact if the stream is uniform and independent (ideal-rng); with a SHAKE-256 stream that is a computational
claim.

How bytes become integers (CAPC-NOISE-003). A port that follows these rules, in this order, turns the same bytes
into the same integers:

- ``bits(w)`` takes ceil(w / 8) bytes, little-endian, and keeps the low w bits. ``below(n)`` draws ``bits(w)`` with
  w = bit_length(n - 1) until the value is below n; ``below(1)`` takes no byte. A coin is ``bits(1)``: one byte.
- Bernoulli(p), p = a / b in lowest terms: one ``below(b)``; it succeeds when the value is below a.
- Bernoulli(exp(-gamma)), gamma = a / b in lowest terms: floor(gamma) times the case gamma = 1, stopping at the
  first failure, then the case of the remainder, also when it is 0. The case a / b <= 1 draws ``below(b n)`` for
  n = 1, 2, ... until a value is at least a; it succeeds when that n is odd.
- A lazy uniform number is a list of digits of 8 bits, most significant first, each drawn by ``bits(8)`` at the
  moment when it is first needed.
- The order of draws inside each sampler is the order of the numbered steps in its docstring.

A stream that ends is an error (CAPC-NOISE-004); nothing is retried, shortened or substituted.

Timing: these samplers reject and refine, so their run time and the number of bytes they read depend on the noise.
They are not constant-time. The privacy guardian draws all noise of a query before it sends anything, in one
call, which hides single draws behind their sum; whoever can measure the guardian's own computation more finely
than that is outside the threat model.
"""
