"""A segmenter as ONNX graphs, for programs without torch."""
