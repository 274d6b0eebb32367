"""TensorRT's Python API as far as we use it, on ONNX Runtime: put this folder on the path, and ``tensorrt`` is there.

A plan is the ONNX file and the profile it was built with. Addresses are of this process's memory: of
``HostDevice``, or of the driver that ``libcuda.c`` stands in for.
"""

import ctypes
import json
import math
import os
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
from onnx import helper

__version__ = "10.0.stand_in"

NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
TensorIOMode = SimpleNamespace(INPUT="input", OUTPUT="output")
Node = ctypes.CFUNCTYPE(None)


class ILogger:
    Severity = SimpleNamespace(ERROR=1)


class OptimizationProfile:
    def __init__(self):
        self.shapes = {}

    def set_shape(self, name, least, best, most):
        assert len(least) == len(best) == len(most)
        self.shapes[name] = [least, best, most]


class BuilderConfig:
    def __init__(self):
        self.profiles, self.cache = [], None

    def add_optimization_profile(self, profile):
        self.profiles.append(profile)

    def create_timing_cache(self, content):
        return SimpleNamespace(serialize=lambda: content + b"timed")

    def set_timing_cache(self, cache, ignore_mismatch):
        assert not ignore_mismatch
        self.cache = cache

    def get_timing_cache(self):
        return self.cache


class Builder:
    def __init__(self, log):
        self.log = log

    def create_network(self, flags):
        assert flags == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return SimpleNamespace(onnx=b"")

    def create_builder_config(self):
        return BuilderConfig()

    def create_optimization_profile(self):
        return OptimizationProfile()

    def build_serialized_network(self, network, config):
        (profile,) = config.profiles
        return json.dumps(profile.shapes).encode() + b"\n" + network.onnx


class OnnxParser:
    num_errors = 0

    def __init__(self, network, log):
        self.network = network

    def parse(self, content):
        self.network.onnx = content
        return True


class Runtime:
    def __init__(self, log):
        self.log = log

    def deserialize_cuda_engine(self, plan):
        head, found, content = plan.partition(b"\n")
        if not found:
            self.log.log(ILogger.Severity.ERROR, "the plan is not one of this release")
            return None
        return Engine(json.loads(head), onnx.load_from_string(content))


class Engine:
    def __init__(self, profile, model):
        self.profile, self.content = profile, model.SerializeToString()
        self.types = {}
        for value in (*model.graph.input, *model.graph.output):
            kind = value.type.tensor_type
            shape = tuple(dim.dim_value for dim in kind.shape.dim)[1:]
            self.types[value.name] = (np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)), shape)
        self.inputs = [value.name for value in model.graph.input]
        self.num_io_tensors = len(self.types)

    def create_execution_context(self):
        return Context(self)

    def get_tensor_name(self, index):
        return list(self.types)[index]

    def get_tensor_dtype(self, name):
        return self.types[name][0]

    def get_tensor_mode(self, name):
        return TensorIOMode.INPUT if name in self.inputs else TensorIOMode.OUTPUT

    def get_tensor_profile_shape(self, name, index):
        assert index == 0
        return self.profile[name]


class Context:
    def __init__(self, engine):
        self.engine, self.batch_size, self.addresses = engine, 0, {}
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            engine.content, options, providers=["CPUExecutionProvider"]
        )
        self.nodes = []

    def set_input_shape(self, name, shape):
        least, _, most = self.engine.profile[name]
        assert least[0] <= shape[0] <= most[0], f"a batch of {shape[0]} is outside the profile"
        assert tuple(shape[1:]) == tuple(most[1:])
        self.batch_size = shape[0]
        return True

    def get_tensor_shape(self, name):
        return (self.batch_size, *self.engine.types[name][1])

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        batch_size, driver = self.batch_size, _driver()
        if driver is not None and driver.stand_in_is_capturing():
            node = Node(lambda: self._run(batch_size))
            self.nodes.append(node)  # lives as long as the graph may
            driver.stand_in_add_node(node)
        else:
            self._run(batch_size)
        return True

    def _run(self, batch_size):
        feed = {name: self._array(name, batch_size) for name in self.engine.inputs}
        (output,) = (name for name in self.engine.types if name not in self.engine.inputs)
        self._array(output, batch_size)[...] = self.session.run([output], feed)[0]

    def _array(self, name, batch_size):
        dtype, shape = self.engine.types[name]
        size = batch_size * math.prod(shape) * dtype.itemsize
        memory = (ctypes.c_uint8 * size).from_address(self.addresses[name])
        return np.frombuffer(memory, dtype).reshape(batch_size, *shape)


def nptype(dtype):
    return dtype


def _driver():
    try:
        driver = ctypes.CDLL(os.environ.get("STAND_IN_DRIVER", "libcuda.so.1"))
        driver.stand_in_is_capturing  # noqa: B018  # a real driver has no such function
    except (OSError, AttributeError):
        return None
    return driver
