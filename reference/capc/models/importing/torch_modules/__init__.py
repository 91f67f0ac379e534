"""PyTorch modules: their export to ATen, operators, and running a module as it is."""
