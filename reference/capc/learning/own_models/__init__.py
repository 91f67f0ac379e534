"""Networks of a party's own: a PyTorch module or a scikit-learn perceptron that is trained, or an ONNX file."""
