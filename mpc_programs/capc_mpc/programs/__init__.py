"""The programs (`*.mpc`) and the two files that they share. Only ``capc_noise`` can be imported outside of MP-SPDZ."""
