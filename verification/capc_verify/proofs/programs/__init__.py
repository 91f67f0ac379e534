"""Proofs about the MPC programs, from the program text that runs.

1. `words`: what each operation of the programs' library means, on numbers modulo 2^width and flags.
2. `lemmas`: the library's text, on formulas, keeps that meaning in each domain (ring, field, Boolean): bit-vectors.
3. `programs`: the programs' text, on those meanings, equals the reference: linear integer arithmetic.

A program touches words and flags through the library's operations only; `words` refuses anything else. So by induction
over its steps, what 3 shows about meanings holds for the values that 2 is about.
"""
