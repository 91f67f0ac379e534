"""``capc mpc bench``: variants of one step beside each other, from the matrix to the report."""
