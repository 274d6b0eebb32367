"""export/network/compact.py"""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper

from export.network.compact import store_half
from tests.vectors import inputs


def run(model, faces, audio):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(["image"], {"face": faces, "audio": audio})[0]


def test_computes_with_rounded_weights(served):
    """The small file gives what the large one gives with its weights rounded to float16 by NumPy."""
    rounded = served()
    for array in rounded.graph.initializer:
        values = numpy_helper.to_array(array)
        if values.dtype == np.float32 and values.size >= 64:
            array.CopyFrom(numpy_helper.from_array(values.astype(np.float16).astype(np.float32), array.name))
    faces, audio = inputs(1, salt=2)
    compact = store_half(served())
    onnx.checker.check_model(compact, full_check=True)
    np.testing.assert_array_equal(run(compact, faces, audio), run(rounded, faces, audio))


def test_half_the_bytes(served):
    """The file is about half as large, borders and small tensors are as before, the model given is untouched."""
    model = served()
    compact = store_half(model)
    assert model == served()
    assert compact.ByteSize() < 0.55 * model.ByteSize()
    assert compact.graph.input == model.graph.input
    assert compact.graph.output == model.graph.output
    small = [array for array in compact.graph.initializer if array.data_type == TensorProto.FLOAT]
    assert small
    assert all(numpy_helper.to_array(array).size < 64 for array in small)
