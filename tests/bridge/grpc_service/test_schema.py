"""bridge/grpc_service/schema.py"""

import re

from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from bridge.grpc_service.schema import (
    DEPLOYED,
    DESCRIPTORS_PATH,
    PROTOS_FOLDER,
    SHORT,
    failure,
    message_class,
    methods,
)

FIELD_NUMBERS = {
    "OptimizedInferenceRequest": "1 model_name string, 2 frame_id int32",
    "OptimizedInferenceResponse": "1 success bool, 2 prediction_data bytes, 3 bounds repeated float, "
    "4 processing_time_ms int32, 5 model_name string, 6 frame_id int32, 7 prediction_shape string, "
    "8 error optional string, 9 prepare_time_ms double, 10 inference_time_ms double, "
    "11 composite_time_ms double, 12 optimizations repeated string",
    "BatchInferenceRequest": "1 model_name string, 2 frame_ids repeated int32",
    "BatchInferenceWithAudioRequest": "1 model_name string, 2 start_frame_id int32, 3 frame_count int32, "
    "4 audio_chunks repeated bytes",
    "BatchInferenceResponse": "1 responses repeated OptimizedInferenceResponse, "
    "2 total_processing_time_ms int32, 3 avg_frame_time_ms double",
    "LoadPackageRequest": "1 package_name string, 2 package_dir string",
    "LoadPackageResponse": "1 success bool, 2 package_name string, 3 message string, "
    "4 initialization_time_ms int32, 5 frame_count int32, 6 device string, 7 videos_loaded repeated string, "
    "8 audio_features_shape repeated int32, 9 memory_mapped_audio bool, 10 error optional string",
    "StatsRequest": "1 model_name string",
    "StatsResponse": "1 model_name string, 2 total_requests int32, 3 avg_inference_time_ms double, "
    "4 min_inference_time_ms double, 5 max_inference_time_ms double, 6 frame_count int32, 7 device string, "
    "8 optimizations_active repeated string",
    "ListModelsRequest": "",
    "ListModelsResponse": "1 loaded_models repeated string, 2 count int32",
    "HealthRequest": "",
    "HealthResponse": "1 healthy bool, 2 status string, 3 loaded_models int32, 4 uptime_seconds int64",
    "GetVideoFrameRequest": "1 model_name string, 2 frame_id int32, 3 video_type string",
    "GetVideoFrameResponse": "1 success bool, 2 frame_data bytes, 3 frame_id int32, 4 video_type string, "
    "5 error optional string",
    "GetModelMetadataRequest": "1 model_name string",
    "GetModelMetadataResponse": "1 success bool, 2 model_name string, 3 frame_count int32, "
    "4 available_videos repeated string, 5 audio_path string, 6 bounds repeated float, 7 error optional string",
}
SHORT_RESPONSE = "1 success bool, 2 frame_id int32, 3 prediction_data bytes"


def written(message):
    """Return a message's fields as the tables above have them."""
    proto = descriptor_pb2.DescriptorProto()
    message.DESCRIPTOR.CopyToProto(proto)
    fields = []
    for field in proto.field:
        repeated = "repeated " if field.label == field.LABEL_REPEATED else ""
        optional = "optional " if field.proto3_optional else ""
        kind = field.type_name.rpartition(".")[2] or field.Type.Name(field.type).removeprefix("TYPE_").lower()
        fields.append(f"{field.number} {field.name} {repeated}{optional}{kind}")
    return ", ".join(fields)


def test_the_deployed_schema():
    """Every message has the names, numbers and types that deployed clients were compiled with."""
    assert {name: written(message_class(DEPLOYED, name)) for name in FIELD_NUMBERS} == FIELD_NUMBERS


def test_the_deployed_calls():
    """The service has every call, and one of them streams both ways."""
    assert [method.name + " stream" * method.streams for method in methods(DEPLOYED)] == [
        "GenerateInference",
        "GenerateBatchInference",
        "GenerateBatchWithAudio",
        "StreamInference stream",
        "LoadPackage",
        "GetStats",
        "ListModels",
        "HealthCheck",
        "GetVideoFrame",
        "GetModelMetadata",
    ]


def test_the_short_schema():
    """The short schema has no package, two calls, and the frame at other numbers."""
    assert [method.name for method in methods(SHORT)] == ["GenerateInference", "HealthCheck"]
    response = message_class(SHORT, "OptimizedInferenceResponse")
    assert response.DESCRIPTOR.full_name == "OptimizedInferenceResponse"
    assert written(response) == SHORT_RESPONSE


def test_the_compiled_form_is_that_of_the_protos(tmp_path):
    """The descriptors that are loaded are those of the .proto files beside them."""
    compiled = tmp_path / "compiled"
    protos = map(str, sorted(PROTOS_FOLDER.glob("*.proto")))
    assert protoc.main(["protoc", f"-I{PROTOS_FOLDER}", f"--descriptor_set_out={compiled}", *protos]) == 0
    expected, loaded = (
        descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())
        for path in (compiled, DESCRIPTORS_PATH)
    )
    assert loaded == expected


def test_failures():
    """A failure is said in ``error``, beside what the request said; a response without it says nothing."""
    request = message_class(DEPLOYED, "OptimizedInferenceRequest")(model_name="demo", frame_id=7)
    response = failure(message_class(DEPLOYED, "OptimizedInferenceResponse"), request, "no such frame")
    assert (response.success, response.model_name, response.frame_id) == (False, "demo", 7)
    assert response.error == "no such frame"
    assert failure(message_class(SHORT, "OptimizedInferenceResponse"), request, "no such frame") is None


def test_every_field_has_its_row():
    """The table above leaves no message out."""
    text = (PROTOS_FOLDER / "optimized_lipsyncsrv.proto").read_text()
    assert set(re.findall(r"^message (\w+)", text, re.MULTILINE)) == set(FIELD_NUMBERS)
