"""embedded/backends/onnxruntime/providers.py"""

from __future__ import annotations

import json
import re

import pytest
from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2 as schema

USUAL = {"cudnn_conv_algo_search": "HEURISTIC"}


def config(text):
    """Return what Triton hands to a backend for a config's text."""
    message = text_format.Parse(f"max_batch_size: 16 {text}", schema.ModelConfig())
    as_json = json_format.MessageToJson(message, preserving_proto_field_name=True)
    return {"parameters": {}, "optimization": {}, **json.loads(as_json)}


def parameter(key, value):
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'


def accelerator(name, **parameters):
    pairs = " ".join(f'parameters {{ key: "{key}" value: "{value}" }}' for key, value in parameters.items())
    return f'optimization {{ execution_accelerators {{ gpu_execution_accelerator {{ name: "{name}" {pairs} }} }} }}'


def graphs(*specs):
    return (
        f"optimization {{ cuda {{ graphs: true {' '.join(f'graph_spec {{ {spec} }}' for spec in specs)} }} }}"
    )


def test_card_alone(load):
    """A config that says nothing leaves all but the card and cuDNN's choice to ONNX Runtime."""
    assert load("providers").cuda_options(config(""), 3) == {**USUAL, "device_id": "3"}
    assert load("providers").tensorrt_options(config(""), 3) is None
    assert load("providers").graph_sizes(config("")) == {}


def test_parameters_of_the_native_backend(load):
    """Parameters are numbers in Triton's config and names in ONNX Runtime's options."""
    text = " ".join(
        [
            parameter("cudnn_conv_algo_search", "1"),
            parameter("arena_extend_strategy", "1"),
            parameter("gpu_mem_limit", "4294967200"),
            parameter("do_copy_in_default_stream", "0"),
        ]
    )
    assert load("providers").cuda_options(config(text), 0) == {
        "device_id": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
        "gpu_mem_limit": "4294967200",
        "do_copy_in_default_stream": "0",
    }


def test_options_of_cuda(load):
    """The accelerator cuda passes options on, and cannot move the instance to another card."""
    text = accelerator("cuda", use_tf32="0", prefer_nhwc="1", device_id="5")
    found = load("providers").cuda_options(config(text), 1)
    assert found == {**USUAL, "use_tf32": "0", "prefer_nhwc": "1", "device_id": "1"}


def test_options_of_tensorrt(load):
    """The accelerator tensorrt is spelt as for the native backend."""
    parameters = {
        "precision_mode": "FP16",
        "max_workspace_size_bytes": "1073741824",
        "trt_engine_cache_enable": "1",
    }
    assert load("providers").tensorrt_options(config(accelerator("tensorrt", **parameters)), 2) == {
        "device_id": "2",
        "trt_fp16_enable": "1",
        "trt_max_workspace_size": "1073741824",
        "trt_engine_cache_enable": "1",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            parameter("cudnn_conv_algo_search", "3"),
            "parameter 'cudnn_conv_algo_search': expected 0 to 2, got 3",
        ),
        (
            parameter("arena_extend_strategy", "x"),
            "parameter 'arena_extend_strategy': expected 0 to 1, got x",
        ),
        (parameter("gpu_mem_limit", "-1"), "parameter 'gpu_mem_limit': expected 0 or more, got -1"),
        (accelerator("openvino"), "gpu_execution_accelerator: expected cuda or tensorrt, got 'openvino'"),
        (
            accelerator("tensorrt", precision_mode="FP8"),
            "precision_mode: expected one of FP32, FP16, BF16, INT8, got FP8",
        ),
        (
            accelerator("tensorrt", use_tf32="0"),
            "accelerator tensorrt: expected a parameter of the native backend, got 'use_tf32'",
        ),
        (graphs("batch_size: 17"), "graph_spec: expected batches of 1 to 16 (max_batch_size), got 17"),
    ],
)
def test_what_cannot_be(load, text, said):
    """What makes no sense is refused with what was expected."""
    providers = load("providers")
    with pytest.raises(providers.BadConfig, match=f"^{re.escape(said)}$"):
        providers.cuda_options(config(text), 0) and providers.tensorrt_options(config(text), 0)


def test_graphs(load):
    """Graphs are for the batches named; a lower bound has smaller batches padded to one."""
    providers = load("providers")
    asked = config(graphs("batch_size: 8 graph_lower_bound { batch_size: 6 }", "batch_size: 1"))
    assert providers.graph_sizes(asked) == {1: 1, 8: 6}
    assert list(providers.graph_sizes(asked)) == [1, 8]
    assert providers.cuda_options(asked, 0) == {**USUAL, "device_id": "0", "enable_cuda_graph": "1"}


def test_graphs_without_names(load):
    """Where the config names no batches, they are the powers of two."""
    assert load("providers").graph_sizes(config(graphs())) == {1: 1, 2: 2, 4: 4, 8: 8, 16: 16}


def test_no_graphs_though_named(load):
    """Triton's switch for graphs counts, not the list."""
    text = "optimization { cuda { graphs: false graph_spec { batch_size: 4 } } }"
    assert load("providers").graph_sizes(config(text)) == {}


def test_search_of_the_accelerator(load):
    """The accelerator's own word on cuDNN's choice comes over the usual one."""
    found = load("providers").cuda_options(
        config(accelerator("cuda", cudnn_conv_algo_search="EXHAUSTIVE")), 0
    )
    assert found == {"cudnn_conv_algo_search": "EXHAUSTIVE", "device_id": "0"}


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("", [1]),
        (graphs("batch_size: 4"), [1, 4]),
        ("dynamic_batching { }", list(range(1, 17))),
        (
            f"{graphs('batch_size: 4 graph_lower_bound { batch_size: 2 }')} dynamic_batching {{ }}",
            [1, 4, *range(5, 17)],
        ),
    ],
    ids=["alone", "with a graph", "batching", "batching with a graph"],
)
def test_what_is_run_beforehand(load, text, sizes):
    """One frame, each batch with a graph, and each size that Triton may join are run before any request."""
    assert load("providers").warm_sizes(config(text)) == sizes
