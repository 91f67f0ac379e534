"""A party's own network, from PyTorch or ONNX to the integers of the protocol; runs where the model is, before it.

``from_torch`` and ``from_onnx`` read a network into the ``graph`` of its operators; ``lower`` makes stages of it;
``quantise`` makes integers and reports how well they agree. What cannot be expressed exactly is refused by operator,
node and remedy. ``from_torch`` needs the extra ``capc[learning]``, ``from_onnx`` the extra ``capc[onnx]``.
"""
