"""Inference server of exported policies: NumPy, onnxruntime and HTTP, without TensorFlow."""
