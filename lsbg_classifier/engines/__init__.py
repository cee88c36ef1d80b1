"""What runs a network with trained weights: Keras, or ONNX Runtime."""
