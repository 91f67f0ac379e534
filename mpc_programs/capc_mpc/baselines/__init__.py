"""What one writes with MP-SPDZ's own means, beside this project's programs; no run of the protocol takes it."""
