"""gRPC messages as KServe v2 specifies them."""

from __future__ import annotations

from tritonclient.grpc import service_pb2

from lipsync_client.grpc_wire import config_call, infer_call, models_call


def test_infer_message() -> None:
    """A batch of frames is one raw INT32 tensor, four bytes each, and two outputs are asked for."""
    rpc = infer_call("demo", [1, 258]).request
    (tensor,) = rpc.message.inputs
    assert rpc.method == "ModelInfer"
    assert rpc.message.model_name == "demo"
    assert (tensor.name, tensor.datatype, list(tensor.shape)) == ("frame_id", "INT32", [2, 1])
    assert list(rpc.message.raw_input_contents) == [b"\x01\x00\x00\x00\x02\x01\x00\x00"]
    assert [output.name for output in rpc.message.outputs] == ["jpeg", "bounds"]


def test_models_of_the_statistics() -> None:
    """The models that are ready are those with statistics; the index, which model control guards, is not asked for."""
    response = service_pb2.ModelStatisticsResponse()
    response.model_stats.add(name="demo", version="1")
    assert models_call().request.method == "ModelStatistics"
    assert models_call().parse(response) == ["demo"]


def test_config_as_mapping() -> None:
    """A configuration has the shape that it has over HTTP, as far as it is read."""
    response = service_pb2.ModelConfigResponse()
    response.config.max_batch_size = 16
    response.config.parameters["fps"].string_value = "25"
    expected = {"max_batch_size": 16, "parameters": {"fps": {"string_value": "25"}}}
    assert config_call("demo_frames", "demo").parse(response) == expected
