"""What runs on the board: backends, the pipeline around them, overlays, evaluation and the benchmark.

NumPy and OpenCV only, beside the one inference library that opens the file. Neither torch nor onnx is imported.
"""
