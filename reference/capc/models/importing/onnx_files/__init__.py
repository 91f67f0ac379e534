"""ONNX files: what may be loaded, what is computed without the query, operators, and running a file."""
