"""export/repository/tensors.py; what is written with it is compared with git in test_configs.py"""

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from export.repository.tensors import config_text, new_config


def test_every_tensor_has_its_comment():
    """Before each tensor's name stands what it holds, and the text is still a config."""
    config = new_config("ears", "onnxruntime", ["samples"], ["features"], None)
    text = config_text(config, None)
    assert (
        '  # sound of one feature vector: 16 kHz mono after pre-emphasis, -2.0 to 2.0\n  name: "samples"'
        in text
    )
    assert '  # one speech feature vector, 0.0 and up\n  name: "features"' in text
    assert text_format.Parse(text, schema.ModelConfig()) == config


def test_dims_have_no_batch_axis():
    """The batch lies in ``max_batch_size``."""
    config = new_config("ears", "onnxruntime", ["samples"], ["features"], None)
    assert (config.max_batch_size, list(config.input[0].dims), list(config.output[0].dims)) == (
        16,
        [3800],
        [512],
    )
