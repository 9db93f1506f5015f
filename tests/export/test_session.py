import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

from export.session import _with_stored_values, open_session
from perception.spec import Deployed

# 300 x 300 is more than FP16 holds, though the next product would bring it back.
_TEXT = """
<ir_version: 10, opset_import: ["" : 18]>
net (float[1, 1, 2, 2] x) => (float[1, 1, 2, 2] y)
{
    small = Cast <to = 10> (x)
    large = Conv (small, up)
    active = HardSwish (large)
    again = Conv (active, down)
    y = Cast <to = 1> (again)
}
"""


def test_an_overflow_that_onnxruntime_hides_is_seen():
    model = onnx.parser.parse_model(_TEXT)
    for name, value in {"up": 300, "down": 1e-3}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.full((1, 1, 1, 1), value, np.float16), name))
    stored = _with_stored_values(ir.from_proto(onnx.shape_inference.infer_shapes(model)))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(stored, options, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": np.full((1, 1, 2, 2), 300, np.float32)})
    assert np.isinf(y).all()


def test_session_answers_as_the_file_says(files, network):
    for precision, path in files.items():
        session = open_session(path)
        assert session.batch == 1
        assert isinstance(session.info, Deployed) and session.info.precision == precision
        outputs = session.infer(np.zeros((1, 64, 96, 3), np.uint8))
        assert (outputs.boxes.shape, outputs.boxes.dtype) == ((1, 378, 4), np.float32)
        assert (outputs.lane.shape, outputs.lane.dtype) == ((1, 64, 96), np.uint8)
