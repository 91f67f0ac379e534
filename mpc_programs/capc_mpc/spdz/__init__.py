"""MP-SPDZ itself: installation, compiler, keys, runs, costs."""
