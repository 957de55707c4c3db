"""What computes: an ONNX graph of our own, written node by node, checked, run and taken apart."""
