"""From a checkpoint to the ONNX file that is deployed, and the proof that both see the same."""
